# SPDX-License-Identifier: Apache-2.0
"""A circuit breaker: what did not answer is left alone for a while, then one call finds out whether it does.

`engine.py` puts every call of the Engine API through one. It must never let a second call through while
the first one after a failure is out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import anyio

from yett.errors import SandboxUnavailable

BreakerState = Literal["closed", "open", "half-open"]


class EngineSilent(SandboxUnavailable):
    """The engine did not answer, or was not asked because it did not lately. What it did is unknown."""


class Breaker:
    """Closed: calls pass. Open: none does, for `pause` seconds. Half-open: one does, and decides."""

    def __init__(self, pause: float) -> None:
        """`pause` is in seconds."""
        self._pause = pause
        self._opened_until: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """How it is now."""
        if self._opened_until is None:
            return "closed"
        return "open" if anyio.current_time() < self._opened_until else "half-open"

    @property
    def passable(self) -> bool:
        """Whether a call that is made now would pass."""
        return self.state == "closed" or (self.state == "half-open" and not self._probing)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One call. `EngineSilent` from the body opens the breaker; any answer to a probe closes it.

        Raises:
            EngineSilent: no call passes just now; the body was not run.
        """
        if not self.passable:
            raise EngineSilent("the engine did not answer lately and is left alone for a moment")
        probe = self.state == "half-open"
        self._probing = self._probing or probe
        try:
            yield
        except EngineSilent:
            self._opened_until = anyio.current_time() + self._pause
            raise
        except SandboxUnavailable:  # a refusal is an answer
            self._answered(probe=probe)
            raise
        else:
            self._answered(probe=probe)
        finally:
            if probe:
                self._probing = False

    def _answered(self, *, probe: bool) -> None:
        # What was asked before it opened says nothing of how the engine is now.
        if probe:
            self._opened_until = None
