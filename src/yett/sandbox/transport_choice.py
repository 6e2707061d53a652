# SPDX-License-Identifier: Apache-2.0
"""Which way bytes reach the containers of this gateway: said by the settings, or found out by the first one.

The pool holds one and hands it to `Container.start`. A mounted socket is faster and has the kernel's word on
who connected; it does not work where the engine's machine is another (Docker Desktop, remote) or the runtime
forbids it (gVisor).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from yett.errors import SandboxUnavailable
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.transport import TransportKind

T = TypeVar("T")


class NotReached(SandboxUnavailable):
    """Nobody came through on this way, so that another may be tried. A wrong peer is not this."""


class TransportChoice:
    """The choice, once made, for good."""

    def __init__(self, settings: SandboxSettings) -> None:
        """Open with `transport: auto`."""
        self._settings = settings
        self._kind: TransportKind | None = None if settings.transport == "auto" else settings.transport
        if settings.driver == "runc":
            self._kind = "socket"  # there is no engine to attach through
        self._choosing = anyio.Lock()

    @property
    def kind(self) -> TransportKind | None:
        """What was chosen, or None."""
        return self._kind

    async def start(self, attempt: Callable[[TransportKind, float], Awaitable[T]]) -> T:
        """Start a container, on both ways if need be while nothing is chosen; others wait for that.

        Args:
            attempt: start one on this way, whose runner must come through within so many seconds.

        Raises:
            SandboxUnavailable: what the attempt raised; both where both failed.
        """
        if self._kind is None:
            async with self._choosing:
                if self._kind is None:  # otherwise somebody has chosen while we waited
                    return await self._choose(attempt)
        return await attempt(self._kind, self._settings.start_deadline)

    async def _choose(self, attempt: Callable[[TransportKind, float], Awaitable[T]]) -> T:
        settings = self._settings
        try:
            made = await attempt("socket", min(settings.transport_deadline, settings.start_deadline))
        except NotReached as first:
            try:
                made = await attempt("attach", settings.start_deadline)
            except SandboxUnavailable as second:
                if str(second) == str(first):
                    raise
                raise SandboxUnavailable(
                    f"{first} (by a mounted socket; by the engine's stream: {second})", advice=first.advice()
                ) from second
            self._kind = "attach"
        else:
            self._kind = "socket"
        return made
