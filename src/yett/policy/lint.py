# SPDX-License-Identifier: Apache-2.0
"""Lint: what is legal and probably wrong. Errors refuse a reload, warnings are shown.

Checks only what is written; it decides nothing. The heart is `allow-outside-ask`: an allow that lets
through, without a question, calls of a tool that some ask rule meant to limit. Called through
`CompiledPolicy.lint`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from yett.action import JsonObject, ToolDefinition
from yett.policy.facts.table import PARSERS
from yett.policy.lint_relations import are_apart, same_agents, shared_agents, tools_overlap, within
from yett.policy.rules import Rule, RuleKind
from yett.policy.source import PolicySource
from yett.policy.subjects import Subject


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One finding: which check, how bad, which rule, and a sentence."""

    id: str
    severity: Severity
    rule: str
    message: str


def lint_policy(
    source: PolicySource, rules: tuple[Rule, ...], subjects: Mapping[str, frozenset[str]]
) -> tuple[LintFinding, ...]:
    """Every finding, in file order of the rules."""
    agents = {rule.id: _agents(rule, subjects) for rule in rules}
    found: list[LintFinding] = []
    for rule in rules:
        found.extend(_of_one(rule, source, agents[rule.id]))
    found.extend(_of_pairs(rules, agents))
    order = {rule.id: rule.index for rule in rules}
    return tuple(sorted(found, key=lambda each: (order[each.rule], each.id, each.message)))


