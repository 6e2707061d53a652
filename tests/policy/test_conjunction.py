# SPDX-License-Identifier: Apache-2.0
"""Two policies at once: what widens waits, what narrows holds at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_calls import call, policy, rule, tool

from yett.action import Decision, Effect, Obligation, Reservation
from yett.policy.conjunction import Conjunction, strictest

RULES = st.lists(
    st.builds(
        rule,
        st.sampled_from(["allow", "ask", "deny", "escalate"]),
        st.just("t"),
        st.sampled_from([None, {"args.x": 1}, {"args.x": {"max": 5}}, {"args.y": {"exists": True}}]),
    ),
    max_size=4,
    unique_by=lambda written: written["id"],
)
ARGUMENTS = st.sampled_from([{}, {"x": 1}, {"x": 4, "y": 1}, {"x": "1"}])


@given(RULES, RULES, ARGUMENTS)
def test_a_conjunction_is_never_less_strict_than_a_member(first, second, arguments):
    members = [policy(*first), policy(*second)]
    both = Conjunction(members).decide(call("t", arguments))
    assert both.effect.strictness == max(
        each.decide(call("t", arguments)).effect.strictness for each in members
    )


def test_a_reload_that_widens_waits_and_one_that_narrows_is_in_force():
    old, wider, narrower = policy(rule("ask", "t")), policy(rule("allow", "t")), policy(rule("deny", "t"))
    assert Conjunction([old, wider]).decide(call("t")).effect is Effect.ASK
    assert Conjunction([old, narrower]).decide(call("t")).rule == "deny"


def test_terms_merge_across_members():
    one = policy(rule("ask", "t", approval={"approvers": ["kim"], "expires": "1h"}))
    two = policy(rule("ask", "t", id="b", approval={"approvers": ["finance"], "need": 2, "expires": "5m"}))
    both = Conjunction([one, two])
    decision = both.decide(call("t"))
    assert decision.approval is not None
    assert (decision.approval.approvers, decision.approval.need) == ({"kim", "finance"}, 2)
    assert decision.approval.expires == 300
    assert (decision.rule, decision.policy) == ("ask", both.digest)


def test_a_tool_is_seen_only_if_every_member_shows_it():
    seen, hidden = policy(rule("allow", "t")), policy()
    me = call("t").principal
    assert Conjunction([seen, seen]).may_see(me, tool("t"))
    assert not Conjunction([seen, hidden]).may_see(me, tool("t"))


def test_obligations_and_reservations_of_all_are_kept_once():
    mask, log = Obligation(kind="mask", value="x"), Obligation(kind="log", value=1)
    amount = Reservation(key="k", amount=1, limit=2, window=3)
    allow = Decision(effect=Effect.ALLOW, rule="a", reason="", obligations=(mask,), reservations=(amount,))
    ask = Decision(effect=Effect.ASK, rule="b", reason="", obligations=(mask, log), reservations=(amount,))
    merged = strictest([allow, ask])
    assert (merged.rule, merged.obligations, merged.reservations) == ("b", (mask, log), (amount,))


def test_no_policy_at_all_denies():
    assert strictest([]).effect is Effect.DENY
    with pytest.raises(ValueError, match="at least one"):
        Conjunction([])
