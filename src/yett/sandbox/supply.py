# SPDX-License-Identifier: Apache-2.0
"""Never-used containers: some kept warm, more made for those who wait, never more than there may be.

A few refillers make them in the background, so that the engine is never asked for more at once than it
does well, and only one at a time while calls run and nobody waits. `pool.py` takes from it and gives up what
it took. It must never give one container to two, nor give one out again.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from yett.errors import ExecutionError, SandboxUnavailable
from yett.sandbox.container import Container
from yett.sandbox.maker import Maker
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.spare import Spare
from yett.sandbox.waiting import FairQueue, Waiter

_RETRY = 5.0
"""After a container could not be made: until the next one that nobody waits for, in seconds."""
_PAUSE = 0.05
"""From when a spare was taken until the next one is made, in seconds: the call goes first."""
_HEALTH_INTERVAL = 30.0
_GUESS = 1.0
"""Seconds to make a container, as long as none was made."""


class Supply:
    """Never-used containers for whoever asks, by agent."""

    def __init__(self, maker: Maker, settings: SandboxSettings, *, serving: Callable[[], bool]) -> None:
        """`serving` says whether calls are running in containers just now."""
        self._maker = maker
        self._settings = settings
        self._serving = serving
        self._spares: deque[Spare] = deque()
        self._queue = FairQueue(settings.backlog)
        self._held: Counter[str] = Counter()
        self._refilling = 0
        self._retry_at = 0.0
        self._tasks: TaskGroup | None = None
        self._taken = anyio.Event()
        self.refused = 0
        """Calls that were told to come back later."""

    def start(self, tasks: TaskGroup) -> None:
        """Begin. What is made is made in `tasks`."""
        self._tasks = tasks
        tasks.start_soon(self._replace)
        self._refill()

    async def take(self, key: str) -> Container:
        """A container nobody has used, now or when it is this agent's turn.

        Raises:
            SandboxUnavailable: none could be made.
            ExecutionError: busy; it says when to retry.
        """
        if not self._queue.of(key):
            container = self._spare_for(key)
            if container is not None:
                self._taken.set()
                return container
        waiter = Waiter(key=key)
        # The first in the queue waits for its own to be made, which is no wait for others.
        patience = self._settings.queue_wait + (0 if len(self._queue) else self._settings.start_deadline)
        displaced = self._queue.push(waiter)
        if displaced is not None:
            displaced.fail(self.busy("The sandbox is busy"))
        self._refill()
        try:
            with anyio.move_on_after(patience):
                await waiter.settled.wait()
        except BaseException:
            self._queue.discard(waiter)
            if waiter.container is not None:
                self._drop(key)
                self._deliver(waiter.container)
            raise
        if waiter.container is not None:
            return waiter.container
        self._queue.discard(waiter)
        raise waiter.fault or self.busy("The sandbox is busy")

    async def give_up(self, key: str, container: Container) -> None:
        """End a container that was taken; dead when this returns. Idempotent."""
        if await self._maker.bury(container):
            self._drop(key)
            self._serve_from_spares()
            self._refill()

    def promised(self, key: str | None = None) -> int:
        """Containers that are taken or waited for, by one agent or by all."""
        if key is None:
            return self._held.total() + len(self._queue)
        return self._held[key] + self._queue.of(key)

    def busy(self, what: str, *, after: float | None = None) -> ExecutionError:
        """The refusal to give out, with when to retry: `after`, or what the refillers need, in seconds."""
        self.refused += 1
        if after is None:
            pace = self._maker.seconds or _GUESS
            after = (len(self._queue) + 1) * pace / self._settings.refillers
        return ExecutionError(f"{what}; nothing was run. Retry after {max(1, math.ceil(after))} seconds.")

    @property
    def warm(self) -> int:
        """Containers that are ready."""
        return len(self._spares)

    @property
    def waiting(self) -> int:
        """Calls that wait for one."""
        return len(self._queue)

    async def look_after(self) -> None:
        """End spares that are old or do not answer, and make new ones."""
        now = anyio.current_time()
        for spare in tuple(self._spares):
            if spare not in self._spares:
                continue  # taken meanwhile
            if not spare.well or now - spare.born_at > self._settings.spare_age:
                self._spares.remove(spare)
                await self._maker.bury(spare.container)
            elif now - spare.seen_at > _HEALTH_INTERVAL:
                self._spares.remove(spare)
                await self._examine(spare)
        self._refill()

    async def aclose(self) -> None:
        """Send away who waits and end what is ready. Its tasks must have ended before."""
        self._tasks = None
        self._queue.clear(SandboxUnavailable("The gateway is stopping."))
        spares, self._spares = self._spares, deque()
        async with anyio.create_task_group() as group:
            for spare in spares:
                group.start_soon(self._maker.bury, spare.container)

    def _drop(self, key: str) -> None:
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]

    def _room(self, key: str) -> int:
        return self._settings.per_agent - self._held[key]

    def _spare_for(self, key: str) -> Container | None:
        if self._room(key) <= 0:
            return None
        while self._spares:
            spare = self._spares.popleft()
            if spare.well:
                self._held[key] += 1
                return spare.container
            self._dispose(spare.container)
        return None

    def _serve_from_spares(self) -> None:
        """Whoever had as many as it may and waits can have one that is ready."""
        while self._spares and self._queue.servable(self._room):
            self._deliver(self._spares.popleft().container)

    def _deliver(self, container: Container) -> None:
        well = container.usable and container.alive
        waiter = self._queue.pop(self._room) if well else None
        if waiter is not None:
            self._held[waiter.key] += 1
            waiter.give(container)
        elif well and self._tasks is not None and len(self._spares) < self._settings.warm:
            self._spares.append(Spare(container=container))
        else:
            self._dispose(container)

    def _dispose(self, container: Container) -> None:
        if self._tasks is not None:
            self._tasks.start_soon(self._bury, container)

    async def _bury(self, container: Container) -> None:
        await self._maker.bury(container)
        self._refill()

    def _wanted(self) -> int:
        missing = self._settings.warm - len(self._spares) if anyio.current_time() >= self._retry_at else 0
        return self._queue.servable(self._room) + max(0, missing)

    def _allowed(self) -> int:
        yielding = self._serving() and not self._queue.servable(self._room)
        return 1 if yielding else self._settings.refillers

    async def _replace(self) -> None:
        """Make up for what was taken, off the path of the call that took it."""
        while True:
            await self._taken.wait()
            await anyio.sleep(_PAUSE)
            self._taken = anyio.Event()
            self._refill()

    def _refill(self) -> None:
        """Begin to make as many as are wanted and may be made at a time."""
        starting = self._refilling - self._maker.making
        while (
            self._tasks is not None
            and self._refilling < min(self._wanted(), self._allowed())
            and self._maker.alive + starting < self._settings.containers
        ):
            self._refilling += 1
            starting += 1
            self._tasks.start_soon(self._make_one, self._tasks)

    async def _make_one(self, tasks: TaskGroup) -> None:
        try:
            container = await self._maker.make(tasks)
        except SandboxUnavailable as fault:
            self._retry_at = anyio.current_time() + _RETRY
            waiter = self._queue.pop(self._room)
            if waiter is not None:
                waiter.fail(fault)
        else:
            self._retry_at = 0.0
            self._deliver(container)
        finally:
            self._refilling -= 1
        self._refill()

    async def _examine(self, spare: Spare) -> None:
        """See that its runner answers; a spare that is looked at is nobody's meanwhile."""
        try:
            answers = await spare.answers()
        finally:
            self._spares.append(spare)  # also when this is cancelled: whoever closes ends what is here
        if answers:
            self._serve_from_spares()
        else:
            self._spares.remove(spare)
            await self._maker.bury(spare.container)
