# SPDX-License-Identifier: Apache-2.0
"""`match` and `not_match`: globs over paths, as in .gitignore, dotfiles included, case kept.

`*` and `?` stay inside a part, `**` is any number of parts, `[...]` one character of a set. A pattern
without a slash is about a part wherever it is; `dir/` and `dir/**` are the directory and all below
it. Where a pattern takes away (`not_match` of a rule that opens, `match` of one that restricts) it
also takes all below what it names, as git does; where it opens, it opens what it names and no more.
A pattern with an inner slash must begin with `/` or `**/`: one that floats would never match an
absolute path, and a deny with it would be silently off.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TypeAlias

from yett.action import JsonValue
from yett.policy.constraints.constraint import Place, listing, texts
from yett.policy.facts.paths import normal_parts, normal_relative_parts
from yett.policy.truth import Truth

Part: TypeAlias = "re.Pattern[str] | str | None"
"""One part of a pattern: text as it is, a compiled glob, or None for `**`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glob:
    """One compiled pattern. `anchored` patterns begin at the root and never match relative values."""

    parts: tuple[Part, ...]
    anchored: bool
    below: bool
    anywhere: str | None = None
    """The part that is all there is to look for: `**/.ssh/**`, the commonest pattern."""

    def matches(self, parts: tuple[str, ...], *, absolute: bool) -> bool:
        """Whether it matches all of a path, in time bounded by pattern times path."""
        if self.anchored and not absolute:
            return False
        if self.anywhere is not None:
            return self.anywhere in parts
        places = {0}
        for part in self.parts:
            if part is None:
                places = set(range(min(places), len(parts) + 1)) if places else places
            else:
                places = {i + 1 for i in places if i < len(parts) and _part_matches(part, parts[i])}
        return bool(places) if self.below else len(parts) in places


def _part_matches(part: re.Pattern[str] | str, text: str) -> bool:
    return part == text if isinstance(part, str) else part.match(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The path matches one of the patterns (`match`), or none of them (`not_match`)."""

    name: str
    expected: JsonValue
    shown: tuple[str, ...]
    globs: tuple[Glob, ...]
    limit: int
    negated: bool
    each: bool = True

    @property
    def text_only(self) -> bool:
        """A number matches no pattern; whether it fails to match one is not for us to say."""
        return not self.negated

    def check(self, value: JsonValue) -> Truth:
        """UNKNOWN for what can't be read as a path."""
        if not isinstance(value, str):
            return Truth.UNKNOWN
        absolute = value.startswith("/")
        read = normal_parts if absolute else normal_relative_parts
        parts = read(value, self.limit)
        if parts is None:
            return Truth.UNKNOWN
        found = Truth.of(any(glob.matches(parts, absolute=absolute) for glob in self.globs))
        return found.negated() if self.negated else found

    def sentence(self) -> str:
        """In words."""
        return f"{'does not match' if self.negated else 'matches'} {listing(self.shown)}"


def parse_match(expected: JsonValue, place: Place) -> Match:
    """`match: glob` or a list of globs."""
    return _match("match", expected, place, negated=False)


def parse_not_match(expected: JsonValue, place: Place) -> Match:
    """`not_match: glob` or a list of globs."""
    return _match("not_match", expected, place, negated=True)


def _match(name: str, expected: JsonValue, place: Place, *, negated: bool) -> Match:
    shown = texts(expected, place)
    return Match(
        name=name,
        expected=expected,
        shown=shown,
        globs=tuple(parse_glob(text, place, below=negated != place.restricts) for text in shown),
        limit=place.settings.max_path,
        negated=negated,
    )


def parse_glob(text: str, place: Place, *, below: bool) -> Glob:
    """Compile one pattern. `below` makes it take all below what it names.

    Raises:
        ConfigurationError: `..`, an inner `**`, a negation, braces, or a pattern that floats.
    """
    body = text[:-1] + "/**" if text.endswith("/") and len(text) > 1 else text
    pieces = [piece for piece in body.split("/") if piece]
    inner = "/" in body.removesuffix("/**") or (body.endswith("/**") and body.startswith("/"))
    if not pieces or any(piece in {".", ".."} for piece in pieces) or "\0" in text:
        raise place.wrong(f"{text!r}: a pattern has no '.' or '..' parts and is not empty.")
    if text.startswith("!") or any(letter in text for letter in "{}\\"):
        raise place.wrong(f"{text!r}: '!', braces and backslashes are not part of these patterns.")
    if inner and not text.startswith(("/", "**/")):
        raise place.wrong(f"{text!r} floats: write '/{text}' for one place or '**/{text}' for any.")
    parts = tuple(_part(piece, text, place) for piece in pieces)
    anchored = text.startswith("/")
    if not anchored and parts[0] is not None:
        parts = (None, *parts)
    covers_below = below or parts[-1] is None
    middle = parts[1] if parts[0] is None and len(parts) - (parts[-1] is None) == 2 else None
    anywhere = middle if isinstance(middle, str) and covers_below else None
    return Glob(parts=parts, anchored=anchored, below=below, anywhere=anywhere)


def _part(piece: str, text: str, place: Place) -> Part:
    if piece == "**":
        return None
    if "**" in piece:
        raise place.wrong(f"{text!r}: '**' must stand alone between slashes.")
    if not any(letter in piece for letter in "*?["):
        return piece
    return re.compile(fnmatch.translate(piece))
