# SPDX-License-Identifier: Apache-2.0
"""One control of a container: what was asked for, what was seen from inside, and whether they agree.

Made by `verify*.py`; read by `app.py`, which serves nobody while one is not in order, and by the commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNSEEN = "not seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control.

    Attributes:
        control: its name, in words.
        expected: what was asked for.
        seen: what the kernel says; `not seen` where nothing could be read.
        ok: whether they agree.
        note: why it is in order although less is seen than elsewhere, or what to do when it is not.
    """

    control: str
    expected: str
    seen: str
    ok: bool
    note: str = ""


def control(name: str, expected: str, seen: str, *, note: str = "") -> Control:
    """In order when what was seen is what was expected, to the letter."""
    return Control(control=name, expected=expected, seen=seen or UNSEEN, ok=seen == expected, note=note)


def one_of(name: str, expected: Iterable[str], seen: str, *, note: str = "") -> Control:
    """In order when what was seen is one of several ways in which kernels say the same."""
    ways = tuple(expected)
    return Control(control=name, expected=" or ".join(ways), seen=seen or UNSEEN, ok=seen in ways, note=note)


def nothing_of(name: str, found: Iterable[str], *, looked: bool) -> Control:
    """In order when a look that did take place found nothing."""
    seen = ", ".join(found) or ("none" if looked else "")
    return control(name, "none", seen)
