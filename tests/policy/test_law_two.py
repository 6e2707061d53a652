# SPDX-License-Identifier: Apache-2.0
"""Law 2 of the design, a test for each of its sentences."""

from __future__ import annotations

import pytest
from policy_calls import call, closes, opens, policy, rule, verdict

from yett.action import Effect, Kind
from yett.policy.compiled import CompiledPolicy

UNDER = {"args.path": {"under": "/workspace"}}


def test_deny_by_default():
    decision = policy().decide(call("file_read", {"path": "/workspace/a"}))
    assert (decision.effect, decision.rule) == (Effect.DENY, "gate.no-match")


def test_deny_beats_ask_beats_allow():
    allow, ask, deny = (rule(kind, "file_read") for kind in ("allow", "ask", "deny"))
    assert verdict([allow], call("file_read")) is Effect.ALLOW
    for order in ([allow, ask], [ask, allow]):
        assert verdict(order, call("file_read")) is Effect.ASK
    for order in ([allow, ask, deny], [deny, ask, allow], [ask, deny]):
        assert verdict(order, call("file_read")) is Effect.DENY


def test_a_denial_names_the_rule_that_denied():
    rules = policy(rule("allow", "file_read"), rule("deny", "file_*", why="Not\n today."))
    decision = rules.decide(call("file_read"))
    assert (decision.rule, decision.reason, decision.policy) == ("deny", "Not today.", rules.digest)


def test_an_unknown_tool_is_denied():
    assert verdict([rule("allow", "file_read")], call("file_readx")) is Effect.DENY


def test_an_agent_that_is_not_in_the_file_is_denied():
    assert verdict([rule("allow", "file_read")], call("file_read", agent="mallory")) is Effect.DENY


@pytest.mark.parametrize("kind", [Kind.RESOURCE, Kind.PROMPT, Kind.SAMPLING, Kind.ELICITATION])
def test_kinds_that_no_rule_can_name_yet_are_denied(kind):
    assert verdict([rule("allow", "file_read")], call("file_read", kind=kind)) is Effect.DENY


def test_an_unparseable_argument_is_denied():
    assert not opens({"sql.verbs": {"subset_of": ["select"]}}, call("sql_query", {"sql": "SELECT FROM ((("}))
    assert not opens(
        {"http.host": ["acme.com"]}, call("http_request", {"url": "https://acme.com\\@evil.com"})
    )


def test_an_exception_in_the_engine_is_a_denial(monkeypatch):
    broken = policy(rule("allow", "file_read"))

    def fail(*_: object) -> None:
        raise RuntimeError("casbin is broken")

    monkeypatch.setattr(CompiledPolicy, "_shard", fail)
    decision = broken.decide(call("file_read"))
    assert (decision.effect, decision.rule) == (Effect.DENY, "gate.policy-error")


def test_false_wins_over_unknown_inside_a_rule():
    missing_and_false = {"args.missing": "x", "args.path": {"under": "/workspace"}}
    assert not closes(missing_and_false, call("file_read", {"path": "/etc/passwd"}))
    assert closes(missing_and_false, call("file_read", {"path": "/workspace/a"}))


@pytest.mark.parametrize(
    "arguments", [{}, {"path": None}, {"path": 5}, {"path": "relative"}, {"path": "/workspace/\0"}]
)
def test_a_condition_that_ends_unknown_denies_and_escalates_but_neither_allows_nor_asks(arguments):
    action = call("file_read", arguments)
    assert not opens(UNDER, action)
    assert verdict([rule("ask", "file_read", UNDER)], action) is Effect.DENY
    assert closes(UNDER, action)
    assert verdict([rule("allow", "file_read"), rule("escalate", "file_read", UNDER)], action) is Effect.ASK


def test_an_exception_inside_a_condition_is_unknown(monkeypatch):
    from yett.policy.constraints.paths import Under

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Under, "check", fail)
    assert not opens(UNDER, call("file_read", {"path": "/workspace/a"}))
    assert closes(UNDER, call("file_read", {"path": "/etc"}))


def test_set_constraints_never_match_an_empty_set():
    for word in ("subset_of", "any_of"):
        assert not opens({"args.programs": {word: ["ls"]}}, call("t", {"programs": []}))
        assert not closes({"args.programs": {word: ["ls"]}}, call("t", {"programs": []}))
    assert not opens({"args.to": {"domain_in": ["acme.com"]}}, call("mail__send", {"to": []}))
    assert not opens({"args.*": {"under": "/workspace"}}, call("file_read", {}))
    assert not opens({"session.labels": {"subset_of": ["untrusted"]}}, call("t"))


def test_all_matching_terms_merge_and_the_strictest_wins():
    decision = policy(
        rule("ask", "pay", approval={"approvers": ["finance"], "need": 1, "expires": "10m"}),
        rule("ask", "pay", id="b", approval={"approvers": ["security"], "need": 2, "expires": "1h"}),
        rule("escalate", "pay", id="c", approval={"not_requester": True, "expires": "90s"}),
    ).decide(call("pay"))
    terms = decision.approval
    assert terms is not None
    assert terms.approvers == {"finance", "security"}
    assert (terms.need, terms.expires, terms.not_requester) == (2, 90.0, True)
    assert decision.rule == "ask"


def test_escalate_turns_an_allow_into_an_ask_and_opens_nothing_by_itself():
    escalate = rule("escalate", "*", {"session.labels": {"any_of": ["untrusted"]}})
    tainted = call("file_read", labels=["untrusted"])
    assert verdict([rule("allow", "file_read"), escalate], tainted) is Effect.ASK
    assert verdict([rule("allow", "file_read"), escalate], call("file_read")) is Effect.ALLOW
    assert verdict([escalate], tainted) is Effect.DENY


def test_any_argument_for_restrictions_and_all_of_them_for_openings():
    inside, mixed = {"a": "/w/x", "b": {"c": ["/w/y"]}}, {"a": "/w/x", "b": {"c": ["/etc/y"]}}
    assert opens({"args.*": {"under": "/w"}}, call("t", inside))
    assert not opens({"args.*": {"under": "/w"}}, call("t", mixed))
    assert closes({"args.*": {"under": "/etc"}}, call("t", mixed))
    assert not closes({"args.*": {"under": "/etc"}}, call("t", inside | {"limit": 5}))
