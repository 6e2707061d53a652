# SPDX-License-Identifier: Apache-2.0
"""Never-used containers: kept warm, made for those who wait, given out in turn, never too many."""

import os
import signal
from collections import Counter

import anyio
import pytest
from sandbox_world import containers_of, sh, until

from yett.action import Principal
from yett.errors import ExecutionError
from yett.ports import Command

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

HI = Command(argv=("echo", "hi"))
FRESH = sh("[ ! -e used ] && touch used && echo fresh")


def agent(name):
    return Principal(agent=name, id=name)


async def watch(boxes, seen, *, task_status):
    task_status.started()
    while True:
        status = boxes.status()
        seen["alive"] = max(seen["alive"], status.alive)
        seen["making"] = max(seen["making"], status.making)
        seen["waiting"] = max(seen["waiting"], status.waiting)
        await anyio.sleep(0.002)


async def test_as_many_as_asked_for_are_kept_warm_and_no_more(sandboxes_of, instance):
    async with sandboxes_of(warm=3) as boxes:
        await until(lambda: boxes.status().warm == 3)
        await anyio.sleep(0.3)
        assert len(containers_of(instance)) == 3
    await until(lambda: containers_of(instance) == [])


async def test_the_limit_of_containers_counts_the_warm_ones(sandboxes_of, instance):
    seen = Counter()
    async with sandboxes_of(warm=4, containers=2) as boxes, anyio.create_task_group() as group:
        await group.start(watch, boxes, seen)
        await until(lambda: boxes.status().warm == 2)
        async with boxes.lease("a"), boxes.lease("b"):
            await anyio.sleep(0.3)
            assert len(containers_of(instance)) == 2
        group.cancel_scope.cancel()
    assert seen["alive"] == 2


async def test_refillers_make_so_many_at_a_time_and_one_while_calls_run(sandboxes_of):
    seen = Counter()
    async with sandboxes_of(warm=0, refillers=3, lifetime="call") as boxes:
        async with anyio.create_task_group() as group:
            await group.start(watch, boxes, seen)

            async def call(number):
                async with boxes.lease(f"s{number}") as box:
                    await box.run(HI)

            async with anyio.create_task_group() as calls:
                for number in range(6):
                    calls.start_soon(call, number)
            group.cancel_scope.cancel()
        assert seen["making"] == 3
    seen = Counter()
    async with sandboxes_of(warm=4, refillers=3) as boxes:
        await until(lambda: boxes.status().warm)
        async with boxes.lease("s"), anyio.create_task_group() as group:
            await until(lambda: boxes.status().making <= 1)
            await group.start(watch, boxes, seen)
            await until(lambda: boxes.status().warm == 4)
            group.cancel_scope.cancel()
    assert seen["making"] == 1


async def test_an_old_spare_is_replaced(sandboxes_of):
    async with sandboxes_of(warm=1, spare_age=0.4) as boxes:
        await until(lambda: boxes.status().warm == 1)
        old = boxes._supply._spares[0].container
        await until(lambda: boxes.status().warm == 1 and boxes._supply._spares[0].container is not old)
        assert not old.alive or not old.usable


async def test_a_spare_whose_runner_does_not_answer_is_replaced(sandboxes_of, monkeypatch):
    monkeypatch.setattr("yett.sandbox.supply._HEALTH_INTERVAL", 0.1)
    monkeypatch.setattr("yett.sandbox.spare._DEADLINE", 0.3)
    async with sandboxes_of(warm=1, idle=0.4) as boxes:
        await until(lambda: boxes.status().warm == 1)
        deaf = boxes._supply._spares[0].container
        pid = (await boxes.engine.state(deaf.name)).pid
        assert pid > 1
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: boxes.status().warm == 1 and boxes._supply._spares[0].container is not deaf)
        async with boxes.lease("s") as box:
            assert (await box.run(HI)).stdout == b"hi\n"


async def test_a_healthy_spare_survives_being_looked_at(sandboxes_of, monkeypatch):
    monkeypatch.setattr("yett.sandbox.supply._HEALTH_INTERVAL", 0.05)
    async with sandboxes_of(warm=1, idle=0.1) as boxes:
        await until(lambda: boxes.status().warm == 1)
        spare = boxes._supply._spares[0]
        seen_at = spare.seen_at
        await until(lambda: spare.seen_at > seen_at)
        async with boxes.lease("s") as box:
            assert box is spare.container
            assert (await box.run(FRESH)).stdout == b"fresh\n"


