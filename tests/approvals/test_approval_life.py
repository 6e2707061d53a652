# SPDX-License-Identifier: Apache-2.0
"""The life of an approval, from proposal to its one use."""

from __future__ import annotations

from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest
from approval_samples import NOBODY, approved, ask, no, yes

from yett.action import (
    ApprovalState,
    Effect,
    ElicitationAnswer,
    Outcome,
    Status,
    ToolDefinition,
)
from yett.errors import BadRequest
from yett.testing import make_action

pytestmark = pytest.mark.anyio


async def test_a_new_call_makes_a_pending_record_and_tells_people(desk):
    record = await desk.approvals.propose(make_action(), ask())
    assert record.state is ApprovalState.PENDING
    assert (record.agent, record.user, record.rule) == ("research-1", "kim", "mail-out")
    assert desk.notify.pending == [record]
    assert desk.log == [(None, ApprovalState.PENDING, "agent:research-1")]


async def test_the_same_call_finds_its_pending_record_also_over_another_connection(desk):
    first = await desk.approvals.propose(make_action(arguments={"a": 1, "b": 2}), ask())
    action = make_action(arguments={"b": 2, "a": 1})
    action = replace(
        action, id="act-other", received_at=1.0, principal=replace(action.principal, session="ses-9")
    )
    again = await desk.approvals.propose(action, ask())
    assert again.id == first.id
    assert len(desk.notify.pending) == 1


async def test_the_same_call_finds_its_approved_record(desk):
    record = await approved(desk)
    assert await desk.approvals.propose(make_action(), ask()) == record


async def test_concurrent_proposals_of_one_call_make_one_record(desk):
    found = []

    async def propose():
        found.append((await desk.approvals.propose(make_action(), ask())).id)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(propose)
    assert len(set(found)) == 1


OTHER_TOOL = ToolDefinition(
    name="mail__send",
    description="The tool mail__send.",
    input_schema={"type": "object"},
    target="upstream:mail",
)


@pytest.mark.parametrize(
    "other",
    [
        make_action(agent="research-2"),
        make_action(user="lee"),
        make_action(user=None),
        make_action(lineage="ses-other"),
        make_action(task="task-1"),
        make_action("mail__delete"),
        make_action(tool=replace(OTHER_TOOL, description="Now does something else.")),
        make_action(tool=replace(OTHER_TOOL, target="upstream:evil")),
        make_action(tool=replace(OTHER_TOOL, input_schema={"type": "object", "properties": {}})),
        make_action(arguments={"to": "eve@example.com"}),
        make_action(arguments={"to": "bob@example.com", "cc": None}),
    ],
)
async def test_a_call_that_differs_in_anything_bound_is_another_question(desk, other):
    record = await approved(desk)
    assert (await desk.approvals.propose(other, ask())).id != record.id
    assert not await desk.approvals.consume(record, other, ask())


async def test_an_approval_is_spent_once(desk):
    record = await approved(desk)
    assert await desk.approvals.consume(record, make_action(), ask())
    assert not await desk.approvals.consume(record, make_action(), ask())
    await desk.approvals.finish(record.id, Outcome(status=Status.OK))
    assert not await desk.approvals.consume(record, make_action(), ask())
    assert (await desk.approvals.get(record.id)).state is ApprovalState.EXECUTED


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.OK, ApprovalState.EXECUTED),
        (Status.TOOL_ERROR, ApprovalState.EXECUTED),
        (Status.FAILED, ApprovalState.FAILED),
        (Status.TIMEOUT, ApprovalState.FAILED),
        (Status.CANCELLED, ApprovalState.FAILED),
        (Status.NOT_RUN, ApprovalState.FAILED),
        (Status.UNKNOWN, ApprovalState.FAILED),
    ],
)
async def test_a_run_ends_executed_or_failed(desk, status, state):
    record = await approved(desk)
    await desk.approvals.consume(record, make_action(), ask())
    await desk.approvals.finish(record.id, Outcome(status=status, detail="kim's iban"))
    ended = await desk.approvals.get(record.id)
    assert (ended.state, ended.note) == (state, status.value)


