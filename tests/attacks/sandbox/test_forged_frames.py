# SPDX-License-Identifier: Apache-2.0
"""A container whose PID 1 was taken over says what it likes; and the runner is told what no gateway says."""

import secrets
import struct

import anyio
import pytest
from sandbox_world import sh, until

from yett.errors import ExecutionError
from yett.ports import Command
from yett.sandbox.container import Container
from yett.sandbox.engine import Engine
from yett.sandbox.line import Line
from yett.sandbox.protocol import ProtocolViolation
from yett.sandbox.settings import SandboxSettings

pytestmark = pytest.mark.anyio


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<I", len(payload)) + kind + payload


EXIT = frame(b"E", b"\0\0")
FILE = frame(b"I", struct.pack("<cQIqH", b"f", 3, 0o644, 0, 0))


class RemovedQuietly(Engine):
    """An engine that has nothing to remove."""

    async def remove(self, name):
        del name


async def against(answers: bytes, use, tmp_path, **changes):
    """Use a container whose runner answers the first request with these bytes."""
    settings = SandboxSettings(**{"file_deadline": 5.0, "timeout": 5.0, **changes})
    listener = await anyio.create_unix_listener(tmp_path / "s")
    async with listener, await anyio.connect_unix(tmp_path / "s") as hostile:
        line = Line(await listener.accept())
        box = Container(
            name="n", settings=settings, engine=RemovedQuietly(settings), line=line, folder=tmp_path / "none"
        )

        async def talk():
            await hostile.receive()
            await hostile.send(answers)

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(talk)
                try:
                    result = await use(box)
                finally:
                    group.cancel_scope.cancel()
            return result, box.usable
        finally:
            await box.destroy()


@pytest.mark.parametrize(
    "answers",
    [
        frame(b"D", b"x"),
        frame(b"O"),
        frame(b"R", b"secret"),
        FILE,
        frame(b"E", b"\1\0"),
        frame(b"1", b"") + EXIT,
        frame(b"Q"),
        struct.pack("<I", 1 << 31) + b"1",
    ],
)
async def test_an_answer_to_something_else_ends_the_container(answers, tmp_path):
    with pytest.raises(BaseExceptionGroup) as caught:
        await against(answers, lambda box: box.run(Command(argv=("x",))), tmp_path)
    assert caught.group_contains(ProtocolViolation)


async def test_a_forged_result_for_the_next_call_is_not_kept(tmp_path):
    forged = EXIT + frame(b"1", b"forged") + EXIT
    result, usable = await against(forged, lambda box: box.run(Command(argv=("x",))), tmp_path)
    assert (result.stdout, usable) == (b"", False)


async def test_the_beginning_of_a_forged_frame_is_not_kept_either(tmp_path):
    _, usable = await against(EXIT + b"\0", lambda box: box.run(Command(argv=("x",))), tmp_path)
    assert not usable


@pytest.mark.parametrize("data", [b"1234", b"123456789"])
async def test_more_of_a_file_than_was_asked_for_is_refused(data, tmp_path):
    answers = FILE + frame(b"D", data) + frame(b"O")
    with pytest.raises(BaseExceptionGroup) as caught:
        await against(answers, lambda box: box.read("/f", offset=0, limit=3), tmp_path)
    assert caught.group_contains(ProtocolViolation)


async def test_an_endless_answer_is_refused_at_the_limit_and_not_at_the_deadline(tmp_path):
    entries = frame(b"N", struct.pack("<cQIqH", b"f", 3, 0o644, 0, 1) + b"n")
    with pytest.raises(BaseExceptionGroup) as caught, anyio.fail_after(4):
        await against(entries * 11, lambda box: box.list("/d"), tmp_path, list_limit=10)
    assert caught.group_contains(ProtocolViolation)


async def test_a_kill_that_is_not_confirmed_destroys_the_container(tmp_path):
    flood = frame(b"1", b"x" * 1000) * 3
    result, usable = await against(
        flood, lambda box: box.run(Command(argv=("x",))), tmp_path, flood_limit=2000, kill_grace=0.05
    )
    assert (result.signal, len(result.stdout), usable) == (9, 3000, False)


async def test_a_runner_that_hangs_up_is_an_execution_error(tmp_path):
    async def use(box):
        with pytest.raises(ExecutionError, match="did not answer in time"):
            await box.read("/f", offset=0, limit=1)
        with pytest.raises(ExecutionError, match="gone"):
            await box.read("/f", offset=0, limit=1)

    await against(b"", use, tmp_path, file_deadline=0.05)


def exec_frame(head: bytes, rest: bytes = b"") -> bytes:
    return frame(b"X", head + rest)


MALFORMED = {
    "no payload": frame(b"X"),
    "argc 0": exec_frame(struct.pack("<HHB", 0, 0, 0), b"/\0"),
    "argc 65535": exec_frame(struct.pack("<HHB", 65535, 65535, 0), b"/\0a\0"),
    "fewer strings than said": exec_frame(struct.pack("<HHB", 3, 0, 0), b"/\0a\0b\0"),
    "no NUL": exec_frame(struct.pack("<HHB", 1, 0, 0), b"/\0a"),
    "no folder": exec_frame(struct.pack("<HHB", 1, 0, 0)),
    "relative folder": exec_frame(struct.pack("<HHB", 1, 0, 0), b"x\0a\0"),
    "9 limits": exec_frame(struct.pack("<HHB", 1, 0, 9) + struct.pack("<BQ", 0, 1) * 9, b"/\0a\0"),
    "a limit of no kind": exec_frame(struct.pack("<HHB", 1, 0, 1) + struct.pack("<BQ", 9, 1), b"/\0a\0"),
    "limits cut short": exec_frame(struct.pack("<HHB", 1, 0, 8), b"/\0a\0"),
    "unknown type": frame(b"z"),
    "over the limit": struct.pack("<I", (32 << 20) + 1) + b"X",
    "4 GiB": b"\xff\xff\xff\xffX",
    "read without path": frame(b"G", struct.pack("<QQ", 0, 1)),
    "read at a negative offset": frame(b"G", struct.pack("<QQ", 1 << 63, 1) + b"/f\0"),
    "write with append 2": frame(b"P", b"\2/workspace/f\0x"),
    "list of a path that is too long": frame(b"L", struct.pack("<I", 1) + b"/" + b"x" * 5000 + b"\0"),
    "stat without NUL": frame(b"S", b"/f"),
    "noise": frame(b"X", secrets.token_bytes(3000)),
}


@pytest.mark.engine
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())
async def test_the_runner_ends_on_a_malformed_request_and_does_nothing_with_it(sandboxes_of, malformed):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box._line.send(malformed)
        await until(lambda: not box.alive, 5)


@pytest.mark.engine
async def test_a_kill_that_comes_late_is_ignored(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box._line.send(frame(b"K") * 3)
        assert (await box.run(sh("echo on"))).stdout == b"on\n"
