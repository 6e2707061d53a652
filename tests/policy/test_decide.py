# SPDX-License-Identifier: Apache-2.0
"""Who and what a rule is about, what is listed, and the words of a decision."""

from __future__ import annotations

import pytest
from policy_calls import call, policy, rule, tool, verdict

from yett.action import ApprovalTerms, Effect, Kind


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("file_*", "file_read", True),
        ("file_*", "file__x", False),
        ("git*", "github__push", False),
        ("github__*", "github__push", True),
        ("github__pu*", "github__push", True),
        ("github__*", "github2__push", False),
        ("*", "shell_run", True),
        ("*", "github__push", False),
        ("github__push", "github__push", True),
    ],
)
def test_wildcards_never_cross_from_built_in_tools_to_upstreams(pattern, name, covered):
    assert (verdict([rule("allow", pattern)], call(name)) is Effect.ALLOW) is covered


def test_an_upstream_that_serves_its_tools_unprefixed_is_not_built_in():
    assert verdict([rule("allow", "file_*")], call("file_read", origin="evil")) is Effect.DENY
    assert verdict([rule("allow", "evil__*")], call("evil__x", origin="builtin")) is Effect.DENY


def test_a_star_alone_restricts_everything():
    rules = [rule("allow", "github__*"), rule("deny", "*", id="stop", to="analyst")]
    assert verdict(rules, call("github__push")) is Effect.DENY


def test_rules_are_for_roles_agents_or_everyone():
    for to, other in (("reader", Effect.DENY), ("research-1", Effect.DENY), ("*", Effect.ALLOW)):
        rules = [rule("allow", "t", to=to)]
        assert verdict(rules, call("t")) is Effect.ALLOW
        assert verdict(rules, call("t", agent="stranger")) is other
    assert (
        verdict([rule("allow", "t", to=["stranger", "reader"])], call("t", agent="stranger")) is Effect.ALLOW
    )


def test_several_tools_as_a_list():
    rules = [rule("allow", ["a", "b_*"])]
    assert [verdict(rules, call(name)) for name in ("a", "b_x", "c")] == [
        Effect.ALLOW,
        Effect.ALLOW,
        Effect.DENY,
    ]


def test_a_request_of_a_sandboxed_program_is_decided_like_the_tool():
    http = rule("allow", "http_request", {"http.host": ["acme.com"]})
    assert verdict([http], call("http_request", {"url": "https://acme.com/"}, kind=Kind.HTTP)) is Effect.ALLOW
    assert verdict([http], call("http_request", {"url": "https://evil.com/"}, kind=Kind.HTTP)) is Effect.DENY


def test_an_ask_without_terms_may_be_answered_by_any_operator():
    decision = policy(rule("ask", "t")).decide(call("t"))
    assert (decision.effect, decision.approval) == (Effect.ASK, ApprovalTerms())
    assert policy(rule("allow", "t")).decide(call("t")).approval is None


def test_what_may_be_seen_is_what_some_arguments_could_open():
    rules = policy(
        rule("allow", "file_read", {"args.path": {"under": "/w"}}, to="analyst"),
        rule("ask", "mail__send", to="analyst"),
        rule("escalate", "lonely"),
        rule("deny", "file_read", {"args.path": {"under": "/w/x"}}),
        rule("allow", "closed", id="a2"),
        rule("deny", "closed", id="d2"),
    )
    me, stranger = call("t").principal, call("t", agent="stranger").principal
    seen = [
        name
        for name in ("file_read", "mail__send", "lonely", "closed", "other")
        if rules.may_see(me, tool(name))
    ]
    assert seen == ["file_read", "mail__send"]
    assert not rules.may_see(stranger, tool("file_read"))
    assert not rules.may_see(call("t", agent="mallory").principal, tool("file_read"))


def test_a_denial_names_the_limits_of_the_nearest_rule_of_this_agent_and_of_no_other():
    rules = policy(
        rule("allow", "t", {"args.path": {"under": "/w"}, "args.n": {"max": 5}}, id="mine", to="analyst"),
        rule(
            "allow",
            "t",
            {"args.path": {"under": "/other"}, "source.ip": ["10.0.0.0/8"]},
            id="far",
            to="analyst",
        ),
        rule("allow", "t", {"args.path": {"under": "/secret-project"}}, id="theirs", to="stranger"),
    )
    step = rules.decide(call("t", {"path": "/w/a", "n": 9})).next_step
    assert step == "t is allowed when args.path is under /w and args.n is at most 5 (rule mine)."
    assert "10.0.0.0" not in rules.decide(call("t", {"path": "/other/x"})).next_step
    assert "secret" not in rules.decide(call("t")).next_step


def test_a_reason_without_a_why_names_what_the_rule_is_about_and_not_its_values():
    rules = policy(
        rule("deny", "sql_query", {"sql.verbs": {"any_of": ["drop"]}, "source.ip": ["10.0.0.0/8"]})
    )
    decision = rules.decide(call("sql_query", {"sql": "drop table t"}, ip="10.0.0.1"))
    assert decision.reason == "The rule deny denies sql_query because of sql.verbs."
    assert "10.0" not in decision.reason + decision.next_step


def test_the_digest_tells_policies_apart():
    first = policy(rule("allow", "t"))
    assert first.digest == policy(rule("allow", "t")).digest
    assert first.digest != policy(rule("allow", "u")).digest
    assert first.digest != policy(rule("allow", "t"), approvers=frozenset({"kim"})).digest


def test_facts_are_parsed_once_a_call(monkeypatch):
    from yett.policy.facts import table

    count = []
    real = table.sql_facts
    monkeypatch.setattr(table, "sql_facts", lambda *given: (count.append(1), real(*given))[1])
    rules = [rule("allow", "sql_query", {"sql.verbs": {"subset_of": ["select"]}, "sql.statements": 1})]
    rules += [rule("deny", "sql_query", {"sql.tables": {"any_of": ["x"]}})]
    assert verdict(rules, call("sql_query", {"sql": "select 1"})) is Effect.ALLOW
    assert len(count) == 1


def test_sqlglot_is_loaded_only_when_a_call_needs_it():
    import subprocess
    import sys

    code = "import sys, yett.policy.compiler; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
