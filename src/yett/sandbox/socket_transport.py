# SPDX-License-Identifier: Apache-2.0
"""The mounted unix socket: the fastest way, with the kernel's word on who connected.

Each container has a socket of its own in a folder that only we can enter; one connection is taken and the
listener is gone. Called by `creation.py`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream

from yett.errors import ExecutionError
from yett.sandbox.transport import RECEIVE, Peer, Transport

_UCRED = struct.Struct("3i")


class SocketTransport:
    """An accepted connection (`transport.Transport`)."""

    def __init__(self, stream: SocketStream) -> None:
        """Own `stream`."""
        self._stream = stream
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610  (anyio's, not Django's)
        pid, uid, _ = _UCRED.unpack(raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        self._peer = Peer(pid=pid, uid=uid)

    @property
    def peer(self) -> Peer | None:
        """Who connected (unix(7), SO_PEERCRED)."""
        return self._peer

    async def send(self, data: bytes) -> None:
        """See the port."""
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ExecutionError("The sandbox died.") from None

    async def receive(self) -> bytes:
        """See the port."""
        try:
            return await self._stream.receive(RECEIVE)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ExecutionError("The sandbox died.") from None

    async def close(self) -> None:
        """See the port."""
        await anyio.aclose_forcefully(self._stream)


class SocketApproach:
    """A listener for one container (`transport.Approach`)."""

    def __init__(self, folder: Path) -> None:
        """`folder` does not exist yet; it is made 0700 and holds the socket."""
        self._folder = folder
        self._path = folder / "s"
        self._listener: SocketListener | None = None

    @property
    def socket(self) -> str | None:
        """The socket's path on this machine."""
        return str(self._path)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._folder.mkdir(mode=0o700)
        try:
            self._listener = await anyio.create_unix_listener(self._path, mode=0o666, backlog=1)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening. The folder stays: a started container still has the socket mounted."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                await self._listener.aclose()
        self._path.unlink(missing_ok=True)

    async def created(self, name: str) -> None:
        """Nothing: the runner connects by itself."""

    async def transport(self) -> Transport:
        """The first connection, whoever made it."""
        if self._listener is None:
            raise RuntimeError("not entered")
        return SocketTransport(await self._listener.accept())
