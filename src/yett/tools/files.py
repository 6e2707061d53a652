# SPDX-License-Identifier: Apache-2.0
"""`file_read`, `file_write` and `file_list`: files of the session's container.

The runner inside the container opens them; no path is ever resolved on the host, so that a symbolic link
or a race has nowhere to lead. Whether a path may be touched was decided before on the same normalised form.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
from urllib.parse import quote

from yett.action import Authorized, JsonObject, JsonValue, ToolDefinition, ToolResult
from yett.errors import ExecutionError
from yett.ports import FileEntry, Sandbox, Sandboxes
from yett.tools.sandbox_paths import WORKSPACE, sandbox_path

READ_LIMIT = 256 * 1024
WRITE_LIMIT = 8 << 20
DEPTH_LIMIT = 5
ENTRY_LIMIT = 2000

_PATH: JsonObject = {
    "type": "string",
    "pattern": "^/",
    "description": "Absolute, as /workspace/notes.txt.",
}
"""Absolute, because rules judge paths, and a relative one means nothing without a folder to stand in."""


class FileRead:
    """Reads part of a file. `limit` is bytes in one call."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = READ_LIMIT) -> None:
        """See the class."""
        self._sandboxes = sandboxes
        self._limit = limit
        self._definition = _definition(
            "file_read",
            "Read a file",
            "Read a file of this session's sandbox. Text comes as text, anything else as a base64 blob. A "
            "long file comes in pieces: the result says at which byte offset to go on.",
            {
                "path": _PATH,
                "offset": {"type": "integer", "minimum": 0, "description": "Byte to begin at. Default 0."},
                "limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": limit,
                    "description": f"Bytes to read at most. Default and maximum: {limit}.",
                },
            },
            required=["path"],
            read_only=True,
        )

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        return self._definition

    async def run(self, call: Authorized) -> ToolResult:
        """Read.

        Raises:
            ExecutionError: no such file, not a regular file, not readable.
        """
        arguments = call.action.arguments
        path = _path(arguments)
        offset = _integer(arguments, "offset", 0)
        limit = min(_integer(arguments, "limit", self._limit), self._limit)
        async with self._sandboxes.lease(_session(call)) as sandbox:
            data, size = await sandbox.read(path, offset=offset, limit=limit)
        return _piece(path, data, offset, size)


class FileWrite:
    """Writes a whole file, or at its end. `limit` is bytes in one call."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = WRITE_LIMIT) -> None:
        """See the class."""
        self._sandboxes = sandboxes
        self._limit = limit
        self._definition = _definition(
            "file_write",
            "Write a file",
            "Write a file of this session's sandbox, replacing what it held, or add to its end. Missing "
            "folders are made. Only /workspace and /tmp are writable.",
            {
                "path": _PATH,
                "content": {"type": "string", "description": "What to write, in the given encoding."},
                "encoding": {
                    "type": "string",
                    "enum": ["utf-8", "base64"],
                    "description": "How content is written here. Default utf-8; base64 for bytes.",
                },
                "append": {"type": "boolean", "description": "Add to the end instead. Default false."},
            },
            required=["path", "content"],
            read_only=False,
        )

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        return self._definition

    async def run(self, call: Authorized) -> ToolResult:
        """Write.

        Raises:
            ExecutionError: content that is not base64 or too large, a read-only place, no space left.
        """
        arguments = call.action.arguments
        path = _path(arguments)
        data = _bytes(str(arguments.get("content", "")), str(arguments.get("encoding") or "utf-8"))
        if len(data) > self._limit:
            raise ExecutionError(f"At most {self._limit} bytes can be written in one call.")
        append = arguments.get("append") is True
        async with self._sandboxes.lease(_session(call)) as sandbox:
            await sandbox.write(path, data, append=append)
        return ToolResult.text(f"{'Appended' if append else 'Wrote'} {len(data)} bytes to {path}.")


class FileList:
    """Lists a folder, and the folders in it down to a small depth, up to `limit` entries."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = ENTRY_LIMIT) -> None:
        """See the class."""
        self._sandboxes = sandboxes
        self._limit = limit
        self._definition = _definition(
            "file_list",
            "List files",
            "List a folder of this session's sandbox: one entry a line with kind, permissions, size in bytes "
            "and path. Symbolic links are shown and not followed.",
            {
                "path": _PATH,
                "depth": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": DEPTH_LIMIT,
                    "description": f"How many levels to go down. Default 1, at most {DEPTH_LIMIT}.",
                },
            },
            required=["path"],
            read_only=True,
        )

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        return self._definition

    async def run(self, call: Authorized) -> ToolResult:
        """List.

        Raises:
            ExecutionError: no such folder, not readable.
        """
        arguments = call.action.arguments
        path = sandbox_path(str(arguments.get("path") or WORKSPACE))
        depth = min(_integer(arguments, "depth", 1), DEPTH_LIMIT)
        async with self._sandboxes.lease(_session(call)) as sandbox:
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
                lines.append(f"? {_shown(below)}: not readable")
                continue
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                lines.append(_line(entry, name))
                if entry.kind == "directory" and levels > 1:
                    folders.append((name, levels - 1))
        return lines[: self._limit + 1]


