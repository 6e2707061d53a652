# SPDX-License-Identifier: Apache-2.0
"""The gate's end of `yett serve`: MCP lines over the gateway's unix socket, one connection a shim.

A connection opens with one hello line that carries the agent's credential; without a good one it is
answered with an error and closed. Every later line is strictly parsed and carries the connection's
`Arrival` into the SDK. When the shim goes away, the calls of its connection are cancelled.
"""

from __future__ import annotations

import json

import anyio
import mcp.types as t
from anyio.abc import SocketStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from pydantic import ValidationError

from yett.action import Arrival, JsonObject, Secret, Transport
from yett.errors import BadRequest, CallerError, Unauthenticated
from yett.ports import Gate, Identify
from yett.server.lines import LineReader
from yett.server.mcp_server import McpServer
from yett.server.settings import StdioSettings
from yett.server.strict_json import MessageTooLarge, parse_strict_object

HELLO_VERSION = 1
_PARSE_ERROR = -32700


class StdioEdge:
    """Serves one connection after another from a unix socket."""

    def __init__(self, mcp: McpServer, gate: Gate, identify: Identify, settings: StdioSettings) -> None:
        self._mcp = mcp
        self._gate = gate
        self._identify = identify
        self._settings = settings

    async def serve(self, stream: SocketStream) -> None:
        """Serve one shim until either side closes."""
        async with stream:
            reader = LineReader(stream, self._settings.max_line)
            arrival = await self._greet(stream, reader)
            if arrival is None:
                return
            inbound, to_server = _pipe()
            from_server, outbound = _pipe_out()
            async with anyio.create_task_group() as tasks:

                async def write() -> None:
                    await self._pump_out(from_server, stream)
                    tasks.cancel_scope.cancel()  # the shim does not read any more

                tasks.start_soon(write)

                async def read() -> None:
                    await self._pump_in(reader, arrival, to_server, outbound.clone())
                    tasks.cancel_scope.cancel()  # the shim is gone: so are its calls

                tasks.start_soon(read)
                await self._mcp.server.run(inbound, outbound, self._mcp.initialization_options())
                tasks.cancel_scope.cancel()

    async def _greet(self, stream: SocketStream, reader: LineReader) -> Arrival | None:
        """Read the hello and identify the agent; answer and say None when it can't be served."""
        arrival = Arrival(transport=Transport.STDIO)
        try:
            with anyio.fail_after(self._settings.hello):
                line = await reader.line()
            hello = parse_strict_object(line or b"", self._settings.max_depth)
            token = hello.get("credential")
            if hello.get("yett") != HELLO_VERSION or not isinstance(token, str):
                raise BadRequest("this is not a yett shim of this version; update yett on both sides")
            arrival = Arrival(transport=Transport.STDIO, credential=Secret(token))
            principal = await self._identify.identify(arrival)
            if hello.get("agent") != principal.agent:
                raise Unauthenticated("the credential belongs to another agent")
        except TimeoutError:
            return None
        except CallerError as error:
            await self._gate.refuse(arrival, error.rule, error.public())
            await _send(stream, {"ok": False, "error": error.public()})
            return None
        await _send(stream, {"ok": True, "agent": principal.agent, "session": principal.session})
        return arrival

    async def _pump_in(
        self,
        reader: LineReader,
        arrival: Arrival,
        to_server: MemoryObjectSendStream[SessionMessage | Exception],
        errors: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        async with to_server, errors:
            while True:
                try:
                    line = await reader.line()
                    if line is None:
                        return
                    if not line.strip():
                        continue
                    message = _message(line, self._settings.max_depth)
                except BadRequest as error:
                    await self._gate.refuse(arrival, error.rule, error.public())
                    await errors.send(SessionMessage(_parse_error(error.public())))
                    if isinstance(error, MessageTooLarge):
                        return  # the rest of that line is still to come; nothing after it can be trusted
                    continue
                metadata = ServerMessageMetadata(request_context=arrival)
                await to_server.send(SessionMessage(message, metadata=metadata))

    async def _pump_out(
        self, from_server: MemoryObjectReceiveStream[SessionMessage], stream: SocketStream
    ) -> None:
        async with from_server:
            async for message in from_server:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                # A line that has begun is ended, and the last word of a connection is said.
                with anyio.move_on_after(self._settings.send, shield=True) as sending:
                    try:
                        await stream.send(text.encode() + b"\n")
                    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                        return
                if sending.cancelled_caught:
                    return


def _pipe() -> tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage | Exception]
]:
    send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    return receive, send


def _pipe_out() -> tuple[MemoryObjectReceiveStream[SessionMessage], MemoryObjectSendStream[SessionMessage]]:
    send, receive = anyio.create_memory_object_stream[SessionMessage](0)
    return receive, send


def _message(line: bytes, max_depth: int) -> t.JSONRPCMessage:
    value = parse_strict_object(line, max_depth)
    try:
        return t.jsonrpc_message_adapter.validate_python(value, by_name=False)
    except ValidationError as error:
        raise BadRequest("not a JSON-RPC 2.0 message") from error


def _parse_error(message: str) -> t.JSONRPCError:
    return t.JSONRPCError(jsonrpc="2.0", id=None, error=t.ErrorData(code=_PARSE_ERROR, message=message))


async def _send(stream: SocketStream, value: JsonObject) -> None:
    try:
        await stream.send(json.dumps(value).encode() + b"\n")
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return
