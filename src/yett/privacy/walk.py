# SPDX-License-Identifier: Apache-2.0
"""Every leaf and every name of a JSON value, rewritten one by one, within limits.

A string that is itself JSON is walked as JSON, so that names give context and nothing hides behind an
escape. Numbers are shown as text. The shape stays: only strings change, and a number may become one.
It must never leave a part of a value unseen: over a limit it raises. Pure; redactor and vault call it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from yett.action import JsonObject, JsonValue

OnText = Callable[[str, str, str], str]
"""Called with a leaf's text, the name it stands under and its place; gives the text to put there."""

OnName = Callable[[str, str], tuple[str, str]]
"""Called with a member's name and the place of its object; gives the name to put there and how to
write it in a place (a JSON pointer must not give away what a name gave away)."""


class OverLimitError(Exception):
    """The value is larger than may be looked at. The text says which limit, as `<what> over <limit>`."""


@dataclass(slots=True)
class Walker:
    """One walk. `max_bytes` counts the characters of all text and names."""

    on_text: OnText
    on_name: OnName
    max_bytes: int
    max_depth: int
    max_leaves: int
    _bytes: int = field(default=0, init=False)
    _leaves: int = field(default=0, init=False)

    def rewrite(self, value: JsonValue, place: str, key: str = "", depth: int = 0) -> JsonValue:
        """The value with each leaf and name rewritten. `place` is its JSON pointer (RFC 6901).

        Raises:
            OverLimitError: too deep, too many leaves or too much text.
        """
        if depth > self.max_depth:
            raise OverLimitError(f"nesting over {self.max_depth}")
        self._leaves += 1
        if self._leaves > self.max_leaves:
            raise OverLimitError(f"values over {self.max_leaves}")
        if isinstance(value, dict):
            return self._object(value, place, depth)
        if isinstance(value, list):
            return [
                self.rewrite(item, f"{place}/{number}", key, depth + 1) for number, item in enumerate(value)
            ]
        if isinstance(value, str):
            return self._text(value, place, key, depth)
        if isinstance(value, int | float) and not isinstance(value, bool):
            shown = _number(value)
            self._count(shown)
            seen = self.on_text(shown, key, place)
            return value if seen == shown else seen
        return value

    def _object(self, value: JsonObject, place: str, depth: int) -> JsonObject:
        result: JsonObject = {}
        used: dict[str, int] = {}
        for name, item in value.items():
            self._count(name)
            put, shown = self.on_name(name, place)
            step = shown.replace("~", "~0").replace("/", "~1")
            result[_unused(put, result, used)] = self.rewrite(item, f"{place}/{step}", put, depth + 1)
        return result

    def _text(self, text: str, place: str, key: str, depth: int) -> str:
        self._count(text)
        inner = _json_inside(text)
        if inner is None:
            return self.on_text(text, key, place)
        seen = self.rewrite(inner, place, key, depth + 1)
        return text if seen == inner else json.dumps(seen, allow_nan=False)

    def _count(self, text: str) -> None:
        self._bytes += len(text)
        if self._bytes > self.max_bytes:
            raise OverLimitError(f"text over {self.max_bytes}")


def _number(value: int | float) -> str:  # noqa: PYI041 - they are printed differently
    """A number as digits where it is a whole one, however it was written."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e20 else repr(value)
    try:
        return str(value)
    except ValueError:  # more digits than Python will print
        raise OverLimitError("digits of a number over 4300") from None


def _unused(name: str, taken: JsonObject, used: dict[str, int]) -> str:
    """Two names may be masked to one marker; both members stay. `used` is the last number of each name."""
    candidate, number = name, used.get(name, 1)
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    used[name] = number
    return candidate


def _json_inside(text: str) -> JsonObject | list[JsonValue] | None:
    """The object or array that a text is, if it is one and says so without ambiguity."""
    bare = text.strip()
    if len(bare) < 2 or bare[0] + bare[-1] not in {"{}", "[]"}:
        return None
    try:
        value = json.loads(bare, object_pairs_hook=_distinct, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _distinct(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _refuse(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("a number that is too large")
    return value


__all__ = ["OnName", "OnText", "OverLimitError", "Walker"]
