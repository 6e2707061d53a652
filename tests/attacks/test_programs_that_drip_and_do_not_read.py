# SPDX-License-Identifier: Apache-2.0
"""Programs keep bodies unfinished and responses unread, on as many connections as they get."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from program_net import GET_ONLY, POSTS, net, server, to

from yett.egress.settings import EgressLimits

__all__ = ["server"]

pytestmark = pytest.mark.anyio

FEW = EgressLimits(requests=2, timeout=0.6)


def post(server, length):
    url = f"http://127.0.0.1:{server.port}/upload"
    return f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


async def test_no_more_bodies_are_read_at_a_time_than_the_limit(server, monkeypatch):
    """The third waits with its head read; the bytes that it sends stay where they are."""
    reading, most = set(), []

    async with net(POSTS, allow=to(server), limits=FEW) as it:
        inner = it.proxy._body

        async def body(wire, stream):
            reading.add(wire)
            most.append(len(reading))
            try:
                return await inner(wire, stream)
            finally:
                reading.discard(wire)

        monkeypatch.setattr(it.proxy, "_body", body)
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(it.raw, post(server, 1000) + b"x" * 999)
        assert max(most) == 2
        assert not server.seen


async def test_a_drip_ends_and_its_turn_is_free_for_the_next(server):
    async with net(POSTS, GET_ONLY, allow=to(server), limits=FEW) as it:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(it.raw, post(server, 1000) + b"x")
        status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/")
        assert status == 200


async def test_whoever_does_not_read_its_response_loses_its_turn(server):
    server.answers["/big"] = (200, [("Content-Type", "text/plain")], b"word " * 180_000)
    ask = f"GET http://127.0.0.1:{server.port}/big HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    limits = EgressLimits(requests=1, timeout=2)
    async with net(GET_ONLY, allow=to(server), limits=limits) as it:
        async with await anyio.connect_tcp("127.0.0.1", it.port) as deaf:
            await deaf.send(ask * 12)
            with anyio.fail_after(15):
                while not server.seen:  # noqa: ASYNC110  # the server runs in a thread
                    await anyio.sleep(0.02)
                while len(server.seen) < 13:
                    before = len(server.seen)
                    await anyio.sleep(1)
                    if len(server.seen) == before:
                        break
                status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/")
        assert status in {200, 503}
        status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/")
        assert status == 200
