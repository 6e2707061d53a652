# SPDX-License-Identifier: Apache-2.0
"""The words of a decision, for the agent: a reason, and what it may do instead.

Says what a rule is about and, for a call that nothing opens, the limits of the nearest rule that
concerns this very agent. Never another agent's rules, never where the caller may connect from, never
the values that a restriction looks for.
"""

from __future__ import annotations

from collections.abc import Iterable

from yett.policy.conditions import Condition
from yett.policy.rules import Rule, RuleKind
from yett.policy.subjects import CallView
from yett.policy.truth import Truth

NOTHING_OPENS = "No rule allows this call."
_LISTED = "Use only the tools that are listed for you, or ask the operator for a rule."


def reason_of(rule: Rule, tool: str) -> str:
    """The rule's own `why`, or a sentence that names the rule and what it looks at."""
    if rule.why:
        return rule.why
    if rule.kind is RuleKind.ALLOW:
        return f"The rule {rule.id} allows {tool}."
    verb = "denies" if rule.kind is RuleKind.DENY else "asks a person before"
    subjects = sorted({each.subject.text for each in rule.conditions if _may_be_told(each)})
    about = f" because of {', '.join(subjects)}" if subjects else ""
    return f"The rule {rule.id} {verb} {tool}{about}."


def next_step_of_denial(rule: Rule, tool: str) -> str:
    """What an agent may do after a rule denied its call."""
    if not rule.conditions:
        return f"Do not call {tool} again; do the task without it or ask the operator."
    return f"Change what the rule {rule.id} is about, do the task another way, or ask the operator."


def next_step_of_no_match(openings: Iterable[Rule], tool: str, view: CallView) -> str:
    """The limits of the nearest rule that opens this tool for this agent, in words."""
    nearest = min(openings, key=lambda rule: (_failing(rule, view), rule.index), default=None)
    if nearest is None:
        return f"{tool} is not open to you. {_LISTED}"
    limits = [each.sentence() for each in nearest.conditions if _may_be_told(each)]
    hidden = len(limits) < len(nearest.conditions)
    if hidden:
        limits.append("other conditions hold")
    opened = "allowed" if nearest.kind is RuleKind.ALLOW else "possible after an approval"
    return f"{tool} is {opened} when {' and '.join(limits)} (rule {nearest.id})."


def next_step_of_question(tool: str) -> str:
    """What an agent may do while people are asked."""
    return f"Wait for the approval; call {tool} again with the same arguments if you are told to."


def _failing(rule: Rule, view: CallView) -> int:
    return sum(each.truth(view) is not Truth.TRUE for each in rule.conditions)


def _may_be_told(condition: Condition) -> bool:
    return condition.subject.family in {"args", "fact"} or condition.subject.text == "time"
