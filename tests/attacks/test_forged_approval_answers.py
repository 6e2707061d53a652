# SPDX-License-Identifier: Apache-2.0
"""An agent's client answers what it was never asked, twice, for another record or another caller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from yett.action import ApprovalState, ApprovalTerms, Decision, Effect, ElicitationAnswer, Vote
from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.errors import BadRequest
from yett.testing import FrozenClock, MemoryNotify, MemoryStore, SeededEntropy, make_action

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


def ask(**terms):
    return Decision(
        effect=Effect.ASK, rule="mail-out", reason="Mail leaves.", approval=ApprovalTerms(**terms)
    )


def accept(nonce):
    return ElicitationAnswer(nonce=nonce, approve=True)


async def unlogged(record, previous, by):
    pass


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture
def make(clock):
    store = MemoryStore()

    def make(seed="a", **settings):
        return Approvals(
            store=store,
            clock=clock,
            entropy=SeededEntropy(seed),
            notify=MemoryNotify(),
            settings=ApprovalSettings(**settings),
            on_transition=unlogged,
        )

    return make


async def refused(approvals, record, answer):
    with pytest.raises(BadRequest):
        await approvals.answer(record, answer)
    assert (await approvals.get(record.id)).state is ApprovalState.PENDING
    return True


async def test_an_answer_to_no_question_approves_nothing(make):
    approvals = make()
    record = await approvals.propose(make_action(), ask())
    for nonce in ("", record.id, record.key, SeededEntropy("guess").token(), "\ud800"):
        assert await refused(approvals, record, accept(nonce))


async def test_a_changed_nonce_approves_nothing(make):
    approvals = make()
    record = await approvals.propose(make_action(), ask())
    nonce = approvals.question(record).nonce
    for forged in (nonce[:-1], nonce + "A", nonce.swapcase(), f" {nonce}", f"{nonce}\0"):
        assert await refused(approvals, record, accept(forged))


async def test_a_nonce_works_once_even_when_its_first_use_failed(make):
    approvals = make()
    one = await approvals.propose(make_action(arguments={"n": 1}), ask())
    two = await approvals.propose(make_action(arguments={"n": 2}), ask())
    nonce = approvals.question(one).nonce
    assert await refused(approvals, two, accept(nonce))
    assert await refused(approvals, one, accept(nonce))


async def test_a_replayed_nonce_does_not_answer_the_next_question(make, clock):
    approvals = make()
    first = await approvals.propose(make_action(), ask())
    nonce = approvals.question(first).nonce
    await approvals.answer(first, accept(nonce))
    await approvals.consume(first, make_action(), ask())
    second = await approvals.propose(make_action(), ask())
    assert second.id != first.id
    assert await refused(approvals, second, accept(nonce))


@pytest.mark.parametrize("other", [{"agent": "research-2"}, {"user": "lee"}, {"lineage": "ses-other"}])
async def test_a_nonce_given_to_one_caller_is_no_good_for_another(make, other):
    approvals = make()
    record = await approvals.propose(make_action(), ask())
    nonce = approvals.question(record).nonce
    assert await refused(approvals, replace(record, **other), accept(nonce))


async def test_a_nonce_ends_with_its_record_although_the_wall_clock_was_set_back(make, clock):
    approvals = make()
    record = await approvals.propose(make_action(), ask(expires=60))
    nonce = approvals.question(record).nonce
    clock.advance(60)
    clock.set_wall(record.created_at)
    with pytest.raises(BadRequest):
        await approvals.answer(record, accept(nonce))
    assert (await approvals.get(record.id)).state is ApprovalState.EXPIRED


async def test_a_nonce_does_not_survive_a_restart(make):
    approvals = make()
    record = await approvals.propose(make_action(), ask())
    nonce = approvals.question(record).nonce
    restarted = make("b")
    await restarted.recover()
    assert await refused(restarted, record, accept(nonce))


async def test_a_record_that_people_must_answer_takes_no_answer_of_a_client(make):
    approvals = make()
    record = await approvals.propose(make_action(), ask(approvers=frozenset({"finance"})))
    pretended = replace(record, terms=ApprovalTerms())
    nonce = approvals.question(pretended).nonce
    assert await refused(approvals, pretended, accept(nonce))


async def test_a_vote_can_not_pose_as_an_elicitation_answer(make):
    approvals = make()
    record = await approvals.propose(make_action(), ask())
    with pytest.raises(BadRequest):
        await approvals.vote(record.id, Vote(by="elicitation:research-1", approve=True, at=0), frozenset())


async def test_asking_for_ever_more_questions_keeps_only_the_newest(make):
    approvals = make(questions=3, questions_per_record=2)
    record = await approvals.propose(make_action(), ask())
    nonces = [approvals.question(record).nonce for _ in range(3)]
    assert await refused(approvals, record, accept(nonces[0]))
    other = await approvals.propose(make_action(arguments={}), ask())
    for _ in range(2):
        approvals.question(other)
    assert await refused(approvals, record, accept(nonces[1]))
    assert (await approvals.answer(record, accept(nonces[2]))).state is ApprovalState.APPROVED
