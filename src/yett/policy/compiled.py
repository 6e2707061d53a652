# SPDX-License-Identifier: Apache-2.0
"""A policy in force: implements the port Decide, and explains, tests and checks itself.

Deny by default; deny > ask > allow. No match is a denial, an exception inside is a denial, an agent
that is not in the file has no rules. Pure: the time is the action's, and the same action gives the
same decision. Safe to share between threads: what changes is one dictionary of enforcers that are
built on first use and never differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from yett.action import (
    Action,
    ApprovalTerms,
    Decision,
    Effect,
    Kind,
    Principal,
    ToolDefinition,
)
from yett.policy.approval import strictest_terms
from yett.policy.engine import RoleLinks, Shard
from yett.policy.explanation import Explanation, explain_rows
from yett.policy.lint import LintFinding, lint_policy
from yett.policy.roles import agent_subject
from yett.policy.rules import Rule, RuleKind
from yett.policy.self_tests import PolicyTest, TestResult, action_of, result_of
from yett.policy.settings import PolicySettings
from yett.policy.source import PolicySource
from yett.policy.subjects import CallView
from yett.policy.wording import (
    NOTHING_OPENS,
    next_step_of_denial,
    next_step_of_no_match,
    next_step_of_question,
    reason_of,
)

_K = TypeVar("_K")
_V = TypeVar("_V")

_DECIDED_KINDS = frozenset({Kind.TOOL, Kind.HTTP})
"""An outbound request of a sandboxed program is decided under the tool that it is handed in as."""


class CompiledPolicy:
    """Made by `compile_policy` only. `digest` identifies roles, agents, rules and approvers."""

    def __init__(
        self,
        *,
        source: PolicySource,
        rules: tuple[Rule, ...],
        subjects: Mapping[str, frozenset[str]],
        tests: tuple[PolicyTest, ...],
        digest: str,
        settings: PolicySettings,
    ) -> None:
        self.digest = digest
        self._source = source
        self._rules = rules
        self._subjects = subjects
        self._tests = tests
        self._settings = settings
        self._by_name: dict[str, list[Rule]] = {}
        self._wild: list[Rule] = []
        for rule in rules:
            self._index(rule)
        self._links = RoleLinks({agent_subject(name): each for name, each in subjects.items()})
        self._named: dict[tuple[str, str], frozenset[str]] = {}
        self._shards: dict[tuple[str, str, frozenset[str]], Shard] = {}

    def decide(self, action: Action) -> Decision:
        """The verdict on an action. Never raises."""
        try:
            return self._decide(action)
        except Exception:  # noqa: BLE001 - law 2: an exception inside the engine is a denial
            return self._denied(
                "gate.policy-error", "The policy could not be evaluated.", "Tell the operator."
            )

    def may_see(self, principal: Principal, tool: ToolDefinition) -> bool:
        """Whether any arguments could make this tool allowed or asked for this caller."""
        shard = self._shard(tool, principal.agent)
        if shard is None:
            return False
        outcome = shard.decide(agent_subject(principal.agent), _BestCase(self._rules))
        return outcome.allowed or outcome.asked

    def explain(self, action: Action) -> Explanation:
        """The decision with every row that concerns the tool. For operators, never for agents."""
        view = self._view(action)
        subjects = self._subjects.get(action.principal.agent, frozenset())
        rows = explain_rows(self._rules_for(action.tool), subjects, view)
        return Explanation(decision=self.decide(action), rows=rows)

    def run_tests(self) -> tuple[TestResult, ...]:
        """Run the `tests:` of the file against this policy."""
        return tuple(result_of(test, self.decide(action_of(test, self._source))) for test in self._tests)

    def lint(self) -> tuple[LintFinding, ...]:
        """What is legal and probably wrong. Findings of severity `error` refuse a reload."""
        return lint_policy(self._source, self._rules, self._subjects)

    def _decide(self, action: Action) -> Decision:
        agent = action.principal.agent
        shard = self._shard(action.tool, agent) if action.kind in _DECIDED_KINDS else None
        view = self._view(action)
        if shard is None:
            return self._denied("gate.no-match", NOTHING_OPENS, next_step_of_no_match((), action.name, view))
        call = _Call(self._rules, view)
        outcome = shard.decide(agent_subject(agent), call)
        if outcome.denied:
            rule = call.matched(RuleKind.DENY)[0]
            return self._denied(rule.id, reason_of(rule, action.name), next_step_of_denial(rule, action.name))
        if outcome.asked or (outcome.allowed and outcome.escalated):
            return self._asked(call, action, asked=outcome.asked, escalated=outcome.escalated)
        if outcome.allowed:
            rule = call.matched(RuleKind.ALLOW)[0]
            return Decision(
                effect=Effect.ALLOW, rule=rule.id, reason=reason_of(rule, action.name), policy=self.digest
            )
        openings = [rule for rule in shard.rules if not rule.kind.restricts]
        step = next_step_of_no_match(openings, action.name, view)
        return self._denied("gate.no-match", NOTHING_OPENS, step)

    def _asked(self, call: _Call, action: Action, *, asked: bool, escalated: bool) -> Decision:
        rules = call.matched(RuleKind.ASK) if asked else []
        rules += call.matched(RuleKind.ESCALATE) if escalated else []
        terms: list[ApprovalTerms] = [rule.approval for rule in rules if rule.approval is not None]
        return Decision(
            effect=Effect.ASK,
            rule=rules[0].id,
            reason=reason_of(rules[0], action.name),
            next_step=next_step_of_question(action.name),
            approval=strictest_terms(terms),
            policy=self.digest,
        )

    def _denied(self, rule: str, reason: str, step: str) -> Decision:
        return Decision(effect=Effect.DENY, rule=rule, reason=reason, next_step=step, policy=self.digest)

    def _view(self, action: Action) -> CallView:
        agent = self._source.agents.get(action.principal.agent)
        return CallView(action, agent.attributes if agent is not None else {}, self._settings)

    def _index(self, rule: Rule) -> None:
        exact = {pattern.prefix for pattern in rule.tools if pattern.exact}
        for name in exact:
            self._by_name.setdefault(name, []).append(rule)
        if any(not pattern.exact for pattern in rule.tools):
            self._wild.append(rule)

    def _rules_for(self, tool: ToolDefinition) -> tuple[Rule, ...]:
        """The rules about a tool, in file order."""
        found = {rule.index: rule for rule in self._by_name.get(tool.name, ())}
        found |= {rule.index: rule for rule in self._wild if rule.covers(tool)}
        return tuple(found[index] for index in sorted(found))

    def _shard(self, tool: ToolDefinition, agent: str) -> Shard | None:
        """The enforcer for a tool and all callers of this agent's roles; None when no rule fits."""
        subjects = self._subjects.get(agent)
        if subjects is None:
            return None
        key = (tool.name, tool.origin)
        named = self._named.get(key)
        if named is None:
            named = frozenset().union(*(rule.subjects for rule in self._rules_for(tool)))
            self._named = self._room_in(self._named)
            self._named[key] = named
        concerned = subjects & named
        if not concerned:
            return None
        shard = self._shards.get((*key, concerned))
        if shard is None:
            rules = [rule for rule in self._rules_for(tool) if not concerned.isdisjoint(rule.subjects)]
            shard = Shard(rules, concerned, self._links)
            self._shards = self._room_in(self._shards)
            self._shards[*key, concerned] = shard
        return shard

    def _room_in(self, kept: dict[_K, _V]) -> dict[_K, _V]:
        """What is kept, or nothing when that is at its limit. What is lost is built again."""
        return kept if len(kept) < self._settings.max_shards else {}


class _Call:
    """One call against the rules: each rule is evaluated once and remembered for this call only."""

    def __init__(self, rules: tuple[Rule, ...], view: CallView) -> None:
        self._rules = rules
        self._view = view
        self._known: dict[int, bool] = {}

    def matches(self, row: str) -> bool:
        """Whether the rule of a row matches this call."""
        index = int(row)
        known = self._known.get(index)
        if known is None:
            known = self._known[index] = self._rules[index].matches(self._view)
        return known

    def matched(self, kind: RuleKind) -> list[Rule]:
        """The rules of a kind that were found to match, in file order."""
        found = [self._rules[index] for index in sorted(self._known) if self._known[index]]
        return [rule for rule in found if rule.kind is kind]


class _BestCase:
    """The most favourable call there could be: openings match, restrictions only without conditions."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules

    def matches(self, row: str) -> bool:
        """Whether the rule of a row matches whatever the arguments are."""
        rule = self._rules[int(row)]
        return not rule.kind.restricts or not rule.conditions
