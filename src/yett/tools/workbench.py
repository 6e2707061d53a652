# SPDX-License-Identifier: Apache-2.0
"""Long pure work of a tool goes to a thread: what one agent made large must not hold up the others.

One thread for each bench, and one of an agent's works at a time, so that the others get their turn. Built and
used by the file tools.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

Made = TypeVar("Made")
Given = TypeVarTuple("Given")


class Workbench:
    """See the module."""

    def __init__(self) -> None:
        """Idle."""
        self._thread = anyio.CapacityLimiter(1)
        self._turns: dict[str, anyio.Lock] = {}

    async def run(self, agent: str, work: Callable[[*Given], Made], *given: *Given) -> Made:
        """The result of `work`, when it is this agent's turn."""
        async with self._turns.setdefault(agent, anyio.Lock()):
            return await anyio.to_thread.run_sync(work, *given, limiter=self._thread)


__all__ = ["Given", "Made", "Workbench"]
