# SPDX-License-Identifier: Apache-2.0
"""A program in a sandbox sends a secret in a body that a server can read and the gate hopes not to."""

from __future__ import annotations

import base64
import gzip
import sys
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from program_net import POSTS, net, server, to

__all__ = ["server"]

pytestmark = pytest.mark.anyio

KEY = b"AKIA" + b"IOSFODNN7EXAMPLE"
FORM = b"note=hello&aws=" + KEY + b"&end=1"

BODIES = {
    "as it is": (FORM, {}),
    "beside one byte that is no text": (FORM + b"\xff", {}),
    "behind many bytes that are no text": (bytes(range(256)) + KEY + bytes(range(256)), {}),
    "beside a zero byte": (b"\0" + FORM, {}),
    "in UTF-16": (FORM.decode().encode("utf-16"), {"Content-Type": "text/plain; charset=utf-16"}),
    "in UTF-16 without a mark": (FORM.decode().encode("utf-16-be"), {}),
    "in UTF-32": (FORM.decode().encode("utf-32"), {}),
    "in base64": (base64.b64encode(FORM), {}),
    "packed by gzip": (gzip.compress(FORM), {"Content-Encoding": "gzip"}),
    "packed by x-gzip": (gzip.compress(FORM), {"Content-Encoding": "x-GZIP"}),
    "packed by deflate": (zlib.compress(FORM), {"Content-Encoding": "deflate"}),
    "packed twice": (gzip.compress(gzip.compress(FORM)), {"Content-Encoding": "gzip, gzip"}),
    "packed by what is not known": (FORM[::-1], {"Content-Encoding": "br"}),
    "packed beside a word": (gzip.compress(FORM), {"Content-Encoding": "identity, gzip"}),
    "packed under an underscore": (gzip.compress(FORM), {"Content_Encoding": "gzip"}),
}


@pytest.mark.parametrize("how", BODIES)
async def test_it_does_not_leave(server, how):
    body, headers = BODIES[how]
    async with net(POSTS, allow=to(server)) as it:
        url = f"http://127.0.0.1:{server.port}/upload"
        status, _, said = await it.get(url, "POST", body, headers)
        assert status in {400, 403, 415}, said
        assert not server.seen
        assert len(it.world.events()) == 1  # and it is recorded


async def test_a_packed_body_arrives_unpacked_and_says_so(server):
    plain = b"nothing private here. " * 100
    async with net(POSTS, allow=to(server)) as it:
        url = f"http://127.0.0.1:{server.port}/upload"
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
        status, _, _ = await it.get(url, "POST", gzip.compress(plain), headers)
        assert status == 200
        assert server.last.body == plain
        assert server.last.header("Content-Encoding") == []
        assert server.last.header("Content-Type") == ["text/plain"]


BROKEN = {
    "no gzip at all": b"no gzip",
    "half a body": gzip.compress(b"half a body" * 9)[:-9],
    "more than a body": gzip.compress(b"a") + b"b",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_packed_body_that_can_not_be_read_is_refused(server, body):
    async with net(POSTS, allow=to(server)) as it:
        url = f"http://127.0.0.1:{server.port}/upload"
        assert (await it.get(url, "POST", body, {"Content-Encoding": "gzip"}))[0] == 400
        assert not server.seen


async def test_a_packed_body_is_counted_as_it_is_unpacked(server):
    async with net(POSTS, allow=to(server)) as it:
        url = f"http://127.0.0.1:{server.port}/upload"
        bomb = gzip.compress(bytes(64 << 20))
        assert (await it.get(url, "POST", bomb, {"Content-Encoding": "gzip"}))[0] == 413
        assert not server.seen
