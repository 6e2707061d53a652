# SPDX-License-Identifier: Apache-2.0
"""Durations as people write them: `90s`, `10m`, `1h30m`, `7d`, or a number of seconds."""

from __future__ import annotations

import math

from yett.action import JsonValue

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(value: JsonValue) -> float | None:
    """The duration in seconds, or None when it is not a positive, finite duration.

    Units must come from large to small and once each, so that `10m5m` is an error and not a guess.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) and value > 0 else None
    if not isinstance(value, str):
        return None
    return _parsed(value.strip().lower())


def _parsed(text: str) -> float | None:
    total, digits, last = 0.0, "", math.inf
    for letter in text:
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        unit = _UNITS.get(letter)
        if unit is None or not digits or len(digits) > 9 or unit >= last:
            return None
        total, digits, last = total + int(digits) * unit, "", unit
    return total if total > 0 and not digits else None
