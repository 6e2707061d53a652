# SPDX-License-Identifier: Apache-2.0
"""How much this process holds for the programs of each agent: bodies on their way in, and answers out.

A program decides how slowly it sends and reads, and a connection may last for minutes. In memory, for one
process; `program_proxy` asks before it keeps more.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Self

from yett.egress.program_messages import Refused


class Held:
    """The bytes held, by agent; no more than `limit` for one."""

    def __init__(self, limit: int) -> None:
        """Nothing is held."""
        self.limit = limit
        self.bytes: Counter[str] = Counter()

    def by(self, agent: str) -> Holding:
        """For one request of this agent, while it lasts."""
        return Holding(self, agent)


class Holding:
    """What one request holds. Given back at the end of its `with`."""

    def __init__(self, held: Held, agent: str) -> None:
        """Made by `Held.by`."""
        self._held = held
        self._agent = agent
        self._bytes = 0

    def add(self, count: int) -> None:
        """Hold so many bytes more.

        Raises:
            Refused: the agent's programs have as much under way as they may.
        """
        if self._held.bytes[self._agent] + count > self._held.limit:
            raise Refused(
                503,
                f"The programs of this agent have {self._held.limit} bytes under way: read the other answers "
                "first.",
            )
        self._bytes += count
        self._held.bytes[self._agent] += count

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give all of it back."""
        self._held.bytes[self._agent] -= self._bytes
        if not self._held.bytes[self._agent]:
            del self._held.bytes[self._agent]
        self._bytes = 0
