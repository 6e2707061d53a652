# SPDX-License-Identifier: Apache-2.0
"""What holds for every policy and every call."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from policy_calls import call, policy, rule

from yett.action import Effect
from yett.policy.explanation import Explanation

TOOLS = ["file_read", "http_request", "sql_query", "mail__send"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["/w/a", "/w/../etc", "rel", "/w/.env"]) | JSON,
        "url": st.sampled_from(["https://acme.com/x", "http://0x7f.1/", "https://a@b/"]) | JSON,
        "sql": st.sampled_from(["select 1", "drop table t", "select * from t; delete from t"]) | JSON,
        "to": st.sampled_from(["a@acme.com", ["a@acme.com", "b@evil.com"]]) | JSON,
        "amount": SCALARS,
    },
)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "args.path": st.sampled_from([{"under": "/w"}, {"not_match": ["**/.env"]}, {"exists": False}]),
        "args.to": st.just({"domain_in": ["acme.com"]}),
        "args.amount": st.sampled_from([{"max": 5}, {"min": 5}, True, [1, "x"]]),
        "args.*": st.sampled_from([{"max_len": 5}, {"match": "*.env"}, {"host_in": ["acme.com"]}]),
        "http.host": st.sampled_from([["acme.com"], {"in": ["127.0.0.0/8"]}]),
        "sql.verbs": st.sampled_from([{"subset_of": ["select"]}, {"any_of": ["drop"]}]),
        "session.labels": st.just({"any_of": ["untrusted"]}),
        "time": st.just({"between": "08:00-18:00"}),
    },
)


def rules_of(kinds: list[str]) -> st.SearchStrategy[dict[str, object]]:
    return st.builds(
        lambda kind, tools, when, to, number: rule(kind, tools, when, to=to, id=f"{kind}-{number}"),
        st.sampled_from(kinds),
        st.sampled_from([*TOOLS, "file_*", "mail__*", "*"]),
        CONDITIONS,
        st.sampled_from(["*", "reader", "analyst", "stranger"]),
        st.integers(0, 10**9),
    )


RULES = st.lists(
    rules_of(["allow", "ask", "deny", "escalate"]), max_size=6, unique_by=lambda written: written["id"]
)
CALLS = st.builds(
    call,
    st.sampled_from(TOOLS),
    LIKELY | st.dictionaries(st.text(max_size=4), JSON, max_size=4),
    agent=st.sampled_from(["research-1", "stranger", "mallory"]),
    labels=st.sampled_from([(), ("untrusted",)]),
)


@settings(deadline=None)
@given(RULES, rules_of(["deny", "escalate"]), CALLS)
def test_adding_a_denial_or_an_escalation_never_allows_more(rules, added, action):
    before = policy(*rules).decide(action)
    after = policy(*rules, added | {"id": "added"}).decide(action)
    assert after.effect.strictness >= before.effect.strictness


@settings(deadline=None)
@given(RULES, rules_of(["allow", "ask"]), CALLS)
def test_an_opening_never_lifts_a_denial_that_a_rule_gave(rules, added, action):
    before = policy(*rules).decide(action)
    after = policy(*rules, added | {"id": "added"}).decide(action)
    if before.effect is Effect.DENY and not before.rule.startswith("gate."):
        assert after.rule == before.rule


@settings(deadline=None)
@given(RULES, CALLS)
def test_a_decision_is_total_and_deterministic_and_never_a_policy_error(rules, action):
    one = policy(*rules)
    first = one.decide(action)
    assert first == one.decide(action) == policy(*rules).decide(action)
    assert first.rule != "gate.policy-error"
    assert (first.approval is not None) == (first.effect is Effect.ASK)


@settings(deadline=None)
@given(RULES, CALLS)
def test_the_engine_agrees_with_the_rows_that_explain_shows(rules, action):
    found: Explanation = policy(*rules).explain(action)
    matched = {row.effect for row in found.rows if row.matched}
    if "deny" in matched:
        expected = Effect.DENY
    elif "ask" in matched or {"allow", "escalate"} <= matched:
        expected = Effect.ASK
    else:
        expected = Effect.ALLOW if "allow" in matched else Effect.DENY
    assert found.decision.effect is expected


@settings(deadline=None)
@given(RULES, CALLS)
def test_what_is_allowed_or_asked_was_listed(rules, action):
    one = policy(*rules)
    if one.decide(action).effect is not Effect.DENY:
        assert one.may_see(action.principal, action.tool)


@settings(deadline=None)
@given(RULES)
def test_lint_is_total(rules):
    policy(*rules).lint()
