# SPDX-License-Identifier: Apache-2.0
"""An agent's side of the gate: the official MCP client over HTTP, with the agent's bearer token.

Where a model would choose the next call, this script has a list. What matters for an agent builder is
`step`: a denial and a pending approval are ordinary results. Hand their text to the model; branch on
`_meta` in code.

    YETT_TOKEN=... python agent.py [http://127.0.0.1:8787/mcp]
"""

from __future__ import annotations

import os
import sys

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

PLAN: list[tuple[str, dict[str, str]]] = [
    ("file_write", {"path": "/workspace/numbers.txt", "content": "6\n7\n"}),
    (
        "shell_run",
        {"command": "id -u; paste -sd '*' /workspace/numbers.txt | sed 's/^/echo $((/;s/$/))/' | sh"},
    ),
    ("file_read", {"path": "/workspace/project/../.env"}),
]


async def step(gate: Client, tool: str, arguments: dict[str, str]) -> str:
    """Make one call; say in a line how it went, as a program sees it."""
    result = await gate.call_tool(tool, arguments)
    text = "\n".join(block.text for block in result.content if block.type == "text")
    meta = result.meta or {}
    if pending := meta.get("yett/approval"):
        # A person has to say yes. Make the same call again later, or ask approval_status with this id.
        return f"{tool}: pending {pending['id']}"
    if denial := meta.get("yett/denial"):
        return f"{tool}: denied by {denial['rule']}. {denial['next_step']}"
    return f"{tool}: {'failed, ' if result.is_error else ''}{text!r}"


async def main(url: str, token: str) -> None:
    """Connect, see what there is, follow the plan."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as gate,
    ):
        listed = await gate.list_tools()
        print("tools:", ", ".join(tool.name for tool in listed.tools))
        for tool, arguments in PLAN:
            print(await step(gate, tool, arguments))


if __name__ == "__main__":
    if "YETT_TOKEN" not in os.environ:
        sys.exit("set YETT_TOKEN to what `yett agents add builder --show` prints after Bearer")
    anyio.run(
        main, sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8787/mcp", os.environ["YETT_TOKEN"]
    )
