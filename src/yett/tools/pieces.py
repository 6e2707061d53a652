# SPDX-License-Identifier: Apache-2.0
"""Long texts in pieces: what a piece holds, where the next one begins, and the middle left out. Pure.

Pieces are cut at line ends where they hold one, so that fewer secrets are cut in two: each piece is
redacted by itself. Called by the tools that show files and the output of programs.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The beginning and the end of a text; the `left_out` bytes between them begin at byte `offset`."""

    head: str
    tail: str
    offset: int
    left_out: int


def both_ends(text: str, limit: int) -> Ends | None:
    """The two ends of a text that has more than `limit` bytes, half of them each; None for a shorter one."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return None
    half = limit // 2
    line_end = data.rfind(b"\n", half // 2, half) + 1
    head = data[: line_end or half].decode(errors="ignore")
    first = len(data) - half
    line_start = data.find(b"\n", first - 1, first + half // 2) + 1
    tail = data[line_start or first :].decode(errors="ignore")
    offset = len(head.encode())
    return Ends(head=head, tail=tail, offset=offset, left_out=len(data) - offset - len(tail.encode()))


def going_on(first: int, last: int, size: int) -> str:
    """What is said behind a piece that is not the last one."""
    return f"[bytes {first} to {last} of {size}; go on with offset {last}]"


def text_piece(data: bytes, *, begins: bool, ends: bool) -> tuple[str | None, int]:
    """The text and how many bytes it takes, or None for bytes that are not text.

    A piece that does not end the file ends with its last whole line, if it holds one. A character that is
    cut by the piece's end is left for the next piece; one that is cut by its beginning (an offset inside a
    character) is left out.
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
    line_end = text.rfind("\n") + 1
    if not ends and line_end:
        text = text[:line_end]
        return text, skipped + len(text.encode())
    return text, len(data) - len(left)


__all__ = ["Ends", "both_ends", "going_on", "text_piece"]
