# SPDX-License-Identifier: Apache-2.0
"""One agent opens sessions without end, or messages that never end; the others still get in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from mcp.server import Server

from gate import World
from running import RunningGateway
from yett.server.http import HttpEdge
from yett.server.settings import HttpSettings

pytestmark = pytest.mark.anyio

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


def test_the_first_session_over_an_agents_share_is_refused_and_another_agent_gets_one():
    with RunningGateway() as gateway:
        with ThreadPoolExecutor(16) as burst:
            opened = [*burst.map(lambda _: gateway.post(OPEN, agent="stranger")[0], range(SHARE + 20))]
        assert sorted(opened) == [200] * SHARE + [503] * 20
        status, headers, _ = gateway.post(OPEN)
        assert status == 200
        session = {"Mcp-Session-Id": headers["mcp-session-id"]}
        assert gateway.post(None, method="DELETE", headers=session)[0] == 200
        refusals = [fields["reason"] for _, _, fields in gateway.records("refusal")]
        assert refusals.count("503 Service Unavailable") == 20


async def test_a_message_that_does_not_come_is_refused_in_time_and_recorded():
    world = World()
    edge = HttpEdge(Server("test"), world.gate, world.door, HttpSettings(body_deadline=0.05))
    sent = []
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive():
        if not parts:
            await anyio.sleep_forever()
        return parts.pop()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/mcp",
        "method": "POST",
        "client": ("127.0.0.1", 1),
        "headers": [(b"authorization", b"Bearer research-1")],
    }
    with anyio.fail_after(5):
        await edge(scope, receive, send)
    assert sent[0]["status"] == 400
    assert world.audit.records[-1].fields["reason"] == "the message did not come in time"
