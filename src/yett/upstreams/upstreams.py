# SPDX-License-Identifier: Apache-2.0
"""All upstream MCP servers: their tools as one list, and calls to the one that serves a tool.

Each upstream lives in a task of its own, so one that hangs or dies holds up nobody else. `app` enters
`running` once, feeds `tools` into the catalogue and hands calls to `run`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

import anyio

from yett.action import Authorized, ToolDefinition, ToolResult
from yett.errors import ConfigurationError, UpstreamError
from yett.upstreams.connection import Connection
from yett.upstreams.http import check_url
from yett.upstreams.names import check_upstream_name
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec


def _nothing() -> None:
    return None


class Upstreams:
    """The `Execute` port for every tool whose origin is an upstream.

    Args:
        specs: The upstreams.
        limits: Upper bounds, for each of them.
        on_change: Called when the tools of an upstream changed while running.

    Raises:
        ConfigurationError: two of one name, or one that can't be reached as it is written.
    """

    def __init__(
        self,
        specs: Iterable[UpstreamSpec],
        limits: UpstreamLimits | None = None,
        *,
        on_change: Callable[[], None] = _nothing,
    ) -> None:
        limits = limits or UpstreamLimits()
        self._connections: dict[str, Connection] = {}
        for spec in specs:
            _check(spec)
            if spec.name in self._connections:
                raise ConfigurationError("two upstreams of one name", path=("upstreams", spec.name))
            self._connections[spec.name] = Connection(spec, limits, on_change)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Upstreams]:
        """Connect to all of them and stay connected while the context lasts.

        Entering waits until each has connected or failed once; none of them can fail the others.

        Raises:
            ConfigurationError: two upstreams serve one name.
        """
        collision: ConfigurationError | None = None
        async with anyio.create_task_group() as tasks:
            for connection in self._connections.values():
                tasks.start_soon(connection.serve)
            try:
                for connection in self._connections.values():
                    await connection.tried.wait()
                collision = self._collision()
                if collision is None:
                    yield self
            finally:
                tasks.cancel_scope.cancel()
        if collision is not None:
            raise collision

    def tools(self) -> tuple[ToolDefinition, ...]:
        """What all upstreams serve, by name. Steady during an outage. A name that two serve is left out."""
        tools = sorted(
            (tool for connection in self._connections.values() for tool in connection.tools),
            key=lambda tool: tool.name,
        )
        served = Counter(tool.name for tool in tools)
        return tuple(tool for tool in tools if served[tool.name] == 1)

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """For the operator: what is wrong with each upstream, if anything."""
        return {
            name: connection.problems for name, connection in self._connections.items() if connection.problems
        }

    def connected(self) -> frozenset[str]:
        """The upstreams that could take a call now."""
        return frozenset(name for name, connection in self._connections.items() if connection.connected)

    async def run(self, call: Authorized) -> ToolResult:
        """As `Execute.run`. Cancelling it cancels the call at the upstream."""
        connection = self._connections.get(call.action.tool.origin)
        if connection is None or not connection.knows(call.action.tool.name):
            raise UpstreamError(f"No upstream serves {call.action.tool.name}.")
        return await connection.call(call)

    def _collision(self) -> ConfigurationError | None:
        seen: dict[str, str] = {}
        for name, connection in self._connections.items():
            for tool in connection.tools:
                if tool.name in seen:
                    return ConfigurationError(
                        f"the upstreams {seen[tool.name]} and {name} both serve {tool.name}",
                        path=("upstreams", name, "prefix"),
                    )
                seen[tool.name] = name
        return None


def _check(spec: UpstreamSpec) -> None:
    place = ("upstreams", spec.name)
    check_upstream_name(spec.name)
    if spec.prefix:
        check_upstream_name(spec.prefix)
    if bool(spec.command) == bool(spec.url):
        raise ConfigurationError("an upstream has either a command or a url", path=place)
    if spec.url:
        check_url(spec)
    elif spec.credentials is not None:
        raise ConfigurationError(
            "credentials go to a url; use env for a command", path=(*place, "credentials")
        )
    elif not PurePosixPath(spec.cwd).is_absolute():
        raise ConfigurationError("an upstream's cwd is absolute", path=(*place, "cwd"))