def _agents(rule: Rule, subjects: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(name for name, roles in subjects.items() if not roles.isdisjoint(rule.subjects))


def _of_one(rule: Rule, source: PolicySource, agents: frozenset[str]) -> Iterator[LintFinding]:
    if not agents:
        yield _warning(
            "unreachable", rule, f"No agent is {' or '.join(rule.to)}, so this rule never applies."
        )
    if not rule.kind.restricts and any(pattern.everything for pattern in rule.tools):
        yield _warning("wildcard-only", rule, "'*' opens every built-in tool, those of later versions too.")
    yield from _unmeetable(rule, source)
    yield from _attributes(rule, source, agents)
    yield from _foreign_facts(rule)
    if source.tools is not None:
        yield from _tools(rule, source, source.tools)


def _tools(rule: Rule, source: PolicySource, tools: tuple[ToolDefinition, ...]) -> Iterator[LintFinding]:
    for pattern in rule.tools:
        if any(pattern.covers(tool) for tool in tools):
            continue
        if upstream := source.unheard(pattern.text):
            what = f"{upstream} has not said what it serves, so {pattern.text!r} could not be checked."
            yield _warning("unknown-tool", rule, what)
        else:
            yield _error("unknown-tool", rule, f"No tool is named {pattern.text!r}.")
    covered = [tool for tool in tools if rule.covers(tool)]
    for condition in rule.conditions:
        subject = condition.subject
        if (
            subject.family == "args"
            and covered
            and all(_lacks(tool.input_schema, subject) for tool in covered)
        ):
            names = ", ".join(tool.name for tool in covered[:5])
            yield _error("unknown-argument", rule, f"{subject.text}: {names} has no such argument.")


def _lacks(schema: JsonObject, subject: Subject) -> bool:
    """Whether a schema certainly has no such top-level argument."""
    properties = schema.get("properties")
    if subject.keys[0] == "*" or not isinstance(properties, dict):
        return False
    open_ended = schema.get("additionalProperties", False) not in (False, None) or "$ref" in schema
    composed = any(word in schema for word in ("allOf", "anyOf", "oneOf", "patternProperties"))
    return subject.keys[0] not in properties and not open_ended and not composed


def _foreign_facts(rule: Rule) -> Iterator[LintFinding]:
    """A fact that a tool does not have is unknown for each of its calls: deny always, allow never."""
    for condition in rule.conditions:
        if not condition.subject.is_fact:
            continue
        having = _tools_with(condition.subject.text)
        for pattern in rule.tools:
            foreign = pattern.exact and pattern.prefix not in having
            if foreign or not (pattern.exact or any(name.startswith(pattern.prefix) for name in having)):
                always = "always" if rule.kind.restricts else "never"
                what = f"{pattern.text} has no {condition.subject.text}: this rule {always} applies to it."
                yield _error("foreign-fact", rule, what)
            elif not pattern.exact and rule.kind.restricts:
                what = f"It always applies to tools of {pattern.text} without {condition.subject.text}."
                yield _warning("foreign-fact", rule, what)


def _tools_with(fact: str) -> frozenset[str]:
    family = fact.split(".", 1)[0]
    parser = {"path": "file_read", "http": "http_request", "sql": "sql_query"}[family]
    return frozenset(name for name, each in PARSERS.items() if each is PARSERS[parser])


def _attributes(rule: Rule, source: PolicySource, agents: frozenset[str]) -> Iterator[LintFinding]:
    for condition in rule.conditions:
        key = condition.subject.keys[0] if condition.subject.family == "agent" else None
        if key is not None and agents and all(key not in source.agents[name].attributes for name in agents):
            yield _error("unknown-attribute", rule, f"No agent of this rule has the attribute {key!r}.")


def _unmeetable(rule: Rule, source: PolicySource) -> Iterator[LintFinding]:
    terms = rule.approval
    if terms is None:
        return
    if source.people is not None:
        able = {
            person
            for person, groups in source.people.items()
            if not terms.approvers or person in terms.approvers or not groups.isdisjoint(terms.approvers)
        }
        # Without named approvers the operator at the gate's own terminal counts as one person.
        count = len(able) + (0 if terms.approvers else 1)
        if count < terms.need:
            yield _error("unmeetable-approval", rule, f"It needs {terms.need} people; {count} could approve.")
        for name in sorted(terms.approvers):
            if not any(name == person or name in groups for person, groups in source.people.items()):
                yield _error("unmeetable-approval", rule, f"Nobody is in the group {name!r}.")
    elif terms.need > 1 and len(source.approvers) < terms.need:
        what = f"It needs {terms.need} people; the file knows {len(source.approvers)} people and groups."
        yield _error("unmeetable-approval", rule, what)


def _of_pairs(rules: tuple[Rule, ...], agents: Mapping[str, frozenset[str]]) -> Iterator[LintFinding]:
    asks = [rule for rule in rules if rule.kind is RuleKind.ASK]
    denials = [rule for rule in rules if rule.kind is RuleKind.DENY and not rule.conditions]
    allows: list[Rule] = []
    for rule in rules:
        if rule.kind is RuleKind.ALLOW:
            yield from _beside_asks(rule, asks, agents)
            yield from _shadowed(rule, allows, agents)
            allows.append(rule)
        if rule.kind is not RuleKind.DENY:
            yield from _denied_anyway(rule, denials, agents)


def _beside_asks(
    allow: Rule, asks: Iterable[Rule], agents: Mapping[str, frozenset[str]]
) -> Iterator[LintFinding]:
    for ask in asks:
        if not tools_overlap(allow, ask) or not shared_agents(allow, ask, agents):
            continue
        if within(allow, ask) and same_agents(allow, ask, agents):
            what = f"Every call it allows is asked by {ask.id!r} anyway."
            yield _warning("shadowed", allow, what)
        elif not are_apart(allow, ask):
            what = (
                f"It allows calls outside the limits of {ask.id!r}, which asks before the same tool. "
                "Narrow it so that the two can't both apply, or make it an ask."
            )
            yield _error("allow-outside-ask", allow, what)


def _shadowed(
    allow: Rule, earlier: Iterable[Rule], agents: Mapping[str, frozenset[str]]
) -> Iterator[LintFinding]:
    for other in earlier:
        if within(allow, other) and same_agents(allow, other, agents):
            yield _warning("shadowed", allow, f"{other.id!r} already allows all of it.")
            return


def _denied_anyway(
    rule: Rule, denials: Iterable[Rule], agents: Mapping[str, frozenset[str]]
) -> Iterator[LintFinding]:
    for denial in denials:
        if within(rule, denial) and same_agents(rule, denial, agents):
            yield _warning("unreachable", rule, f"{denial.id!r} denies all of it.")
            return


def _error(check: str, rule: Rule, message: str) -> LintFinding:
    return LintFinding(id=check, severity=Severity.ERROR, rule=rule.id, message=message)


def _warning(check: str, rule: Rule, message: str) -> LintFinding:
    return LintFinding(id=check, severity=Severity.WARNING, rule=rule.id, message=message)
