# SPDX-License-Identifier: Apache-2.0
"""Several policies at once: the strictest verdict of all. Implements the port Decide.

A reload that newly allows anything runs together with the policy before it, so that what widens
waits for `yett policy apply` and what narrows is in force at once. Built by app.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from yett.action import (
    Action,
    Decision,
    Effect,
    Obligation,
    Principal,
    Reservation,
    ToolDefinition,
    digest_of,
)
from yett.policy.approval import strictest_terms
from yett.policy.compiled import CompiledPolicy


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The strictest decision; the first of equals gives the rule and the words.

    A denial stands alone. Otherwise approval terms merge to the strictest, obligations and
    reservations of all members are kept. No decision at all is a denial.
    """
    listed = tuple(decisions)
    if not listed:
        return Decision(effect=Effect.DENY, rule="gate.no-match", reason="No policy is in force.")
    worst = max(listed, key=lambda each: each.effect.strictness)
    if worst.effect is Effect.DENY:
        return worst
    obligations: list[Obligation] = []
    reservations: list[Reservation] = []
    for each in listed:
        obligations.extend(item for item in each.obligations if item not in obligations)
        reservations.extend(item for item in each.reservations if item not in reservations)
    asked = [each.approval for each in listed if each.approval is not None]
    return replace(
        worst,
        approval=strictest_terms(asked) if worst.effect is Effect.ASK else None,
        obligations=tuple(obligations),
        reservations=tuple(reservations),
    )


class Conjunction:
    """All of several policies.

    Raises:
        ValueError: no policy was given.
    """

    def __init__(self, members: Iterable[CompiledPolicy]) -> None:
        self._members = tuple(members)
        if not self._members:
            raise ValueError("a conjunction needs at least one policy")
        self.digest = digest_of([member.digest for member in self._members])

    def decide(self, action: Action) -> Decision:
        """The strictest verdict of all members."""
        verdict = strictest(member.decide(action) for member in self._members)
        return replace(verdict, policy=self.digest)

    def may_see(self, principal: Principal, tool: ToolDefinition) -> bool:
        """Whether every member lets the caller see the tool."""
        return all(member.may_see(principal, tool) for member in self._members)