async def test_strict_calls_wait_for_their_own_container_and_none_fails(sandboxes_of, instance):
    seen = Counter()
    async with sandboxes_of(lifetime="call", warm=2, containers=4) as boxes:
        async with anyio.create_task_group() as group:
            await group.start(watch, boxes, seen)

            async def caller(number):
                for _ in range(3):
                    async with boxes.lease(f"s{number}") as box:
                        assert (await box.run(FRESH)).stdout == b"fresh\n"

            async with anyio.create_task_group() as calls:
                for number in range(6):
                    calls.start_soon(caller, number)
            group.cancel_scope.cancel()
        assert seen["alive"] <= 4
        assert seen["waiting"] >= 1
        assert boxes.status().refused == 0
    await until(lambda: containers_of(instance) == [])


async def test_strict_calls_of_one_session_run_beside_each_other_and_end_with_it(sandboxes_of):
    async with sandboxes_of(lifetime="call", warm=2) as boxes, anyio.create_task_group() as group:

        async def call():
            with pytest.raises(ExecutionError, match="died"):
                async with boxes.lease("s") as box:
                    await box.run(sh("sleep 60"))

        group.start_soon(call)
        group.start_soon(call)
        await until(lambda: boxes.status().leased == 2)
        await anyio.sleep(0.05)
        await boxes.end("s")
    assert boxes.status().alive == 0


async def test_the_first_call_over_the_backlog_is_told_when_to_come_back(sandboxes_of, monkeypatch):
    monkeypatch.setattr("yett.sandbox.maker.Maker.seconds", 3.0)  # to make one, lately
    async with sandboxes_of(lifetime="call", warm=0, refillers=1, backlog=2) as boxes:
        refusals = []

        async def call(number):
            try:
                async with boxes.lease(f"s{number}") as box:
                    await box.run(HI)
            except ExecutionError as refused:
                refusals.append(str(refused))

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(call, number)
        assert boxes.status().refused == 1
    # Two wait, so it would be the third, and there is one refiller.
    assert refusals == ["The sandbox is busy; nothing was run. Retry after 9 seconds."]


async def test_waiting_for_a_never_used_container_has_an_end(sandboxes_of):
    async with sandboxes_of(lifetime="call", containers=1, queue_wait=0.1, start_deadline=2.0) as boxes:
        async with boxes.lease("long"):
            with pytest.raises(ExecutionError, match="busy"), anyio.fail_after(10):
                async with boxes.lease("short"):
                    pass
        assert boxes.status().waiting == 0


async def test_one_agents_many_calls_do_not_starve_anothers_one(sandboxes_of):
    order = []
    async with sandboxes_of(lifetime="call", warm=0, containers=2) as boxes:

        async def call(name, number):
            async with boxes.lease(f"{name}{number}", agent(name)) as box:
                await box.run(HI)
                order.append(name)

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(call, "crowd", number)
            await until(lambda: boxes.status().waiting == 10)
            group.start_soon(call, "lone", 0)
    assert order.index("lone") <= 4


async def test_a_strict_agent_with_all_it_may_have_waits_and_others_do_not(sandboxes_of):
    async with sandboxes_of(lifetime="call", warm=1, per_agent=1) as boxes:
        done = []

        async def second():
            async with boxes.lease("2", agent("a")) as box:
                done.append((await box.run(FRESH)).stdout)

        async with anyio.create_task_group() as group, boxes.lease("1", agent("a")):
            group.start_soon(second)
            async with boxes.lease("1", agent("b")) as box:
                assert (await box.run(HI)).stdout == b"hi\n"
            await until(lambda: boxes.status().warm == 1)
            assert (boxes.status().waiting, done) == (1, [])
        assert done == [b"fresh\n"]


async def test_a_call_that_gives_up_leaves_its_container_to_the_next(sandboxes_of):
    async with sandboxes_of(lifetime="call", warm=0, refillers=1) as boxes:
        got = []

        async def call():
            async with boxes.lease("stays") as box:
                got.append((await box.run(FRESH)).stdout)

        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as gives_up:

                async def leave():
                    await until(lambda: boxes.status().waiting == 2)
                    gives_up.cancel()

                group.start_soon(leave)
                async with anyio.create_task_group() as inner:
                    inner.start_soon(call_forever, boxes)
                    group.start_soon(call)
        assert got == [b"fresh\n"]
        await until(lambda: boxes.status().alive == 0)


async def call_forever(boxes):
    async with boxes.lease("goes"):
        await anyio.sleep_forever()
