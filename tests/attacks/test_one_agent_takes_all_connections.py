# SPDX-License-Identifier: Apache-2.0
"""One agent opens sessions without end; the others still get in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from mcp.server import Server
from mcp.server.auth.middleware.bearer_auth import AuthorizationContext

from running import RunningGateway
from yett.server.fair_sessions import FairSessions
from yett.server.settings import HttpSettings

OPEN = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "raw", "version": "1"},
        },
    }
)
SHARE = HttpSettings().max_sessions_per_agent


PING = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ping"})


def test_an_agent_over_its_share_ends_its_own_oldest_sessions_and_another_agent_gets_one():
    with RunningGateway() as gateway:

        def opened(_=None):
            status, headers, _ = gateway.post(OPEN, agent="stranger")
            return status, {"Mcp-Session-Id": headers["mcp-session-id"]}

        def alive(session):
            return gateway.post(PING, agent="stranger", headers=session)[0] == 200

        first, other = opened()[1], gateway.post(OPEN)
        assert alive(first)
        with ThreadPoolExecutor(16) as burst:
            more = [*burst.map(opened, range(SHARE + 20))]
        assert {status for status, _ in more} == {200}
        assert not alive(first)
        assert sum(alive(session) for _, session in more) == SHARE
        kept = {"Mcp-Session-Id": other[1]["mcp-session-id"]}
        assert gateway.post(PING, headers=kept)[0] == 200
        assert gateway.post(OPEN)[0] == 200


@pytest.mark.anyio
async def test_an_agent_whose_whole_share_is_busy_is_refused():
    sessions = FairSessions(Server("x"), per_agent=2)
    me = AuthorizationContext(client_id="a", issuer=None, subject="a")
    admitted = [sessions._admit_session(me) for _ in range(2)]
    for transport in admitted:
        transport.idle_scope = anyio.CancelScope()
        transport._requests_in_flight = 1
    assert sessions._admit_session(me) is None
    assert sessions._admit_session(AuthorizationContext(client_id="b", issuer=None, subject="b"))
    admitted[1]._requests_in_flight = 0
    assert sessions._admit_session(me) is not None
    assert admitted[1].idle_scope.cancel_called
    assert not admitted[0].idle_scope.cancel_called
