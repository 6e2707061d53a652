# SPDX-License-Identifier: Apache-2.0
"""What lint finds, and what it leaves alone."""

from __future__ import annotations

import pytest
from policy_calls import policy, rule, tool

from yett.errors import ConfigurationError

READ = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOLS = (
    tool("file_read", READ),
    tool("mail__send", {"properties": {"to": {}}}),
    tool("free", {"properties": {}, "additionalProperties": True}),
)


def found(*rules, **more) -> set[tuple[str, str, str]]:
    return {(each.id, each.severity.value, each.rule) for each in policy(*rules, **more).lint()}


def test_a_sound_policy_has_no_findings():
    rules = [
        rule("allow", "file_read", {"args.path": {"under": "/w"}}),
        rule("ask", "mail__send", {"args.to": {"domain_in": ["acme.com"]}}, approval={"approvers": ["kim"]}),
        rule("deny", "*", {"session.labels": {"any_of": ["untrusted"]}}),
    ]
    assert found(*rules, tools=TOOLS) == set()


@pytest.mark.parametrize("tools", ["mail__send", "mail__*", "mail__s*"])
def test_an_allow_outside_the_limits_of_an_ask_is_refused(tools):
    ask = rule("ask", "mail__send", {"args.to": {"domain_in": ["acme.com"]}}, to="analyst")
    assert ("allow-outside-ask", "error", "allow") in found(ask, rule("allow", tools))
    assert ("allow-outside-ask", "error", "allow") in found(rule("allow", tools, {"args.cc": "x"}), ask)


def test_an_allow_that_is_apart_from_an_ask_is_fine():
    ask = rule("ask", "pay", {"args.amount": {"between": [100, 5000]}})
    assert found(rule("allow", "pay", {"args.amount": {"max": 99}}), ask) == set()
    assert ("allow-outside-ask", "error", "allow") in found(
        rule("allow", "pay", {"args.amount": {"max": 100}}), ask
    )
    other = rule("ask", "pay", {"args.to": ["bank"]})
    assert found(rule("allow", "pay", {"args.to": "shop"}), other) == set()


def test_an_allow_within_an_ask_is_shadowed():
    ask = rule("ask", "pay", {"args.amount": {"max": 5000}})
    assert found(rule("allow", "pay", {"args.amount": {"max": 100}}), ask) == {
        ("shadowed", "warning", "allow")
    }


def test_an_ask_of_other_people_or_tools_is_no_matter():
    ask = rule("ask", "mail__send", to="stranger")
    assert found(rule("allow", "mail__send", to="analyst"), ask) == set()
    assert found(rule("allow", "mail__*"), rule("ask", "file_read")) == set()


def test_shadowed_and_unreachable_rules():
    wide = rule("allow", "file_*", {"args.path": {"under": "/w"}}, id="wide")
    narrow = rule("allow", "file_read", {"args.path": {"under": "/w/a"}}, to="analyst")
    assert found(wide, narrow) == {("shadowed", "warning", "allow")}
    assert found(narrow, wide) == set()
    assert ("unreachable", "warning", "allow") in found(rule("allow", "file_read"), rule("deny", "file_*"))
    assert ("unreachable", "warning", "allow") in found(
        rule("allow", "t", to="idle"), roles={"idle": (), "reader": (), "analyst": ()}
    )


def test_a_star_that_opens_is_pointed_at():
    assert found(rule("allow", "*")) == {("wildcard-only", "warning", "allow")}
    assert found(rule("deny", "*")) == set()


def test_unknown_tools_and_arguments_are_found_once_the_tools_are_known():
    assert found(rule("allow", "file_raed")) == set()
    assert found(rule("allow", "file_raed"), tools=TOOLS) == {("unknown-tool", "error", "allow")}
    assert found(rule("allow", "git_*"), tools=TOOLS) == {("unknown-tool", "error", "allow")}
    assert found(rule("deny", "file_read", {"args.pth": "x"}), tools=TOOLS) == {
        ("unknown-argument", "error", "deny")
    }
    assert found(rule("deny", "free", {"args.pth": "x"}), tools=TOOLS) == set()
    assert found(rule("deny", "file_read", {"args.*": "x"}), tools=TOOLS) == set()


def test_facts_that_a_tool_never_has_are_found():
    assert found(rule("allow", "file_read", {"sql.verbs": {"any_of": ["x"]}})) == {
        ("foreign-fact", "error", "allow")
    }
    assert found(rule("deny", "*", {"sql.verbs": {"any_of": ["x"]}})) == {("foreign-fact", "warning", "deny")}
    assert found(rule("deny", "sql_query", {"sql.verbs": {"any_of": ["x"]}})) == set()


def test_attributes_that_no_agent_has_are_found():
    assert found(rule("allow", "t", {"agent.taem": "x"})) == {("unknown-attribute", "error", "allow")}
    assert found(rule("allow", "t", {"agent.team": "x"})) == set()


def test_approvals_that_nobody_can_meet_are_found():
    two = rule("ask", "t", approval={"approvers": ["finance"], "need": 2})
    unmeetable = {("unmeetable-approval", "error", "ask")}
    assert found(two, people={"kim": frozenset({"finance"}), "lee": frozenset()}) == unmeetable
    assert found(two, people={"kim": frozenset({"finance"}), "lee": frozenset({"finance"})}) == set()
    assert (
        found(rule("ask", "t", approval={"approvers": ["security"]}), people={"kim": frozenset()})
        == unmeetable
    )
    assert found(rule("ask", "t", approval={"need": 2}), approvers=frozenset()) == unmeetable
    assert found(two) == set()


def test_a_tool_of_an_upstream_that_was_not_heard_yet_is_only_pointed_at():
    builtin = (tool("file_read", READ),)
    for name in ("mail__send", "mail__*"):
        more = {"tools": builtin, "upstreams": frozenset({"mail"})}
        assert found(rule("allow", name), **more) == {("unknown-tool", "warning", "allow")}
        assert found(rule("allow", name), tools=builtin) == {("unknown-tool", "error", "allow")}


def test_a_tool_that_an_upstream_does_not_serve_is_refused():
    more = {"tools": TOOLS, "upstreams": frozenset({"mail"})}
    assert found(rule("allow", "mail__sned"), **more) == {("unknown-tool", "error", "allow")}


def test_a_test_of_the_file_may_call_an_upstream_that_was_not_heard_yet():
    written = {"as": "research-1", "call": "mail__send", "args": {"to": "a@b.c"}, "expect": "allow"}
    more = {"tools": TOOLS[:1], "tests": (written,)}
    compiled = policy(rule("allow", "mail__send"), upstreams=frozenset({"mail"}), **more)
    assert [result.passed for result in compiled.run_tests()] == [True]
    with pytest.raises(ConfigurationError, match="mail__send"):
        policy(rule("allow", "mail__send"), **more)
