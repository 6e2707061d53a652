# SPDX-License-Identifier: Apache-2.0
"""The gateway's end of the shim's line: wrong hellos, raw bytes, a peer that does not read."""

import contextlib
import json
import stat

import anyio
import pytest
from test_http_edge import INITIALIZE, MALFORMED

from running import raw_line, until
from yett import shim


def line_to(gate):
    link = shim.connect(str(gate.state / "gateway.sock"))
    link.settimeout(15)
    return link


def refusals(gate):
    return len(gate.records("refusal"))


WRONG_HELLOS = {
    "nothing known": {},
    "another version": {"yett": 2, "agent": "research-1", "credential": "{token}"},
    "no credential": {"yett": 1, "agent": "research-1"},
    "a wrong credential": {"yett": 1, "agent": "research-1", "credential": "wrong"},
    "a credential that is no text": {"yett": 1, "agent": "research-1", "credential": ["{token}"]},
    "the credential of another agent": {"yett": 1, "agent": "research-2", "credential": "{token}"},
    "no agent": {"yett": 1, "credential": "{token}"},
    "MCP at once": INITIALIZE,
}


@pytest.mark.parametrize("what", WRONG_HELLOS)
def test_a_wrong_hello_is_answered_recorded_and_the_line_is_closed(gate, what):
    before = refusals(gate)
    hello = json.dumps(WRONG_HELLOS[what]).replace("{token}", gate.tokens["research-1"])
    with line_to(gate) as link, link.makefile("rwb") as lines:
        lines.write(hello.encode() + b"\n" + json.dumps(INITIALIZE).encode() + b"\n")
        lines.flush()
        assert json.loads(lines.readline())["ok"] is False
        assert lines.readline() == b""
    assert refusals(gate) == before + 1


@pytest.mark.parametrize("what", [name for name in MALFORMED if name != "nothing"])
def test_a_line_that_is_no_message_is_answered_recorded_and_the_next_one_is_read(gate, what):
    before = refusals(gate)
    with raw_line(gate) as (_, lines, hello):
        assert hello == {"ok": True, "agent": "research-1", "session": hello["session"]}
        lines.write(MALFORMED[what].replace(b"\n", b" ") + b"\n" + json.dumps(INITIALIZE).encode() + b"\n")
        lines.flush()
        refused, answered = json.loads(lines.readline()), json.loads(lines.readline())
    assert refused["error"]["code"] == -32700
    assert answered["result"]["serverInfo"]["name"] == "yett"
    assert refusals(gate) == before + 1


def test_a_line_of_five_megabytes_is_refused_and_nothing_after_it_is_believed(gate):
    with raw_line(gate) as (_, lines, _hello):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            lines.write(b"x" * (5 << 20) + b"\n" + json.dumps(INITIALIZE).encode() + b"\n")
            lines.flush()
        try:
            answers = lines.readlines()
        except ConnectionResetError:
            answers = []
    assert not any(b"serverInfo" in answer for answer in answers)
    rules = [fields["rule"] for _, _, fields in gate.records("refusal")]
    assert "gate.message-too-large" in rules


def test_the_sockets_are_for_one_user_alone(gate):
    for name in ("gateway.sock", "control.sock"):
        assert stat.S_IMODE((gate.state / name).stat().st_mode) == 0o600


def test_a_wrong_word_on_the_operator_s_line_is_answered_and_ends_nothing(gate):
    for line in (
        b"",
        b"{",
        b"[]",
        b'{"verb":"drop"}',
        b'{"verb":["stop"]}',
        b'{"verb":"stop","verb":"status"}',
    ):
        with shim.connect(str(gate.state / "control.sock")) as link:
            link.settimeout(15)
            link.sendall(line + b"\n")
            assert json.loads(link.makefile().readline())["ok"] is False
    assert gate.listens()


@pytest.mark.anyio
async def test_a_hundred_connections_that_break_off_end_nothing(gate):
    before = refusals(gate)
    for number in range(100):
        with line_to(gate) as link:
            link.sendall(b'{"yett":1,'[: number % 12])
    async with gate.client("stdio") as client:
        assert (await client.list_tools()).tools
    await until(lambda: refusals(gate) > before)
    await anyio.sleep(0.3)  # the others are recorded too, before another test counts
