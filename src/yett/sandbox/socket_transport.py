# SPDX-License-Identifier: Apache-2.0
"""The mounted unix socket: the fastest way, with the kernel's word on who connected.

Each container has a socket of its own in a folder that only we can enter; one connection is taken and the
listener is gone. Called by `creation.py`.
"""

from __future__ import annotations

import shutil
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from yett.sandbox.raw_stream import RawStream, accept, close
from yett.sandbox.transport import Peer, Transport

_UCRED = struct.Struct("3i")


class SocketTransport:
    """An accepted connection (`transport.Transport`)."""

    def __init__(self, raw: socket.socket) -> None:
        """Own `raw`, which does not block."""
        self._stream = RawStream(raw)
        pid, uid, _ = _UCRED.unpack(raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        self._peer = Peer(pid=pid, uid=uid)

    @property
    def peer(self) -> Peer | None:
        """Who connected (unix(7), SO_PEERCRED)."""
        return self._peer

    async def send(self, data: bytes) -> None:
        """See the port."""
        await self._stream.send(data)

    async def receive(self) -> bytes:
        """See the port."""
        return await self._stream.receive()

    async def close(self) -> None:
        """See the port."""
        self._stream.close()


class SocketApproach:
    """A listener for one container (`transport.Approach`)."""

    def __init__(self, folder: Path) -> None:
        """`folder` does not exist yet; it is made 0700 and holds the socket."""
        self._folder = folder
        self._path = folder / "s"
        self._listener: socket.socket | None = None

    @property
    def socket(self) -> str | None:
        """The socket's path on this machine."""
        return str(self._path)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._folder.mkdir(mode=0o700)
        try:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._listener.bind(str(self._path))
            self._path.chmod(0o666)  # the folder is ours alone; the container's user is another
            self._listener.listen(1)
        except BaseException:
            if self._listener is not None:
                close(self._listener)
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening. The folder stays: a started container still has the socket mounted."""
        if self._listener is not None:
            close(self._listener)
        self._path.unlink(missing_ok=True)

    async def created(self, name: str) -> None:
        """Nothing: the runner connects by itself."""

    async def transport(self) -> Transport:
        """The first connection, whoever made it."""
        if self._listener is None:
            raise RuntimeError("not entered")
        return SocketTransport(await accept(self._listener))
