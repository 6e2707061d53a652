# SPDX-License-Identifier: Apache-2.0
"""A server answers a program with something private, or with what no response can hold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from program_net import GET_ONLY, net, server, to

__all__ = ["server"]

pytestmark = pytest.mark.anyio

KEY = "AKIA" + "IOSFODNN7EXAMPLE"

ANSWERS = {
    "in text": ([("Content-Type", "text/plain")], f"key {KEY} end".encode()),
    "beside a byte that is no text": ([], f"key {KEY} end".encode() + b"\xff"),
    "in UTF-16": ([], f"key {KEY} end".encode("utf-16")),
    "in a header's value": ([("X-Note", f"key {KEY} end")], b"hello"),
    "in a header's name": ([(KEY, "1")], b"hello"),
}


@pytest.mark.parametrize("how", ANSWERS)
async def test_the_program_gets_an_answer_without_it(server, how):
    headers, body = ANSWERS[how]
    server.answers["/private"] = (200, headers, body)
    async with net(GET_ONLY, allow=to(server)) as it:
        url = f"http://127.0.0.1:{server.port}/private"
        status, got, said = await it.get(url)
        assert status in {200, 502}
        seen = said + repr(got).encode()
        assert KEY.encode() not in seen.replace(b"\0", b"")
        status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/other")
        assert status == 200
