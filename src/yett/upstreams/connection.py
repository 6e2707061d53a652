# SPDX-License-Identifier: Apache-2.0
"""One upstream: one warm connection in one task, remade when it breaks.

The task that opens the SDK's client also closes it (anyio's cancel scopes demand it); calls come from
other tasks and each has its own deadline. The definitions that were seen first count: a tool that
comes back changed is withheld until the gateway restarts. Nothing of the caller but the arguments is
sent. Called by `upstreams`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp.types as mcp_types
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict

from yett.action import Authorized, JsonObject, ToolDefinition, ToolResult
from yett.errors import ExecutionTimeout, UpstreamError
from yett.upstreams.direct import AnsweredWithError, DirectCalls
from yett.upstreams.http import http_client
from yett.upstreams.names import visible
from yett.upstreams.pinned import PinnedTools
from yett.upstreams.result import result_of
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec
from yett.upstreams.stdio import stdio_transport

FAILURES = (
    MCPError,
    UpstreamError,
    httpx2.HTTPError,
    httpx2.StreamError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,  # TimeoutError too
    RuntimeError,  # RecursionError too
    ValueError,  # pydantic.ValidationError too
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ExceptionGroup,
)
"""What the SDK's client lets through when an upstream misbehaves. Cancellation is not among them."""

_CLOSED = frozenset({mcp_types.CONNECTION_CLOSED, -32600})
_MESSAGE = 500


class _Raw(BaseModel):
    """A result as it came; `result` makes sense of it."""

    model_config = ConfigDict(extra="allow")


