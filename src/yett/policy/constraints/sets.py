# SPDX-License-Identifier: Apache-2.0
"""`subset_of` and `any_of`: what all, or some, of a list's items are. They never match an empty list.

An item may hold `*`, which stands for any run of characters except dots, so `sales.*` is every table
of `sales`. A single text or number counts as a list of one. For `sql.tables` a name without a dot is a
table of that name in any database, so that a denial of `salaries` also denies `hr.salaries`.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TypeAlias

from yett.action import JsonValue
from yett.policy.constraints.constraint import Place
from yett.policy.constraints.equality import same
from yett.policy.truth import Truth

Glob: TypeAlias = "tuple[re.Pattern[str], ...]"
"""One compiled glob for each piece between dots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Each item is one of the expected ones (`subset_of`), or some item is (`any_of`)."""

    name: str
    expected: JsonValue
    values: tuple[JsonValue, ...]
    globs: tuple[Glob, ...]
    every: bool
    last: frozenset[str] = frozenset()
    each: bool = False
    text_only: bool = False

    def check(self, value: JsonValue) -> Truth:
        """FALSE for an empty list, UNKNOWN where an item can't be compared."""
        if value is None or isinstance(value, dict):
            return Truth.UNKNOWN
        items = value if isinstance(value, list) else [value]
        if not items:
            return Truth.FALSE
        verdicts = [self._one(item) for item in items]
        return min(verdicts) if self.every else max(verdicts)

    def _one(self, item: JsonValue) -> Truth:
        if isinstance(item, str) and any(_fits(glob, item) for glob in self.globs):
            return Truth.TRUE
        if self.last and isinstance(item, str) and item.rpartition(".")[2] in self.last:
            return Truth.TRUE
        verdicts = [same(item, each) for each in self.values]
        if isinstance(item, str) and self.globs:
            verdicts.append(Truth.FALSE)
        if Truth.TRUE in verdicts:
            return Truth.TRUE
        return Truth.FALSE if Truth.FALSE in verdicts else Truth.UNKNOWN

    def sentence(self) -> str:
        """In words."""
        shown = self.expected if isinstance(self.expected, list) else [self.expected]
        listed = ", ".join(str(item) for item in shown)
        return f"has only {listed}" if self.every else f"has any of {listed}"


def parse_subset_of(expected: JsonValue, place: Place) -> Members:
    """`subset_of: [...]`."""
    return _members("subset_of", expected, place, every=True)


def parse_any_of(expected: JsonValue, place: Place) -> Members:
    """`any_of: [...]`."""
    return _members("any_of", expected, place, every=False)


def _members(name: str, expected: JsonValue, place: Place, *, every: bool) -> Members:
    if not isinstance(expected, list) or not expected:
        raise place.wrong(f"{name!r} takes a non-empty list, not {expected!r}.")
    values: list[JsonValue] = []
    globs: list[Glob] = []
    for item in expected:
        if item is None or isinstance(item, list | dict):
            raise place.wrong(f"{name!r} takes texts, numbers and booleans, not {item!r}.")
        folded = item.lower() if isinstance(item, str) and place.subject.startswith("sql.") else item
        if isinstance(folded, str) and "*" in folded:
            if "**" in folded:
                raise place.wrong(f"{item!r}: write one '*' for any characters except dots.")
            globs.append(tuple(_piece(piece) for piece in folded.split(".")))
        else:
            values.append(folded)
    bare = [each for each in values if isinstance(each, str) and "." not in each]
    return Members(
        name=name,
        expected=expected,
        values=tuple(values),
        globs=tuple(globs),
        every=every,
        last=frozenset(bare) if place.subject == "sql.tables" else frozenset(),
    )


def _piece(text: str) -> re.Pattern[str]:
    """`fnmatch` with `*` alone; its expressions are atomic and so run in bounded time."""
    return re.compile(fnmatch.translate(text.replace("[", "[[]").replace("?", "[?]")))


def _fits(glob: Glob, item: str) -> bool:
    pieces = item.split(".")
    return len(pieces) == len(glob) and all(
        part.match(piece) is not None for part, piece in zip(glob, pieces, strict=True)
    )
