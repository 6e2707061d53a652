# SPDX-License-Identifier: Apache-2.0
"""The forwarded port: connections of programs as frames, their windows, their ends."""

import struct
import time

import pytest
from runner_client import CHUNK, PORT, WINDOW, WORK, conversation

NC = f"busybox nc 127.0.0.1 {PORT}"


def opened(runner) -> bytes:
    """The id of the next connection."""
    return runner.next_of("o")[1]


def of(conn):
    return lambda _, payload: payload[:2] == conn


def received(runner, conn, *, until_end=True, grants=True, size=None) -> bytes:
    """What comes of a connection: to its end, or so many bytes."""
    data = b""
    while size is None or len(data) < size:
        kind, payload = runner.next_of("de" if until_end else "d", of(conn))
        if kind == "e":
            break
        assert 2 < len(payload) <= CHUNK
        data += payload[2:]
        if grants:
            runner.ask(b"g", conn + struct.pack("<I", len(payload) - 2))
    return data


def test_a_client_that_half_closes_gets_its_answer(runner):
    runner.launch("sh", "-c", f"echo question | {NC}")
    conn = opened(runner)
    assert received(runner, conn) == b"question\n"  # and its end
    runner.ask(b"d", conn + b"answer\n")
    runner.ask(b"e", conn)
    done = runner.ended(0)
    assert (done.code, done.out) == (0, b"answer\n")


