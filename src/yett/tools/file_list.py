# SPDX-License-Identifier: Apache-2.0
"""`file_list`: a folder of the session's container, and the folders in it down to a small depth.

Names come from a hostile container: each is shown on one line, whatever it holds. Symbolic links are shown
and never followed.
"""

from __future__ import annotations

import json

from yett.action import Authorized, ToolResult
from yett.errors import ExecutionError
from yett.ports import FileEntry, Sandbox, Sandboxes
from yett.tools.sandbox_paths import WORKSPACE, sandbox_path
from yett.tools.sandbox_tool import PATH, SandboxTool, Shape, integer, links_named

DEPTH_LIMIT = 5
ENTRY_LIMIT = 2000

_SHAPE = Shape(
    name="file_list",
    title="List files",
    description=(
        "List a folder of this session's sandbox: one entry a line with kind, permissions, size in bytes "
        "and path. Symbolic links are shown and not followed. file_search finds files by their text."
    ),
    properties={
        "path": PATH,
        "depth": {
            "type": "integer",
            "minimum": 1,
            "maximum": DEPTH_LIMIT,
            "description": f"How many levels to go down. Default 1, at most {DEPTH_LIMIT}.",
        },
    },
    required=("path",),
    read_only=True,
)


class FileList(SandboxTool):
    """Lists a folder, up to `limit` entries."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = ENTRY_LIMIT) -> None:
        """See the class."""
        super().__init__(sandboxes, _SHAPE)
        self._limit = limit

    async def run(self, call: Authorized) -> ToolResult:
        """List.

        Raises:
            ExecutionError: no such folder, not readable.
        """
        arguments = call.action.arguments
        path = sandbox_path(str(arguments.get("path") or WORKSPACE))
        depth = min(integer(arguments, "depth", 1), DEPTH_LIMIT)
        async with self._lease(call) as sandbox, links_named(sandbox, path):
            lines = await self._walk(sandbox, path, depth)
        cut = len(lines) > self._limit
        shown = lines[: self._limit] + ([f"[cut after {self._limit} entries]"] if cut else [])
        return ToolResult.text("\n".join(shown) or "[empty]")

    async def _walk(self, sandbox: Sandbox, top: str, depth: int) -> list[str]:
        """Lines for everything under `top`, breadth first, one more than the limit at most."""
        lines: list[str] = []
        folders = [("", depth)]
        while folders and len(lines) <= self._limit:
            below, levels = folders.pop(0)
            try:
                entries = await sandbox.list(f"{top}/{below}".rstrip("/") or "/")
            except ExecutionError:
                if not below:
                    raise
                lines.append(f"? {one_line(below)}: not readable")
                continue
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                lines.append(_line(entry, name))
                if entry.kind == "directory" and levels > 1:
                    folders.append((name, levels - 1))
        return lines[: self._limit + 1]


def one_line(name: str) -> str:
    """A file name on one line, quoted as JSON where it holds anything that is not printable."""
    return name if name.isprintable() and not name.startswith('"') else json.dumps(name)


def _line(entry: FileEntry, name: str) -> str:
    return f"{entry.kind:<9} {entry.mode:04o} {entry.size:>10} {one_line(name)}"


__all__ = ["DEPTH_LIMIT", "ENTRY_LIMIT", "FileList", "one_line"]
