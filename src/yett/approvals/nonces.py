# SPDX-License-Identifier: Apache-2.0
"""One-shot nonces: proof that an answer belongs to a question this gate asked of this caller.

A nonce is bound to one record and its principal, is gone after the first answer whatever that was,
and ends with its record. They live in memory: after a restart the question is asked again. Called
by `approvals.py` only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from yett.action import ApprovalRecord
from yett.approvals.settings import ApprovalSettings
from yett.ports import Clock, Entropy


@dataclass(frozen=True, slots=True)
class _Binding:
    approval: str
    agent: str
    user: str | None
    lineage: str

    @staticmethod
    def of(record: ApprovalRecord) -> _Binding:
        return _Binding(record.id, record.agent, record.user, record.lineage)


class Nonces:
    """The open nonces, oldest first. Bounded in total and for each record; the oldest go first."""

    def __init__(self, clock: Clock, entropy: Entropy, settings: ApprovalSettings) -> None:
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        # By hash, so that the time a look-up takes says nothing about a nonce.
        self._open: dict[str, tuple[_Binding, float]] = {}

    def make(self, record: ApprovalRecord, lifetime: float) -> str:
        """A fresh nonce for this record, good for `lifetime` seconds at most."""
        nonce = self._entropy.token()
        binding = _Binding.of(record)
        of_record = [digest for digest, (bound, _) in self._open.items() if bound.approval == record.id]
        surplus = len(of_record) + 1 - self._settings.questions_per_record
        for digest in of_record[: max(0, surplus)]:
            del self._open[digest]
        while len(self._open) >= self._settings.questions:
            del self._open[next(iter(self._open))]
        self._open[_digest(nonce)] = (binding, self._clock.monotonic() + lifetime)
        return nonce

    def take(self, nonce: str, record: ApprovalRecord) -> bool:
        """Use a nonce up, and say whether it was good for this record and its principal."""
        found = self._open.pop(_digest(nonce), None)
        if found is None:
            return False
        binding, ends = found
        return binding == _Binding.of(record) and self._clock.monotonic() < ends


def _digest(nonce: str) -> str:
    return hashlib.sha256(nonce.encode("utf-8", "surrogatepass")).hexdigest()
