# SPDX-License-Identifier: Apache-2.0
"""How bytes get to a container's PID 1 and back: the port that both ways implement.

A `Transport` is one running container's; an `Approach` is how a container that is about to be made comes to
have one. `socket_transport.py` and `attach_transport.py` implement them, `container.py` uses them and
`transport_choice.py` chooses. Neither sets a deadline: the callers do.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

TransportKind: TypeAlias = Literal["socket", "attach"]

RECEIVE = 1 << 16
"""Taken from a container at a time, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who connected, from the kernel. `pid` is 0 where it has none in this process's namespace."""

    pid: int
    uid: int


class Transport(Protocol):
    """A stream of bytes to one PID 1."""

    @property
    def peer(self) -> Peer | None:
        """Who is at the other end, where the kernel tells."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            ExecutionError: the other end is gone.
        """
        ...

    async def receive(self) -> bytes:
        """What has come, `RECEIVE` bytes at most and never nothing.

        Raises:
            ExecutionError: the other end is gone.
            ProtocolViolation: the way itself was broken.
        """
        ...

    async def close(self) -> None:
        """Close at once; an honest PID 1 exits with it. Idempotent."""
        ...


class Approach(Protocol):
    """Entered before a container is made and left when it has its transport, or never will."""

    @property
    def socket(self) -> str | None:
        """The socket to mount into the container; None when the runner is to use its standard streams."""
        ...

    async def __aenter__(self) -> Self:
        """Get ready."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of all but the transport that was handed out."""
        ...

    async def created(self, name: str) -> None:
        """The container of this name exists and has not been started."""
        ...

    async def transport(self) -> Transport:
        """The transport of the container, which has been started. Once."""
        ...
