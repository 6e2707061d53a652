# SPDX-License-Identifier: Apache-2.0
"""`file_search`: ripgrep in the session's container, below one path.

Policy judges the path that is searched; what lies below it is read. Links below it are not followed, and a
path that is a link itself is refused. The program runs inside, so its answer is hostile (`ripgrep.py`).
"""

from __future__ import annotations

import os
from errno import ENOENT

from yett.action import Authorized, JsonObject, ToolResult
from yett.errors import ExecutionError, ExecutionTimeout
from yett.ports import Command, CommandResult, Sandbox, Sandboxes
from yett.tools.file_list import one_line
from yett.tools.ripgrep import Line, Search, arguments_of, read_lines, structured
from yett.tools.sandbox_tool import PATH, SandboxTool, Shape, integer, links_named, path_of

RESULT_LIMIT = 1000
RESULTS = 100
CONTEXT_LIMIT = 20
GLOB_LIMIT = 20
OUTPUT_LIMIT = 4 << 20
"""Bytes of ripgrep's JSON that are read."""
TEXT_SHOWN = 128 << 10
"""Characters of the result's text."""
_COMPLAINT = 2000

_PROPERTIES: JsonObject = {
    "pattern": {
        "type": "string",
        "minLength": 1,
        "maxLength": 4096,
        "description": "A regular expression of ripgrep (Rust syntax), or plain text with `fixed`.",
    },
    "path": PATH,
    "glob": {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 512},
        "maxItems": GLOB_LIMIT,
        "description": "Only files like these, as *.py; with a ! in front, not those.",
    },
    "case": {
        "type": "string",
        "enum": ["smart", "sensitive", "insensitive"],
        "description": "Default smart: sensitive if the pattern has an upper-case letter.",
    },
    "fixed": {"type": "boolean", "description": "The pattern is plain text. Default false."},
    "context": {
        "type": "integer",
        "minimum": 0,
        "maximum": CONTEXT_LIMIT,
        "description": "Lines to show before and after each match. Default 0.",
    },
    "max_results": {
        "type": "integer",
        "minimum": 1,
        "maximum": RESULT_LIMIT,
        "description": f"Matching lines at most. Default {RESULTS}.",
    },
    "hidden": {"type": "boolean", "description": "Search in hidden files too. Default false."},
    "ignored": {
        "type": "boolean",
        "description": "Search in files that .gitignore names too. Default false.",
    },
    "files_only": {"type": "boolean", "description": "Only the names of files. Default false."},
}

_OUTPUT: JsonObject = {
    "type": "object",
    "properties": {
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "line": {"type": "integer"},
                    "text": {"type": "string"},
                    "match": {"type": "boolean", "description": "False for a line of context."},
                },
                "required": ["path", "line", "text", "match"],
            },
        },
        "truncated": {"type": "boolean", "description": "There are more matches."},
    },
    "required": ["lines", "truncated"],
}


class FileSearch(SandboxTool):
    """Searches files. `timeout` is seconds for one search."""

    def __init__(self, sandboxes: Sandboxes, *, timeout: float = 30.0) -> None:
        """See the class."""
        super().__init__(
            sandboxes,
            Shape(
                name="file_search",
                title="Search in files",
                description=(
                    "Search in the files below a path of this session's sandbox, with ripgrep: "
                    "`path:line: text` a match. Hidden files and those that .gitignore names are left out "
                    "unless asked for; binary files always, and symbolic links are not followed."
                ),
                properties=_PROPERTIES,
                required=("pattern", "path"),
                read_only=True,
                output=_OUTPUT,
                timeout=timeout,
            ),
        )
        self._timeout = timeout

    async def run(self, call: Authorized) -> ToolResult:
        """Search.

        Raises:
            ExecutionError: no such path, a link, no ripgrep in the image, an answer that is not ripgrep's.
        """
        search = _search(call)
        command = Command(
            argv=arguments_of(search),
            cwd="/",
            timeout=min(self._timeout, call.deadline),
            output_limit=OUTPUT_LIMIT,
        )
        async with self._lease(call) as sandbox, links_named(sandbox, search.path):
            # ripgrep follows a link that is named to it, so it is not named one.
            if (await sandbox.stat(search.path)).kind == "symlink":
                raise ExecutionError(f"{search.path[:256]}: is a symbolic link.")
            result = await _run(sandbox, command)
        return await self._in_thread(call, _told, result, search)


def _search(call: Authorized) -> Search:
    arguments = call.action.arguments
    globs = arguments.get("glob")
    return Search(
        pattern=str(arguments.get("pattern") or ""),
        path=path_of(call),
        globs=tuple(str(glob) for glob in globs) if isinstance(globs, list) else (),
        case=str(arguments.get("case") or "smart"),
        fixed=arguments.get("fixed") is True,
        context=min(integer(arguments, "context", 0), CONTEXT_LIMIT),
        limit=min(integer(arguments, "max_results", RESULTS), RESULT_LIMIT),
        hidden=arguments.get("hidden") is True,
        ignored=arguments.get("ignored") is True,
        files_only=arguments.get("files_only") is True,
    )


async def _run(sandbox: Sandbox, command: Command) -> CommandResult:
    try:
        return await sandbox.run(command)
    except ExecutionError as error:
        if str(error) == f"rg: {os.strerror(ENOENT)}":
            raise ExecutionError(
                "The sandbox's image has no ripgrep (rg), so nothing was searched; yett/base has it. "
                "Where shell_run is allowed, grep may do."
            ) from None
        raise


def _told(result: CommandResult, search: Search) -> ToolResult:
    if result.timed_out:
        raise ExecutionTimeout("The search did not end in time; search below a smaller folder.")
    if result.exit_code not in {0, 1, 2}:
        raise ExecutionError("The search was ended before it was done.")
    lines, more = read_lines(result.stdout, search, cut=result.stdout_truncated)
    if result.exit_code == 2 and not lines:
        # In the result and not in an error, so that it is redacted.
        said = result.stderr[:_COMPLAINT].decode(errors="replace").strip()
        return ToolResult.text(f"ripgrep failed: {said or 'some files could not be read'}", is_error=True)
    text, shown = _text(lines, search)
    more = more or shown < len(lines)
    remarks = ["[there are more matches: narrow the pattern, the path or the glob]"] if more else []
    remarks += ["[some files could not be read]"] if result.exit_code == 2 else []
    said = "\n".join(part for part in (text, *remarks) if part)
    return ToolResult.text(said or "[no match]", structured=structured(lines[:shown], more=more))


def _text(lines: list[Line], search: Search) -> tuple[str, int]:
    """The lines as text, and how many of them fit."""
    shown: list[str] = []
    used = 0
    for line in lines:
        name = one_line(line.path)
        row = name if search.files_only else f"{name}:{line.number}{':' if line.match else '-'} {line.text}"
        used += len(row) + 1
        if used > TEXT_SHOWN:
            break
        shown.append(row)
    return "\n".join(shown), len(shown)
