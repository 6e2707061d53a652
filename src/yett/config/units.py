# SPDX-License-Identifier: Apache-2.0
"""Durations and sizes as people write them: `90d`, `10m`, `250ms`, `512MiB`, `1GB`. Pure."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)\Z")
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


def seconds(text: str | float) -> float:
    """A duration in seconds; a bare number is seconds.

    Raises:
        ValueError: it is not a positive duration.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        value = float(text)
    else:
        match = _DURATION.match(str(text).strip())
        if match is None:
            raise ValueError("a duration looks like 250ms, 30s, 10m, 8h or 90d")
        value = float(match[1]) * _SECONDS[match[2]]
    if not 0 < value < float("inf"):
        raise ValueError("a duration must be more than zero")
    return value


def size(text: str | int) -> int:
    """A size in bytes; a bare number is bytes.

    Raises:
        ValueError: it is not a positive size.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        value = text
    else:
        match = _SIZE.match(str(text).strip())
        if match is None:
            raise ValueError("a size looks like 64KiB, 512MiB or 1GB")
        value = int(float(match[1]) * _BYTES[match[2]])
    if value <= 0:
        raise ValueError("a size must be more than zero")
    return value
