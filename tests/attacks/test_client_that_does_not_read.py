# SPDX-License-Identifier: Apache-2.0
"""A client that asks and never reads: neither a stricter file nor another client waits for it."""

import json

import anyio
import pytest

from running import RULES, RunningGateway, raw_line, rule_of, until

pytestmark = pytest.mark.anyio

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
CLOSED = {
    "id": "closed",
    "deny": "http_request",
    "to": "*",
    "when": {"http.path": {"match": ["/closed"]}},
    "why": "No.",
}


def stuff(link):
    """Ask for more than any buffer on the way back holds."""
    ask = (json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}) + "\n").encode()
    link.sendall(ask * 500)


async def test_a_stricter_file_and_the_operator_do_not_wait_for_it():
    with RunningGateway() as gateway, raw_line(gateway) as (link, lines, _):
        for message in (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}):
            lines.write(json.dumps(message).encode() + b"\n")
        lines.flush()
        lines.readline()
        stuff(link)
        await anyio.sleep(0.5)
        with anyio.fail_after(4):  # well before the stalled line is given up
            gateway.write(rules=[*RULES, CLOSED])
            assert gateway.ask("policy.apply")["digest"]
            async with gateway.client("stdio", agent="research-2") as client:
                assert rule_of(await gateway.fetch(client, "/closed")) == "closed"
        stricter = [{**CLOSED, "id": "closed-2", "when": {"http.path": {"match": ["/closed-2"]}}}]
        gateway.write(rules=[*RULES, CLOSED, *stricter])
        async with gateway.client(agent="research-2") as client:
            seen = []

            async def closed():
                seen.append(await gateway.fetch(client, "/closed-2"))
                return seen[-1].is_error

            with anyio.fail_after(4):
                while not await closed():  # noqa: ASYNC110  # the file is read once a second
                    await anyio.sleep(0.1)
            assert rule_of(seen[-1]) == "closed-2"
        await until(gateway.listens)
