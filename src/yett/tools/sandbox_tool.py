# SPDX-License-Identifier: Apache-2.0
"""What every tool that works in the session's container shares: its definition, whose container, arguments.

Paths are the container's own and are opened by the runner inside it; none is ever resolved on the host, so
that a symbolic link or a race has nowhere to lead. Whether a path may be touched was decided before, on the
same normalised form. The tools of this folder are built on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from yett.action import Authorized, JsonObject, JsonValue, ToolDefinition
from yett.errors import ExecutionError
from yett.ports import Sandbox, Sandboxes
from yett.tools.sandbox_paths import sandbox_path
from yett.tools.workbench import Given, Made, Workbench

PATH: JsonObject = {
    "type": "string",
    "pattern": "^/",
    "description": "Absolute, as /workspace/notes.txt.",
}
"""Absolute, because rules judge paths, and a relative one means nothing without a folder to stand in."""

_PARTS_LOOKED_AT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a tool of the sandbox is listed, without what is the same for all of them."""

    name: str
    title: str
    description: str
    properties: JsonObject
    required: tuple[str, ...] = ()
    read_only: bool
    idempotent: bool | None = None
    output: JsonObject | None = None
    timeout: float = 60.0


class SandboxTool:
    """A tool (`ports.Tool`) but for its `run`.

    Args:
        sandboxes: where it works.
        shape: how it is listed.
    """

    def __init__(self, sandboxes: Sandboxes, shape: Shape) -> None:
        """See the class."""
        self._sandboxes = sandboxes
        self._bench = Workbench()
        self._definition = definition_of(shape)

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        return self._definition

    async def _in_thread(self, call: Authorized, work: Callable[[*Given], Made], *given: *Given) -> Made:
        """Pure work whose size the agent or its container chose."""
        return await self._bench.run(call.action.principal.agent, work, *given)

    def _lease(self, call: Authorized) -> AbstractAsyncContextManager[Sandbox]:
        return self._sandboxes.lease(session_of(call), call.action.principal)


def session_of(call: Authorized) -> str:
    """Whose container: the session's, or the principal's where there is none."""
    return call.action.principal.session or call.action.principal.id


def path_of(call: Authorized) -> str:
    """The argument `path` in its one form.

    Raises:
        ExecutionError: it is no path.
    """
    return sandbox_path(str(call.action.arguments.get("path") or ""))


def integer(arguments: JsonObject, name: str, default: int) -> int:
    """A whole number among the arguments."""
    value = arguments.get(name)
    return int(value) if isinstance(value, int | float) else default


@asynccontextmanager
async def links_named(sandbox: Sandbox, path: str) -> AsyncIterator[None]:
    """Where the body fails over a symbolic link in the path, say so in words that help.

    Raises:
        ExecutionError: that of the body, or a plainer one.
    """
    try:
        yield
    except ExecutionError:
        link = await _first_link(sandbox, path)
        if link:
            raise ExecutionError(
                f"{path[:256]}: {link[:256]} is a symbolic link, and file tools follow none. Give the real "
                "path; where shell_run is allowed, `readlink -f` tells it."
            ) from None
        raise


async def _first_link(sandbox: Sandbox, path: str) -> str:
    """The first part of a path that is a symbolic link, or nothing."""
    here = ""
    for part in path.split("/")[1:][:_PARTS_LOOKED_AT]:
        here = f"{here}/{part}"
        try:
            entry = await sandbox.stat(here)
        except ExecutionError:
            return ""
        if entry.kind == "symlink":
            return here
    return ""


def definition_of(shape: Shape) -> ToolDefinition:
    """A tool of the sandbox as it is listed."""
    required: list[JsonValue] = [*shape.required]
    schema: JsonObject = {"type": "object", "properties": shape.properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    annotations: JsonObject = {
        "readOnlyHint": shape.read_only,
        "destructiveHint": not shape.read_only,
        "idempotentHint": shape.read_only if shape.idempotent is None else shape.idempotent,
        "openWorldHint": False,
    }
    return ToolDefinition(
        name=shape.name,
        title=shape.title,
        description=shape.description,
        input_schema=schema,
        output_schema=shape.output,
        annotations=annotations,
        target="sandbox",
        timeout=shape.timeout,
    )


__all__ = ["PATH", "SandboxTool", "Shape", "definition_of", "integer", "links_named", "path_of", "session_of"]
