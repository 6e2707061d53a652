# SPDX-License-Identifier: Apache-2.0
"""`under`: a path is a directory or below it, after lexical normalisation. Relative paths are unknown."""

from __future__ import annotations

from dataclasses import dataclass

from yett.action import JsonValue
from yett.policy.constraints.constraint import Place, listing, texts
from yett.policy.facts.paths import normal_parts
from yett.policy.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """The path is one of the roots or below one."""

    expected: JsonValue
    roots: tuple[tuple[str, ...], ...]
    limit: int
    name: str = "under"
    each: bool = True
    text_only: bool = True

    def check(self, value: JsonValue) -> Truth:
        """UNKNOWN for what is no readable absolute path."""
        parts = normal_parts(value, self.limit) if isinstance(value, str) else None
        if parts is None:
            return Truth.UNKNOWN
        return Truth.of(any(parts[: len(root)] == root for root in self.roots))

    def sentence(self) -> str:
        """In words."""
        return "is under " + listing(tuple("/" + "/".join(root) for root in self.roots))


def parse_under(expected: JsonValue, place: Place) -> Under:
    """`under: /root` or a list of roots."""
    roots: list[tuple[str, ...]] = []
    for text in texts(expected, place):
        parts = normal_parts(text, place.settings.max_path)
        if parts is None or ".." in text.split("/") or "*" in text:
            raise place.wrong(f"'under' takes absolute directories without '..' or '*', not {text!r}.")
        roots.append(parts)
    return Under(expected=expected, roots=tuple(roots), limit=place.settings.max_path)
