# SPDX-License-Identifier: Apache-2.0
"""What was decided, and what it demands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yett.action.values import JsonValue


class Effect(StrEnum):
    """The verdict on an action. Order of strength: deny > ask > allow."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """0 for allow, 1 for ask, 2 for deny."""
        return _STRICTNESS[self]


_STRICTNESS = {Effect.ALLOW: 0, Effect.ASK: 1, Effect.DENY: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTerms:
    """What an asking rule demands: who may approve, how many, for how long the question stands.

    `approvers` are groups or people; empty means any operator of this gate. `expires` is seconds.
    """

    approvers: frozenset[str] = frozenset()
    need: int = 1
    expires: float = 600.0
    not_requester: bool = False

    @property
    def elicitation_suffices(self) -> bool:
        """Whether the agent's own client may answer: only where the rule names no people."""
        return not self.approvers and self.need == 1 and not self.not_requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """Something that must be done if the action goes on. `kind` names it, `value` says how much."""

    kind: str
    value: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An amount to set aside before execution, for counted and summed limits. Units of the rule."""

    key: str
    amount: float
    limit: float
    window: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on one action, with the rule that gave it and words that help.

    `rule` is stable and appears in every record and denial; for verdicts of the gate itself it
    starts with `gate.`. `reason` and `next_step` are for the agent and reveal no internals.
    """

    effect: Effect
    rule: str
    reason: str
    next_step: str = ""
    approval: ApprovalTerms | None = None
    obligations: tuple[Obligation, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    policy: str = ""
