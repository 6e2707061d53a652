# SPDX-License-Identifier: Apache-2.0
"""One plain form of a text to look for patterns in, and the way back to the original's offsets.

Full-width and other compatibility forms become their plain form (NFKC), decimal digits of any script
become 0-9, every dash becomes `-`, every space a space, and invisible characters vanish. What is then
still not ASCII becomes one placeholder that no pattern takes for part of a number or a word. Pure.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

PLACEHOLDER = "\x7f"


@dataclass(frozen=True, slots=True)
class Plain:
    """ASCII text. `offsets[i]` is where its character `i` came from; None: exactly from there."""

    text: str
    offsets: tuple[int, ...] | None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The original's offsets of a span of the plain text."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def plain(text: str) -> Plain:
    """The plain form. ASCII text is its own."""
    if text.isascii():
        return Plain(text, None)
    parts: list[str] = []
    offsets: list[int] = []
    for place, char in enumerate(text):
        folded = char if char.isascii() else _fold(char)
        parts.append(folded)
        offsets.extend([place] * len(folded))
    return Plain("".join(parts), tuple(offsets))


@lru_cache(maxsize=4096)
def _fold(char: str) -> str:
    category = unicodedata.category(char)
    if category in {"Cf", "Mn", "Me"}:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    if category in {"Zl", "Zp"}:
        return "\n"
    folded = unicodedata.normalize("NFKD", char)
    return "".join(part if part.isascii() else "" for part in folded) or PLACEHOLDER


__all__ = ["PLACEHOLDER", "Plain", "plain"]
