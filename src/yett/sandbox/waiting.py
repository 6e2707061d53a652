# SPDX-License-Identifier: Apache-2.0
"""Calls that wait for a container: a bounded queue that is fair between agents. Pure but for one event.

First come, first served within an agent, turn and turn about between agents. When it is full the agent
with the longest line loses its last place, so that nobody can keep another one out. `supply.py` fills it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from yett.errors import YettError
from yett.sandbox.container import Container

Room = Callable[[str], int]
"""How many more containers the named agent may have."""


@dataclass(slots=True, kw_only=True, eq=False)
class Waiter:
    """One call that waits. `settled` is set when it has got a container, or a fault instead."""

    key: str
    settled: anyio.Event = field(default_factory=anyio.Event)
    container: Container | None = None
    fault: YettError | None = None

    def give(self, container: Container) -> None:
        """It has waited long enough."""
        self.container = container
        self.settled.set()

    def fail(self, fault: YettError) -> None:
        """It need not wait any longer."""
        self.fault = fault
        self.settled.set()


class FairQueue:
    """Waiters by agent."""

    def __init__(self, most: int) -> None:
        """`most` may wait at a time."""
        self._most = most
        self._lines: OrderedDict[str, deque[Waiter]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._length

    def of(self, key: str) -> int:
        """How many of one agent wait."""
        return len(self._lines.get(key, ()))

    def push(self, waiter: Waiter) -> Waiter | None:
        """Let one wait. Returns who is not to wait any longer for it: nobody, another, or itself."""
        displaced = None
        if self._length >= self._most:
            longest = max(self._lines.values(), key=len, default=None)
            if longest is None or len(longest) <= self.of(waiter.key) + 1:
                return waiter
            displaced = longest.pop()
            self._length -= 1
        self._lines.setdefault(waiter.key, deque()).append(waiter)
        self._length += 1
        return displaced

    def pop(self, room: Room) -> Waiter | None:
        """Whose turn it is among those who may have one more container, or None."""
        for key, line in self._lines.items():
            if line and room(key) > 0:
                waiter = line.popleft()
                self._length -= 1
                if line:
                    self._lines.move_to_end(key)
                else:
                    del self._lines[key]
                return waiter
        return None

    def servable(self, room: Room) -> int:
        """How many of those who wait may have a container now."""
        return sum(min(len(line), max(0, room(key))) for key, line in self._lines.items())

    def discard(self, waiter: Waiter) -> None:
        """It has gone away; one that was served or displaced is not here any more."""
        line = self._lines.get(waiter.key)
        if line is None or waiter not in line:
            return
        line.remove(waiter)
        self._length -= 1
        if not line:
            del self._lines[waiter.key]

    def clear(self, fault: YettError) -> None:
        """Send everybody away."""
        for line in self._lines.values():
            for waiter in line:
                waiter.fail(fault)
        self._lines.clear()
        self._length = 0
