# SPDX-License-Identifier: Apache-2.0
"""`min`, `max`, `between` for numbers, and `max_len`. Infinities and NaN never match; true is no number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from yett.action import JsonValue
from yett.policy.constraints.constraint import Place
from yett.policy.truth import Truth


def number_of(value: JsonValue) -> int | float | None:
    """The value as a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """The value is a number from `low` to `high`, both included; None is open."""

    name: str
    expected: JsonValue
    low: float | None
    high: float | None
    each: bool = True
    text_only: bool = False

    def check(self, value: JsonValue) -> Truth:
        """UNKNOWN for what is no finite number."""
        number = number_of(value)
        if number is None:
            return Truth.UNKNOWN
        above = self.low is None or number >= self.low
        return Truth.of(above and (self.high is None or number <= self.high))

    def sentence(self) -> str:
        """In words."""
        if self.low is None:
            return f"is at most {self.high}"
        return f"is at least {self.low}" if self.high is None else f"is from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxLength:
    """The value is a text of at most so many characters, or a list of at most so many items."""

    limit: int
    name: str = "max_len"
    each: bool = False
    text_only: bool = False

    @property
    def expected(self) -> JsonValue:
        """As written."""
        return self.limit

    def check(self, value: JsonValue) -> Truth:
        """UNKNOWN for what has no length."""
        return Truth.of(len(value) <= self.limit) if isinstance(value, str | list) else Truth.UNKNOWN

    def sentence(self) -> str:
        """In words."""
        return f"has a length of at most {self.limit}"


def parse_min(expected: JsonValue, place: Place) -> NumberRange:
    """`min: number`."""
    return NumberRange(name="min", expected=expected, low=_number(expected, place), high=None)


def parse_max(expected: JsonValue, place: Place) -> NumberRange:
    """`max: number`."""
    return NumberRange(name="max", expected=expected, low=None, high=_number(expected, place))


def parse_number_between(expected: JsonValue, place: Place) -> NumberRange:
    """`between: [low, high]`."""
    if not isinstance(expected, list) or len(expected) != 2:
        raise place.wrong(f"'between' takes two numbers in a list here, not {expected!r}.")
    low, high = (_number(item, place) for item in expected)
    if low > high:
        raise place.wrong(f"'between' needs the smaller number first, not {expected!r}.")
    return NumberRange(name="between", expected=expected, low=low, high=high)


def parse_max_len(expected: JsonValue, place: Place) -> MaxLength:
    """`max_len: whole number`."""
    if isinstance(expected, bool) or not isinstance(expected, int) or expected < 0:
        raise place.wrong(f"'max_len' takes a whole number from 0, not {expected!r}.")
    return MaxLength(limit=expected)


def _number(expected: JsonValue, place: Place) -> int | float:
    number = number_of(expected)
    if number is None:
        raise place.wrong(f"Expected a finite number, not {expected!r}.")
    return number
