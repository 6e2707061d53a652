# SPDX-License-Identifier: Apache-2.0
"""`shell_output`: the whole of an output that was too long to be shown, piece by piece.

It reads this process's memory alone, and only what the same session's programs wrote. What it gives was
screened as a whole when it was kept, and is redacted again as any result.
"""

from __future__ import annotations

from yett.action import Authorized, JsonObject, JsonValue, ToolDefinition, ToolResult
from yett.errors import ExecutionError
from yett.tools.outputs import KeptOutputs
from yett.tools.pieces import going_on, text_piece
from yett.tools.sandbox_tool import Shape, definition_of, integer, session_of
from yett.tools.settings import ShellLimits

_STREAMS: list[JsonValue] = ["stdout", "stderr"]

_OUTPUT: JsonObject = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "size": {"type": "integer", "description": "Bytes of the whole stream."},
        "next_offset": {"type": ["integer", "null"], "description": "Where to go on; null at the end."},
    },
    "required": ["text", "size", "next_offset"],
}


class ShellOutput:
    """The tool (`ports.Tool`)."""

    def __init__(self, outputs: KeptOutputs, limits: ShellLimits | None = None) -> None:
        """See the module."""
        self._outputs = outputs
        self._limit = (limits or ShellLimits()).piece
        self._definition = definition_of(_shape(self._limit))

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        return self._definition

    async def run(self, call: Authorized) -> ToolResult:
        """Read a piece.

        Raises:
            ExecutionError: no such output of this session, or an offset behind its end.
        """
        arguments = call.action.arguments
        stream = str(arguments.get("stream") or "stdout")
        data = self._outputs.read(session_of(call), str(arguments.get("id") or ""), stream)
        offset = integer(arguments, "offset", 0)
        if offset > len(data):
            raise ExecutionError(f"That output has {len(data)} bytes of {stream}; there is no byte {offset}.")
        piece = data[offset : offset + min(integer(arguments, "limit", self._limit), self._limit)]
        ends = offset + len(piece) == len(data)
        text, used = text_piece(piece, begins=offset == 0, ends=ends)
        if text is None:  # a NUL, or a limit smaller than one character
            text, used = piece.decode(errors="replace"), len(piece)
        after = offset + used
        content: tuple[JsonObject, ...] = ({"type": "text", "text": text or "[no output]"},)
        if not ends:
            content += ({"type": "text", "text": going_on(offset, after, len(data))},)
        structured: JsonObject = {"text": text, "size": len(data), "next_offset": None if ends else after}
        return ToolResult(content=content, structured=structured)


def _shape(limit: int) -> Shape:
    return Shape(
        name="shell_output",
        title="Read long output",
        description=(
            "Read the output of a program of this session that was too long to be shown, by the id that its "
            "result gave. It comes in pieces of whole lines: the result says where to go on. It is kept in "
            "memory for a while only; private data in it is masked."
        ),
        properties={
            "id": {"type": "string", "minLength": 1, "maxLength": 64},
            "stream": {
                "type": "string",
                "enum": _STREAMS,
                "description": "Which of the two. Default stdout.",
            },
            "offset": {"type": "integer", "minimum": 0, "description": "Byte to begin at. Default 0."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": limit,
                "description": f"Bytes to read at most. Default and maximum: {limit}.",
            },
        },
        required=("id",),
        read_only=True,
        output=_OUTPUT,
    )
