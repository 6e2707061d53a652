# SPDX-License-Identifier: Apache-2.0
"""One caller does not use up what all share."""

import threading

import anyio
import pytest

from gate import World, denial_of
from yett.action import Arrival, Transport
from yett.crowding import Bench, Floodgate, Seats, TooManyCalls
from yett.pipeline import Pipeline, PipelineSettings
from yett.testing import FrozenClock

pytestmark = pytest.mark.anyio


async def test_the_first_call_over_the_limit_is_refused_and_another_agent_is_served():
    world = World()
    world.gate = Pipeline(world.rooms, PipelineSettings(hold=0.01, calls_per_agent=2))
    world.tray.wait = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.call)
        tasks.start_soon(world.call)
        await anyio.wait_all_tasks_blocked()
        assert denial_of(await world.call())["rule"] == "gate.too-many-calls"
        assert len(world.tray.ran) == 2
        tasks.start_soon(lambda: world.call(agent="research-2"))
        await anyio.wait_all_tasks_blocked()
        assert len(world.tray.ran) == 3
        world.tray.wait.set()
    assert not (await world.call()).result.is_error


def test_a_seat_is_free_again_however_its_call_ended():
    seats = Seats(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), seats.taken_by("a"):
            raise ZeroDivisionError
    with seats.taken_by("a"), pytest.raises(TooManyCalls), seats.taken_by("a"):
        pass


async def test_a_flood_of_wrong_credentials_fills_no_log():
    world = World()
    flood = Arrival(transport=Transport.HTTP, source_ip="10.0.0.9")
    for _ in range(500):
        await world.gate.refuse(flood, "gate.too-many-attempts", "No such credential.")
    assert world.events() == ["refusal"]
    assert "not recorded for 60 s" in world.audit.records[0].fields["reason"]
    await world.gate.refuse(flood, "gate.unauthenticated", "No such credential.")
    assert world.events() == ["refusal", "refusal"]


def test_a_source_is_let_through_again_after_the_window_and_sources_are_bounded():
    clock = FrozenClock()
    gate = Floodgate(clock, window=60, sources=2)

    def seen(address):
        return gate.lets_through(Arrival(transport=Transport.HTTP, source_ip=address))

    assert [seen("a"), seen("a"), seen("b")] == [True, False, True]
    clock.advance(60)
    assert seen("a")
    assert seen("c")
    assert seen("b")


async def test_one_agents_long_inspections_take_one_thread_and_anothers_go_on():
    bench, let_go = Bench(threads=2), threading.Event()
    running, most = [], []

    def long(number):
        running.append(number)
        most.append(len(running))
        let_go.wait(20)
        running.remove(number)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(bench.run, "research-1", long, number)
        with anyio.fail_after(10):
            while not running:  # noqa: ASYNC110 - a thread tells no event loop
                await anyio.sleep(0.01)
        with anyio.fail_after(10):
            assert await bench.run("research-2", str, 5) == "5"
        assert len(running) == 1
        let_go.set()
    assert max(most) == 1


async def test_inspections_of_many_agents_take_no_more_threads_than_there_are():
    bench, let_go = Bench(threads=2), threading.Event()
    running, most = [], []

    def long(number):
        running.append(number)
        most.append(len(running))
        let_go.wait(0.02)
        running.remove(number)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(bench.run, f"agent-{number}", long, number)
    assert max(most) == 2
