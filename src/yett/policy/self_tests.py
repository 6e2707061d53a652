# SPDX-License-Identifier: Apache-2.0
"""The `tests:` of yett.yaml: calls and the verdicts that the author expects of them.

Parsed with the policy, run by `yett policy test` and at every reload. A test without `at` happens on
Monday 2026-01-05 at 12:00 UTC, so that its result never depends on when it is run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from yett.action import (
    Action,
    Decision,
    Effect,
    JsonObject,
    JsonValue,
    Kind,
    Principal,
    ToolDefinition,
    Transport,
)
from yett.policy.complaint import Path, complaint, mapping, unknown_word
from yett.policy.facts.hosts import address_of
from yett.policy.source import PolicySource
from yett.policy.tool_patterns import BUILTIN

_KEYS = frozenset({"as", "call", "args", "at", "from", "expect", "rule"})
_EFFECTS = frozenset(effect.value for effect in Effect)
_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    """One test, checked. `at` is Unix seconds."""

    number: int
    agent: str
    tool: str
    arguments: JsonObject = field(default_factory=dict)
    at: float = _NOON
    source_ip: str | None = None
    expect: Effect
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How one test came out. `number` counts from 1, in file order."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    number: int
    passed: bool
    agent: str
    tool: str
    expected: Effect
    expected_rule: str | None
    decision: Decision


def parse_tests(source: PolicySource, rules: frozenset[str]) -> tuple[PolicyTest, ...]:
    """Check the tests of a file. `rules` are the ids there are.

    Raises:
        ConfigurationError: an unknown key, agent, tool, rule, time or address.
    """
    return tuple(_test(index, written, source, rules) for index, written in enumerate(source.tests))


def action_of(test: PolicyTest, source: PolicySource) -> Action:
    """The call that a test describes."""
    return Action(
        id=f"test-{test.number}",
        kind=Kind.TOOL,
        tool=_tool(test.tool, source),
        arguments=test.arguments,
        principal=Principal(
            agent=test.agent,
            id=f"test:{test.agent}",
            roles=frozenset(source.agents[test.agent].roles),
            attributes=source.agents[test.agent].attributes,
            transport=Transport.INTERNAL,
            source_ip=test.source_ip,
        ),
        received_at=test.at,
    )


def result_of(test: PolicyTest, decision: Decision) -> TestResult:
    """Compare a decision with what the test expects."""
    right = decision.effect is test.expect and test.rule in {None, decision.rule}
    return TestResult(
        number=test.number,
        passed=right,
        agent=test.agent,
        tool=test.tool,
        expected=test.expect,
        expected_rule=test.rule,
        decision=decision,
    )


def _tool(name: str, source: PolicySource) -> ToolDefinition:
    for tool in source.tools or ():
        if tool.name == name:
            return tool
    origin = name.split("__", 1)[0] if "__" in name else BUILTIN
    return ToolDefinition(name=name, description="", input_schema={"type": "object"}, origin=origin)


def _test(index: int, written: JsonObject, source: PolicySource, rules: frozenset[str]) -> PolicyTest:
    path: Path = ("tests", index)
    block = mapping(written, "A test", path)
    for key in block:
        if key not in _KEYS:
            raise unknown_word("key of a test", key, _KEYS, (*path, key))
    agent = _text(block, "as", path)
    if agent not in source.agents:
        raise unknown_word("agent", agent, source.agents, (*path, "as"))
    tool = _text(block, "call", path)
    known = source.tools is None or any(each.name == tool for each in source.tools)
    if not known and source.unheard(tool) is None:
        raise unknown_word("tool", tool, [each.name for each in source.tools or ()], (*path, "call"))
    expect = _text(block, "expect", path)
    if expect not in _EFFECTS:
        raise unknown_word("verdict", expect, _EFFECTS, (*path, "expect"))
    rule = _text(block, "rule", path) if "rule" in block else None
    if rule is not None and rule not in rules and not rule.startswith("gate."):
        raise unknown_word("rule", rule, rules, (*path, "rule"))
    return PolicyTest(
        number=index + 1,
        agent=agent,
        tool=tool,
        arguments=mapping(block.get("args", {}), "'args'", (*path, "args")),
        at=_time(block["at"], (*path, "at")) if "at" in block else _NOON,
        source_ip=_address(block, path) if "from" in block else None,
        expect=Effect(expect),
        rule=rule,
    )


def _text(block: JsonObject, key: str, path: Path) -> str:
    value = block.get(key)
    if not isinstance(value, str) or not value:
        raise complaint(f"A test needs {key!r}, a text.", (*path, key) if key in block else path)
    return value


def _time(written: JsonValue, path: Path) -> float:
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise complaint(f"'at' is an RFC 3339 time with an offset, not {written!r}.", path)
    return moment.timestamp()


def _address(block: JsonObject, path: Path) -> str:
    value = _text(block, "from", path)
    if address_of(value) is None:
        raise complaint(f"'from' is an IP address, not {value!r}.", (*path, "from"))
    return value
