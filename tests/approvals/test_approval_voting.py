# SPDX-License-Identifier: Apache-2.0
"""Who may answer, and when the answers suffice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.action import ApprovalState, ApprovalTerms, Decision, Effect, Vote
from yett.approvals import voting
from yett.errors import BadRequest
from yett.testing import make_action

pytestmark = pytest.mark.anyio
FINANCE, SECURITY = frozenset({"finance"}), frozenset({"security"})


def ask(**terms):
    return Decision(effect=Effect.ASK, rule="wire", reason="Money moves.", approval=ApprovalTerms(**terms))


def yes(by):
    return Vote(by=by, approve=True, at=0.0)


async def test_two_people_who_cover_both_groups_approve(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE | SECURITY, need=2))
    first = await desk.approvals.vote(record.id, yes("person:lee"), FINANCE)
    assert first.state is ApprovalState.PENDING
    assert desk.log[-1] == (ApprovalState.PENDING, ApprovalState.PENDING, "person:lee")
    second = await desk.approvals.vote(record.id, yes("person:mo"), SECURITY)
    assert second.state is ApprovalState.APPROVED


async def test_two_people_of_one_group_do_not_cover_two(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE | SECURITY, need=2))
    await desk.approvals.vote(record.id, yes("person:lee"), FINANCE)
    assert (await desk.approvals.vote(record.id, yes("person:mo"), FINANCE)).state is ApprovalState.PENDING
    assert (await desk.approvals.vote(record.id, yes("person:al"), SECURITY)).state is ApprovalState.APPROVED


async def test_one_person_in_both_groups_is_still_one_of_two(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE | SECURITY, need=2))
    voted = await desk.approvals.vote(record.id, yes("person:lee"), FINANCE | SECURITY)
    assert voted.state is ApprovalState.PENDING


async def test_votes_given_before_a_restart_still_count(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE | SECURITY, need=2))
    await desk.approvals.vote(record.id, yes("person:lee"), FINANCE)
    restarted = desk.make()
    await restarted.recover()
    assert (await restarted.vote(record.id, yes("person:mo"), SECURITY)).state is ApprovalState.APPROVED


async def test_any_entitled_person_can_deny(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE, need=2))
    await desk.approvals.vote(record.id, yes("person:lee"), FINANCE)
    denied = await desk.approvals.vote(record.id, Vote(by="person:mo", approve=False, at=0), FINANCE)
    assert denied.state is ApprovalState.DENIED


async def test_a_person_can_turn_their_own_approval_into_a_denial(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE, need=2))
    await desk.approvals.vote(record.id, yes("person:lee"), FINANCE)
    denied = await desk.approvals.vote(record.id, Vote(by="person:lee", approve=False, at=0), FINANCE)
    assert denied.state is ApprovalState.DENIED


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("person:eve", frozenset()),
        ("person:eve", SECURITY),
        ("operator:root", FINANCE),
        ("elicitation:research-1", FINANCE),
        ("agent:research-1", FINANCE),
        ("person:", FINANCE),
        ("lee", FINANCE),
        ("", FINANCE),
    ],
)
@pytest.mark.parametrize("approve", [True, False])
async def test_who_is_not_entitled_neither_approves_nor_denies(desk, by, groups, approve):
    record = await desk.approvals.propose(make_action(), ask(approvers=FINANCE))
    with pytest.raises(BadRequest):
        await desk.approvals.vote(record.id, Vote(by=by, approve=approve, at=0), groups)
    assert (await desk.approvals.get(record.id)).votes == ()


async def test_a_person_named_by_the_rule_may_answer(desk):
    record = await desk.approvals.propose(make_action(), ask(approvers=frozenset({"lee"})))
    voted = await desk.approvals.vote(record.id, yes("person:lee"), frozenset())
    assert voted.state is ApprovalState.APPROVED


async def test_an_operator_answers_where_the_rule_names_nobody(desk):
    record = await desk.approvals.propose(make_action(), ask())
    assert (
        await desk.approvals.vote(record.id, yes("operator:root"), frozenset())
    ).state is ApprovalState.APPROVED


@pytest.mark.parametrize("by", ["person:kim", "operator:kim"])
async def test_the_requester_may_not_answer_where_the_rule_excludes_them(desk, by):
    record = await desk.approvals.propose(make_action(user="kim"), ask(not_requester=True))
    with pytest.raises(BadRequest):
        await desk.approvals.vote(record.id, yes(by), frozenset())
    assert (
        await desk.approvals.vote(record.id, yes("person:lee"), frozenset())
    ).state is ApprovalState.APPROVED


async def test_nobody_can_approve_while_the_excluded_requester_is_unknown(desk):
    record = await desk.approvals.propose(make_action(user=None), ask(not_requester=True))
    with pytest.raises(BadRequest, match="not known"):
        await desk.approvals.vote(record.id, yes("person:lee"), frozenset())
    denied = await desk.approvals.vote(record.id, Vote(by="person:lee", approve=False, at=0), frozenset())
    assert denied.state is ApprovalState.DENIED


PEOPLE = st.sampled_from(["a", "b", "c"])
GROUPS = st.frozensets(st.sampled_from(["x", "y", "z"]))


@given(
    approvers=GROUPS,
    need=st.integers(-1, 4),
    ballots=st.lists(st.tuples(PEOPLE, GROUPS, st.sampled_from(["person", "operator"])), max_size=6),
)
def test_an_approval_always_has_enough_distinct_people_who_cover_every_approver(approvers, need, ballots):
    terms = ApprovalTerms(approvers=approvers, need=need)
    votes = [yes(f"{kind}:{name}") for name, _, kind in ballots]
    covers = {v.by: voting.covered(terms, v.by, b[1]) for v, b in zip(votes, ballots, strict=True)}
    if voting.tally(terms, votes, covers) is ApprovalState.APPROVED:
        assert len({name for name, _, _ in ballots}) >= max(1, need)
        assert frozenset().union(*(groups for _, groups, kind in ballots if kind == "person")) >= approvers


@given(votes=st.lists(st.booleans(), min_size=1))
def test_one_denial_always_denies(votes):
    cast = [Vote(by=f"person:{n}", approve=approve, at=0) for n, approve in enumerate(votes)]
    denied = voting.tally(ApprovalTerms(), cast, {}) is ApprovalState.DENIED
    assert denied == (not all(votes))


def test_one_name_over_two_roads_is_one_person():
    votes = [yes("person:lee"), yes("operator:lee")]
    assert voting.tally(ApprovalTerms(need=2), votes, {}) is ApprovalState.PENDING
    assert voting.tally(ApprovalTerms(need=2), [*votes, yes("person:mo")], {}) is ApprovalState.APPROVED


def test_no_vote_is_no_approval_whatever_the_number_needed():
    for need in (-1, 0, 1):
        assert voting.tally(ApprovalTerms(need=need), [], {}) is ApprovalState.PENDING
