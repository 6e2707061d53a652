# SPDX-License-Identifier: Apache-2.0
"""How two rules lie to each other: do they overlap, is one within the other, are they apart.

All answers are proofs: `within` and `are_apart` are false when it can't be shown. Called by lint only.
"""

from __future__ import annotations

from collections.abc import Mapping

from yett.action import JsonValue
from yett.policy.conditions import Condition
from yett.policy.constraints.constraint import Constraint
from yett.policy.constraints.equality import OneOf
from yett.policy.constraints.numbers import NumberRange
from yett.policy.constraints.paths import Under
from yett.policy.rules import Rule
from yett.policy.tool_patterns import ToolPattern
from yett.policy.truth import Truth


def tools_overlap(left: Rule, right: Rule) -> bool:
    """Whether some tool could be covered by both."""
    return any(a.may_overlap(b) for a in left.tools for b in right.tools)


def shared_agents(left: Rule, right: Rule, agents: Mapping[str, frozenset[str]]) -> bool:
    """Whether both concern some agent, or could once there is one."""
    return not agents[left.id].isdisjoint(agents[right.id]) or not left.subjects.isdisjoint(right.subjects)


def same_agents(inner: Rule, outer: Rule, agents: Mapping[str, frozenset[str]]) -> bool:
    """Whether the outer rule concerns every agent of the inner one."""
    return agents[inner.id] <= agents[outer.id] and bool(agents[inner.id])


def within(inner: Rule, outer: Rule) -> bool:
    """Whether every call that matches the inner rule certainly matches the outer one."""
    covered = all(any(_covers(b, a) for b in outer.tools) for a in inner.tools)
    return covered and all(
        any(_implies(mine, theirs) for mine in inner.conditions) for theirs in outer.conditions
    )


def are_apart(left: Rule, right: Rule) -> bool:
    """Whether no call can match both, because they demand different values of one subject."""
    return any(
        mine.subject == theirs.subject
        and not mine.subject.many
        and _excludes(mine.constraint, theirs.constraint)
        for mine in left.conditions
        for theirs in right.conditions
    )


def _covers(outer: ToolPattern, inner: ToolPattern) -> bool:
    if outer.exact:
        return inner.exact and inner.prefix == outer.prefix
    if not inner.prefix.startswith(outer.prefix):
        return False
    return outer.origin is None or inner.origin == outer.origin or (inner.exact and outer.may_overlap(inner))


def _implies(mine: Condition, theirs: Condition) -> bool:
    if mine.subject != theirs.subject:
        return False
    a, b = mine.constraint, theirs.constraint
    if (a.name, a.expected) == (b.name, b.expected):
        return True
    if mine.subject.many:
        return False
    if isinstance(a, NumberRange) and isinstance(b, NumberRange):
        low = b.low is None or (a.low is not None and a.low >= b.low)
        return low and (b.high is None or (a.high is not None and a.high <= b.high))
    if isinstance(a, Under) and isinstance(b, Under):
        return all(any(root[: len(outer)] == outer for outer in b.roots) for root in a.roots)
    values = _values(a)
    return values is not None and all(b.check(value) is Truth.TRUE for value in values)


def _excludes(a: Constraint, b: Constraint) -> bool:
    if isinstance(a, NumberRange) and isinstance(b, NumberRange):
        return _below(a, b) or _below(b, a)
    for one, other in ((a, b), (b, a)):
        values = _values(one)
        if values is not None and all(other.check(value) is Truth.FALSE for value in values):
            return True
    return False


def _below(a: NumberRange, b: NumberRange) -> bool:
    return a.high is not None and b.low is not None and a.high < b.low


def _values(constraint: Constraint) -> tuple[JsonValue, ...] | None:
    """The only values that satisfy a constraint, where it lists them."""
    if isinstance(constraint, OneOf) and not constraint.negated and not constraint.networks:
        return constraint.values
    return None
