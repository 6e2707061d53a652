# SPDX-License-Identifier: Apache-2.0
"""Containers by session: made on first use, lent to one call at a time, destroyed for certain.

The composition root enters a `DockerSandboxes` for the life of the gateway (`async with`) and calls `reap`
before the first call. The tools lease from it. What it must never do: lend a container to two sessions,
lend one that a call left in doubt, or wait without an end.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from yett.action import Principal, Secret
from yett.errors import ConfigurationError, ExecutionError, SandboxUnavailable
from yett.ports import Entropy, Forward, Sandbox
from yett.sandbox.container import Container
from yett.sandbox.driver import driver_of
from yett.sandbox.images import seccomp_profile
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.transport_choice import TransportChoice

GATEWAY_LABEL = "yett.gateway"
RUN_LABEL = "yett.run"

_SOCKET_PATH_LIMIT = 107 - len("/12345678901234567890123456/s")
_RETRY = 5.0
_REMEMBER = 60.0
"""How long a container that an engine may make late is looked for, in seconds."""


@dataclass(slots=True)
class _Seat:
    """A session's place in the pool."""

    free: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(1, max_value=1))
    container: Container | None = None
    waiting: int = 0
    ended: bool = False
    used_at: float = 0.0

    @property
    def taken(self) -> bool:
        return self.free.value == 0


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
        if len(str(run_dir).encode()) > _SOCKET_PATH_LIMIT:
            raise ConfigurationError(
                f"The folder for sandbox sockets is longer than {_SOCKET_PATH_LIMIT} bytes: {run_dir}",
                advice="Choose a shorter one, as /run/yett.",
            )
        self.engine = driver_of(settings)
        self._transports = TransportChoice(settings)
        self._forward = forward
        self._settings = settings
        self._instance = instance
        self._run = entropy.id("run")
        self._run_dir = run_dir
        self._entropy = entropy
        self._seccomp = seccomp_profile()
        self._seats: dict[str, _Seat] = {}
        self._spares: list[Container] = []
        self._making = 0
        self._alive = 0
        self._doomed: dict[str, float] = {}
        self._closed = False
        self._tasks: TaskGroup | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start keeping spares and ending idle containers."""
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run_dir.chmod(0o700)
        # The background lives in a group of its own, so that ending it does not cancel our caller.
        owner = await self._stack.enter_async_context(anyio.create_task_group())
        await owner.start(self._background)
        self._refill()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy every container. What ended the body passes through as it is, in no exception group."""
        await self.aclose()
        await self._stack.aclose()

    @asynccontextmanager
    async def lease(self, session: str, principal: Principal | None = None) -> AsyncIterator[Sandbox]:
        """The session's container for one call. Cancelled or failed use destroys it.

        An `ExecutionError` that the container answered in good order (no such file) is not failed use.

        Raises:
            SandboxUnavailable: no engine, no image, or the engine does not answer in time.
            ExecutionError: the session's container, or the pool, is busy.
        """
        seat = self._seats.setdefault(session, _Seat())
        await self._sit(seat)
        try:
            _check_not_ended(seat)
            container = seat.container
            if container is None or not container.usable:
                container = seat.container = await self._obtain()
            orderly = False
            try:
                _check_not_ended(seat)
                container.principal = principal
                yield container
                orderly = True
            except ExecutionError:
                orderly = True
                raise
            finally:
                if not orderly or not container.usable or self._once or self._closed or seat.ended:
                    seat.container = None
                    await self._bury(container)
        finally:
            seat.used_at = anyio.current_time()
            seat.free.release()
            if seat.container is None and not seat.waiting and self._seats.get(session) is seat:
                del self._seats[session]

    async def end(self, session: str) -> None:
        """Destroy the session's container, also under a running call, which then fails."""
        seat = self._seats.pop(session, None)
        if seat is None:
            return
        seat.ended = True  # for the calls that wait for it or make its container just now
        if seat.container is not None:
            container, seat.container = seat.container, None
            await self._bury(container)

    async def reap(self) -> int:
        """Remove what crashed gateways of this state directory left behind; how many containers.

        Raises:
            SandboxUnavailable: the engine does not answer.
        """
        found = await self.engine.labelled(f"{GATEWAY_LABEL}={self._instance}")
        left = [name for name, labels in found.items() if labels.get(RUN_LABEL) != self._run]
        for name in left:
            await self.engine.remove(name)
        ours = {seat.container.name for seat in self._seats.values() if seat.container}
        ours |= {spare.name for spare in self._spares}
        for folder in self._run_dir.iterdir() if self._run_dir.exists() else ():
            if not self._making and f"yett-{folder.name}" not in ours:
                shutil.rmtree(folder, ignore_errors=True)
        return len(left)

    async def aclose(self) -> None:
        """Destroy every container and stop. Idempotent."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            if self._tasks is not None:
                self._tasks.cancel_scope.cancel()
            containers = [seat.container for seat in self._seats.values() if seat.container] + self._spares
            self._seats.clear()
            self._spares = []
            async with anyio.create_task_group() as group:
                for container in containers:
                    group.start_soon(self._bury, container)
            await self._bury_doomed()
            await self.engine.aclose()

    @property
    def _once(self) -> bool:
        return self._settings.lifetime == "call"

    async def _sit(self, seat: _Seat) -> None:
        """Take the seat, or say that it is taken."""
        if self._closed:
            raise SandboxUnavailable("The gateway is stopping.")
        if seat.taken and seat.waiting >= self._settings.queue:
            raise _busy("This session's sandbox is busy")
        seat.waiting += 1
        try:
            with anyio.fail_after(self._settings.queue_wait):
                await seat.free.acquire()
        except TimeoutError:
            raise _busy("This session's sandbox is busy") from None
        finally:
            seat.waiting -= 1

    async def _obtain(self) -> Container:
        while self._spares:
            spare = self._spares.pop()
            self._refill()
            if spare.usable and spare.alive:
                return spare
            await self._bury(spare)
        if self._alive >= self._settings.containers:
            raise _busy("All sandboxes are in use")
        return await self._make()

    async def _make(self) -> Container:
        token = self._entropy.id("c").removeprefix("c-")
        name = f"yett-{token}"
        if self._tasks is None:
            raise SandboxUnavailable("The sandboxes were not entered.")
        self._alive += 1
        self._making += 1
        try:
            container = await Container.create(
                self.engine,
                self._settings,
                name=name,
                folder=self._run_dir / token,
                secret=Secret(self._entropy.token()),
                seccomp=self._seccomp,
                labels={GATEWAY_LABEL: self._instance, RUN_LABEL: self._run},
                transports=self._transports,
                tasks=self._tasks,
                forward=self._forward,
            )
        except BaseException:
            self._alive -= 1
            self._doom(name)  # an engine that hung may still make it
            raise
        finally:
            self._making -= 1
        if self._closed:
            await self._bury(container)
            raise SandboxUnavailable("The gateway is stopping.")
        return container

    async def _bury(self, container: Container) -> None:
        if await container.destroy():
            self._alive -= 1
            if not container.removed:
                self._doom(container.name)

    def _refill(self) -> None:
        if self._tasks is not None and not self._closed:
            self._tasks.start_soon(self._make_spare)

    async def _make_spare(self) -> None:
        if (
            self._making
            or len(self._spares) >= self._settings.spares
            or self._alive >= self._settings.containers
        ):
            return
        with suppress(SandboxUnavailable):  # a call that needs one will say so
            self._spares.append(await self._make())
            self._refill()

    async def _background(self, *, task_status: TaskStatus[None]) -> None:
        async with anyio.create_task_group() as self._tasks:
            task_status.started()
            await self._look_after()

    async def _look_after(self) -> None:
        """End what is idle, and try again to remove what the engine would not."""
        while True:
            await anyio.sleep(min(_RETRY, self._settings.idle / 2))
            before = anyio.current_time() - self._settings.idle
            for session, seat in list(self._seats.items()):
                busy = seat.container is not None and seat.container.has_programs
                if not seat.taken and not seat.waiting and not busy and seat.used_at < before:
                    await self.end(session)
            await self._bury_doomed()
            self._refill()

    async def _bury_doomed(self) -> None:
        for name, until in tuple(self._doomed.items()):
            with suppress(SandboxUnavailable):
                await self.engine.remove(name)
                if anyio.current_time() >= until:
                    self._doomed.pop(name, None)

    def _doom(self, name: str) -> None:
        self._doomed[name] = anyio.current_time() + _REMEMBER


def _check_not_ended(seat: _Seat) -> None:
    if seat.ended:
        raise ExecutionError("The session has ended; nothing was run.")


def _busy(what: str) -> ExecutionError:
    return ExecutionError(f"{what}; nothing was run. Retry after a few seconds.")
