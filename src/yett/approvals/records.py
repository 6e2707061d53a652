# SPDX-License-Identifier: Apache-2.0
"""An approval record as it is kept: what the rest of the gate sees, and what only this room needs.

Arguments are kept while the record can still run; a finished record keeps their digest alone.
Pure. Called by `ledger.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from yett.action import ApprovalRecord, ApprovalState, ApprovalTerms, JsonObject, Vote, digest_of
from yett.approvals.states import is_terminal
from yett.errors import EnvironmentFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A record, the digest of its arguments, and which approvers each voter stood for."""

    record: ApprovalRecord
    arguments_digest: str
    covers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @staticmethod
    def new(record: ApprovalRecord) -> Stored:
        """A record that was never stored before."""
        return Stored(record=record, arguments_digest=digest_of(record.arguments))

    def in_state(self, state: ApprovalState, note: str = "") -> Stored:
        """The same record in another state; a terminal one without its arguments."""
        arguments: JsonObject = {} if is_terminal(state) else self.record.arguments
        changed = replace(self.record, state=state, arguments=arguments, note=note or self.record.note)
        return replace(self, record=changed)


def to_document(stored: Stored) -> JsonObject:
    """The JSON document of a record. Sets become sorted lists, so that equal records are equal."""
    record = asdict(stored.record)
    record["terms"]["approvers"] = sorted(stored.record.terms.approvers)
    record["votes"] = [asdict(vote) for vote in stored.record.votes]
    record["state"] = stored.record.state.value
    return {
        "record": record,
        "arguments_digest": stored.arguments_digest,
        "covers": {voter: [*sorted(names)] for voter, names in stored.covers.items()},
    }


def from_document(document: JsonObject) -> Stored:
    """The record of a JSON document that `to_document` made.

    Raises:
        EnvironmentFault: the store holds something else.
    """
    loose = cast("dict[str, Any]", document)
    try:
        record = loose["record"]
        terms = ApprovalTerms(
            **{**record["terms"], "approvers": frozenset[str](record["terms"]["approvers"])}
        )
        votes = tuple(Vote(**vote) for vote in record["votes"])
        state = ApprovalState(record["state"])
        return Stored(
            record=ApprovalRecord(**{**record, "state": state, "terms": terms, "votes": votes}),
            arguments_digest=loose["arguments_digest"],
            covers={voter: frozenset[str](names) for voter, names in loose["covers"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise EnvironmentFault(
            "a stored approval can't be read", advice="Restore the state file from a backup."
        ) from problem
