# SPDX-License-Identifier: Apache-2.0
"""Whether one more session may have a container, and whose it costs when the house is full.

`pool.py` asks before it takes one. It must never take a container with a call or a background program in it,
nor another agent's for one that has all it may have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from yett.sandbox.seats import Seat, Seats
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.supply import Supply


class Room:
    """Room for sessions. With one container a call it is not needed: calls end, and others wait for that."""

    def __init__(
        self,
        seats: Seats,
        supply: Supply,
        settings: SandboxSettings,
        *,
        empty: Callable[[Seat], Awaitable[None]],
    ) -> None:
        """`empty` ends the container of a seat."""
        self._seats = seats
        self._supply = supply
        self._settings = settings
        self._empty = empty
        self.evicted = 0
        """Containers taken from an idle session for another's."""

    async def make(self, key: str) -> None:
        """See that this agent may have one more, if need be at the cost of the session that was idle longest.

        Raises:
            ExecutionError: nobody was idle long enough; it says what is full.
        """
        limits = self._settings
        while True:
            own = self._supply.promised(key) >= limits.per_agent
            if not own and self._supply.promised() < limits.containers:
                return
            longest = self._seats.longest_idle(key if own else None)
            idle = anyio.current_time() - longest.used_at if longest is not None else 0.0
            if longest is None or idle < limits.evict_after:
                what = (
                    f"This agent has {limits.per_agent} sandboxes, as many as it may: end a session"
                    if own
                    else f"All sandboxes are in use ({limits.containers})"
                )
                raise self._supply.busy(what, after=limits.evict_after - idle)
            self._seats.pop(longest.session)
            self.evicted += 1
            await self._empty(longest)
