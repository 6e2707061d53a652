# SPDX-License-Identifier: Apache-2.0
"""Line breaks, a second length or another host in what the agent supplies: request smuggling."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from egress_loopback import AGENT, serving

from yett.action import Secret
from yett.egress.outbound import Egress
from yett.egress.settings import EgressCredential, EgressRule, EgressSettings
from yett.errors import EgressRefused
from yett.ports import HttpRequest

HEADERS = [
    ("X", "1\r\nHost: evil.example"),
    ("X", "1\n\nGET /admin HTTP/1.1"),
    ("X\r\nHost", "evil.example"),
    ("Host", "evil.example"),
    ("Content-Length", "0"),
    ("Transfer-Encoding", "chunked"),
    ("transfer_encoding", "chunked"),
    ("Connection", "Authorization"),
    ("Upgrade", "h2c"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Original-URL", "/admin"),
    ("Content-Encoding", "gzip"),
    ("content_encoding", "br"),
]


@pytest.mark.parametrize(("name", "value"), HEADERS)
def test_a_smuggling_header_is_refused_and_nothing_is_sent(name, value):
    with serving() as server:
        egress = Egress(EgressSettings(allow=(EgressRule(host=f"127.0.0.1:{server.port}"),)))
        request = HttpRequest(
            method="POST", url=f"http://127.0.0.1:{server.port}/", headers=((name, value),), body=b"x"
        )
        with pytest.raises(EgressRefused):
            anyio.run(egress.send, request, AGENT)
        assert server.seen == []


@pytest.mark.parametrize("name", ["X-Site-Key", "x-site-key", "X_Site_Key", "x_SITE-key"])
def test_a_credential_of_the_agents_own_does_not_go_beside_the_gates(name):
    """Many servers read both spellings as one; which of the two wins is theirs to say."""
    with serving() as server:
        site = f"127.0.0.1:{server.port}"
        credential = EgressCredential(header="X-Site-Key", value=Secret("the-gates"))
        egress = Egress(EgressSettings(allow=(EgressRule(host=site),), credentials={site: credential}))
        request = HttpRequest(method="GET", url=f"http://{site}/", headers=((name, "the-agents"),))
        anyio.run(egress.send, request, AGENT)
        assert [v for n, v in server.last.headers if "site" in n.lower()] == ["the-gates"]


@pytest.mark.parametrize("tail", ["/\r\nX: 1", "/ HTTP/1.1", "/\t", "/\x00", "/%0d%0aX:1", "/\u2028\n"])
def test_a_url_can_not_carry_a_second_line(tail):
    with serving() as server:
        egress = Egress(EgressSettings(allow=(EgressRule(host=f"127.0.0.1:{server.port}"),)))
        with pytest.raises(EgressRefused):
            anyio.run(
                egress.send, HttpRequest(method="GET", url=f"http://127.0.0.1:{server.port}{tail}"), AGENT
            )
        assert server.seen == []
