# SPDX-License-Identifier: Apache-2.0
"""The runner's own checks of what comes over the line: the first fault ends PID 1 with 98."""

import errno
import struct

import pytest
from runner_client import Failed, Gone, conversation, frame, run_payload, string

PATH = string("/x")
BEGIN = frame(b"B", struct.pack("<H", 0))


def head(argc=1, envc=0, limits=0, slot=0) -> bytes:
    return struct.pack("<BHHB", slot, argc, envc, limits)


FAULTS = {
    "a payload over the limit": struct.pack("<IB", (32 << 20) + 1, ord("P")),
    "the largest length": struct.pack("<IB", 0xFFFFFFFF, ord("X")),
    "an unknown type": frame(b"Z"),
    "type zero": frame(b"\0"),
    "an answer's type": frame(b"O"),
    "begin again": BEGIN,
    "run: nothing": frame(b"X"),
    "run: no program": frame(b"X", head(argc=0) + PATH),
    "run: slot 9": frame(b"X", run_payload("true", slot=9)),
    "run: fewer arguments than counted": frame(b"X", head(argc=3) + PATH + string("a") + string("b")),
    "run: fewer variables than counted": frame(b"X", head(envc=2) + PATH + string("a") + string("b=c")),
    "run: too many strings": frame(b"X", head(argc=4000, envc=97) + PATH + string("") * 4097),
    "run: an argument without end": frame(b"X", head() + PATH + b"true"),
    "run: a folder that is not absolute": frame(b"X", head() + string("x") + string("true")),
    "run: a folder that is too long": frame(b"X", head() + string("/" + "x" * 4095) + string("true")),
    "run: nine limits": frame(b"X", head(limits=9) + struct.pack("<BQ", 0, 1) * 9 + PATH + string("true")),
    "run: an unknown limit": frame(b"X", head(limits=1) + struct.pack("<BQ", 4, 1) + PATH + string("true")),
    "run: fewer limits than counted": frame(b"X", head(limits=2) + struct.pack("<BQ", 0, 1)),
    "kill: no slot": frame(b"K"),
    "kill: slot 9": frame(b"K", b"\x09"),
    "kill: too much": frame(b"K", b"\0\0"),
    "read: no path": frame(b"G", struct.pack("<QQ", 0, 1)),
    "read: an offset over the kernel's": frame(b"G", struct.pack("<QQ", 1 << 63, 1) + PATH),
    "read: a path without end": frame(b"G", struct.pack("<QQ", 0, 1) + b"/x"),
    "read: something after the path": frame(b"G", struct.pack("<QQ", 0, 1) + PATH + b"y"),
    "write: neither append nor not": frame(b"P", b"\2" + PATH),
    "write: no path": frame(b"P", b"\0"),
    "list: a relative path": frame(b"L", struct.pack("<I", 1) + string("x")),
    "stat: an empty path": frame(b"S", string("")),
    "stat: a path that is too long": frame(b"S", string("/" + "x" * 4095)),
    "a connection that the gateway opens": frame(b"o", struct.pack("<H", 0)),
    "data of no connection": frame(b"d", struct.pack("<H", 7) + b"x"),
    "the end of no connection": frame(b"e", struct.pack("<H", 7)),
    "a connection's frame without an id": frame(b"g", b"\0"),
    "a grant without its count": frame(b"g", struct.pack("<H", 0)),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_frame_that_the_gateway_never_sends_ends_the_container(runner, fault):
    runner.send(FAULTS[fault])
    assert runner.exit_code() == 98
    with pytest.raises(Gone):
        runner.receive()


@pytest.mark.parametrize("first", [frame(b"S", PATH), frame(b"K", b"\0"), frame(b"X", run_payload("true"))])
def test_begin_comes_first(runner_binary, first):
    with conversation(runner_binary, port=None) as runner:
        runner.send(first)
        assert runner.exit_code() == 98


@pytest.mark.parametrize(
    "early",
    [
        frame(b"S", PATH),
        frame(b"P", b"\0" + PATH),
        frame(b"X", run_payload("true")),
        frame(b"X", run_payload("true", slot=1)),
        BEGIN,
    ],
)
def test_a_request_while_a_program_of_a_call_runs_ends_the_container(runner, early):
    runner.launch("sh", "-c", "echo up; sleep 100")
    runner.output(0, b"up\n")
    runner.send(early)
    assert runner.exit_code() == 98


@pytest.mark.supervised
def test_a_program_in_a_slot_that_is_taken_ends_the_container(runner):
    runner.start("sleep", "100", slot=1)
    runner.ask(b"X", run_payload("true", slot=1))
    assert runner.exit_code() == 98


def test_largest_request_and_frames_byte_by_byte_are_served(runner):
    assert (
        runner.run("wc", "-c", stdin=b"x" * ((32 << 20) - 100)).out.strip() == str((32 << 20) - 100).encode()
    )
    for byte in frame(b"X", run_payload("echo", "slowly")):
        runner.send(bytes([byte]))
    assert runner.ended(0).out == b"slowly\n"


def test_frames_that_come_at_once_are_served_in_their_order(runner):
    runner.send(
        b"".join(frame(b"S", string("/")) for _ in range(5000)) + frame(b"X", run_payload("echo", "last"))
    )
    for _ in range(5000):
        assert runner.next_of("I")
        runner.done()
    assert runner.ended(0).out == b"last\n"


@pytest.mark.supervised
@pytest.mark.parametrize("cut", [1, 4, 5, 9])
def test_a_line_that_ends_in_the_middle_of_a_frame_ends_the_container_quietly(runner, cut):
    runner.start("sh", "-c", "trap '' TERM; sleep 100", slot=1)
    runner.send(frame(b"X", run_payload("true"))[:cut])
    runner.hang_up()
    assert runner.exit_code() == 0


def test_a_port_that_cannot_be_had_is_a_failure(runner_binary):
    with conversation(runner_binary, port=None) as runner:
        runner.ask(b"B", struct.pack("<H", 80))  # privileged, and the runner is not
        with pytest.raises(Failed) as failed:
            runner.done()
        assert (failed.value.code, failed.value.word) == (errno.EACCES, "listen")
        assert runner.run("true").code == 0


def test_the_secret_is_said_once_and_reaches_no_program(runner):
    done = runner.sh("echo $YETT_HELLO; cat /proc/1/environ /proc/1/mem; ls /proc/1/fd /proc/1/cwd/")
    assert done.out == b"\n"
    assert done.err.count(b"Permission denied") == 4
