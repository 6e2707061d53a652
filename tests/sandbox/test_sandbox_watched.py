# SPDX-License-Identifier: Apache-2.0
"""The quota around any `ports.Sandboxes`: here one in memory, whose program writes to the folder itself."""

from contextlib import asynccontextmanager

import anyio
import pytest
from host_folder import shared
from sandbox_world import until

from yett.errors import ExecutionError
from yett.ports import Command, CommandResult
from yett.ports.sandbox import BackgroundProgram
from yett.sandbox.quota import WorkspaceQuota
from yett.sandbox.watched import WatchedSandboxes

pytestmark = pytest.mark.anyio

ENDED = CommandResult(exit_code=0, signal=None, stdout=b"out", stderr=b"")


class Box:
    def __init__(self, program):
        self.program = program
        self.running = []

    async def run(self, command):
        await self.program()
        return ENDED

    async def start(self, command):
        self.running.append(BackgroundProgram(number=1, command=command, running=True, result=ENDED))
        return self.running[0]

    def programs(self):
        return tuple(self.running)


class Boxes:
    def __init__(self, box):
        self.box = box
        self.ended = []

    @asynccontextmanager
    async def lease(self, session, principal=None):
        yield self.box

    async def end(self, session):
        self.ended.append(session)


@asynccontextmanager
async def watched(project, program, **changes):
    inner = Boxes(Box(program))
    workspace = shared(project, interval=0.01, quota=1 << 20, **changes)
    async with WatchedSandboxes(inner, WorkspaceQuota(workspace)) as boxes:
        yield boxes, inner


async def test_a_program_that_stays_within_it_is_left_alone(project):
    async def program():
        (project / "small").write_bytes(b"x" * 1000)
        await anyio.sleep(0.2)

    async with watched(project, program) as (boxes, _), boxes.lease("s") as box:
        assert await box.run(Command(argv=("x",))) == ENDED


async def test_a_program_that_grows_beyond_it_is_cancelled(project):
    cancelled = anyio.Event()

    async def program():
        (project / "big").write_bytes(b"x" * (2 << 20))
        try:
            await anyio.sleep(60)
        except BaseException:
            cancelled.set()
            raise

    async with watched(project, program) as (boxes, _), boxes.lease("s") as box:
        with anyio.fail_after(20), pytest.raises(ExecutionError, match="more than its quota"):
            await box.run(Command(argv=("x",)))
    assert cancelled.is_set()


async def test_what_the_container_says_comes_through_as_it_is(project):
    async def program():
        raise ExecutionError("no such program")

    async with watched(project, program) as (boxes, _), boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match="no such program"):
            await box.run(Command(argv=("x",)))


async def test_over_it_a_program_may_make_room_and_may_not_add(project):
    (project / "big").write_bytes(b"x" * (2 << 20))

    async def makes_room():
        (project / "big").unlink()
        await anyio.sleep(0.2)

    async with watched(project, makes_room) as (boxes, _), boxes.lease("s") as box:
        assert (await box.run(Command(argv=("x",)))).exit_code == 0

    (project / "big").write_bytes(b"x" * (2 << 20))

    async def adds():
        (project / "more").write_bytes(b"x" * 100_000)
        await anyio.sleep(60)

    async with watched(project, adds) as (boxes, _), boxes.lease("s") as box:
        with anyio.fail_after(20), pytest.raises(ExecutionError, match="more than its quota"):
            await box.run(Command(argv=("x",)))


async def test_the_session_of_a_background_program_ends_when_it_grows_beyond(project):
    async with watched(project, None) as (boxes, inner):
        async with boxes.lease("s") as box:
            await box.start(Command(argv=("x",)))
        await anyio.sleep(0.1)
        assert inner.ended == []
        (project / "big").write_bytes(b"x" * (2 << 20))
        await until(lambda: inner.ended)
        assert inner.ended == ["s"]
        async with boxes.lease("s") as box:
            with pytest.raises(ExecutionError, match="Nothing was written"):
                await box.start(Command(argv=("x",)))


async def test_a_session_whose_programs_have_ended_is_not_watched_on(project):
    async with watched(project, None) as (boxes, inner):
        async with boxes.lease("s") as box:
            await box.start(Command(argv=("x",)))
        assert boxes.background == {"s"}
        inner.box.running.clear()
        async with boxes.lease("s"):
            pass
        assert boxes.background == set()
