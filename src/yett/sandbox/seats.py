# SPDX-License-Identifier: Apache-2.0
"""Which session has which container, and whose may be taken away. Pure but for the clock.

With `lifetime: session` a session has one seat, used by one call at a time; with `lifetime: call` each call
has one of its own. `pool.py` seats calls; it must never let two sessions have one seat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio

from yett.errors import ExecutionError
from yett.sandbox.container import Container


@dataclass(slots=True, kw_only=True, eq=False)
class Seat:
    """A session's place. `key` is whose container it is counted as; times are the event loop's."""

    session: str
    key: str = ""
    free: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(1, max_value=1, fast_acquire=True))
    container: Container | None = None
    waiting: int = 0
    ended: bool = False
    born_at: float = 0.0
    used_at: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether a call sits here."""
        return self.free.value == 0

    @property
    def at_rest(self) -> bool:
        """Whether it has a container that no call has or waits for."""
        return self.container is not None and not self.taken and not self.waiting

    @property
    def dead(self) -> bool:
        """Whether its container ended by itself."""
        return self.container is not None and not (self.container.usable and self.container.alive)

    @property
    def background(self) -> bool:
        """Whether programs run here that were asked to outlive their call."""
        return self.container is not None and self.container.has_programs

    def check(self) -> None:
        """See that the session has not ended.

        Raises:
            ExecutionError: it has.
        """
        if self.ended:
            raise ExecutionError("The session has ended; nothing was run.")


class Seats:
    """Every seat there is."""

    def __init__(self, *, shared: bool) -> None:
        """`shared`: the calls of a session follow each other on one seat."""
        self._shared = shared
        self._seats: dict[str, list[Seat]] = {}

    def __iter__(self) -> Iterator[Seat]:
        """All of them, as they are now."""
        return iter([seat for seats in self._seats.values() for seat in seats])

    def __len__(self) -> int:
        """How many."""
        return sum(map(len, self._seats.values()))

    def of(self, session: str) -> Seat:
        """The seat for a call of this session."""
        seats = self._seats.setdefault(session, [])
        if not seats or not self._shared:
            seats.append(Seat(session=session))
        return seats[-1]

    def pop(self, session: str) -> list[Seat]:
        """Take all seats of a session away; calls that sit or wait there find them ended."""
        seats = self._seats.pop(session, [])
        for seat in seats:
            seat.ended = True
        return seats

    def leave(self, seat: Seat) -> None:
        """Forget a seat that nobody needs any more."""
        seats = self._seats.get(seat.session, [])
        if seat.container is None and not seat.taken and not seat.waiting and seat in seats:
            seats.remove(seat)
            if not seats:
                del self._seats[seat.session]

    def longest_idle(self, key: str | None = None) -> Seat | None:
        """The seat that was left first, of those at rest without background programs; one agent's or any."""
        idle = [seat for seat in self if seat.at_rest and key in {None, seat.key} and not seat.background]
        return min(idle, key=lambda seat: seat.used_at, default=None)
