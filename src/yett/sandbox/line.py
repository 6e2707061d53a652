# SPDX-License-Identifier: Apache-2.0
"""The gateway's end of one container's socket: frames out, answers in, and who is at the other end.

It sets no deadlines; `container.py`, its only caller, does.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from dataclasses import dataclass

import anyio
from anyio.abc import SocketAttribute, SocketStream

from yett.errors import ExecutionError
from yett.sandbox.protocol import Answer, Parser, ProtocolViolation

_RECEIVE = 1 << 16
_UCRED = struct.Struct("3i")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who connected, from the kernel. `pid` is 0 where it has none in this process's namespace."""

    pid: int
    uid: int


class Line:
    """A connection to a runner."""

    def __init__(self, stream: SocketStream) -> None:
        """`stream` is the accepted connection."""
        self._stream = stream
        self._parser = Parser()
        self._pending: deque[Answer] = deque()

    def peer(self) -> Peer:
        """Who connected (unix(7), SO_PEERCRED)."""
        raw = self._stream.extra(SocketAttribute.raw_socket)  # noqa: S610  (anyio's, not Django's)
        pid, uid, _ = _UCRED.unpack(raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return Peer(pid=pid, uid=uid)

    async def send(self, request: bytes) -> None:
        """Send an encoded request.

        Raises:
            ExecutionError: the other end is gone.
        """
        try:
            await self._stream.send(request)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ExecutionError("The sandbox died.") from None

    async def next_of(self, *expected: type[Answer]) -> Answer:
        """The next answer, which must be one of these.

        Raises:
            ExecutionError: the other end is gone.
            ProtocolViolation: it is another.
        """
        while not self._pending:
            try:
                data = await self._stream.receive(_RECEIVE)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                raise ExecutionError("The sandbox died.") from None
            self._pending.extend(self._parser.feed(data))
        answer = self._pending.popleft()
        if not isinstance(answer, expected):
            raise ProtocolViolation("An answer to something that was not asked.")
        return answer

    @property
    def silent(self) -> bool:
        """Whether nothing is left over that nobody asked for."""
        return not self._pending and not self._parser.waiting

    async def close(self) -> None:
        """Close at once; an honest PID 1 exits with it."""
        await anyio.aclose_forcefully(self._stream)
