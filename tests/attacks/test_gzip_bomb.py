# SPDX-License-Identifier: Apache-2.0
"""A few kilobytes that unpack to hundreds of megabytes."""

from __future__ import annotations

import gzip
import resource
import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from egress_loopback import AGENT, serving

from yett.egress.outbound import Egress
from yett.egress.settings import EgressRule, EgressSettings
from yett.ports import HttpRequest


def test_a_bomb_is_cut_at_the_limit_without_being_unpacked():
    bomb = gzip.compress(bytes(1 << 20), 9) * 256
    with serving() as server:
        server.answers["/bomb"] = (200, [("Content-Encoding", "gzip")], bomb)
        egress = Egress(EgressSettings(allow=(EgressRule(host=f"127.0.0.1:{server.port}"),)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        response = anyio.run(
            egress.send,
            HttpRequest(method="GET", url=f"http://127.0.0.1:{server.port}/bomb", limit=1000),
            AGENT,
        )
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (len(response.body), response.truncated) == (1000, True)
    assert grown < 64 << 10, "kilobytes"
