# SPDX-License-Identifier: Apache-2.0
"""`explain` shows every row and what failed; `tests:` are run as written."""

from __future__ import annotations

from policy_calls import call, policy, rule

from yett.action import Effect

WRITTEN = (
    rule(
        "allow", "file_*", {"args.path": {"under": "/w", "not_match": "**/.env"}, "args.mode": "r"}, id="read"
    ),
    rule("deny", "file_read", {"args.path": {"under": "/w/private"}}, id="private", to="stranger"),
    rule("allow", "other", id="elsewhere"),
)


def test_every_row_about_the_tool_is_shown_with_its_conditions():
    found = policy(*WRITTEN).explain(call("file_read", {"path": "/w/.env"}))
    assert [(row.rule, row.effect, row.concerns, row.matched) for row in found.rows] == [
        ("read", "allow", True, False),
        ("private", "deny", False, False),
    ]
    assert [(c.subject, c.constraint, c.expected, c.seen, c.truth) for c in found.rows[0].conditions] == [
        ("args.path", "under", "/w", "/w/.env", "true"),
        ("args.path", "not_match", "**/.env", "/w/.env", "false"),
        ("args.mode", "eq", "r", None, "unknown"),
    ]
    assert found.deciding == "gate.no-match"


def test_the_deciding_row_is_the_one_of_the_decision():
    rules = policy(*WRITTEN)
    action = call("file_read", {"path": "/w/a", "mode": "r"})
    assert rules.explain(action).decision == rules.decide(action)
    assert rules.explain(action).deciding == "read"


def test_the_tests_of_a_file_pass_and_fail_by_verdict_and_rule():
    base = {"as": "research-1", "call": "file_read", "args": {"path": "/w/../etc/passwd", "mode": "r"}}
    good = base | {"expect": "deny", "rule": "gate.no-match"}
    wrong_rule = base | {"expect": "deny", "rule": "private"}
    wrong = base | {"expect": "allow"}
    results = policy(*WRITTEN, tests=(good, wrong_rule, wrong)).run_tests()
    assert [(each.number, each.passed) for each in results] == [(1, True), (2, False), (3, False)]
    assert results[2].decision.effect is Effect.DENY


def test_a_test_says_when_and_from_where():
    when = {"time": {"between": "08:00-18:00"}, "source.ip": ["10.0.0.0/8"]}
    test = {"as": "research-1", "call": "t", "from": "10.1.1.1", "expect": "allow"}
    late = test | {"at": "2026-01-05T20:00:00+01:00", "expect": "deny"}
    early = test | {"at": "2026-01-05T18:59:59+01:00"}
    elsewhere = test | {"from": "11.0.0.1", "expect": "deny"}
    results = policy(rule("allow", "t", when), tests=(test, late, early, elsewhere)).run_tests()
    assert all(each.passed for each in results)


def test_a_test_uses_the_tools_there_are_and_names_one_of_them():
    import pytest
    from policy_calls import tool

    from yett.errors import ConfigurationError

    tools = (tool("file_read", origin="other"),)
    test = {"as": "research-1", "call": "file_read", "expect": "deny"}
    assert policy(rule("allow", "file_*"), tests=(test,), tools=tools).run_tests()[0].passed
    with pytest.raises(ConfigurationError, match="Did you mean 'file_read'"):
        policy(tests=(test | {"call": "file_raed"},), tools=tools)