@pytest.mark.parametrize("client", ["wget -q -O -", "busybox wget -q -O -", "curl -s"])
def test_a_web_client_gets_through_when_the_server_closes_first(runner, client):
    if runner.sh(f"command -v {client.split(maxsplit=1)[0]}").code:
        client = "busybox wget -q -O -"
    runner.launch("sh", "-c", f"{client} http://127.0.0.1:{PORT}/x")
    conn = opened(runner)
    request = b""
    while b"\r\n\r\n" not in request:
        request += runner.next_of("d", of(conn))[1][2:]
    assert request.startswith(b"GET /x HTTP/1.")
    runner.ask(b"d", conn + b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
    runner.ask(b"e", conn)
    done = runner.ended(0)
    assert (done.code, done.out) == (0, b"hello")


def test_megabytes_go_both_ways_and_no_side_sends_more_than_it_was_granted(runner):
    size = 3_000_000
    runner.launch("sh", "-c", f"head -c {size} /dev/zero | {NC} | wc -c")
    conn, may_send, sent, came, credit, ended = opened(runner), WINDOW, 0, 0, WINDOW, False
    while not ended or sent < size:
        if may_send and sent < size:
            part = min(may_send, CHUNK - 2, size - sent)
            runner.ask(b"d", conn + b"y" * part)
            sent, may_send = sent + part, may_send - part
        kind, payload = runner.next_of("dge", of(conn))
        if kind == "g":
            may_send += struct.unpack("<I", payload[2:])[0]
        elif kind == "e":
            ended = True
        else:
            came, credit = came + len(payload) - 2, credit - len(payload) + 2
            assert credit >= 0
            if credit < WINDOW // 2:
                runner.ask(b"g", conn + struct.pack("<I", WINDOW - credit))
                credit = WINDOW
    runner.ask(b"e", conn)
    assert came == size
    assert runner.ended(0).out.strip() == str(size).encode()


@pytest.mark.supervised
def test_without_a_grant_the_program_waits_and_nothing_else_does(runner):
    runner.start("sh", "-c", f"cat /dev/zero | {NC}", slot=1)
    conn = opened(runner)
    assert received(runner, conn, grants=False, size=WINDOW) == bytes(WINDOW)
    assert runner.sh("echo goes on").out == b"goes on\n"
    assert not [frame for frame in runner.kept if frame[0] == "d"]
    runner.ask(b"g", conn + struct.pack("<I", 5))
    assert runner.next_of("d", of(conn))[1][2:] == bytes(5)


@pytest.mark.supervised
def test_a_program_that_never_reads_holds_nothing_up(runner):
    runner.start("sh", "-c", f"sleep 1000 | {NC} | sleep 1000", slot=1)
    conn, may_send = opened(runner), WINDOW
    while may_send:  # until kernel, pipes and the runner's own window are full
        part = min(may_send, CHUNK - 2)
        runner.ask(b"d", conn + b"y" * part)
        may_send -= part
        try:
            while True:
                may_send += struct.unpack("<I", runner.next_of("g", of(conn), deadline=0.05)[1][2:])[0]
        except TimeoutError:
            pass
    assert runner.sh("echo goes on").out == b"goes on\n"
    runner.ask(b"d", conn + b"one byte too many")
    assert runner.exit_code() == 98


@pytest.mark.supervised
def test_a_connection_of_a_killed_program_is_reset_and_others_stay(runner):
    runner.start("sh", "-c", f"sleep 1000 | {NC}", slot=1)
    stays = opened(runner)
    runner.launch("sh", "-c", f"sleep 1000 | {NC}")
    goes = opened(runner)
    runner.kill(0)
    assert runner.ended(0).signal == 9
    assert runner.next_of("x")[1] == goes
    runner.ask(b"x", goes)
    runner.ask(b"d", stays + b"x")  # would be a fault of an id that is free
    runner.kill(1)
    assert runner.next_of("x")[1] == stays
    assert runner.ended(1).signal == 9


def test_the_end_of_a_call_resets_what_it_left_open_before_it_is_told(runner):
    runner.launch("sh", "-c", f"(setsid sh -c 'sleep 1000 | {NC}' &) ; sleep 0.3")
    conn = opened(runner)
    assert runner.next_of("xE") == ("x", conn)
    assert runner.ended(0).code == 0
    # What was on its way to it is nobody's fault until the reset is answered.
    runner.ask(b"d", conn + b"late")
    runner.ask(b"g", conn + struct.pack("<I", 1))
    runner.ask(b"e", conn)
    runner.ask(b"x", conn)
    assert runner.run("true").code == 0
    runner.ask(b"d", conn + b"after")
    assert runner.exit_code() == 98


def test_a_reset_from_the_gateway_reaches_the_program_and_is_answered(runner):
    runner.launch("sh", "-c", f"sleep 1000 | {{ {NC}; echo over; }}")
    conn = opened(runner)
    runner.ask(b"x", conn)
    assert runner.next_of("x")[1] == conn
    runner.output(0, b"over\n")
    runner.kill(0)
    runner.ended(0)


def test_a_grant_that_crosses_the_end_is_ignored_and_a_reset_is_answered(runner):
    runner.launch("sh", "-c", f"echo q | {NC}")
    conn = opened(runner)
    received(runner, conn, grants=False)
    runner.ask(b"e", conn)
    runner.ended(0)
    runner.ask(b"g", conn + struct.pack("<I", 2))
    runner.ask(b"x", conn)
    assert runner.next_of("x")[1] == conn
    assert runner.run("true").code == 0


@pytest.mark.parametrize(
    ("kind", "payload"),
    [(b"d", b"y" * (CHUNK - 1)), (b"g", struct.pack("<I", 0xFFFFFFFF)), (b"e", b"\0")],
    ids=["data over a frame", "a grant over all bounds", "an end with more"],
)
def test_a_fault_on_an_open_connection_ends_the_container(runner, kind, payload):
    runner.launch("sh", "-c", f"sleep 1000 | {NC}")
    runner.ask(kind, opened(runner) + payload)
    assert runner.exit_code() == 98


@pytest.mark.parametrize("after_end", [b"d", b"e"])
def test_nothing_comes_after_the_end(runner, after_end):
    runner.launch("sh", "-c", f"sleep 1000 | {NC} | sleep 1000")
    conn = opened(runner)
    runner.ask(b"e", conn)
    runner.ask(after_end, conn + (b"x" if after_end == b"d" else b""))
    assert runner.exit_code() == 98


def test_more_than_64_wait_until_one_ends(runner_binary):
    with conversation(runner_binary, port=PORT) as runner:
        script = (
            "import socket,time\n"
            f"held=[socket.create_connection(('127.0.0.1',{PORT})) for _ in range(70)]\n"
            "print('connected', flush=True)\ntime.sleep(0.5)\nheld[0].close()\ntime.sleep(1000)\n"
        )
        runner.launch("/usr/bin/python3", "-c", script)
        runner.output(0, b"connected\n")
        first = [opened(runner) for _ in range(64)]
        assert len(set(first)) == 64
        assert runner.next_of("eo")[0] == "e"
        runner.ask(b"e", first[0])
        another = opened(runner)
        assert another not in first
        runner.kill(0)
        runner.ended(0)
        assert len([1 for kind, _ in runner.kept if kind == "x"]) == 64


def test_the_slowest_writer_and_reader_get_their_bytes(runner):
    runner.launch("sh", "-c", f"(for i in 1 2 3 4 5 6; do printf $i; sleep 0.02; done) | {NC}", cwd=WORK)
    conn = opened(runner)
    started = time.monotonic()
    assert received(runner, conn) == b"123456"
    for byte in b"abc":
        runner.ask(b"d", conn + bytes([byte]))
    runner.ask(b"e", conn)
    assert runner.ended(0).out == b"abc"
    assert time.monotonic() - started < 20


def test_without_a_port_nothing_listens(runner_binary):
    with conversation(runner_binary, port=0) as runner:
        assert runner.sh(f"echo | {NC}").code != 0
        assert runner.sh("tail -n +2 /proc/net/tcp").out == b""


def test_the_port_is_the_loopbacks_alone_and_programs_get_no_descriptor_of_it(runner):
    listening = runner.sh("tail -n +2 /proc/net/tcp").out.split()
    assert listening[1] == b"0100007F:%04X" % PORT
    assert b"socket" not in runner.sh("ls -l /proc/self/fd").out


def test_a_connection_that_was_never_taken_does_not_come_up_after_its_call(runner):
    script = (
        "import socket,time\n"
        f"held=[socket.create_connection(('127.0.0.1',{PORT})) for _ in range(80)]\n"
        "print('connected', flush=True)\n"
    )
    runner.launch("/usr/bin/python3", "-c", script + "time.sleep(1000)")
    runner.output(0, b"connected\n")
    runner.kill(0)
    assert runner.ended(0).signal == 9
    for kind, conn in list(runner.kept):
        if kind == "x":
            runner.ask(b"x", conn)
    runner.kept.clear()
    assert runner.run("true").code == 0
    assert runner.kept == []
