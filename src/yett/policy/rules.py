# SPDX-License-Identifier: Apache-2.0
"""A compiled rule: what it does, for whom, to which tools, when.

Immutable and shared by all calls. `matches` is law 2 in one place: a rule whose conditions end
unknown matches if it restricts and does not if it opens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yett.action import ApprovalTerms, JsonObject, ToolDefinition
from yett.policy.conditions import Condition
from yett.policy.subjects import CallView
from yett.policy.tool_patterns import ToolPattern
from yett.policy.truth import Truth


class RuleKind(StrEnum):
    """What a rule does when it matches."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    ESCALATE = "escalate"

    @property
    def restricts(self) -> bool:
        """Whether it takes away: deny and escalate. The others open."""
        return self is RuleKind.DENY or self is RuleKind.ESCALATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `subjects` are who it concerns, `written` the raw `when`."""

    index: int
    id: str
    kind: RuleKind
    tools: tuple[ToolPattern, ...]
    to: tuple[str, ...]
    subjects: frozenset[str]
    conditions: tuple[Condition, ...]
    approval: ApprovalTerms | None
    why: str
    written: JsonObject

    def covers(self, tool: ToolDefinition) -> bool:
        """Whether it is about this tool."""
        return any(pattern.covers(tool) for pattern in self.tools)

    def truth(self, view: CallView) -> Truth:
        """All conditions together; false wins over unknown. True when there are none."""
        result = Truth.TRUE
        for condition in self.conditions:
            truth = condition.truth(view)
            if truth is Truth.FALSE:
                return truth
            if truth is Truth.UNKNOWN:
                result = truth
        return result

    def matches(self, view: CallView) -> bool:
        """Whether the rule applies to the call."""
        truth = self.truth(view)
        return truth is Truth.TRUE or (truth is Truth.UNKNOWN and self.kind.restricts)
