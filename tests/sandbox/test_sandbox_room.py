# SPDX-License-Identifier: Apache-2.0
"""A full house: whose container is taken away for another's, and what is said when nobody's is."""

import os
import signal

import anyio
import pytest
from sandbox_world import containers_of, sh, until

from yett.action import Principal
from yett.errors import ExecutionError

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def agent(name):
    return Principal(agent=name, id=name)


async def use(boxes, session, principal=None):
    async with boxes.lease(session, principal) as box:
        await box.write("/workspace/mine", session.encode())


async def kept(boxes, session, principal=None):
    async with boxes.lease(session, principal) as box:
        return [e.name for e in await box.list("/workspace")] == ["mine"]


async def test_a_new_session_takes_the_place_of_the_one_that_was_idle_longest(sandboxes_of):
    async with sandboxes_of(containers=2, evict_after=0.01) as boxes:
        await use(boxes, "a")
        await use(boxes, "b")
        await use(boxes, "a")
        await anyio.sleep(0.02)
        await use(boxes, "c")
        assert boxes.status().evicted == 1
        assert await kept(boxes, "a")
        assert await kept(boxes, "c")
        assert boxes.status().alive == 2


async def test_nobody_loses_a_container_that_was_used_just_now(sandboxes_of):
    async with sandboxes_of(containers=1, evict_after=60) as boxes:
        await use(boxes, "a")
        with pytest.raises(ExecutionError, match=r"All sandboxes are in use \(1\).*Retry after \d+ seconds"):
            await use(boxes, "b")
        assert await kept(boxes, "a")
        assert (boxes.status().evicted, boxes.status().refused) == (0, 1)


async def test_nobody_loses_a_container_with_a_call_in_it(sandboxes_of):
    async with sandboxes_of(containers=1, evict_after=0.01) as boxes, boxes.lease("a") as box:
        await anyio.sleep(0.05)
        with pytest.raises(ExecutionError, match="All sandboxes are in use"):
            await use(boxes, "b")
        assert (await box.run(sh("echo on"))).stdout == b"on\n"


async def test_nobody_loses_a_container_with_a_background_program(sandboxes_of):
    async with sandboxes_of(containers=1, evict_after=0.01, idle=0.1) as boxes:
        async with boxes.lease("a") as box:
            program = await box.start(sh("sleep 60"))
        await anyio.sleep(0.3)  # not when idle either
        with pytest.raises(ExecutionError, match="All sandboxes are in use"):
            await use(boxes, "b")
        async with boxes.lease("a") as box:
            await box.kill(program.number)
        await anyio.sleep(0.02)
        await use(boxes, "b")


async def test_an_agent_at_its_limit_takes_from_itself_and_never_from_another(sandboxes_of):
    async with sandboxes_of(per_agent=1, evict_after=0.01) as boxes:
        await use(boxes, "other", agent("other"))
        await use(boxes, "a1", agent("a"))
        await anyio.sleep(0.02)
        await use(boxes, "a2", agent("a"))
        assert boxes.status().evicted == 1
        assert await kept(boxes, "other", agent("other"))


async def test_the_first_container_over_an_agents_limit_is_refused_with_what_to_do(sandboxes_of):
    async with sandboxes_of(per_agent=2) as boxes:
        await use(boxes, "a1", agent("a"))
        await use(boxes, "a2", agent("a"))
        with pytest.raises(
            ExecutionError, match="This agent has 2 sandboxes, as many as it may: end a session"
        ):
            await use(boxes, "a3", agent("a"))
        await use(boxes, "b1", agent("b"))
        await use(boxes, "nobody's")  # counted by session


async def test_many_new_sessions_at_once_never_make_too_many(sandboxes_of, instance):
    outcomes = []
    async with sandboxes_of(containers=3, evict_after=0.01) as boxes:

        async def one(number):
            try:
                await use(boxes, f"s{number}")
                outcomes.append("ok")
            except ExecutionError as refused:
                outcomes.append(str(refused).partition(" (")[0])

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(one, number)
        assert boxes.status().alive <= 3
        assert outcomes.count("ok") >= 3
        assert set(outcomes) <= {"ok", "All sandboxes are in use"}
    await until(lambda: containers_of(instance) == [])


async def test_a_container_that_is_too_old_is_replaced_between_calls(sandboxes_of):
    async with sandboxes_of(max_age=0.3) as boxes:
        async with boxes.lease("s") as box:
            await anyio.sleep(0.5)  # not under a call
            await box.write("/workspace/mine", b"")
        assert not await kept(boxes, "s")


async def test_time_outs_do_not_use_the_house_up(sandboxes_of):
    async with sandboxes_of(containers=1, timeout=0.05) as boxes:
        for _ in range(3):
            async with boxes.lease("s") as box:
                assert (await box.run(sh("sleep 60"))).timed_out
        assert boxes.status().alive == 0


async def test_a_container_that_died_by_itself_does_not_keep_its_place(sandboxes_of):
    async with sandboxes_of(idle=0.4) as boxes:
        async with boxes.lease("s"):
            pass
        (seat,) = boxes._seats
        pid = (await boxes.engine.state(seat.container.name)).pid
        assert pid > 1
        seat.used_at += 60  # not because it is idle
        os.kill(pid, signal.SIGKILL)
        await until(lambda: boxes.status().alive == 0)


async def test_the_status_says_how_the_pool_is(sandboxes_of):
    async with sandboxes_of(warm=1) as boxes:
        await use(boxes, "idle")
        await until(lambda: boxes.status().warm == 1)
        async with boxes.lease("busy"):
            await until(lambda: boxes.status().warm == 1)
            status = boxes.status()
    assert (status.alive, status.making, status.warm, status.leased, status.idle) == (3, 0, 1, 1, 1)
    assert (status.waiting, status.evicted, status.refused, status.reaped) == (0, 0, 0, 0)
    assert status.refill_seconds > 0
    assert status.breaker == "closed"