async def test_a_pending_or_denied_record_is_not_spent(desk):
    record = await desk.approvals.propose(make_action(), ask())
    assert not await desk.approvals.consume(record, make_action(), ask())
    await desk.approvals.vote(record.id, no(), NOBODY)
    assert not await desk.approvals.consume(record, make_action(), ask())


async def test_nothing_is_spent_under_a_denial(desk):
    record = await approved(desk)
    assert not await desk.approvals.consume(record, make_action(), replace(ask(), effect=Effect.DENY))


async def test_a_denying_or_allowing_decision_is_never_put_to_a_person(desk):
    for effect in (Effect.DENY, Effect.ALLOW):
        with pytest.raises(ValueError, match="not put to a person"):
            await desk.approvals.propose(make_action(), replace(ask(), effect=effect))


async def test_arguments_are_gone_once_a_record_is_finished(desk):
    record = await desk.approvals.propose(make_action(arguments={"to": "bob", "body": "secret-text"}), ask())
    assert "secret-text" in str(await desk.store.scan("approvals"))
    await desk.approvals.vote(record.id, no(), NOBODY)
    assert "secret-text" not in str(await desk.store.scan("approvals"))
    kept = await desk.approvals.get(record.id)
    assert (kept.arguments, kept.key) == ({}, record.key)


async def test_a_denied_call_is_not_asked_again_until_the_cooldown_is_over(desk):
    record = await desk.approvals.propose(make_action(), ask())
    await desk.approvals.vote(record.id, no(reason="Not today."), NOBODY)
    again = await desk.approvals.propose(make_action(), ask())
    assert (again.id, again.state) == (record.id, ApprovalState.DENIED)
    assert len(desk.notify.pending) == 1
    desk.clock.advance(60)
    assert (await desk.approvals.propose(make_action(), ask())).state is ApprovalState.PENDING


async def test_one_question_over_the_limit_of_an_agent_is_refused(desk):
    approvals = desk.make(pending_per_agent=3)
    for number in range(3):
        await approvals.propose(make_action(arguments={"n": number}), ask())
    with pytest.raises(BadRequest, match="Too many open questions"):
        await approvals.propose(make_action(arguments={"n": 3}), ask())
    await approvals.propose(make_action(agent="research-2"), ask())
    desk.clock.advance(600)
    await approvals.propose(make_action(arguments={"n": 3}), ask())


async def test_a_waiter_wakes_at_the_vote(desk):
    record = await desk.approvals.propose(make_action(), ask())
    seen = []

    async def wait():
        seen.append(await desk.approvals.settled(record.id, 30))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await desk.approvals.vote(record.id, yes(), NOBODY)
    assert seen[0].state is ApprovalState.APPROVED


@pytest.mark.parametrize("seconds", [0.01, 0.0, -1.0, float("nan")])
async def test_a_wait_ends_with_the_record_still_pending(desk, seconds):
    record = await desk.approvals.propose(make_action(), ask())
    with anyio.fail_after(5):
        assert (await desk.approvals.settled(record.id, seconds)).state is ApprovalState.PENDING


async def test_a_wait_is_bounded_by_the_setting_whatever_is_asked(desk):
    approvals = desk.make(longest_wait=0.01)
    record = await approvals.propose(make_action(), ask())
    with anyio.fail_after(5):
        assert (await approvals.settled(record.id, float("inf"))).state is ApprovalState.PENDING


async def test_an_unknown_id_is_a_bad_request_and_none(desk):
    assert await desk.approvals.get("apr-none") is None
    with pytest.raises(BadRequest):
        await desk.approvals.settled("apr-none", 1)
    with pytest.raises(BadRequest):
        await desk.approvals.vote("apr-none", yes(), NOBODY)


async def test_a_question_left_open_expires_at_its_time_and_not_before(desk):
    record = await desk.approvals.propose(make_action(), ask(expires=60))
    desk.clock.advance(59)
    assert (await desk.approvals.get(record.id)).state is ApprovalState.PENDING
    desk.clock.advance(1)
    assert (await desk.approvals.get(record.id)).state is ApprovalState.EXPIRED
    assert desk.log[-1] == (ApprovalState.PENDING, ApprovalState.EXPIRED, "gate:expiry")


