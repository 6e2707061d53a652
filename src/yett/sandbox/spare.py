# SPDX-License-Identifier: Apache-2.0
"""A container that nobody has used yet, and whether it is fit to be used. `supply.py` keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from yett.errors import ExecutionError
from yett.sandbox.container import Container

_DEADLINE = 2.0
"""Seconds in which a runner that has nothing to do answers."""


@dataclass(slots=True, kw_only=True, eq=False)
class Spare:
    """A never-used container. Times are the event loop's."""

    container: Container
    born_at: float = field(default_factory=anyio.current_time)
    seen_at: float = field(default_factory=anyio.current_time)

    @property
    def well(self) -> bool:
        """Whether it lives, as far as that can be seen without asking it."""
        return self.container.usable and self.container.alive

    async def answers(self) -> bool:
        """Ask its runner for something small. It must be nobody's meanwhile."""
        with anyio.move_on_after(_DEADLINE):
            try:
                await self.container.list("/tmp")  # noqa: S108  (the container's, empty)
            except ExecutionError:
                return False
            self.seen_at = anyio.current_time()
            return True
        return False
