# SPDX-License-Identifier: Apache-2.0
"""`file_read`: part of a file of the session's container, by bytes or by lines; pictures as pictures.

What it gives is redacted afterwards, piece by piece: a piece of text ends at a line's end where it can, so
that fewer secrets are cut in two. A secret over several lines is known only by its first line.
"""

from __future__ import annotations

import base64
import codecs
from urllib.parse import quote

from yett.action import Authorized, JsonObject, ToolResult
from yett.errors import ExecutionError
from yett.ports import Sandbox, Sandboxes
from yett.tools.pieces import going_on, text_piece
from yett.tools.sandbox_tool import PATH, SandboxTool, Shape, integer, links_named, path_of

READ_LIMIT = 256 * 1024
IMAGE_LIMIT = 1 << 20
"""Bytes of a picture that is shown as one. Larger ones come as bytes, in pieces."""
SCAN_LIMIT = 8 << 20
"""Bytes of a file in which lines are counted."""
LINE_LIMIT = 100_000

_IMAGES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
_ASCII_IMAGES = ((b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"))


class FileRead(SandboxTool):
    """Reads part of a file. `limit` is bytes in one call."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = READ_LIMIT) -> None:
        """See the class."""
        super().__init__(sandboxes, _shape(limit))
        self._limit = limit

    async def run(self, call: Authorized) -> ToolResult:
        """Read.

        Raises:
            ExecutionError: no such file, not a regular file, not readable; lines of what is not text.
        """
        arguments = call.action.arguments
        path = path_of(call)
        by_line = {"start_line", "line_count", "numbered"} & arguments.keys()
        if by_line and {"offset", "limit"} & arguments.keys():
            raise ExecutionError("Give bytes (`offset`, `limit`) or lines (`start_line`, ...), and not both.")
        async with self._lease(call) as sandbox, links_named(sandbox, path):
            if by_line:
                data, size = await _up_to(sandbox, path, SCAN_LIMIT)
                return await self._in_thread(call, self._lines, data, size, path, arguments)
            offset = integer(arguments, "offset", 0)
            limit = min(integer(arguments, "limit", self._limit), self._limit)
            data, size = await sandbox.read(path, offset=offset, limit=limit)
            kind = _picture(data) if offset == 0 and "limit" not in arguments else ""
            if kind and size <= IMAGE_LIMIT:
                return await _whole_picture(sandbox, path, data, size, kind)
        return _piece(path, data, offset, size)

    def _lines(self, data: bytes, size: int, path: str, arguments: JsonObject) -> ToolResult:
        first = integer(arguments, "start_line", 1)
        wanted = min(integer(arguments, "line_count", LINE_LIMIT), LINE_LIMIT)
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(data, final=len(data) == size)
        except UnicodeDecodeError:
            raise ExecutionError(f"{path[:256]} is not text; read it by `offset` and `limit`.") from None
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()  # the end of the last line begins no other one
        shown, last = _within(lines, first, wanted, self._limit, numbered=arguments.get("numbered") is True)
        content: list[JsonObject] = [{"type": "text", "text": shown}]
        if last < len(lines) or len(data) < size:
            total = f"{len(lines)}" if len(data) == size else f"more than {len(lines)}"
            rest = f"[lines {first} to {last} of {total}; go on with start_line {last + 1}]"
            content.append({"type": "text", "text": rest})
        meta: JsonObject = {"yett/size": size, "yett/next_line": last + 1}
        return ToolResult(content=tuple(content), meta=meta)


def _within(lines: list[str], first: int, wanted: int, limit: int, *, numbered: bool) -> tuple[str, int]:
    """Whole lines from `first` on, and the number of the last one; a single line over the limit is cut."""
    if first > len(lines):
        raise ExecutionError(f"The file has {len(lines)} lines; there is no line {first}.")
    shown: list[str] = []
    used = 0
    for number in range(first, min(first + wanted, len(lines) + 1)):
        # No white space between the two: a number before digits must not look like a part of them.
        line = f"{number:>6}|{lines[number - 1]}" if numbered else lines[number - 1]
        used += len(line.encode()) + 1
        if used > limit:
            if shown:
                break
            line = line.encode()[:limit].decode(errors="ignore") + " [the line is longer]"
        shown.append(line)
    return "\n".join(shown), first + len(shown) - 1


async def _up_to(sandbox: Sandbox, path: str, limit: int) -> tuple[bytes, int]:
    data, size = b"", 0
    while len(data) < limit:
        piece, size = await sandbox.read(path, offset=len(data), limit=min(READ_LIMIT, limit - len(data)))
        data += piece
        if not piece or len(data) >= size:
            break
    return data, max(size, len(data))


def _picture(data: bytes) -> str:
    """The type of a picture by its first bytes, or nothing."""
    for magic, kind in (*_IMAGES, *_ASCII_IMAGES):
        if data.startswith(magic):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


async def _whole_picture(sandbox: Sandbox, path: str, data: bytes, size: int, kind: str) -> ToolResult:
    while len(data) < size:
        piece, _ = await sandbox.read(path, offset=len(data), limit=min(READ_LIMIT, size - len(data)))
        if not piece:
            break
        data += piece
    image: JsonObject = {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": kind}
    return ToolResult(content=(image,), meta={"yett/size": size, "yett/next_offset": len(data)})


def _piece(path: str, data: bytes, offset: int, size: int) -> ToolResult:
    more = offset + len(data) < size
    text, used = text_piece(data, begins=offset == 0, ends=not more)
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
        content.append({"type": "text", "text": going_on(offset, offset + used, size)})
    return ToolResult(content=tuple(content), meta={"yett/size": size, "yett/next_offset": offset + used})


def _shape(limit: int) -> Shape:
    return Shape(
        name="file_read",
        title="Read a file",
        description=(
            "Read a file of this session's sandbox, from a byte (`offset`) or a line (`start_line`). Text "
            "comes as text, a PNG, JPEG, GIF or WebP picture up to 1 MiB as an image, anything else as a "
            "base64 blob. A long file comes in pieces: the result says where to go on."
        ),
        properties={
            "path": PATH,
            "offset": {"type": "integer", "minimum": 0, "description": "Byte to begin at. Default 0."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": limit,
                "description": f"Bytes to read at most. Default and maximum: {limit}.",
            },
            "start_line": {
                "type": "integer",
                "minimum": 1,
                "description": "Line to begin at, the first is 1. Not together with offset or limit.",
            },
            "line_count": {
                "type": "integer",
                "minimum": 1,
                "maximum": LINE_LIMIT,
                "description": "Lines to read at most. Not together with offset or limit.",
            },
            "numbered": {
                "type": "boolean",
                "description": "Put `<number>|` before each line. Not together with offset or limit.",
            },
        },
        required=("path",),
        read_only=True,
    )
