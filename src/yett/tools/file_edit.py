# SPDX-License-Identifier: Apache-2.0
"""`file_edit`: exact replacements or a patch in one file of the session's container, all or nothing.

Arguments that hold a mask marker of ours, in what is to be replaced too, never come here: a masked read
can't destroy what was masked. The diff that is shown is made from the screened texts, so that a hunk does
not show the middle of a secret whose first line it leaves out. File mode and line ends stay.
"""

from __future__ import annotations

from yett.action import Authorized, JsonObject, ToolResult
from yett.errors import ExecutionError
from yett.ports import Sandbox, Sandboxes
from yett.tools.edits import Edit, apply_edits
from yett.tools.patches import apply_patch, unified_diff
from yett.tools.sandbox_tool import PATH, SandboxTool, Shape, links_named, path_of

EDIT_LIMIT = 2 << 20
"""Bytes of a file that can be edited. Two of it can be screened in one look."""
EDITS_LIMIT = 100
DIFF_LIMIT = 16 << 10
"""Characters of the diff that are shown."""

_SHAPE = Shape(
    name="file_edit",
    title="Edit a file",
    description=(
        "Change a text file of this session's sandbox, by `edits` (each replaces the exact text `old`, "
        "which must occur exactly once unless `replace_all`, by `new`; in order) or by a unified diff in "
        "`patch`, which must fit line by line. All of it is done or nothing. The result is a diff; with "
        "`dry_run` nothing is written."
    ),
    properties={
        "path": PATH,
        "edits": {
            "type": "array",
            "minItems": 1,
            "maxItems": EDITS_LIMIT,
            "items": {
                "type": "object",
                "properties": {
                    "old": {"type": "string", "minLength": 1, "description": "The exact text to replace."},
                    "new": {"type": "string", "description": "What stands there afterwards."},
                    "replace_all": {
                        "type": "boolean",
                        "description": "Replace it wherever it occurs. Default false.",
                    },
                },
                "required": ["old", "new"],
                "additionalProperties": False,
            },
            "description": "Replacements, made one after the other. Not together with patch.",
        },
        "patch": {
            "type": "string",
            "minLength": 1,
            "description": "A unified diff of this file (`@@ -1,3 +1,4 @@` ...). Not together with edits.",
        },
        "dry_run": {"type": "boolean", "description": "Show the diff and write nothing. Default false."},
    },
    required=("path",),
    read_only=False,
)


class FileEdit(SandboxTool):
    """Edits a file. `limit` is bytes of the file, before and after."""

    def __init__(self, sandboxes: Sandboxes, *, limit: int = EDIT_LIMIT) -> None:
        """See the class."""
        super().__init__(sandboxes, _SHAPE)
        self._limit = limit

    async def run(self, call: Authorized) -> ToolResult:
        """Edit.

        Raises:
            ExecutionError: an edit that does not fit, no such file, not text, too large, read-only.
        """
        arguments = call.action.arguments
        path = path_of(call)
        if ("edits" in arguments) == ("patch" in arguments):
            raise ExecutionError("Give either `edits` or `patch`, and not both.")
        dry = arguments.get("dry_run") is True
        async with self._lease(call) as sandbox, links_named(sandbox, path):
            before = await self._text(sandbox, path)
            after = await self._in_thread(call, self._edited, before, arguments)
            data = after.encode()
            if len(data) > self._limit:
                raise ExecutionError(f"The file would become larger than {self._limit} bytes.")
            if not dry and after != before:
                await sandbox.write(path, data)
        diff = await self._diff(call, path, before, after)
        done = "Would edit" if dry else "Edited"
        return ToolResult.text(f"{done} {path}.\n{diff}" if diff else f"Nothing changes in {path}.")

    async def _text(self, sandbox: Sandbox, path: str) -> str:
        data, size = await sandbox.read(path, offset=0, limit=self._limit)
        if size > self._limit:
            raise ExecutionError(f"{path[:256]} is larger than {self._limit} bytes; it can't be edited here.")
        if len(data) != size:
            raise ExecutionError(f"{path[:256]} changed while it was read; nothing was written.")
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ExecutionError(f"{path[:256]} is not UTF-8 text; nothing was written.") from None

    def _edited(self, text: str, arguments: JsonObject) -> str:
        patch, listed = arguments.get("patch"), arguments.get("edits")
        if isinstance(patch, str):
            return apply_patch(text, patch)
        edits = tuple(
            Edit(
                old=str(item.get("old", "")),
                new=str(item.get("new", "")),
                replace_all=item.get("replace_all") is True,
            )
            for item in (listed if isinstance(listed, list) else [])
            if isinstance(item, dict)
        )
        return apply_edits(text, edits, self._limit)

    async def _diff(self, call: Authorized, path: str, before: str, after: str) -> str:
        """The change as the agent may see it. Without a screen it is not shown at all."""
        if before == after:
            return ""
        if call.screen is None:
            return "[the change is not shown]"
        seen = await call.screen(before), await call.screen(after)
        diff = await self._in_thread(call, unified_diff, path, *seen)
        if not diff:
            return "[the change is in a part that is masked]"
        if len(diff) <= DIFF_LIMIT:
            return diff
        shown = diff[: diff.rfind("\n", 0, DIFF_LIMIT) + 1] or diff[:DIFF_LIMIT]
        return f"{shown}[the diff was cut: {len(diff) - len(shown)} more characters]"
