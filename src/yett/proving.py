# SPDX-License-Identifier: Apache-2.0
"""Sandboxes that serve nobody before one of them was looked at from inside (law 5).

An engine can take a setting and not enforce it: a runtime without the profile, a kernel without the
controller. So the first container of a gateway is examined, and until it is as configured every call
that needs a sandbox is refused. Joined by `app.py` around `ports.Sandboxes`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import structlog

from yett.action import Principal
from yett.errors import EnvironmentFault, ExecutionError, SandboxUnavailable
from yett.ports import Clock, Sandbox, Sandboxes

log = structlog.get_logger("yett.proving")

SESSION = "gate-proof"
RETRY_AFTER = 10.0
"""Seconds before a failed proof is tried again."""

Look = Callable[[Sandbox], Awaitable[tuple[str, ...]]]
"""What is not as configured, one sentence each."""


class ProvenSandboxes:
    """`ports.Sandboxes` behind a proof."""

    def __init__(self, inner: Sandboxes, look: Look, clock: Clock, deadline: float) -> None:
        """`deadline` is how many seconds a call waits for the proof."""
        self._inner = inner
        self._look = look
        self._clock = clock
        self._deadline = deadline
        self._turn = anyio.Lock()
        self._proven = False
        self._problem = ""
        self._tried_at = 0.0

    @property
    def standing(self) -> tuple[bool, str]:
        """Whether the proof stands; and what was wrong the last time, if anything."""
        return self._proven, self._problem

    async def prove(self) -> None:
        """Look at a container of ours from inside, once; a failure is remembered for a while."""
        async with self._turn:
            if self._proven or (self._problem and self._clock.monotonic() - self._tried_at < RETRY_AFTER):
                return
            try:
                async with self._inner.lease(SESSION) as box:
                    found = await self._look(box)
                await self._inner.end(SESSION)
            except (EnvironmentFault, ExecutionError) as error:
                found = (str(error),)
            self._tried_at = self._clock.monotonic()
            self._problem = "; ".join(found)
            self._proven = not found
            if found:
                log.error("the sandbox is not as configured and serves nobody", problems=list(found))

    @asynccontextmanager
    async def lease(self, session: str, principal: Principal | None = None) -> AsyncIterator[Sandbox]:
        """The session's container, once the proof stands.

        Raises:
            SandboxUnavailable: it does not, or did not come in time.
        """
        if not self._proven:
            try:
                with anyio.fail_after(self._deadline):
                    await self.prove()
            except TimeoutError as error:
                raise SandboxUnavailable("the first look into a sandbox did not end in time") from error
            if not self._proven:
                raise SandboxUnavailable(
                    f"the sandbox is not as configured: {self._problem}", advice="yett sandbox status"
                )
        async with self._inner.lease(session, principal) as box:
            yield box

    async def end(self, session: str) -> None:
        """Destroy the session's container."""
        await self._inner.end(session)
