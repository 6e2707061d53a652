# SPDX-License-Identifier: Apache-2.0
"""Streamable HTTP: what stands in front of the SDK's transport.

In this order: the path, the bearer token, the body's size, strict JSON. Only then does the SDK see the
message, with the `Arrival` in its scope; it checks the Host and Origin headers (DNS rebinding), the
content type and the session. Every refusal but that of the path is recorded. Nothing here reads what a
message asks for.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import anyio
from mcp.server import Server
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from yett.action import Arrival, Secret, Transport
from yett.errors import BadRequest, EnvironmentFault, Unauthenticated
from yett.ports import Gate, Identify
from yett.server.asgi import Message, Receive, Scope, Send
from yett.server.direct import DirectCalls
from yett.server.fair_sessions import FairSessions
from yett.server.mcp_server import ARRIVAL, RECORDED
from yett.server.settings import HttpSettings
from yett.server.strict_json import MessageTooLarge, parse_strict_object

PATH = "/mcp"
FIRST_REQUEST_DEADLINE = 10.0
"""Seconds that a new connection may say nothing. Others may want its place."""

_PARSE_ERROR = -32700


class ImpatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which waits for ever for a first request; this one hangs up."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock that uvicorn itself starts only after a first answer."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            FIRST_REQUEST_DEADLINE, self.timeout_keep_alive_handler
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        EnvironmentFault: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise EnvironmentFault(
            f"can't listen on {host}:{port}: {error.strerror}",
            advice="change `listen.http`, or set it to null",
        ) from error


class HttpEdge:
    """The ASGI application."""

    def __init__(self, server: Server[Any], gate: Gate, identify: Identify, settings: HttpSettings) -> None:
        self._gate = gate
        self._identify = identify
        self._settings = settings
        hosts = [form for name in settings.hosts for form in (name, f"{name}:*")]
        self._manager = FairSessions(
            server,
            per_agent=settings.max_sessions_per_agent,
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=hosts,
                allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts],
            ),
            max_request_body_size=settings.max_body,
            max_sessions=settings.max_sessions,
            session_idle_timeout=settings.session_idle,
        )
        self._transport = AuthContextMiddleware(self._manager.handle_request)
        self._direct = DirectCalls(self._manager, gate, settings.session_idle)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Hold the transport's tasks while the edge serves."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        if scope["path"] != PATH:
            await _answer(send, 404, {"error": f"there is nothing here; MCP is at {PATH}"})
            return
        arrival = _arrival(scope)
        try:
            principal = await self._identify.identify(arrival)
        except Unauthenticated as error:
            await self._gate.refuse(arrival, error.rule, error.public())
            await _answer(send, 401, {"error": "invalid_token", "error_description": error.public()})
            return
        # The SDK binds its sessions to this; it never needs the token itself.
        known = AccessToken(token=principal.id, client_id=principal.agent, subject=principal.agent, scopes=[])
        scope["user"] = AuthenticatedUser(known)
        scope[ARRIVAL] = arrival
        recorded = self._recorded(scope, send, arrival)
        if scope["method"] != "POST":
            if scope["method"] == "DELETE":
                self._direct.close(scope)
            await self._transport(scope, receive, recorded)
            return
        try:
            with anyio.fail_after(self._settings.body):
                body = await self._body(receive)
            message = parse_strict_object(body, self._settings.max_depth)
        except (BadRequest, TimeoutError) as error:
            fault = error if isinstance(error, BadRequest) else BadRequest("the message did not come in time")
            await self._gate.refuse(arrival, fault.rule, fault.public())
            status = 413 if isinstance(error, MessageTooLarge) else 400 if fault is error else 408
            await _answer(send, status, _rpc_error(fault.public()))
            return
        if await self._direct.serve(scope, message, arrival, receive, send):
            return
        watched = self._direct.watch_opening(message, recorded)
        await self._transport(scope, _replay(body, receive), watched)

    def _recorded(self, scope: Scope, send: Send, arrival: Arrival) -> Send:
        """What the SDK's transport refuses (Host, Origin, content type, session) is recorded first."""

        async def recording(message: Message) -> None:
            starts = message["type"] == "http.response.start" and not scope.get(RECORDED)
            if starts and message["status"] >= HTTPStatus.BAD_REQUEST:
                status = HTTPStatus(message["status"])
                await self._gate.refuse(arrival, BadRequest.rule, f"{status.value} {status.phrase}")
            await send(message)

        return recording

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the client went away before the message was complete")
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > self._settings.max_body:
                raise MessageTooLarge(f"the message is larger than {self._settings.max_body} bytes")
            if not message.get("more_body"):
                return b"".join(parts)


def _arrival(scope: Scope) -> Arrival:
    """The claimed credential and the socket's peer address; forwarding headers are not believed."""
    credentials = [value for name, value in scope["headers"] if name == b"authorization"]
    client = scope.get("client")
    token = None
    if len(credentials) == 1 and credentials[0][:7].lower() == b"bearer ":
        token = Secret(credentials[0][7:].strip().decode("latin-1"))
    return Arrival(
        transport=Transport.HTTP, credential=token, source_ip=client[0] if client else None, client=""
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read to the next application, then the real channel."""
    handed = False

    async def replayed() -> Message:
        nonlocal handed
        if handed:
            return await receive()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _rpc_error(message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": _PARSE_ERROR, "message": message}}


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer error="invalid_token"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
