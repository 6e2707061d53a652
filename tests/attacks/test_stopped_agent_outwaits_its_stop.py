# SPDX-License-Identifier: Apache-2.0
"""An agent is stopped, or its session labelled, while its call waits for a person: the wait saves nothing."""

from __future__ import annotations

import anyio
import pytest

from gate import World, denial_of
from yett.identity.sessions import SessionStopped
from yett.pipeline import Pipeline, PipelineSettings

pytestmark = pytest.mark.anyio

ASK = {"id": "asked", "ask": "note", "to": "writer"}
TAINTED = {
    "id": "tainted",
    "deny": "note",
    "to": "*",
    "when": {"session.labels": {"any_of": ["untrusted"]}},
}


async def approved_while(world, happens):
    """A call that waits for a person; something happens; then the person says yes."""
    world.gate = Pipeline(world.rooms, PipelineSettings(hold=5.0))
    replies = []

    async def call():
        replies.append(await world.call())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        asked = await world.asked()
        happens()
        await world.approve(asked)
    return replies[0]


async def test_an_agent_suspended_during_the_wait_runs_nothing():
    world = World((ASK,))
    reply = await approved_while(world, lambda: world.door.agents.discard("research-1"))
    assert denial_of(reply)["rule"] == "gate.unauthenticated"
    assert world.tray.ran == []
    assert "intent" not in world.events()


async def test_a_label_that_came_during_the_wait_is_seen_by_the_second_decision():
    world = World((ASK, TAINTED))
    untrusted = frozenset({"untrusted"})
    reply = await approved_while(world, lambda: world.door.labels.update({"ses-research-1": untrusted}))
    assert denial_of(reply)["rule"] == "tainted"
    assert world.tray.ran == []


async def test_a_stopped_session_does_not_run_its_approved_record_through_approval_status():
    world = World((ASK,))
    reply = await world.call()
    approval = reply.result.meta["yett/approval"]["id"]
    await world.approve(approval)

    async def stopped(agent, user):
        raise SessionStopped("An operator stopped this session.")

    world.door.continue_or_open = stopped
    reply = await world.call("approval_status", {"id": approval})
    assert reply.result.is_error
    assert world.tray.ran == []
