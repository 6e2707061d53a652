# SPDX-License-Identifier: Apache-2.0
"""Unified diffs of one file: read strictly, applied exactly, and written. Pure; `file_edit` calls it.

A hunk applies at the line it names or not at all: no fuzz, no search. The diff that is shown is made by
difflib within a bound, because its time grows with the square of what it compares; beyond the bound the
whole changed region is shown as taken away and put in.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from yett.errors import ExecutionError

COMPARED_LINES = 2000
"""Changed lines, old and new together, that difflib is given."""
CONTEXT = 3

_HEAD = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_NO_END = "\\"


@dataclass(slots=True)
class _Hunk:
    """`old` and `new` are lines with their ends; `at` is the first old line's index."""

    at: int
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)


def apply_patch(text: str, patch: str) -> str:
    """The text with the patch applied.

    Raises:
        ExecutionError: not a unified diff of one file, or one that does not fit the text line by line.
    """
    lines = _lines(text)
    crlf = "\n" in text and text.count("\n") == text.count("\r\n") and "\r" not in patch
    result: list[str] = []
    done = 0
    for number, hunk in enumerate(_hunks(patch, "\r\n" if crlf else "\n"), 1):
        if hunk.at < done:
            raise ExecutionError(f"Hunk {number} of the patch begins before the end of the one before it.")
        for place, line in enumerate(hunk.old, hunk.at):
            if place >= len(lines):
                raise ExecutionError(f"Hunk {number} of the patch: the file has only {len(lines)} lines.")
            if lines[place] != line:
                raise ExecutionError(
                    f"Hunk {number} of the patch: line {place + 1} of the file is not what the patch has "
                    "there. Nothing was changed; read the file and make the patch anew."
                )
        if hunk.at > len(lines):
            raise ExecutionError(f"Hunk {number} of the patch: the file has only {len(lines)} lines.")
        result += lines[done : hunk.at] + hunk.new
        done = hunk.at + len(hunk.old)
    result += lines[done:]
    unended = [number for number, line in enumerate(result[:-1], 1) if not line.endswith("\n")]
    if unended:
        raise ExecutionError(f"The patch leaves line {unended[0]} without an end, and more lines after it.")
    return "".join(result)


def unified_diff(path: str, before: str, after: str) -> str:
    """The change as a unified diff; empty where nothing changed."""
    old, new = _lines(before), _lines(after)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if head == len(old) == len(new):
        return ""
    changed = len(old) + len(new) - 2 * (head + tail)
    if changed <= COMPARED_LINES:
        start, end = max(0, head - CONTEXT), max(0, tail - CONTEXT)
        middle = difflib.SequenceMatcher(None, old[start : len(old) - end], new[start : len(new) - end])
        groups = list(middle.get_grouped_opcodes(CONTEXT))
    else:
        start = head
        groups = [[("replace", 0, len(old) - head - tail, 0, len(new) - head - tail)]]
    parts = [f"--- {path}\n+++ {path}\n"]
    for group in groups:
        placed = [(tag, a + start, b + start, c + start, d + start) for tag, a, b, c, d in group]
        parts += _written(placed, old, new)
    return "".join(parts)


def _written(group: list[tuple[str, int, int, int, int]], old: list[str], new: list[str]) -> list[str]:
    (_, old_from, _, new_from, _), (_, _, old_to, _, new_to) = group[0], group[-1]
    parts = [f"@@ -{_range(old_from, old_to)} +{_range(new_from, new_to)} @@\n"]
    for tag, a, b, c, d in group:
        if tag == "equal":
            parts += [_marked(" ", line) for line in old[a:b]]
            continue
        parts += [_marked("-", line) for line in old[a:b]]
        parts += [_marked("+", line) for line in new[c:d]]
    return parts


def _marked(mark: str, line: str) -> str:
    return f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n{_NO_END} No newline at end of file\n"


def _range(first: int, last: int) -> str:
    count = last - first
    return f"{first + 1 if count else first},{count}"


def _lines(text: str) -> list[str]:
    """Lines with their ends. Only LF ends one: `str.splitlines` knows ends that `patch` does not."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _hunks(patch: str, end: str) -> list[_Hunk]:
    rows = patch.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    place = _headers(rows)
    hunks: list[_Hunk] = []
    while place < len(rows):
        head = _HEAD.match(rows[place])
        if head is None:
            raise ExecutionError(
                f"Line {place + 1} of the patch is not the head of a hunk (`@@ -1,3 +1,4 @@`); a patch is "
                "about one file, and each head must count its lines right."
            )
        hunk, place = _hunk(rows, place + 1, head, end)
        hunks.append(hunk)
    if not hunks:
        raise ExecutionError("The patch has no hunks. It is a unified diff: `@@ -1,3 +1,4 @@` and its lines.")
    return hunks


def _headers(rows: list[str]) -> int:
    """How many lines stand before the first hunk: nothing, or the names that `diff` and `git` write."""
    place = 0
    while place < len(rows) and not rows[place].startswith("@@"):
        if not rows[place].startswith(("--- ", "+++ ", "diff ", "index ")):
            raise ExecutionError(f"Line {place + 1} of the patch is no part of a unified diff.")
        place += 1
    return place


def _hunk(rows: list[str], place: int, head: re.Match[str], end: str) -> tuple[_Hunk, int]:
    first = int(head[1])
    old_left, new_left = (1 if count is None else int(count) for count in (head[2], head[4]))
    if not first and old_left:
        raise ExecutionError(f"Line {place} of the patch: lines are counted from 1.")
    hunk = _Hunk(first - 1 if old_left else first)
    last: tuple[list[str], ...] = ()
    while place < len(rows) and (old_left or new_left or rows[place].startswith(_NO_END)):
        row = rows[place] or " "  # an empty line of context that lost its space on the way
        place += 1
        if row[0] == _NO_END:
            for lines in last:
                lines[-1] = lines[-1].removesuffix("\n").removesuffix("\r" if end == "\r\n" else "")
            continue
        last = {" ": (hunk.old, hunk.new), "-": (hunk.old,), "+": (hunk.new,)}.get(row[0], ())
        if not last:
            raise ExecutionError(f"Line {place} of the patch begins with neither a space, + nor -.")
        old_left -= row[0] in " -"
        new_left -= row[0] in " +"
        for lines in last:
            lines.append(row[1:] + end)
        if old_left < 0 or new_left < 0:
            break
    if old_left or new_left:
        raise ExecutionError(
            f"The hunk that ends at line {place} of the patch has not the lines its head counts."
        )
    return hunk, place


__all__ = ["apply_patch", "unified_diff"]
