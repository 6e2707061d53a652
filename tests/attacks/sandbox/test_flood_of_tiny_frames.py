# SPDX-License-Identifier: Apache-2.0
"""A frame of one byte costs the gateway hundreds in time and memory: a container that sends nothing else."""

import tracemalloc

import anyio
import anyio.lowlevel
import pytest
from fake_runner import DONE, exit_, faced, out
from sandbox_world import until

from yett.errors import ExecutionError
from yett.ports import Command
from yett.sandbox import share
from yett.sandbox.program import Program
from yett.sandbox.protocol import Exit, Output

pytestmark = pytest.mark.anyio

X = Command(argv=("x",))
TINY = 20_000


def program(**more):
    return Program(
        X, slot=0, flood_limit=1 << 30, flooded=lambda: None, oom_kills=lambda: None, told=True, **more
    )


def outputs(count):
    return [Output(0, "stdout" if i % 2 else "stderr", b"x") for i in range(count)]


async def test_output_that_nobody_has_followed_yet_takes_little_more_than_its_bytes():
    flooding = program()
    given = outputs(2)
    tracemalloc.start()
    try:
        for _ in range(TINY):
            for output in given:
                flooding.take(output)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 8 * 2 * TINY
    told = {"stdout": 0, "stderr": 0}
    for stream, data in flooding.untold():
        told[stream] += len(data)
    assert told == {"stdout": TINY, "stderr": TINY}


async def test_nothing_waits_for_a_follower_who_was_too_slow(tmp_path):
    followed = []

    async def too_slow(stream, data):
        followed.append(data)
        await anyio.sleep_forever()

    async with faced(tmp_path, progress_deadline=0.01) as (box, runner), anyio.create_task_group() as tasks:
        held = []

        async def flood():
            await runner.answer("X", out(b"a"))
            await until(lambda: followed)
            await anyio.sleep(0.1)  # the follower was given up
            await runner.say(out(b"b" * 50_000))
            listener = box._line._conversation._listener
            await until(lambda: listener.result().stdout.endswith(b"b"))
            held.extend(listener.untold())
            await runner.say(exit_())

        tasks.start_soon(flood)
        result = await box.run(X, too_slow)
    assert len(result.stdout) == 50_001
    assert held == []


async def test_output_is_told_in_order_as_long_as_somebody_follows():
    followed = program()
    for output in outputs(6):
        followed.take(output)
    followed.take(Exit(0, 0, None))
    assert list(followed.untold()) == [("stderr", b"x"), ("stdout", b"x")] * 3


async def test_others_have_their_turn_while_the_bytes_of_one_container_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(share, "TURN", 0.0)
    async with faced(tmp_path) as (box, _), anyio.create_task_group() as tasks:
        turns = 0

        async def another():
            nonlocal turns
            while True:
                turns += 1
                await anyio.lowlevel.checkpoint()

        with box._line.converse(program()):
            tasks.start_soon(another)
            await box._line._take(memoryview(out(b"x") * 9000))
        tasks.cancel_scope.cancel()
        assert turns > 10


async def test_a_container_that_took_its_share_of_time_is_read_later(tmp_path, monkeypatch):
    monkeypatch.setattr(share, "_BURST", 0.0)
    monkeypatch.setattr(share, "_FRACTION", 1e-6)
    async with faced(tmp_path, timeout=0.5) as (box, runner), anyio.create_task_group() as tasks:

        async def flood():
            await runner.answer("X", out(b"first"))
            await anyio.sleep(0.1)
            await runner.say(out(b"second"), exit_())

        tasks.start_soon(flood)
        result = await box.run(X)
        assert (result.stdout, result.timed_out) == (b"first", True)


async def test_what_was_worked_costs_eight_times_as_long_once_the_burst_is_gone(monkeypatch):
    work, now = [0.0], [100.0]
    monkeypatch.setattr(share.time, "thread_time", lambda: work[0])
    monkeypatch.setattr(share.anyio, "current_time", lambda: now[0])
    mine = share.Share()

    def after(seconds):
        mine.begin_turn()
        work[0] += seconds
        return mine.end_turn()

    assert after(0.25) == 0
    assert after(0.5) == pytest.approx(4.0)
    now[0] += 4.0
    assert after(0.5) == pytest.approx(4.0)
    now[0] += 1000.0
    assert after(0.25) == 0


async def test_a_call_is_not_answered_by_what_came_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(share, "TURN", 0.0)  # so that calls can begin while the bytes of one piece are taken
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE)
        await box.start(X)
        forged = out(b"forged") + exit_()
        tasks.start_soon(runner.answer, "X", exit_() + out(b"p" * 5000, slot=1) + forged)
        assert (await box.run(X)).stdout == b""
        with pytest.raises(ExecutionError):
            await box.run(X)
        assert not box.usable
