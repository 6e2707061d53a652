# SPDX-License-Identifier: Apache-2.0
"""Sandboxes on a writable workspace, with its quota and an eye on what is planted there for the host.

A program that makes the workspace grow over its quota is killed with its container; writes are refused
until it shrinks, running is not, so that a program can make room. What tools of the host obey and what
was not there to be protected when the container was made is told of when it appears. It must never write
to the workspace. `app.py` puts it around `ports.Sandboxes` where a workspace is writable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup

from yett.action import Principal
from yett.errors import ExecutionError, YettError
from yett.ports import BackgroundProgram, Command, CommandResult, FileEntry, OnOutput, Sandbox, Sandboxes
from yett.sandbox.quota import Usage, WorkspaceQuota

log = structlog.get_logger("yett.sandbox")

T = TypeVar("T")

_TICK = 0.05
_IDLE = 1.0


class WatchedSandboxes:
    """`ports.Sandboxes` on a workspace with a quota. Entered for the life of the gateway."""

    def __init__(self, inner: Sandboxes, quota: WorkspaceQuota) -> None:
        """`inner` makes the containers; `quota` is closed when this is left."""
        self._inner = inner
        self.quota = quota
        self.background: set[str] = set()
        self._known: dict[str, tuple[int, int]] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Look at the folder, and watch over programs that outlive their call."""
        usage = await self.quota.look()
        self._known = dict(usage.survey.places) | self.quota.places()
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._watch_background)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            await self._tasks.__aexit__(None, None, None)
        self.quota.close()

    @asynccontextmanager
    async def lease(self, session: str, principal: Principal | None = None) -> AsyncIterator[Sandbox]:
        """The session's container. Raises what the inner one raises."""
        async with self._inner.lease(session, principal) as box:
            watched = WatchedSandbox(box, self)
            try:
                yield watched
            finally:
                if watched.started or session in self.background:
                    self._remember(session, box)

    async def end(self, session: str) -> None:
        """Destroy the session's container."""
        self.background.discard(session)
        await self._inner.end(session)

    def planted(self) -> tuple[str, ...]:
        """Places that tools of the host obey and that were not there, or were another, at the last asking."""
        now = {**self.quota.usage.survey.places, **self.quota.places()}
        new = tuple(sorted(place for place, inode in now.items() if self._known.get(place) != inode))
        self._known = now
        if new:
            log.warning(
                "tools of this host obey what has appeared in the workspace",
                workspace=self.quota.workspace.path,
                places=list(new),
            )
        return new

    def _remember(self, session: str, box: Sandbox) -> None:
        running = any(program.running for program in box.programs())
        (self.background.add if running else self.background.discard)(session)

    async def _watch_background(self) -> None:
        """Programs that no call waits for; who of them writes can't be told, so all of them end."""
        before: Usage | None = None
        while True:
            await anyio.sleep(_TICK if self.background else _IDLE)
            if not self.background:
                before = None
                continue
            before = before or self.quota.usage
            reason = self.quota.over(await self.quota.glance(), before)
            if reason:
                log.warning("background programs are ended", reason=reason, sessions=len(self.background))
                for session in tuple(self.background):
                    await self.end(session)
            self.planted()


class WatchedSandbox:
    """`ports.Sandbox` on a workspace with a quota."""

    def __init__(self, inner: Sandbox, owner: WatchedSandboxes) -> None:
        """Made by `WatchedSandboxes.lease`."""
        self._inner = inner
        self._owner = owner
        self._quota = owner.quota
        self.started = False

    async def run(self, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run a program, and kill it when it makes the workspace too large.

        Raises:
            ExecutionError: that, or what the container says.
        """
        more = () if on_output is None else (on_output,)
        result = await self._within_quota(lambda: self._inner.run(command, *more))
        planted = self._owner.planted()
        if not planted:
            return result
        remark = (
            "\n[yett: tools of the host obey what this workspace now has in "
            f"{', '.join(planted[:5])}; the operator was told]\n"
        )
        return replace(result, stderr=result.stderr + remark.encode())

    async def start(self, command: Command) -> BackgroundProgram:
        """Start a program that outlives the call. Not while the workspace is too large."""
        await self._refuse_when_over(0)
        self.started = True
        return await self._inner.start(command)

    async def wait(self, number: int, seconds: float) -> BackgroundProgram:
        """As the inner one."""
        return await self._inner.wait(number, seconds)

    async def kill(self, number: int) -> BackgroundProgram:
        """As the inner one."""
        return await self._inner.kill(number)

    def programs(self) -> tuple[BackgroundProgram, ...]:
        """As the inner one."""
        return self._inner.programs()

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """As the inner one."""
        return await self._inner.read(path, offset=offset, limit=limit)

    async def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write a file, unless the workspace is too large or would be.

        Raises:
            ExecutionError: that, or what the container says.
        """
        await self._refuse_when_over(len(data))
        await self._inner.write(path, data, append=append)
        self._owner.planted()

    async def list(self, path: str) -> tuple[FileEntry, ...]:
        """As the inner one."""
        return await self._inner.list(path)

    async def stat(self, path: str) -> FileEntry:
        """As the inner one."""
        return await self._inner.stat(path)

    async def _refuse_when_over(self, more: int) -> None:
        usage = await self._quota.glance()
        reason = self._quota.over(usage)
        if not reason and usage.survey.size + more > self._quota.workspace.quota:
            reason = f"with {more} bytes more the workspace is over its quota"
        if reason:
            raise ExecutionError(f"Nothing was written: {reason}. Remove files with shell_run first.")

    async def _within_quota(self, work: Callable[[], Awaitable[T]]) -> T:
        before = await self._quota.glance()
        done: list[T] = []
        failed: list[YettError] = []
        reason = ""

        async def watch() -> None:
            nonlocal reason
            while not reason:
                await anyio.sleep(_TICK)
                reason = self._quota.over(await self._quota.glance(), before)
            group.cancel_scope.cancel()  # which destroys the container, with everything in it

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                done.append(await work())
            except YettError as error:  # said again outside, so that it is in no exception group
                failed.append(error)
            group.cancel_scope.cancel()
        if done:
            return done[0]
        if failed:
            raise failed[0]
        raise ExecutionError(
            f"The program was killed and its sandbox destroyed: {reason}. Remove files; until then "
            "nothing is written."
        )
