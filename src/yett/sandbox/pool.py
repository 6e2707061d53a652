# SPDX-License-Identifier: Apache-2.0
"""Containers by session: lent to one call at a time, destroyed for certain.

The composition root enters a `DockerSandboxes` for the life of the gateway (`async with`) and calls `reap`
before the first call; the tools lease from it. Reading order: `lease` here, `seats.py` (who has which),
`room.py` (who may have one more), `supply.py` (where new ones come from), `maker.py` (how), `reaper.py`.
It must never lend a container to two sessions, lend one that a call left in doubt, or wait without an end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup, TaskStatus

from yett.action import Principal
from yett.errors import ExecutionError, SandboxUnavailable
from yett.ports import Entropy, Forward, Sandbox
from yett.sandbox.container import Container
from yett.sandbox.driver import driver_of
from yett.sandbox.janitor import Janitor
from yett.sandbox.maker import RUN_LABEL, Maker
from yett.sandbox.reaper import Reaper
from yett.sandbox.room import Room
from yett.sandbox.seats import Seat, Seats
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.status import PoolStatus
from yett.sandbox.supply import Supply

_TICK = 5.0


class DockerSandboxes:
    """`ports.Sandboxes` over a Docker engine.

    Args:
        settings: every limit.
        instance: names the state directory; the same after a restart, different for another gateway.
        run_dir: where sockets live, short (the kernel takes 107 bytes) and dull (a container can see
            the path of its own socket in /proc/self/mountinfo). Made 0700 and emptied by `reap`.
        entropy: names and one-time secrets.
        forward: serves what programs send to the proxy's port; None: they have none.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        *,
        instance: str,
        run_dir: Path,
        entropy: Entropy,
        forward: Forward | None = None,
    ) -> None:
        """Nothing is touched until it is entered.

        Raises:
            ConfigurationError: `run_dir` is too long for a socket.
        """
        self.engine = driver_of(settings)
        self._settings = settings
        self._once = settings.lifetime == "call"
        self._seats = Seats(shared=not self._once)
        self._maker = Maker(
            self.engine, settings, instance=instance, run_dir=run_dir, entropy=entropy, forward=forward
        )
        self._supply = Supply(self._maker, settings, serving=lambda: self._leased > 0)
        self._room = Room(self._seats, self._supply, settings, empty=self._empty)
        self._reaper = Reaper(self.engine, self._maker, settings, run_dir=run_dir)
        self._janitor = Janitor(
            settings.engine if settings.driver == "docker" else "", f"{RUN_LABEL}={self._maker.run}"
        )
        self._leased = 0
        self._closed = False
        self._tasks: TaskGroup | None = None
        self._stopped = anyio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start keeping containers warm and ending idle ones."""
        self._maker.prepare()
        self._janitor.start()
        # The background lives in a group of its own, so that ending it does not cancel our caller.
        owner = await self._stack.enter_async_context(anyio.create_task_group())
        await owner.start(self._background)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy every container. What ended the body passes through as it is, in no exception group."""
        try:
            await self.aclose()
        finally:
            await self._stack.aclose()

    @asynccontextmanager
    async def lease(self, session: str, principal: Principal | None = None) -> AsyncIterator[Sandbox]:
        """The session's container for one call. Cancelled or failed use destroys it.

        An `ExecutionError` that the container answered in good order (no such file) is not failed use.
        Where the engine shares this machine, destroyed means dead and not yet cleared away: a call does
        not wait for the engine to do that.

        Raises:
            SandboxUnavailable: no engine, no image, or the engine does not answer in time.
            ExecutionError: the session's container, or the pool, is busy.
        """
        seat = self._seats.of(session)
        await self._sit(seat)
        try:
            seat.check()
            container = await self._container(seat, principal)
            orderly = False
            self._leased += 1
            try:
                seat.check()
                container.principal = principal
                yield container
                orderly = True
            except ExecutionError:
                orderly = True
                raise
            finally:
                self._leased -= 1
                if not orderly or not container.usable or self._once or self._closed or seat.ended:
                    seat.container = None
                    await self._supply.give_up(seat.key, container)
        finally:
            seat.used_at = anyio.current_time()
            seat.free.release()
            self._seats.leave(seat)

    async def end(self, session: str) -> None:
        """Destroy the session's container, also under a running call, which then fails."""
        for seat in self._seats.pop(session):
            await self._empty(seat)

    async def reap(self) -> int:
        """Remove what crashed gateways left behind; how many containers.

        Raises:
            SandboxUnavailable: the engine does not answer.
        """
        return await self._reaper.reap()

    def status(self) -> PoolStatus:
        """How the pool is now."""
        held = sum(1 for seat in self._seats if seat.container is not None)
        return PoolStatus(
            alive=self._maker.alive,
            making=self._maker.making,
            warm=self._supply.warm,
            leased=self._leased,
            idle=max(0, held - self._leased),
            waiting=self._supply.waiting,
            refill_seconds=self._maker.seconds,
            evicted=self._room.evicted,
            refused=self._supply.refused,
            reaped=self._reaper.removed,
            breaker=self.engine.breaker.state,
        )

    async def aclose(self) -> None:
        """Destroy every container and stop. Idempotent."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            if self._tasks is not None:
                self._tasks.cancel_scope.cancel()
                await self._stopped.wait()
            async with anyio.create_task_group() as group:
                group.start_soon(self._supply.aclose)
                for session in {seat.session for seat in self._seats}:
                    group.start_soon(self.end, session)
            if self._maker.in_doubt:
                with suppress(SandboxUnavailable):
                    await self._reaper.reap()
            await self._janitor.aclose()
            await self.engine.aclose()

    async def _sit(self, seat: Seat) -> None:
        """Take the seat, or say that it is taken."""
        if self._closed:
            self._seats.leave(seat)
            raise SandboxUnavailable("The gateway is stopping.")
        if seat.taken and seat.waiting >= self._settings.queue:
            raise self._supply.busy("This session's sandbox is busy")
        seat.waiting += 1
        try:
            with anyio.fail_after(self._settings.queue_wait):
                await seat.free.acquire()
        except TimeoutError:
            raise self._supply.busy("This session's sandbox is busy") from None
        finally:
            seat.waiting -= 1
            self._seats.leave(seat)

    async def _container(self, seat: Seat, principal: Principal | None) -> Container:
        """The seat's container, or a new one."""
        if seat.container is not None:
            aged = anyio.current_time() - seat.born_at > self._settings.max_age
            if seat.container.usable and not aged:
                return seat.container
            await self._empty(seat)
        key = _key(seat.session, principal)
        if not self._once:
            await self._room.make(key)
        container = await self._supply.take(key)
        if self._closed:
            await self._supply.give_up(key, container)
            raise SandboxUnavailable("The gateway is stopping.")
        seat.container, seat.key, seat.born_at = container, key, anyio.current_time()
        return container

    async def _empty(self, seat: Seat) -> None:
        container, seat.container = seat.container, None
        if container is not None:
            await self._supply.give_up(seat.key, container)

    async def _background(self, *, task_status: TaskStatus[None]) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._supply.start(self._tasks)
                self._tasks.start_soon(self._reaper.run)
                task_status.started()
                await self._look_after()
        finally:
            self._stopped.set()

    async def _look_after(self) -> None:
        """End what is idle or old, and keep what is warm well."""
        limits = self._settings
        tick = min(_TICK, limits.idle / 2, limits.max_age / 2, limits.spare_age / 2)
        while True:
            await anyio.sleep(tick)
            now = anyio.current_time()
            for seat in self._seats:
                if seat.background:
                    seat.used_at = now  # idle from when its programs have ended
                old = now - seat.used_at > limits.idle or now - seat.born_at > limits.max_age
                if seat.at_rest and (old or seat.dead):
                    await self.end(seat.session)
            await self._supply.look_after()


def _key(session: str, principal: Principal | None) -> str:
    """Who a container is counted as. An agent's name and a session's can't be taken for one another."""
    return f"agent {principal.agent}" if principal is not None else f"session {session}"
