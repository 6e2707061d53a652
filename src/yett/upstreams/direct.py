# SPDX-License-Identifier: Apache-2.0
"""The short way of a call to an upstream over HTTP: one request on a kept connection, one answer.

The SDK's client opens the session, lists and follows the tools; its streams and a general HTTP client
cost more on each call than all steps of the gate together. Here a `tools/call` is written and read
directly. A request that may have reached the upstream is never sent twice. Nothing of the caller but
the arguments is sent. Called by `connection` for upstreams with a `url`.

Sources: MCP 2025-11-25 and 2026-07-28, transports; RFC 9112.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
from collections import deque
from itertools import count
from typing import NoReturn
from urllib.parse import urlsplit

import anyio
import httptools
from anyio.abc import ByteStream, SocketAttribute
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from yett import __version__
from yett.action import JsonObject, JsonValue
from yett.errors import UpstreamError
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

SESSION = "mcp-session-id"
KEPT_FOR = 3.0
"""Seconds an idle connection is used again. Common servers close theirs after five."""

_KEPT = 32
_READ = 65536
_GOODBYE = 1.0
_HEADER_BYTES = 64 << 10
_META: JsonObject = {
    "io.modelcontextprotocol/clientInfo": {"name": "yett", "version": __version__},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_NO_SUCH_METHOD: JsonObject = {"code": -32601, "message": "this gateway passes no such request on"}


class AnsweredWithError(Exception):
    """A JSON-RPC error answer. Its text is the upstream's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DirectCalls:
    """Calls over one upstream's URL within the session that the SDK's client opened.

    Args:
        spec: The upstream.
        limits: Upper bounds.
        revision: The protocol revision of the session.
        session: Its id, in the handshake revisions.
    """

    def __init__(
        self, spec: UpstreamSpec, limits: UpstreamLimits, *, revision: str, session: str | None
    ) -> None:
        parts = urlsplit(spec.url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._limits = limits
        self._revision = revision
        self._modern = revision in MODERN_PROTOCOL_VERSIONS
        self._numbers = count(1)
        self._kept: deque[tuple[float, ByteStream]] = deque()
        lines = [
            f"POST {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            "Accept-Encoding: identity",
            f"MCP-Protocol-Version: {revision}",
        ]
        if session is not None:
            lines.append(f"Mcp-Session-Id: {session}")
        if spec.credentials is not None:
            lines.append(f"{spec.credential_header}: {spec.credentials.reveal()}")
        if any(not line.isascii() or "\r" in line or "\n" in line for line in lines):
            raise UpstreamError("its URL, session or credential can't stand in a request")
        self._head = "\r\n".join(lines)

    def takes(self, name: str, schema: JsonObject) -> bool:
        """Whether a tool's calls can go this way: the name fits a header, no argument has to be in one."""
        plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
        return plain and not (self._modern and "x-mcp-header" in json.dumps(schema))

    async def call(self, name: str, arguments: JsonObject) -> JsonObject:
        """The raw result of a call.

        Raises:
            AnsweredWithError: the upstream answered with an error.
            UpstreamError: what came is no answer, or the connection broke.
            OSError, anyio.BrokenResourceError: there is no connection.
        """
        number = f"yett-{next(self._numbers)}"
        params: JsonObject = {"name": name, "arguments": arguments}
        extra = ""
        if self._modern:
            params["_meta"] = {**_META, "io.modelcontextprotocol/protocolVersion": self._revision}
            extra = f"Mcp-Method: tools/call\r\nMcp-Name: {name}\r\n"
        message: JsonObject = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        try:
            answer = await self._exchange(message, extra, number)
        except anyio.get_cancelled_exc_class():
            if not self._modern:  # closing the connection says it in the modern revisions
                with anyio.move_on_after(_GOODBYE, shield=True):
                    await self._tell("notifications/cancelled", {"requestId": number})
            raise
        if answer is None:
            raise UpstreamError("the answer ended before it was complete; whether it ran is unknown")
        return _result(answer)

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        while self._kept:
            await self._kept.pop()[1].aclose()

    async def _tell(self, method: str, params: JsonObject) -> None:
        try:
            await self._exchange({"jsonrpc": "2.0", "method": method, "params": params}, "", None)
        except (UpstreamError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def _exchange(self, message: JsonObject, extra: str, wanted: str | None) -> JsonObject | None:
        """Send one message; read until the answer to `wanted`, or the end where there is none to wait for."""
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        stream = await self._connection()
        reusable = False
        try:
            head = f"{self._head}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode()
            await stream.send(head + body)
            reader = _Reader(self._limits.message_bytes)
            answer: JsonObject | None = None
            while not reader.complete and answer is None:
                try:
                    reader.feed(await stream.receive(_READ))
                except anyio.EndOfStream:
                    break
                # What comes back for a notice is not looked at: a request in it would be declined by another.
                answer = await self._sorted_out(reader, wanted) if wanted is not None else None
            reusable = reader.complete and reader.keep_alive
            return answer
        finally:
            if reusable and len(self._kept) < _KEPT:
                self._kept.append((anyio.current_time(), stream))
            else:
                await anyio.aclose_forcefully(stream)

    async def _sorted_out(self, reader: _Reader, wanted: str) -> JsonObject | None:
        """The answer, if it is among the messages that have come; requests of the upstream are declined."""
        for message in reader.messages():
            if message.get("id") == wanted and "method" not in message:
                return message
            if "method" in message and "id" in message:
                declined: JsonObject = {"jsonrpc": "2.0", "id": message["id"], "error": _NO_SUCH_METHOD}
                await self._exchange(declined, "", None)
        return None

    async def _connection(self) -> ByteStream:
        """A kept connection on which nothing has come since, or a new one."""
        while self._kept:
            since, stream = self._kept.pop()
            if anyio.current_time() - since < KEPT_FOR and _is_quiet(stream):
                return stream
            await anyio.aclose_forcefully(stream)
        with anyio.fail_after(self._limits.connect_timeout):
            if self._tls is None:
                return await anyio.connect_tcp(self._host, self._port)
            return await anyio.connect_tcp(
                self._host, self._port, ssl_context=self._tls, tls_hostname=self._host
            )


def _is_quiet(stream: ByteStream) -> bool:
    """Whether the peer has neither closed nor said anything unasked, as the kernel sees it now."""
    raw: socket.socket = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio's, not Django's
    waiting = select.poll()
    waiting.register(raw.fileno(), select.POLLIN)
    return not waiting.poll(0)


class _Reader:
    """One HTTP response as it comes; its body as JSON-RPC messages."""

    def __init__(self, limit: int) -> None:
        self.complete = False
        self.keep_alive = False
        self._limit = limit
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._body = bytearray()
        self._searched = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take bytes.

        Raises:
            UpstreamError: not HTTP, over a limit, or not what was asked for.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, UpstreamError) else UpstreamError("not HTTP")) from error

    def messages(self) -> list[JsonObject]:
        """The messages that are complete and were not given before."""
        if self._is_stream():
            found = [_event_data(event) for event in self._events()]
            return [_message(data) for data in found if data]
        if not self.complete or not self._body:
            return []
        data, self._body = bytes(self._body), bytearray()
        return [_message(data)]

    def _is_stream(self) -> bool:
        return self._headers.get("content-type", "").startswith("text/event-stream")

    def _events(self) -> list[bytes]:
        """The events that have ended. Each byte is looked at once, in however small pieces it came."""
        events: list[bytes] = []
        while (end := self._body.find(b"\n\n", self._searched)) >= 0:
            events.append(bytes(self._body[:end]))
            del self._body[: end + 2]
            self._searched = 0
        self._searched = max(0, len(self._body) - 1)
        return events

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, from the parser."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEADER_BYTES:
            raise UpstreamError("headers over the limit")
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The end of the headers, from the parser."""
        status = self._parser.get_status_code()
        if status not in {200, 202}:
            raise UpstreamError(f"it answered with HTTP status {status}")
        if self._headers.get("content-encoding", "identity") != "identity":
            raise UpstreamError("a coding that was not asked for")

    def on_body(self, data: bytes) -> None:
        """Part of the body, from the parser."""
        if len(self._body) + len(data) > self._limit:
            raise UpstreamError("a message over the limit")
        # A line of an event ends with either; JSON holds a carriage return only as an escape.
        self._body += data.replace(b"\r", b"") if self._is_stream() else data

    def on_message_complete(self) -> None:
        """The end, from the parser."""
        self.complete = True
        self.keep_alive = self._parser.should_keep_alive()


def _event_data(event: bytes) -> bytes:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _message(data: bytes) -> JsonObject:
    try:
        found: JsonValue = json.loads(data, parse_constant=_no_number)
        if b"\\u" in data:
            json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise UpstreamError("not JSON") from error
    if not isinstance(found, dict):
        raise UpstreamError("not a JSON-RPC message")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _result(answer: JsonObject) -> JsonObject:
    error, result = answer.get("error"), answer.get("result")
    if isinstance(error, dict):
        code = error.get("code")
        raise AnsweredWithError(code if isinstance(code, int) else 0, str(error.get("message", "")))
    if not isinstance(result, dict):
        raise UpstreamError("an answer without a result")
    return result