async def test_an_approval_that_was_not_used_expires(desk):
    record = await approved(desk)
    desk.clock.advance(600)
    assert not await desk.approvals.consume(record, make_action(), ask())
    assert (await desk.approvals.get(record.id)).state is ApprovalState.EXPIRED


async def test_all_gives_every_record_newest_first(desk):
    for number in range(3):
        await desk.approvals.propose(make_action(arguments={"n": number}), ask(expires=100 + number))
        desk.clock.advance(1)
    assert [r.arguments["n"] for r in await desk.approvals.all()] == [2, 1, 0]
    desk.clock.advance(98)
    states = [r.state for r in await desk.approvals.all()]
    assert states == [ApprovalState.PENDING, ApprovalState.PENDING, ApprovalState.EXPIRED]


async def test_finished_records_beyond_the_history_are_dropped_oldest_first(desk):
    approvals = desk.make(history=2)
    for number in range(4):
        record = await approvals.propose(make_action(arguments={"n": number}), ask())
        await approvals.vote(record.id, no(), NOBODY)
        desk.clock.advance(1)
    live = await approvals.propose(make_action(arguments={"n": 9}), ask())
    kept = await approvals.all()
    assert len(kept) == 3
    assert kept[0].id == live.id


async def test_an_approval_can_be_taken_back_until_it_is_used(desk):
    record = await approved(desk)
    assert (await desk.approvals.withdraw(record.id, "person:kim")).state is ApprovalState.WITHDRAWN
    assert not await desk.approvals.consume(record, make_action(), ask())
    with pytest.raises(BadRequest):
        await desk.approvals.withdraw(record.id, "person:kim")


async def test_a_finished_record_takes_no_vote(desk):
    record = await approved(desk)
    with pytest.raises(BadRequest, match="approved already"):
        await desk.approvals.vote(record.id, no(), NOBODY)


async def test_the_client_of_the_agent_may_answer_where_the_rule_names_nobody(desk):
    record = await desk.approvals.propose(make_action(), ask())
    question = desk.approvals.question(record)
    answered = await desk.approvals.answer(record, ElicitationAnswer(nonce=question.nonce, approve=True))
    assert answered.state is ApprovalState.APPROVED
    assert answered.votes[0].by == "elicitation:research-1"
    assert "unverified" in answered.votes[0].reason


async def test_a_client_that_asked_nobody_changes_nothing_and_uses_its_nonce_up(desk):
    record = await desk.approvals.propose(make_action(), ask())
    question = desk.approvals.question(record)
    left = await desk.approvals.answer(record, ElicitationAnswer(nonce=question.nonce, approve=None))
    assert (left.state, left.votes) == (ApprovalState.PENDING, ())
    with pytest.raises(BadRequest):
        await desk.approvals.answer(record, ElicitationAnswer(nonce=question.nonce, approve=True))


@pytest.mark.parametrize(
    "terms", [{"approvers": frozenset({"finance"})}, {"need": 2}, {"not_requester": True}]
)
async def test_a_rule_that_wants_people_makes_no_question_for_a_client(desk, terms):
    record = await desk.approvals.propose(make_action(), ask(**terms))
    with pytest.raises(BadRequest):
        desk.approvals.question(record)


async def test_a_reason_one_character_over_the_limit_is_refused(desk):
    record = await desk.approvals.propose(make_action(), ask())
    with pytest.raises(BadRequest):
        await desk.approvals.vote(record.id, yes(reason="x" * 1001), NOBODY)
    voted = await desk.approvals.vote(record.id, yes(reason="x" * 1000), NOBODY)
    assert voted.votes[0].at == desk.clock.now()


async def test_arguments_that_are_not_unicode_are_a_bad_request(desk):
    with pytest.raises(BadRequest):
        await desk.approvals.propose(make_action(arguments={"a": "\ud800"}), ask())


async def test_finishing_what_is_not_executing_is_a_broken_caller(desk):
    record = await approved(desk)
    for approval in (record.id, "apr-none"):
        with pytest.raises(ValueError, match="approval"):
            await desk.approvals.finish(approval, Outcome(status=Status.OK))
    assert (await desk.approvals.get(record.id)).state is ApprovalState.APPROVED
