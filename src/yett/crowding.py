# SPDX-License-Identifier: Apache-2.0
"""What keeps one caller from using up what all share: seats for calls, threads, and room in the log.

State in memory, bounded, for one gateway process. Called by `pipeline.py` alone.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from yett.action import Arrival
from yett.errors import BadRequest
from yett.ports import Clock

Made = TypeVar("Made")
Given = TypeVarTuple("Given")


class TooManyCalls(BadRequest):
    """An agent has more calls in flight than it may."""

    rule = "gate.too-many-calls"


class Seats:
    """At most `limit` calls of one agent at a time; the next one is refused, not queued."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken_by(self, agent: str) -> Iterator[None]:
        """Hold a seat.

        Raises:
            TooManyCalls: all of this agent's seats are taken.
        """
        if self._taken[agent] >= self._limit:
            raise TooManyCalls(
                f"This agent has {self._limit} calls in flight already.", advice="Wait for one to end."
            )
        self._taken[agent] += 1
        try:
            yield
        finally:
            self._taken[agent] -= 1
            if not self._taken[agent]:
                del self._taken[agent]


class Bench:
    """Threads for long inspections: `threads` in all and one for each agent, so that the others' go on."""

    def __init__(self, threads: int) -> None:
        self._threads = anyio.CapacityLimiter(threads)
        self._turns: dict[str, anyio.Lock] = {}

    async def run(self, agent: str, work: Callable[[*Given], Made], *given: *Given) -> Made:
        """The result of `work` in a thread, when it is this agent's turn."""
        async with self._turns.setdefault(agent, anyio.Lock()):
            return await anyio.to_thread.run_sync(work, *given, limiter=self._threads)


class Floodgate:
    """Lets one record of a kind through for each source and window, so that a flood can't fill the log."""

    def __init__(self, clock: Clock, window: float, sources: int) -> None:
        """`window` is seconds; `sources` is how many are remembered, the oldest forgotten first."""
        self._clock = clock
        self._window = window
        self._sources = sources
        self._closed_until: OrderedDict[str, float] = OrderedDict()

    def lets_through(self, arrival: Arrival) -> bool:
        """Whether this one is to be recorded."""
        source = arrival.source_ip or arrival.transport.value
        now = self._clock.monotonic()
        if self._closed_until.get(source, now) > now:
            return False
        self._closed_until.pop(source, None)
        self._closed_until[source] = now + self._window
        while len(self._closed_until) > self._sources:
            self._closed_until.popitem(last=False)
        return True
