# SPDX-License-Identifier: Apache-2.0
"""`between`, `days` and `tz`: when an action was received, on the wall clock of a place.

The time is the action's own; nothing here asks a clock. A window may cross midnight and then belongs
to the day on which it begins. The end is not part of the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yett.action import JsonObject, JsonValue
from yett.policy.complaint import unknown_word
from yett.policy.constraints.constraint import Place
from yett.policy.constraints.numbers import number_of
from yett.policy.truth import Truth

WINDOW_KEYS = frozenset({"between", "days", "tz"})

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Minutes of the day from `start` up to `end`, on some days (0 is Monday), in a time zone."""

    expected: JsonValue
    start: int
    end: int
    days: frozenset[int]
    zone: ZoneInfo
    name: str = "between"
    each: bool = False
    text_only: bool = False

    def check(self, value: JsonValue) -> Truth:
        """`value` is Unix seconds; UNKNOWN when that is no time."""
        number = number_of(value)
        if number is None:
            return Truth.UNKNOWN
        try:
            local = datetime.fromtimestamp(number, UTC).astimezone(self.zone)
        except (OverflowError, OSError, ValueError):
            return Truth.UNKNOWN
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return Truth.of(self.start <= minute < self.end and day in self.days)
        evening = minute >= self.start and day in self.days
        return Truth.of(evening or (minute < self.end and (day - 1) % 7 in self.days))

    def sentence(self) -> str:
        """In words."""
        days = "" if len(self.days) == 7 else f" on {', '.join(_DAYS[day] for day in sorted(self.days))}"
        return f"is {_clock(self.start)}-{_clock(self.end)}{days} ({self.zone.key})"


def parse_window(written: JsonObject, place: Place) -> TimeWindow:
    """`{between: "08:00-18:00", days: mon-fri, tz: Europe/Berlin}`; each may be left out but one.

    Raises:
        ConfigurationError: a time, day or zone that is none.
    """
    start, end = _window(written.get("between", "00:00-24:00"), place)
    return TimeWindow(
        expected=written,
        start=start,
        end=end,
        days=_days(written.get("days", "mon-sun"), place),
        zone=_zone(written.get("tz", "UTC"), place),
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _window(text: JsonValue, place: Place) -> tuple[int, int]:
    halves = text.split("-") if isinstance(text, str) else []
    minutes = [_minute(half.strip()) for half in halves]
    if len(minutes) == 2 and minutes[0] is not None and minutes[1] is not None:
        start, end = minutes[0], minutes[1]
        if start != end and start < _DAY:
            return start, end
    raise place.wrong(f"'between' takes two different times of day such as \"08:00-18:00\", not {text!r}.")


def _minute(text: str) -> int | None:
    hour, separator, minute = text.partition(":")
    if not separator or len(minute) != 2 or len(hour) not in {1, 2}:
        return None
    if not (hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit()):
        return None
    total = int(hour) * 60 + int(minute)
    return total if int(minute) < 60 and total <= _DAY else None


def _days(written: JsonValue, place: Place) -> frozenset[int]:
    names = written if isinstance(written, list) else [written]
    found: set[int] = set()
    for name in names:
        if not isinstance(name, str) or not name:
            raise place.wrong(f"'days' takes names such as mon or mon-fri, not {name!r}.")
        first, _, last = name.lower().partition("-")
        start, end = _day(first, place), _day(last or first, place)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    if not found:
        raise place.wrong("'days' must name at least one day.")
    return frozenset(found)


def _day(name: str, place: Place) -> int:
    if name not in _DAYS:
        raise unknown_word("day", name, _DAYS, place.path)
    return _DAYS.index(name)


def _zone(name: JsonValue, place: Place) -> ZoneInfo:
    try:
        return ZoneInfo(name) if isinstance(name, str) else ZoneInfo("")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise place.wrong(
            f"{name!r} is no time zone of this machine; write one such as Europe/Berlin."
        ) from None
