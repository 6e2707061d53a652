# SPDX-License-Identifier: Apache-2.0
"""The short way of a tool call: answered as JSON without the SDK's machinery, through the same gate.

Most calls are `tools/call` in a handshake session of a client that can't be asked anything. For those,
the SDK's streams cost more than all steps of the gate together. A message takes this way only if
nothing else could be meant by it; everything else goes to the SDK. What is decided, recorded and run
is `Gate.pass_` either way. A call ends when its client cancels it, closes the session or goes away.

The session itself belongs to the SDK. Its manager has no public registry, so two private attributes
are read, here only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request as HttpRequest

from yett.action import Arrival, JsonObject, JsonValue, Kind, Request, ToolResult
from yett.ports import Gate
from yett.server.asgi import Receive, Scope, Send

SESSION = b"mcp-session-id"
_CALL_KEYS = frozenset({"jsonrpc", "id", "method", "params"})
_PARAM_KEYS = frozenset({"name", "arguments", "_meta"})
_MODERN = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    id: str | int
    name: str
    arguments: JsonObject


@dataclass(slots=True, kw_only=True)
class _Client:
    """What a client said of itself when it opened its session."""

    name: str
    can_elicit: bool


class DirectCalls:
    """Serves the messages that take the short way; `serve` says whether it did."""

    def __init__(self, manager: StreamableHTTPSessionManager, gate: Gate, session_idle: float) -> None:
        self._manager = manager
        self._gate = gate
        self._session_idle = session_idle
        self._clients: dict[str, _Client] = {}
        self._running: dict[tuple[str, str | int], anyio.CancelScope] = {}
        self._security = TransportSecurityMiddleware(manager.security_settings)

    def watch_opening(self, message: JsonObject, send: Send) -> Send:
        """Remember what the client declares, once the SDK has given the session its id."""
        params = message.get("params")
        if message.get("method") != "initialize" or not isinstance(params, dict):
            return send

        async def watched(event: Any) -> None:
            if event["type"] == "http.response.start" and event["status"] == 200:
                session = next((v.decode("latin-1") for k, v in event["headers"] if k == SESSION), None)
                if session is not None:
                    self._forget_gone()
                    self._clients[session] = _client(params)
            await send(event)

        return watched

    async def serve(
        self, scope: Scope, message: JsonObject, arrival: Arrival, receive: Receive, send: Send
    ) -> bool:
        """Serve the message if it is one for the short way."""
        headers = dict(scope["headers"])
        session = headers.get(SESSION, b"").decode("latin-1")
        client = self._clients.get(session)
        if client is None or client.can_elicit or not self._owns(session, scope):
            return False
        if message.get("method") == "notifications/cancelled":
            self._cancel(session, message)
            return False  # the SDK hears of it too: the call may be one of its own
        call = _call(message)
        if call is None or (session, call.id) in self._running or not _plain(headers):
            return False
        if await self._security.validate_request(HttpRequest(scope), is_post=True) is not None:
            return False  # the SDK says why
        self._touch(session)
        version = headers.get(b"mcp-protocol-version", b"").decode("latin-1")
        request = Request(
            kind=Kind.TOOL,
            name=call.name,
            arguments=call.arguments,
            arrival=replace(arrival, client=client.name, protocol=version),
        )
        await self._run(session, call, request, receive, send)
        return True

    def close(self, scope: Scope) -> None:
        """The client ends its session: its calls end with it."""
        session = dict(scope["headers"]).get(SESSION, b"").decode("latin-1")
        if not self._owns(session, scope):
            return
        for key, call in list(self._running.items()):
            if key[0] == session:
                call.cancel()
        self._clients.pop(session, None)

    async def _run(self, session: str, call: _Call, request: Request, receive: Receive, send: Send) -> None:
        result: ToolResult | None = None
        async with anyio.create_task_group() as tasks:
            self._running[session, call.id] = tasks.cancel_scope
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            try:
                result = (await self._gate.pass_(request)).result
            finally:
                self._running.pop((session, call.id), None)
            tasks.cancel_scope.cancel()
        if result is not None:
            await _answer(send, session, {"jsonrpc": "2.0", "id": call.id, "result": _shaped(result)})
        else:
            await _answer(send, session, _cancelled(call.id))

    def _owns(self, session: str, scope: Scope) -> bool:
        """Whether the SDK holds this session for this very caller."""
        user = scope.get("user")
        owner = self._manager._session_owners.get(session)  # noqa: SLF001 - see the module's docstring
        return (
            owner is not None
            and isinstance(user, AuthenticatedUser)
            and session in self._manager._server_instances  # noqa: SLF001 - see the module's docstring
            and authorization_context(user) == owner
        )

    def _touch(self, session: str) -> None:
        """A session that is used is not idle."""
        idle = self._manager._server_instances[session].idle_scope  # noqa: SLF001 - see the docstring
        later = anyio.current_time() + self._session_idle
        if idle is not None and idle.deadline < later:
            idle.deadline = later

    def _cancel(self, session: str, message: JsonObject) -> None:
        params = message.get("params")
        wanted = params.get("requestId") if isinstance(params, dict) else None
        if isinstance(wanted, str | int) and (scope := self._running.get((session, wanted))):
            scope.cancel()

    def _forget_gone(self) -> None:
        """Drop what is remembered of sessions that the SDK has ended."""
        alive = self._manager._server_instances  # noqa: SLF001 - see the module's docstring
        self._clients = {session: client for session, client in self._clients.items() if session in alive}


def _client(params: Mapping[str, JsonValue]) -> _Client:
    info, capabilities = params.get("clientInfo"), params.get("capabilities")
    name = f"{info.get('name')}/{info.get('version')}" if isinstance(info, dict) else ""
    # Whatever is not a plain statement of capabilities goes the long way.
    return _Client(name=name, can_elicit=not isinstance(capabilities, dict) or "elicitation" in capabilities)


def _call(message: JsonObject) -> _Call | None:
    """The call, if the message is exactly one and nothing of a later protocol."""
    params, number = message.get("params"), message.get("id")
    if (
        message.get("jsonrpc") != "2.0"
        or message.get("method") != "tools/call"
        or not _CALL_KEYS.issuperset(message)
        or not isinstance(params, dict)
        or not _PARAM_KEYS.issuperset(params)
        or not isinstance(number, str | int)
        or isinstance(number, bool)
    ):
        return None
    name, arguments, meta = params.get("name"), params.get("arguments", {}), params.get("_meta", {})
    if not isinstance(name, str) or not isinstance(arguments, dict) or not isinstance(meta, dict):
        return None
    if "progressToken" in meta or any(key.startswith(_MODERN) for key in meta):
        return None  # progress needs the SDK's stream
    return _Call(id=number, name=name, arguments=arguments)


def _plain(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the headers ask for nothing but a plain answer of a handshake revision."""
    version = headers.get(b"mcp-protocol-version", b"").decode("latin-1")
    accepted = headers.get(b"accept", b"")
    return (
        (not version or version in HANDSHAKE_PROTOCOL_VERSIONS)
        and b"application/json" in accepted
        and b"text/event-stream" in accepted
    )


def _shaped(result: ToolResult) -> JsonObject:
    shaped: JsonObject = {"content": [*result.content], "isError": result.is_error}
    if result.structured is not None:
        shaped["structuredContent"] = result.structured
    if result.meta:
        shaped["_meta"] = result.meta
    return shaped


def _cancelled(number: str | int) -> JsonObject:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": -32800, "message": "cancelled"}}


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _answer(send: Send, session: str, message: JsonObject) -> None:
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (SESSION, session.encode("latin-1")),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
