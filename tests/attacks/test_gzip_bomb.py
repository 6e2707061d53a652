# SPDX-License-Identifier: Apache-2.0
"""A few kilobytes that unpack to hundreds of megabytes."""

from __future__ import annotations

import sys
import tracemalloc
import zlib
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from egress_loopback import AGENT, serving

from yett.egress.outbound import Egress
from yett.egress.settings import EgressRule, EgressSettings
from yett.ports import HttpRequest


def bomb_of(megabytes):
    squeeze = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    return b"".join([*(squeeze.compress(bytes(1 << 20)) for _ in range(megabytes)), squeeze.flush()])


def test_a_bomb_is_cut_at_the_limit_without_being_unpacked():
    with serving() as server:
        server.answers["/bomb"] = (200, [("Content-Encoding", "gzip")], bomb_of(256))
        egress = Egress(EgressSettings(allow=(EgressRule(host=f"127.0.0.1:{server.port}"),)))
        request = HttpRequest(method="GET", url=f"http://127.0.0.1:{server.port}/bomb", limit=1000)
        tracemalloc.start()
        response = anyio.run(egress.send, request, AGENT)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (len(response.body), response.truncated) == (1000, True)
    assert peak < 16 << 20
