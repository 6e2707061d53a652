# SPDX-License-Identifier: Apache-2.0
"""A raw JSON-RPC load client: HTTP/1.1 keep-alive over asyncio streams, nothing of an SDK in the way.

One worker is one TCP connection and one MCP session. Answers may be JSON or an SSE stream with one event.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

REVISION = "2025-06-18"


@dataclass
class Numbers:
    """Latencies in seconds, and the time all of it took."""

    latencies: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    errors: int = 0

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.latencies) / self.elapsed


class Connection:
    """One keep-alive connection with an MCP session on it."""

    def __init__(self, port: int, token: str | None) -> None:
        self.port, self.token = port, token
        self.session: str | None = None
        self.next_id = 0

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        hello = {
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": {"name": "load", "version": "1"},
        }
        await self.call("initialize", hello)
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def call(self, method: str, params: dict) -> dict:
        self.next_id += 1
        return await self.post({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})

    async def post(self, message: dict) -> dict:
        body = json.dumps(message).encode()
        lines = [
            "POST /mcp HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            f"Content-Length: {len(body)}",
        ]
        if self.session or self.next_id > 1:
            lines.append(f"MCP-Protocol-Version: {REVISION}")
        if self.session:
            lines.append(f"Mcp-Session-Id: {self.session}")
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            k.lower(): v.strip()
            for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:] if line)
        }
        self.session = headers.get("mcp-session-id", self.session)
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(await self.reader.readline(), 16):
                parts.append(await self.reader.readexactly(size))
                await self.reader.readline()
            await self.reader.readline()
            data = b"".join(parts)
        else:
            data = await self.reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("content-type", "").startswith("text/event-stream"):
            data = b"".join(
                line[5:].strip() for line in data.splitlines() if line.startswith(b"data:") and len(line) > 6
            )
        return json.loads(data) if data else {}

    async def close(self) -> None:
        """End the session as a good client does, then the connection."""
        if self.session:
            token = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
            self.writer.write(
                f"DELETE /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{token}"
                f"Mcp-Session-Id: {self.session}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            await self.reader.readuntil(b"\r\n\r\n")
        self.writer.close()


async def run(
    port: int, token: str | None, tool: str, *, clients: int, seconds: float, text: str = "x" * 50
) -> Numbers:
    """Call one tool from `clients` connections for `seconds`."""
    numbers = Numbers()
    connections = [Connection(port, token) for _ in range(clients)]
    for connection in connections:
        await connection.open()
        await connection.call("tools/call", {"name": tool, "arguments": {"text": text}})
    end = time.perf_counter() + seconds

    async def worker(connection: Connection) -> None:
        while time.perf_counter() < end:
            started = time.perf_counter()
            answer = await connection.call("tools/call", {"name": tool, "arguments": {"text": text}})
            numbers.latencies.append(time.perf_counter() - started)
            result = answer.get("result", {})
            if result.get("isError") or not result.get("content"):
                numbers.errors += 1

    started = time.perf_counter()
    await asyncio.gather(*(worker(connection) for connection in connections))
    numbers.elapsed = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return numbers
