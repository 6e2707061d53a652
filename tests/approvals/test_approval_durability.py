# SPDX-License-Identifier: Apache-2.0
"""Approvals and what goes wrong around them: the log, the caller, the process, another process."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from approval_samples import NOBODY, approved, ask, yes

from yett.action import ApprovalState
from yett.errors import AuditUnavailable, EnvironmentFault
from yett.testing import make_action

pytestmark = pytest.mark.anyio


async def test_a_change_that_the_log_refuses_did_not_happen(desk):
    record = await desk.approvals.propose(make_action(), ask())
    desk.log_error = AuditUnavailable("disk full")
    with pytest.raises(AuditUnavailable):
        await desk.approvals.vote(record.id, yes(), NOBODY)
    with pytest.raises(AuditUnavailable):
        await desk.approvals.propose(make_action(arguments={}), ask())
    desk.log_error = None
    assert (await desk.approvals.get(record.id)).votes == ()
    assert len(await desk.approvals.all()) == 1
    await desk.approvals.vote(record.id, yes(), NOBODY)
    desk.log_error = AuditUnavailable("disk full")
    with pytest.raises(AuditUnavailable):
        await desk.approvals.consume(record, make_action(), ask())
    desk.log_error = None
    assert (await desk.approvals.get(record.id)).state is ApprovalState.APPROVED


async def test_a_waiter_is_not_shown_an_approval_that_is_not_in_the_log_yet(desk):
    record = await desk.approvals.propose(make_action(), ask())
    desk.log_error = AuditUnavailable("disk full")
    with pytest.raises(AuditUnavailable):
        await desk.approvals.vote(record.id, yes(), NOBODY)
    assert (await desk.approvals.settled(record.id, 0.01)).state is ApprovalState.PENDING


async def test_a_log_that_hangs_ends_the_change_at_its_deadline(desk):
    async def hang(record, previous, by):
        await anyio.sleep(30)

    approvals = desk.make(on_transition=hang, transition_deadline=0.02)
    with pytest.raises(EnvironmentFault):
        await approvals.propose(make_action(), ask())
    assert await desk.approvals.all() == ()


async def test_a_caller_who_goes_away_does_not_tear_a_change(desk):
    record = await approved(desk)
    caller = anyio.CancelScope()

    async def leave(record, previous, by):
        caller.cancel()
        await anyio.lowlevel.checkpoint()

    approvals = desk.make(on_transition=leave)
    with caller:
        await approvals.consume(record, make_action(), ask())
    assert (await desk.approvals.get(record.id)).state is ApprovalState.EXECUTING


async def test_recovery_keeps_questions_and_approvals_and_fails_what_was_executing(desk):
    pending = await desk.approvals.propose(make_action(arguments={"n": 1}), ask())
    waiting = await approved(desk, make_action(arguments={"n": 2}))
    running = await approved(desk, make_action(arguments={"n": 3}))
    await desk.approvals.consume(running, make_action(arguments={"n": 3}), ask())
    restarted = desk.make()
    await restarted.recover()
    states = {r.id: r.state for r in await restarted.all()}
    assert states == {
        pending.id: ApprovalState.PENDING,
        waiting.id: ApprovalState.APPROVED,
        running.id: ApprovalState.FAILED,
    }
    assert (await restarted.get(running.id)).note == "outcome unknown"
    assert (await restarted.propose(make_action(arguments={"n": 1}), ask())).id == pending.id
    assert await restarted.consume(waiting, make_action(arguments={"n": 2}), ask())


async def test_a_stored_approval_that_is_damaged_stops_the_start(desk):
    await desk.store.put("approvals", "apr-1", {"record": {"id": "apr-1"}})
    with pytest.raises(EnvironmentFault):
        await desk.make().recover()


async def test_a_record_changed_by_another_process_is_not_overwritten(desk):
    record = await desk.approvals.propose(make_action(), ask())
    swap = desk.store.swap

    async def swap_after_another(collection, key, expected, value):
        await desk.store.put(collection, key, {**expected, "arguments_digest": "changed"})
        return await swap(collection, key, expected, value)

    desk.store.swap = swap_after_another
    with pytest.raises(EnvironmentFault, match="another process"):
        await desk.approvals.vote(record.id, yes(), NOBODY)
    assert (await desk.approvals.get(record.id)).state is ApprovalState.PENDING
