# SPDX-License-Identifier: Apache-2.0
"""What the protocol itself refuses is recorded once, in both eras and on both transports."""

import json

import anyio
import pytest
from mcp.server import Server
from test_http_edge import INITIALIZE

from gate import World
from running import raw_line
from yett.server.http import HttpEdge
from yett.server.settings import HttpSettings

REFUSED = {
    "an unknown method": ({"method": "no/such"}, "no/such: Method not found"),
    "a call of nothing": ({"method": "tools/call", "params": {}}, "tools/call: invalid request parameters"),
    "a forged request state": (
        {"method": "tools/call", "params": {"name": "http_request", "requestState": "forged"}},
        "tools/call: Invalid or expired requestState",
    ),
}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def reasons(gate, since):
    return [fields["reason"] for _, _, fields in gate.records("refusal")[since:]]


@pytest.mark.parametrize("what", REFUSED)
def test_over_a_shim(gate, what):
    message, reason = REFUSED[what]
    before = len(gate.records("refusal"))
    with raw_line(gate) as (_, lines, _hello):
        for line in (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}):
            lines.write(json.dumps(line).encode() + b"\n")
        lines.write(json.dumps({"jsonrpc": "2.0", "id": 2, **message}).encode() + b"\n")
        lines.flush()
        lines.readline()
        assert "error" in json.loads(lines.readline())
    assert reasons(gate, before).count(reason) == 1


@pytest.mark.parametrize("what", REFUSED)
def test_over_http_of_this_era(gate, what):
    message, reason = REFUSED[what]
    before = len(gate.records("refusal"))
    params = {**message.get("params", {}), "_meta": MODERN}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": message["method"]}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    body = {"jsonrpc": "2.0", "id": 2, **message, "params": params}
    status, _, answer = gate.post(json.dumps(body).encode(), headers=headers)
    assert status >= 400
    assert "error" in json.loads(answer)
    ours = [r for r in reasons(gate, before) if r.startswith((message["method"], "4"))]
    assert len(ours) == 1  # by the protocol or by the transport in front of it, and once
    if "name" in params or "params" not in message:
        assert ours == [reason]


@pytest.mark.anyio
async def test_a_body_that_never_ends_is_given_up():
    world = World()
    edge = HttpEdge(Server("x"), world.gate, world.door, HttpSettings(body=0.05))
    sent = []

    async def receive():
        if sent:
            await anyio.sleep_forever()
        sent.append(None)
        return {"type": "http.request", "body": b"{", "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "headers": [(b"authorization", b"Bearer research-1")],
        "client": ("127.0.0.1", 1),
    }
    with anyio.fail_after(5):
        await edge(scope, receive, send)
    assert sent[1]["status"] == 408
    assert world.rules_recorded() == ["gate.bad-request"]
