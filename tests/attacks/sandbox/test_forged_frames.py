# SPDX-License-Identifier: Apache-2.0
"""A container whose PID 1 was taken over says what it likes; and the runner is told what no gateway says."""

import secrets
import struct

import anyio
import pytest
from fake_runner import DONE, FILE, against, connection, entry, exit_, faced, frame, out
from sandbox_world import sh, until

from yett.errors import ExecutionError
from yett.ports import Command
from yett.sandbox.wire import ProtocolViolation

pytestmark = pytest.mark.anyio

X = Command(argv=("x",))


@pytest.mark.parametrize(
    "answers",
    [
        frame(b"D", b"x"),
        DONE,
        frame(b"R", b"\2secret"),
        FILE,
        frame(b"E", b"\0\1\0"),
        frame(b"1", b"\0") + exit_(),
        frame(b"Q"),
        struct.pack("<I", 1 << 31) + b"1",
        out(b"of a program that does not run", slot=1),
        exit_(slot=8),
        connection(b"o", 1),
        connection(b"d", 1, b"x"),
        connection(b"g", 1, b"\0\0\1\0"),
        connection(b"e", 1),
        connection(b"x", 1),
    ],
)
async def test_an_answer_to_something_else_ends_the_container(answers, tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", answers)
        with pytest.raises(ProtocolViolation):
            await box.run(X)
        assert not box.usable


@pytest.mark.parametrize("said", [exit_(), DONE, out(b"x"), b"\0"])
async def test_a_runner_that_speaks_without_being_asked_loses_its_container(said, tmp_path):
    async with faced(tmp_path) as (box, runner):
        await runner.say(said)
        await until(lambda: not box.usable, 5)
        with pytest.raises(ExecutionError, match="gone"):
            await box.run(X)


async def test_a_forged_result_for_the_next_call_is_not_kept(tmp_path):
    forged = exit_() + out(b"forged") + exit_()
    result, usable = await against(tmp_path, forged, lambda box: box.run(X))
    assert (result.stdout, usable) == (b"", False)


async def test_the_beginning_of_a_forged_frame_is_not_kept_either(tmp_path):
    _, usable = await against(tmp_path, exit_() + b"\0", lambda box: box.run(X))
    assert not usable


@pytest.mark.parametrize("data", [b"1234", b"123456789"])
async def test_more_of_a_file_than_was_asked_for_is_refused(data, tmp_path):
    with pytest.raises(BaseExceptionGroup) as caught:
        await against(
            tmp_path, FILE + frame(b"D", data) + DONE, lambda box: box.read("/f", offset=0, limit=3)
        )
    assert caught.group_contains(ProtocolViolation)


@pytest.mark.parametrize(
    "answers", [FILE + FILE + DONE, frame(b"D", b"1") + DONE, frame(b"N", entry(name=b"x")) + DONE]
)
async def test_answers_that_do_not_fit_a_read_are_refused(answers, tmp_path):
    with pytest.raises(BaseExceptionGroup) as caught:
        await against(tmp_path, answers, lambda box: box.read("/f", offset=0, limit=3))
    assert caught.group_contains(ProtocolViolation)


@pytest.mark.parametrize("answers", [DONE, FILE + FILE + DONE])
async def test_a_path_is_told_about_once(answers, tmp_path):
    with pytest.raises(BaseExceptionGroup) as caught:
        await against(tmp_path, answers, lambda box: box.stat("/f"))
    assert caught.group_contains(ProtocolViolation)


async def test_an_endless_answer_is_refused_at_the_limit_and_not_at_the_deadline(tmp_path):
    entries = frame(b"N", entry(name=b"n"))
    with pytest.raises(BaseExceptionGroup) as caught, anyio.fail_after(4):
        await against(tmp_path, entries * 11, lambda box: box.list("/d"), list_limit=10)
    assert caught.group_contains(ProtocolViolation)


async def test_a_kill_that_is_not_confirmed_destroys_the_container(tmp_path):
    result, usable = await against(
        tmp_path, out(b"x" * 1000) * 3, lambda box: box.run(X), flood_limit=2000, kill_grace=0.05
    )
    assert (result.signal, len(result.stdout), usable) == (9, 3000, False)


async def test_a_runner_that_never_answers_is_an_execution_error(tmp_path):
    async def use(box):
        with pytest.raises(ExecutionError, match="did not answer in time"):
            await box.read("/f", offset=0, limit=1)
        with pytest.raises(ExecutionError, match="gone"):
            await box.read("/f", offset=0, limit=1)

    await against(tmp_path, b"", use, file_deadline=0.05)


async def test_a_runner_that_hangs_up_is_an_execution_error_at_once(tmp_path):
    async with faced(tmp_path, timeout=60.0) as (box, runner), anyio.create_task_group() as tasks:

        async def leave():
            await runner.asked()
            await runner.hang_up()

        tasks.start_soon(leave)
        with pytest.raises(ExecutionError, match="died"), anyio.fail_after(5):
            await box.run(X)


def exec_frame(head: bytes, rest: bytes = b"") -> bytes:
    return frame(b"X", b"\0" + head + rest)


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
    "a slot that does not exist": frame(b"X", b"\x09" + struct.pack("<HHB", 1, 0, 0) + b"/\0a\0"),
    "kill without a slot": frame(b"K"),
    "kill of a slot that does not exist": frame(b"K", b"\x09"),
    "begin twice": frame(b"B", b"\0\0"),
    "data of no connection": connection(b"d", 1, b"x"),
    "a connection from outside": connection(b"o", 1),
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
        await box._line.send(frame(b"K", b"\0") * 3)
        assert (await box.run(sh("echo on"))).stdout == b"on\n"