def _definition(
    name: str,
    title: str,
    description: str,
    properties: JsonObject,
    *,
    required: list[JsonValue],
    read_only: bool,
) -> ToolDefinition:
    schema: JsonObject = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    annotations: JsonObject = {
        "readOnlyHint": read_only,
        "destructiveHint": not read_only,
        "idempotentHint": read_only,
        "openWorldHint": False,
    }
    return ToolDefinition(
        name=name,
        title=title,
        description=description,
        input_schema=schema,
        annotations=annotations,
        target="sandbox",
    )


def _session(call: Authorized) -> str:
    return call.action.principal.session or call.action.principal.id


def _path(arguments: JsonObject) -> str:
    return sandbox_path(str(arguments.get("path") or ""))


def _integer(arguments: JsonObject, name: str, default: int) -> int:
    value = arguments.get(name)
    return int(value) if isinstance(value, int | float) else default


def _bytes(content: str, encoding: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (binascii.Error, ValueError):
        raise ExecutionError(f"The content is not valid {encoding}.") from None


def _piece(path: str, data: bytes, offset: int, size: int) -> ToolResult:
    more = offset + len(data) < size
    text, used = _text(data, begins=offset == 0, ends=not more)
    content: list[JsonObject] = []
    if text is not None:
        content.append({"type": "text", "text": text})
    else:
        used = len(data)
        blob: JsonObject = {
            "uri": f"file://{quote(path)}",
            "mimeType": "application/octet-stream",
            "blob": base64.b64encode(data).decode(),
        }
        content.append({"type": "resource", "resource": blob})
    if more:
        rest = f"[bytes {offset} to {offset + used} of {size}; go on with offset {offset + used}]"
        content.append({"type": "text", "text": rest})
    return ToolResult(content=tuple(content), meta={"yett/size": size, "yett/next_offset": offset + used})


def _text(data: bytes, *, begins: bool, ends: bool) -> tuple[str | None, int]:
    """The text and how many bytes it takes, or None for bytes that are not text.

    A character that is cut by the piece's end is left for the next piece; one that is cut by its
    beginning (an offset inside a character) is left out.
    """
    if b"\0" in data:
        return None, 0
    skipped = 0
    while not begins and skipped < min(3, len(data)) and 0x80 <= data[skipped] < 0xC0:
        skipped += 1
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data[skipped:], final=ends)
    except UnicodeDecodeError:
        return None, 0
    left, _ = decoder.getstate()
    if data and len(left) + skipped == len(data):
        return None, 0  # no whole character: a piece of nothing would never get on
    return text, len(data) - len(left)


def _line(entry: FileEntry, name: str) -> str:
    return f"{entry.kind:<9} {entry.mode:04o} {entry.size:>10} {_shown(name)}"


def _shown(name: str) -> str:
    """A file name on one line, quoted as JSON where it holds anything that is not printable."""
    return name if name.isprintable() and not name.startswith('"') else json.dumps(name)
