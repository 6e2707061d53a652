# SPDX-License-Identifier: Apache-2.0
"""Another spelling of a forbidden address must not get past a check that knows only one."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from egress_loopback import AGENT, serving

from yett.egress.outbound import Egress
from yett.egress.settings import EgressRule, EgressSettings
from yett.errors import EgressRefused
from yett.ports import HttpRequest
from yett.url import parse_url

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "0x7f000001", "0X7F.0.0.1", "2130706433", "017700000001", "0177.0.0.1",
    "0x7f.0.0.0x1", "127.0.0.1.", "\uff11\uff12\uff17.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "00000177.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_of_an_address_is_that_address(host):
    assert parse_url(f"http://{host}/").host == "127.0.0.1"


@pytest.mark.parametrize(
    "host", [*SPELLINGS, "[::ffff:127.0.0.1]", "[::1]", "localhost", "[::]", "0", "0.0.0.0"]
)
def test_no_spelling_reaches_loopback_unless_it_is_named(host):
    with serving() as server:
        rules = (EgressRule(host="api.example"), EgressRule(host="*.example.com", plain=True))
        egress = Egress(EgressSettings(allow=rules))
        with pytest.raises(EgressRefused):
            anyio.run(egress.send, HttpRequest(method="GET", url=f"http://{host}:{server.port}/"), AGENT)
        assert server.seen == []


def test_a_named_loopback_address_opens_no_other_port():
    with serving() as named, serving() as other:
        egress = Egress(EgressSettings(allow=(EgressRule(host=f"127.0.0.1:{named.port}"),)))
        anyio.run(egress.send, HttpRequest(method="GET", url=f"http://0x7f.1:{named.port}/"), AGENT)
        assert named.last.header("host") == [f"127.0.0.1:{named.port}"]
        with pytest.raises(EgressRefused):
            anyio.run(egress.send, HttpRequest(method="GET", url=f"http://127.0.0.1:{other.port}/"), AGENT)
        assert other.seen == []
