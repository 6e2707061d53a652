# SPDX-License-Identifier: Apache-2.0
"""An upstream over HTTP that answers each refusal with another question, or sends one event byte by byte."""

from __future__ import annotations

import json
import multiprocessing

import anyio
import pytest

from yett.errors import UpstreamError
from yett.upstreams.direct import DirectCalls, _Reader
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

QUESTION = {"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {}}
EVENT = f"data: {json.dumps(QUESTION)}\n\n".encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "
    + str(len(EVENT)).encode()
    + b"\r\n\r\n"
    + EVENT
)


@pytest.mark.anyio
async def test_a_question_in_the_answer_to_a_refusal_is_not_followed():
    requests = 0

    async def ask_back(stream):
        nonlocal requests
        async with stream:
            try:
                while True:
                    await stream.receive()
                    requests += 1
                    await stream.send(ANSWER)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, ask_back)
        spec = UpstreamSpec(name="bad", url=f"http://127.0.0.1:{port}/mcp")
        calls = DirectCalls(spec, UpstreamLimits(), revision="2025-06-18", session=None)
        with anyio.fail_after(10), pytest.raises(UpstreamError):
            await calls.call("tool", {})
        await calls.aclose()
        tasks.cancel_scope.cancel()
    assert requests == 2  # the call, and the one refusal


def dribble(into):
    reader = _Reader(4 << 20)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 4000000\r\n\r\n")
    reader.feed(b"data: " + b"x" * 3_000_000)
    for _ in range(30_000):
        reader.feed(b"y")
        assert reader.messages() == []
    into.put("done")


def test_an_event_that_comes_byte_by_byte_is_looked_at_once():
    fork = multiprocessing.get_context("fork")
    said = fork.SimpleQueue()
    process = fork.Process(target=dribble, args=(said,))
    process.start()
    process.join(20)
    hangs = process.is_alive()
    process.kill()
    assert not hangs


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events_are_the_same_in_pieces_of_any_size(size, end):
    messages = [{"a": "\r\n\n"}, {"b": 1}, {"c": [1, 2]}]
    lines = [": a comment"]
    lines += [f"event: message{end}data: {json.dumps(message)}{end}" for message in messages]
    body = (end.join(lines) + end).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, found = _Reader(1 << 20), []
    raw = head.encode() + body
    for at in range(0, len(raw), size):
        reader.feed(raw[at : at + size])
        found += reader.messages()
    assert found == messages
    assert reader.complete
