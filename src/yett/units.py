# SPDX-License-Identifier: Apache-2.0
"""Durations and sizes as people write them: `90d`, `1h30m`, `250ms`, `512MiB`, `1GB`.

Pure. One reading for the configuration, for rules and for their tests.
"""

from __future__ import annotations

import itertools
import math
import re

_NUMBER = r"\d{1,9}(?:\.\d{1,3})?"
_DURATION = re.compile(rf"(?:{_NUMBER}(?:ms|[dhms]))+\Z")
_PART = re.compile(rf"({_NUMBER})(ms|[dhms])")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SIZE = re.compile(rf"({_NUMBER})\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)\Z")
_BYTES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}


def seconds_of(value: object) -> float | None:
    """The duration in seconds, or None when it is not a positive, finite duration.

    A bare number is seconds. Units come from large to small and once each, so that `10m5m` is an
    error and not a guess.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) and value > 0 else None
    if not isinstance(value, str) or not value.isascii():
        return None
    text = value.strip().lower()
    if not _DURATION.match(text):
        return None
    parts = [(float(number), _SECONDS[unit]) for number, unit in _PART.findall(text)]
    units = [unit for _, unit in parts]
    if any(later >= earlier for earlier, later in itertools.pairwise(units)):
        return None
    total = sum(number * unit for number, unit in parts)
    return total if total > 0 else None


def bytes_of(value: object) -> int | None:
    """The size in bytes, or None when it is not a positive size. A bare number is bytes."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value > 0 else None
    match = _SIZE.match(value.strip()) if isinstance(value, str) and value.isascii() else None
    if match is None:
        return None
    size = int(float(match[1]) * _BYTES[match[2]])
    return size if size > 0 else None
