# SPDX-License-Identifier: Apache-2.0
"""How much of the event loop's time the bytes of one container may take: a burst, then a fraction.

A frame costs the gateway the same whether it carries one byte or sixty thousand, and the container chooses.
Who has used up its share is read more slowly, which holds its programs up and nobody else. `line.py` asks.
"""

from __future__ import annotations

import time

import anyio

_FRACTION = 0.125
_BURST = 0.25
"""Seconds of work that are free at first, and after a while of little."""
TURN = 0.001
"""Seconds of work after which others have their turn."""


class Share:
    """That of one line."""

    def __init__(self) -> None:
        """All of it is there."""
        self._left = _BURST
        self._seen_at = anyio.current_time()
        self._turn_began = 0.0

    def begin_turn(self) -> None:
        """Work begins now."""
        self._turn_began = time.thread_time()

    @property
    def turn_is_over(self) -> bool:
        """Whether it has gone on for so long that others should have their turn."""
        return time.thread_time() - self._turn_began > TURN

    def end_turn(self) -> float:
        """Work ends now; for how many seconds nothing more should be taken."""
        now = anyio.current_time()
        self._left = min(_BURST, self._left + (now - self._seen_at) * _FRACTION)
        self._left -= time.thread_time() - self._turn_began
        self._seen_at = now
        return max(0.0, -self._left / _FRACTION)
