# SPDX-License-Identifier: Apache-2.0
"""The clock is moved, the answer comes late, or one person answers for two."""

from __future__ import annotations

import pytest

from yett.action import ApprovalState, ApprovalTerms, Decision, Effect, Vote
from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.errors import BadRequest
from yett.testing import FrozenClock, MemoryNotify, MemoryStore, SeededEntropy, make_action

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]
HOUR = 3600.0


def ask(**terms):
    return Decision(
        effect=Effect.ASK, rule="mail-out", reason="Mail leaves.", approval=ApprovalTerms(**terms)
    )


def yes(by="operator:root"):
    return Vote(by=by, approve=True, at=0.0)


async def unlogged(record, previous, by):
    pass


@pytest.fixture
def clock():
    return FrozenClock()


@pytest.fixture
def make(clock):
    store = MemoryStore()

    def make(seed="a"):
        return Approvals(
            store=store,
            clock=clock,
            entropy=SeededEntropy(seed),
            notify=MemoryNotify(),
            settings=ApprovalSettings(),
            on_transition=unlogged,
        )

    return make


async def test_an_approval_after_expiry_is_refused(make, clock):
    approvals = make()
    record = await approvals.propose(make_action(), ask(expires=60))
    clock.advance(60)
    with pytest.raises(BadRequest, match="expired"):
        await approvals.vote(record.id, yes(), frozenset())
    assert not await approvals.consume(record, make_action(), ask(expires=60))


async def test_a_clock_set_back_an_hour_does_not_keep_an_approval_alive(make, clock):
    approvals = make()
    record = await approvals.propose(make_action(), ask(expires=60))
    await approvals.vote(record.id, yes(), frozenset())
    clock.set_wall(clock.now() - HOUR)
    assert not await approvals.consume(record, make_action(), ask(expires=60))
    assert (await approvals.get(record.id)).state is ApprovalState.EXPIRED


async def test_a_clock_set_back_within_the_record_s_life_does_not_lengthen_it(make, clock):
    approvals = make()
    record = await approvals.propose(make_action(), ask(expires=60))
    await approvals.vote(record.id, yes(), frozenset())
    clock.advance(59)
    clock.set_wall(record.created_at + 1)
    assert (await approvals.get(record.id)).state is ApprovalState.APPROVED
    clock.advance(1)
    assert (await approvals.get(record.id)).state is ApprovalState.EXPIRED


async def test_a_clock_set_back_across_a_restart_ends_the_record(make, clock):
    record = await make().propose(make_action(), ask(expires=60))
    clock.set_wall(clock.now() - HOUR)
    restarted = make("b")
    await restarted.recover()
    assert (await restarted.get(record.id)).state is ApprovalState.EXPIRED


async def test_a_clock_set_forward_ends_the_record_at_once(make, clock):
    approvals = make()
    record = await approvals.propose(make_action(), ask(expires=60))
    clock.set_wall(clock.now() + HOUR)
    assert (await approvals.get(record.id)).state is ApprovalState.EXPIRED


async def test_one_person_can_not_be_two_approvers(make):
    approvals = make()
    record = await approvals.propose(make_action(), ask(need=2))
    await approvals.vote(record.id, yes("person:lee"), frozenset())
    for other_road in ("person:lee", "operator:lee"):
        with pytest.raises(BadRequest, match="answered already"):
            await approvals.vote(record.id, yes(other_road), frozenset())
    assert (await approvals.get(record.id)).state is ApprovalState.PENDING


async def test_an_agent_can_not_wear_a_person_down_by_asking_again(make, clock):
    approvals = make()
    record = await approvals.propose(make_action(), ask())
    await approvals.vote(record.id, Vote(by="operator:root", approve=False, at=0), frozenset())
    for _ in range(5):
        clock.advance(10)
        assert (await approvals.propose(make_action(), ask())).state is ApprovalState.DENIED
