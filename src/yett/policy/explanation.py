# SPDX-License-Identifier: Apache-2.0
"""Why a call is decided as it is: every row about the tool, every condition, and what it saw.

For operators (`yett policy explain`): it shows values of the call, so it is never sent to an agent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from yett.action import Decision, JsonValue
from yett.policy.rules import Rule
from yett.policy.subjects import CallView
from yett.policy.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionExplanation:
    """One condition: what it looks at, demands and saw. `truth` is true, false or unknown."""

    subject: str
    constraint: str
    expected: JsonValue
    seen: JsonValue
    truth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowExplanation:
    """One rule about the tool. `concerns` says whether it is about this agent at all."""

    rule: str
    effect: str
    concerns: bool
    matched: bool
    conditions: tuple[ConditionExplanation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The decision, the rows in file order, and the id of the deciding one."""

    decision: Decision
    rows: tuple[RowExplanation, ...]

    @property
    def deciding(self) -> str:
        """The rule that decided; `gate.no-match` when none did."""
        return self.decision.rule


def explain_rows(
    rules: Iterable[Rule], subjects: frozenset[str], view: CallView
) -> tuple[RowExplanation, ...]:
    """Every rule against one call. `subjects` are what the agent is."""
    rows: list[RowExplanation] = []
    for rule in rules:
        concerns = not subjects.isdisjoint(rule.subjects)
        rows.append(
            RowExplanation(
                rule=rule.id,
                effect=rule.kind.value,
                concerns=concerns,
                matched=concerns and rule.matches(view),
                conditions=tuple(
                    ConditionExplanation(
                        subject=condition.subject.text,
                        constraint=condition.constraint.name,
                        expected=condition.constraint.expected,
                        seen=condition.seen(view),
                        truth=_WORDS[condition.truth(view)],
                    )
                    for condition in rule.conditions
                ),
            )
        )
    return tuple(rows)


_WORDS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}
