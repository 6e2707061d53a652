# SPDX-License-Identifier: Apache-2.0
"""One agent opens sessions without end; the others still get in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from running import RunningGateway
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
