# SPDX-License-Identifier: Apache-2.0
"""ripgrep from outside: its arguments, and what it prints read strictly. Pure; `file_search` calls it.

Each argument of the caller is one word behind a fixed option's `=` or behind `--`, so that none can become
an option of its own (`--pre` and `--hostname-bin` run programs). What comes back is a container's word:
anything that is not exactly ripgrep's JSON, or speaks of a place that was not asked for, is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from yett.action import JsonObject, JsonValue
from yett.errors import ExecutionError
from yett.tools.sandbox_paths import PATH_LIMIT, sandbox_path

TEXT_LIMIT = 500
"""Characters of a line that are shown."""
FILE_LIMIT = "16M"
_FIXED = (
    "rg",
    "--no-config",
    "--json",
    "--no-messages",
    "--no-follow",
    "--no-search-zip",
    "--no-pre",
    "--sort=path",
    f"--max-filesize={FILE_LIMIT}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched for, and where. `globs` beginning with `!` leave files out."""

    pattern: str
    path: str
    globs: tuple[str, ...] = ()
    case: str = "smart"
    fixed: bool = False
    context: int = 0
    limit: int = 100
    hidden: bool = False
    ignored: bool = False
    files_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that was found, or (`match` false) one beside it."""

    path: str
    number: int
    text: str
    match: bool


def arguments_of(search: Search) -> tuple[str, ...]:
    """Ripgrep's argv.

    Raises:
        ExecutionError: a NUL byte or a lone surrogate in an argument.
    """
    for part in (search.pattern, *search.globs):
        if "\0" in part or any("\ud800" <= letter <= "\udfff" for letter in part):
            raise ExecutionError("The pattern or a glob is not valid text.")
    return (
        *_FIXED,
        {"sensitive": "--case-sensitive", "insensitive": "--ignore-case"}.get(search.case, "--smart-case"),
        *(("--fixed-strings",) if search.fixed else ()),
        *(("--hidden",) if search.hidden else ()),
        *(("--no-ignore",) if search.ignored else ()),
        f"--context={0 if search.files_only else search.context}",
        f"--max-count={1 if search.files_only else search.limit + 1}",
        *(f"--glob={glob}" for glob in search.globs),
        f"--regexp={search.pattern}",
        "--",
        search.path,
    )


def read_lines(output: bytes, search: Search, *, cut: bool) -> tuple[list[Line], bool]:
    """The lines in ripgrep's output, and whether there are more.

    Args:
        output: what it printed.
        search: what was asked for.
        cut: the output was cut at its end.

    Raises:
        ExecutionError: it is not ripgrep's JSON, or names a file outside of the place that was searched.
    """
    lines: list[Line] = []
    found = 0
    rows = output.split(b"\n")
    last = rows.pop()  # nothing, or the part of a row that was left by a cut
    if last and not cut:
        raise _strange()
    for row in rows:
        line = _line(row, search.path)
        if line is None or (search.files_only and not line.match):
            continue
        found += line.match
        if found > search.limit:
            return lines, True
        lines.append(line)
    return lines, cut


def _line(row: bytes, top: str) -> Line | None:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError):
        raise _strange() from None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in {"begin", "end", "summary"}:
        return None
    data = value.get("data") if kind in {"match", "context"} else None
    if not isinstance(data, dict):
        raise _strange()
    number = data.get("line_number")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 53:
        raise _strange()
    text = _text(data.get("lines"), 1 << 24).removesuffix("\n").removesuffix("\r")
    if "\n" in text:
        raise _strange()
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]} [the line is longer]"
    path = _below(top, _text(data.get("path"), PATH_LIMIT))
    return Line(path=path, number=number, text=text, match=kind == "match")


def _text(value: JsonValue, limit: int) -> str:
    """Ripgrep's text: `{"text": ...}`, or `{"bytes": base64}` where it is not UTF-8."""
    if not isinstance(value, dict) or len(value) != 1:
        raise _strange()
    text, raw = value.get("text"), value.get("bytes")
    if isinstance(raw, str):
        try:
            text = base64.b64decode(raw, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            raise _strange() from None
    if not isinstance(text, str) or len(text) > limit:
        raise _strange()
    return text.encode(errors="replace").decode()


def _below(top: str, path: str) -> str:
    """The path, if it is `top` or below it."""
    try:
        plain = sandbox_path(path)
    except ExecutionError:
        raise _strange() from None
    if not path.startswith("/") or (plain != top and not plain.startswith(top.rstrip("/") + "/")):
        raise _strange()
    return plain


def structured(lines: list[Line], *, more: bool) -> JsonObject:
    """The lines as structured content."""
    matches: list[JsonValue] = [
        {"path": line.path, "line": line.number, "text": line.text, "match": line.match} for line in lines
    ]
    return {"lines": matches, "truncated": more}


def _strange() -> ExecutionError:
    return ExecutionError(
        "What searched in the sandbox did not answer as ripgrep does; its answer is not shown."
    )


__all__ = ["Line", "Search", "arguments_of", "read_lines", "structured"]