class Connection:
    """A connection and what is known of its tools.

    Args:
        spec: The upstream.
        limits: Upper bounds.
        on_change: Called after the served tools changed.
    """

    def __init__(self, spec: UpstreamSpec, limits: UpstreamLimits, on_change: Callable[[], None]) -> None:
        self.spec = spec
        self.tried = anyio.Event()
        self.problems: tuple[str, ...] = ("not connected yet",)
        self._limits = limits
        self._on_change = on_change
        self._client: Client | None = None
        self._direct: DirectCalls | None = None
        self._tools = PinnedTools(spec, limits)
        self._wake = anyio.Event()
        self._broken = anyio.Event()
        self._changed = anyio.Event()
        self._suspect = anyio.Event()
        self._errors: deque[bytes] = deque(maxlen=8)
        self._in_flight = anyio.CapacityLimiter(limits.in_flight)

    @property
    def tools(self) -> tuple[ToolDefinition, ...]:
        """What is served, also during an outage."""
        return self._tools.served

    @property
    def connected(self) -> bool:
        """Whether a call could go out now."""
        return self._client is not None

    def knows(self, name: str) -> bool:
        """Whether a tool of that name is or was served from here."""
        return self._tools.knows(name)

    async def serve(self) -> None:
        """Connect, stay connected, connect again. Runs until it is cancelled."""
        wait = self._limits.backoff
        while True:
            try:
                lasted = await self._connect_and_stay()
            except FAILURES as error:
                self.problems = (self._explain(error),)
                lasted = 0.0
            self.tried.set()
            steady = lasted >= self._limits.backoff_max
            wait = self._limits.backoff if steady else min(wait * 2, self._limits.backoff_max)
            await anyio.sleep(self._limits.backoff)
            with anyio.move_on_after(wait - self._limits.backoff):
                await self._wake.wait()
            self._wake = anyio.Event()

    async def _connect_and_stay(self) -> float:
        """One connection, from start to end. Returns for how many seconds it worked."""
        self._broken, self._changed, self._suspect = anyio.Event(), anyio.Event(), anyio.Event()
        since = math.inf
        with anyio.move_on_after(self._limits.connect_timeout) as scope:
            async with self._open() as client:
                self._adopt(await self._list(client))
                scope.deadline = math.inf
                since = anyio.current_time()
                self._client = client
                self.tried.set()
                try:
                    await self._stay(client)
                finally:
                    self._client = None
                    scope.deadline = anyio.current_time() + 4 * self._limits.stop_timeout
        if since < math.inf:
            self.problems = (*self.problems, "the connection was lost; a new one is being made")
            return anyio.current_time() - since
        raise UpstreamError(f"it did not connect and list its tools in {self._limits.connect_timeout:g} s")

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Client]:
        """The SDK's client over our transports, entered and left in this task."""
        if self.spec.command:
            program = stdio_transport(self.spec, self._limits, self._broken, self._errors)
            async with self._client_over(program) as client:
                yield client
            return
        sessions: list[str] = []
        async with http_client(self.spec, self._limits, sessions.append) as http:
            remote = streamable_http_client(
                self.spec.url, http_client=http, max_sse_event_size=self._limits.message_bytes
            )
            async with self._client_over(remote) as client:
                direct = DirectCalls(
                    self.spec,
                    self._limits,
                    revision=client.protocol_version,
                    session=sessions[-1] if sessions else None,
                )
                self._direct = direct
                try:
                    yield client
                finally:
                    self._direct = None
                    await direct.aclose()

    def _client_over(self, transport: Any) -> Client:
        return Client(transport, mode=self.spec.mode, cache=None, message_handler=self._on_message)

    async def _on_message(self, message: object) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self._changed.set()

    async def _stay(self, client: Client) -> None:
        """Look after a connection until it breaks: list again on change, probe after a silence."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_changes, client)
            tasks.start_soon(self._probe_when_suspect, client)
            if client.server_capabilities.tools and client.server_capabilities.tools.list_changed:
                tasks.start_soon(self._listen, client)
            await self._broken.wait()
            tasks.cancel_scope.cancel()

    async def _listen(self, client: Client) -> None:
        """Modern upstreams tell of changes on a stream that has to be asked for."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        try:
            async with client.listen(tools_list_changed=True) as events:
                async for _ in events:
                    self._changed.set()
        except FAILURES:
            return  # without the stream, changes are seen at the next connection

    async def _follow_changes(self, client: Client) -> None:
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            try:
                with anyio.fail_after(self._limits.connect_timeout):
                    changed = self._adopt(await self._list(client))
            except FAILURES as error:
                self.problems = (self._explain(error),)
                self._broken.set()
                return
            if changed:
                self._on_change()
            await anyio.sleep(self._limits.relist_interval)

    async def _probe_when_suspect(self, client: Client) -> None:
        """After a call timed out, see whether the upstream answers anything at all."""
        while True:
            await self._suspect.wait()
            self._suspect = anyio.Event()
            try:
                with anyio.fail_after(self._limits.probe_timeout):
                    await client.session.send_request(mcp_types.ListToolsRequest(), _Raw)
            except FAILURES as error:
                self.problems = (self._explain(error),)
                self._broken.set()
                return

    async def _list(self, client: Client) -> list[JsonObject]:
        """Every entry of `tools/list`, within the limits of pages, tools and bytes."""
        tools: list[JsonObject] = []
        cursor: str | None = None
        size = 0
        for _ in range(self._limits.pages):
            params = mcp_types.PaginatedRequestParams(cursor=cursor) if cursor else None
            page = await client.session.list_tools(params=params)
            for tool in page.tools:
                tools.append(tool.model_dump(by_alias=True, mode="json", exclude_none=True))
                size += len(tool.model_dump_json(by_alias=True, exclude_none=True))
            if len(tools) > self._limits.tools or size > self._limits.listing_bytes:
                raise UpstreamError(
                    f"it lists more than {self._limits.tools} tools or {self._limits.listing_bytes} bytes"
                )
            cursor = page.next_cursor
            if not cursor:
                return tools
        raise UpstreamError(f"its list of tools has more than {self._limits.pages} pages")

    def _adopt(self, listed: list[JsonObject]) -> bool:
        changed = self._tools.adopt(listed)
        self.problems = self._tools.problems
        return changed

    async def call(self, call: Authorized) -> ToolResult:
        """Run one call. Fails fast when there is no connection, and asks for one.

        Raises:
            UpstreamError: no connection, a withheld tool, or an answer that is none.
            ExecutionTimeout: no answer in time.
        """
        tool, name = call.action.tool, self.spec.name
        original = self._tools.original_of(tool)
        client = self._client
        if client is None:
            self._wake.set()
            raise UpstreamError(
                f"The upstream {name} is not connected; a new attempt is being made. Try again soon."
            )
        seconds = min(call.deadline, self.spec.timeout)
        try:
            with anyio.fail_after(seconds):
                async with self._in_flight:
                    raw = await self._send(client, original, call)
        except TimeoutError as error:
            self._suspect.set()
            raise ExecutionTimeout(
                f"The upstream {name} did not answer within {seconds:g} seconds."
            ) from error
        except MCPError as error:
            return self._answered_with_error(error.error.code, error.error.message, tool)
        except AnsweredWithError as error:
            return self._answered_with_error(error.code, error.message, tool)
        except FAILURES as error:
            self._suspect.set()
            raise UpstreamError(f"The upstream {name} sent something that is not MCP.") from error
        return result_of(raw, name, tool.result_labels, self._limits)

    async def _send(self, client: Client, original: str, call: Authorized) -> JsonObject:
        """The raw result, by the short way where there is one.

        The SDK's own `call_tool` would also run the upstream's schema on it, whose patterns could stall
        this process, and would list the tools again first.
        """
        arguments = dict(call.action.arguments)
        if self._direct is not None and self._direct.takes(original, call.action.tool.input_schema):
            return await self._direct.call(original, arguments)
        params = mcp_types.CallToolRequestParams(name=original, arguments=arguments)
        raw = await client.session.send_request(mcp_types.CallToolRequest(params=params), _Raw)
        return dict(raw.model_extra or {})

    def _answered_with_error(self, code: int, message: str, tool: ToolDefinition) -> ToolResult:
        """An error answer is the upstream's text: a result, so that it is redacted and labelled."""
        if code in _CLOSED:
            self._broken.set()
            raise UpstreamError(
                f"The upstream {self.spec.name} broke off during the call; whether it ran is unknown."
            )
        text = visible(message, _MESSAGE)
        return ToolResult(
            content=({"type": "text", "text": f"{self.spec.name} answered with error {code}: {text}"},),
            is_error=True,
            labels=tool.result_labels,
        )

    def _explain(self, error: BaseException) -> str:
        """For the operator: what went wrong, and what the program said last."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        said = visible(b"".join(self._errors).decode("utf-8", "replace"), _MESSAGE)
        what = str(error) if isinstance(error, UpstreamError | OSError | MCPError) else type(error).__name__
        return visible(f"{what}; {said}" if said else what or "it failed", 2 * _MESSAGE)
