# SPDX-License-Identifier: Apache-2.0
"""Law 1: no action without a decision, no execution without a durable record first."""

import anyio
import pytest

from gate import ASK, World, approval_of, denial_of, text_of
from running import RunningGateway, until
from running import approval_of as approval_in
from yett.action import AuditRecord
from yett.errors import AuditUnavailable
from yett.testing import MemoryAudit

pytestmark = pytest.mark.anyio


class FullAt(MemoryAudit):
    """A log whose disk is full for one sort of record."""

    def __init__(self, event):
        super().__init__()
        self.event = event

    def note(self, record: AuditRecord) -> None:
        if record.event == self.event:
            raise AuditUnavailable("no space left on device")
        super().note(record)


def events(gateway, path):
    return [event for event, _ in gateway.of_call(path)]


async def test_an_allowed_call_is_decided_then_intended_then_ended(gate):
    async with gate.client() as client:
        await gate.fetch(client, "/law1/allowed")
    await until(lambda: "outcome" in events(gate, "/law1/allowed"))
    assert events(gate, "/law1/allowed") == ["decision", "intent", "outcome"]


async def test_an_approved_call_is_decided_approved_spent_intended_and_ended_in_that_order(gate):
    async with gate.client() as client:
        waiting = await gate.fetch(client, "/law1/asked", "POST")
        assert gate.witness.count("/law1/asked") == 0
        approval = approval_in(waiting)
        gate.ask("approvals.approve", id=approval)
        await gate.fetch(client, "/law1/asked", "POST")
    await until(lambda: "outcome" in events(gate, "/law1/asked"))
    story = []
    for event, _, fields in gate.records():
        ours = (fields.get("arguments") or {}).get("url") == gate.witness.url("/law1/asked")
        if event == "approval" and fields["approval"] == approval:
            story.append(fields["state"])
        elif ours or fields.get("approval") == approval:
            story.append(event)
    assert story == ["decision", "pending", "approved", "decision", "executing", "intent", "executed"]


async def test_a_refusal_at_receive_is_a_record(gate):
    before = len(gate.records("refusal"))
    status, _, _ = gate.post(b"[]")
    assert status == 400
    assert len(gate.records("refusal")) == before + 1


@pytest.mark.parametrize("event", ["decision", "intent"])
async def test_a_call_whose_record_can_not_be_written_does_not_run(event):
    world = World()
    world.use(audit=FullAt(event))
    reply = await world.call()
    assert denial_of(reply)["rule"] == "gate.audit-unavailable"
    assert world.tray.ran == []


async def test_an_approval_whose_use_can_not_be_written_is_not_used():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval)
    world.audit.broken = True
    reply = await world.call()
    assert reply.result.is_error
    assert world.tray.ran == []
    world.audit.broken = False
    assert text_of(await world.call()) == "kept"
    assert len(world.tray.ran) == 1


async def test_an_approval_is_not_given_while_the_log_can_not_be_written():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    world.audit.broken = True
    with pytest.raises(AuditUnavailable):
        await world.approve(approval)
    world.audit.broken = False
    assert (await world.call()).result.is_error
    assert world.tray.ran == []


async def test_a_result_whose_outcome_can_not_be_written_is_not_released():
    world = World()
    world.use(audit=FullAt("outcome"))
    reply = await world.call()
    assert world.tray.ran
    assert denial_of(reply)["rule"] == "gate.audit-unavailable"
    assert "kept" not in text_of(reply)


async def test_an_outcome_lost_to_kill_9_is_recorded_unknown_and_the_call_is_never_made_again():
    with RunningGateway() as gateway:

        async def call():
            async with gateway.client() as client:
                await gateway.fetch(client, "/law1/slow")

        with pytest.raises(Exception):  # noqa: B017, PT011, PT012  # whatever the client makes of a dead server
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await until(lambda: gateway.witness.count("/law1/slow") == 1)
                gateway.kill()
        assert [event for event, _ in gateway.of_call("/law1/slow")] == ["decision", "intent"]
        gateway.start()
        _, _, (outcome, fields) = gateway.of_call("/law1/slow")
        assert (outcome, fields["status"]) == ("outcome", "unknown")
        assert gateway.witness.count("/law1/slow") == 1
        gateway.verified()
