# SPDX-License-Identifier: Apache-2.0
"""A name that is public when it is checked and private when it is connected to."""

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


def flipping(*answers):
    """A resolver that gives another answer each time, as a rebinding server does."""
    left = list(answers)

    async def resolve(host, port):
        return left.pop(0)

    resolve.left = left
    return resolve


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_connected_to():
    with serving() as server:
        resolve = flipping(("127.0.0.1",), ("127.0.0.2",))
        rule = EgressRule(host=f"rebind.test:{server.port}", private=True)
        egress = Egress(EgressSettings(allow=(rule,)), resolve=resolve)
        anyio.run(egress.send, HttpRequest(method="GET", url=f"http://rebind.test:{server.port}/"), AGENT)
        assert len(server.seen) == 1
        assert resolve.left == [("127.0.0.2",)]


def test_a_name_that_leads_home_never_becomes_a_connection():
    with serving() as server:
        rule = EgressRule(host=f"rebind.test:{server.port}", plain=True)
        egress = Egress(EgressSettings(allow=(rule,)), resolve=flipping(("127.0.0.1",)))
        with pytest.raises(EgressRefused, match="private or reserved"):
            anyio.run(egress.send, HttpRequest(method="GET", url=f"http://rebind.test:{server.port}/"), AGENT)
        assert server.seen == []


def test_a_private_address_hidden_among_public_ones_refuses_the_name():
    resolve = flipping(("93.184.216.34", "10.0.0.5"))
    egress = Egress(EgressSettings(allow=(EgressRule(host="mixed.test"),)), resolve=resolve)
    with pytest.raises(EgressRefused, match="private or reserved"):
        anyio.run(egress.send, HttpRequest(method="GET", url="https://mixed.test/"), AGENT)
