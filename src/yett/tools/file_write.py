# SPDX-License-Identifier: Apache-2.0
"""`file_write`: a whole file of the session's container, or an addition to its end.

The content was looked at before: one that holds a mask marker of ours never comes here, so that a masked
read can't destroy what was masked.
"""

from __future__ import annotations

import base64
import binascii

from yett.action import Authorized, ToolResult
from yett.errors import ExecutionError
from yett.ports import Sandboxes
from yett.tools.sandbox_tool import PATH, SandboxTool, Shape, links_named, path_of

WRITE_LIMIT = 8 << 20

_SHAPE = Shape(
    name="file_write",
    title="Write a file",
    description=(
        "Write a file of this session's sandbox, replacing what it held, or add to its end. Missing "
        "folders are made. Only /workspace and /tmp are writable. A replaced file keeps its mode; on an "
        "error the old content stays. To change a part of a file use file_edit."
    ),
    properties={
        "path": PATH,
        "content": {"type": "string", "description": "What to write, in the given encoding."},
        "encoding": {
            "type": "string",
            "enum": ["utf-8", "base64"],
            "description": "How content is written here. Default utf-8; base64 for bytes.",
        },
        "append": {"type": "boolean", "description": "Add to the end instead. Default false."},
    },
    required=("path", "content"),
    read_only=False,
)


class FileWrite(SandboxTool):
    """Writes a file. `limit` is bytes in one call."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = WRITE_LIMIT) -> None:
        """See the class."""
        super().__init__(sandboxes, _SHAPE)
        self._limit = limit

    async def run(self, call: Authorized) -> ToolResult:
        """Write.

        Raises:
            ExecutionError: content that is not base64 or too large, a read-only place, no space left.
        """
        arguments = call.action.arguments
        path = path_of(call)
        data = _bytes(str(arguments.get("content", "")), str(arguments.get("encoding") or "utf-8"))
        if len(data) > self._limit:
            raise ExecutionError(f"At most {self._limit} bytes can be written in one call.")
        append = arguments.get("append") is True
        async with self._lease(call) as sandbox, links_named(sandbox, path):
            await sandbox.write(path, data, append=append)
        return ToolResult.text(f"{'Appended' if append else 'Wrote'} {len(data)} bytes to {path}.")


def _bytes(content: str, encoding: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (binascii.Error, ValueError):
        raise ExecutionError(f"The content is not valid {encoding}.") from None
