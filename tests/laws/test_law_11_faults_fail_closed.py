# SPDX-License-Identifier: Apache-2.0
"""Law 11: faults fail closed; labels are durable before a result is released."""

import anyio
import pytest

from gate import ALLOW, ASK, World, approval_of, denial_of, text_of
from running import RunningGateway, until
from yett.errors import EnvironmentFault, ExecutionError, SandboxUnavailable

pytestmark = pytest.mark.anyio


async def test_a_store_that_is_down_at_the_use_of_an_approval_runs_nothing():
    world = World(rules=(ASK,))
    await world.approve(approval_of(await world.call()))
    world.store.fail_next = EnvironmentFault("the disk is gone")
    assert (await world.call()).result.is_error
    assert world.tray.ran == []


async def test_a_store_that_is_down_at_a_question_asks_nobody_and_runs_nothing():
    world = World(rules=(ASK,))
    world.store.fail_next = EnvironmentFault("the disk is gone")
    assert denial_of(await world.call())["rule"] == "gate.environment"
    assert world.notify.pending == []
    assert world.tray.ran == []


async def test_nobody_who_answers_is_a_no():
    world = World(rules=(ASK,))
    first = approval_of(await world.call())
    world.clock.advance(601)
    with pytest.raises(Exception, match="expired"):
        await world.approve(first)
    assert approval_of(await world.call()) != first
    assert world.tray.ran == []


@pytest.mark.parametrize("jump", [-86_400, -3600, 3600, 86_400])
async def test_a_clock_that_jumps_ends_approvals_and_opens_nothing(jump):
    world = World(rules=(ASK,))
    await world.approve(approval_of(await world.call()))
    world.clock.set_wall(world.clock.now() + jump)
    assert (await world.call()).result.is_error
    assert world.tray.ran == []


async def test_a_window_of_time_is_closed_outside_whatever_the_clock_does():
    rule = {**ALLOW, "when": {"time": {"between": "08:00-18:00", "tz": "UTC"}}}
    world = World(rules=(rule,))
    world.clock.set_wall(1_800_057_600.0 + 12 * 3600)
    for hour in range(24):
        world.clock.set_wall(1_800_057_600.0 + hour * 3600)
        reply = await world.call()
        assert reply.result.is_error == (not 8 <= (world.clock.now() // 3600) % 24 < 18)


async def test_no_sandbox_is_a_denial_and_nothing_runs_elsewhere():
    world = World()
    world.tray.fault = SandboxUnavailable("no engine at unix:///var/run/docker.sock")
    reply = await world.call()
    assert denial_of(reply)["rule"] == "gate.sandbox-unavailable"
    assert "docker.sock" not in text_of(reply)


async def test_a_result_is_not_released_before_its_label_is_durable():
    world = World()
    released = anyio.Event()
    gate_open = anyio.Event()
    writes = world.door.label

    async def slow(session, labels):
        await gate_open.wait()
        await writes(session, labels)

    world.door.label = slow

    async def call():
        await world.call()
        released.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await world.tray.started.wait()
        await anyio.wait_all_tasks_blocked()
        assert not released.is_set()
        gate_open.set()
        await released.wait()
    assert world.door.labels["ses-research-1"] == frozenset({"untrusted"})


async def test_a_label_that_can_not_be_written_withholds_the_result():
    world = World()
    world.door.fail_labels = ExecutionError("the store is gone")
    reply = await world.call()
    assert reply.result.is_error
    assert "kept" not in text_of(reply)


async def test_a_session_of_an_orderly_stop_comes_back_as_it_was_and_one_of_kill_9_comes_back_tainted():
    with RunningGateway() as gateway:

        async def look():
            async with gateway.client() as client:
                await client.list_tools()
            (row,) = [r for r in gateway.ask("sessions.list") if r["agent"] == "research-1"]
            return row

        before = await look()
        assert before["labels"] == []
        gateway.restart()
        again = await look()
        assert (again["id"], again["labels"]) == (before["id"], [])
        gateway.kill()
        gateway.start()
        after = await look()
        assert (after["id"], after["labels"]) == (before["id"], ["untrusted"])
        gateway.verified()
        await until(gateway.listens)
