# SPDX-License-Identifier: Apache-2.0
"""A connected socket as a stream of bytes that may be closed or given up at the very moment something comes.

anyio's own stream over a unix socket can't: a wait that is cancelled in the same turn of the event loop in
which the other end hangs up leaves an error in the loop, and containers die while they are destroyed all
the time. Called by `socket_transport.py` and `attach_transport.py`. It sets no deadlines.
"""

from __future__ import annotations

import contextlib
import os
import socket

import anyio
import anyio.lowlevel

from yett.errors import ExecutionError
from yett.sandbox.engine_address import EngineAddress
from yett.sandbox.transport import RECEIVE


async def connect(address: EngineAddress) -> RawStream:
    """A connection to an engine.

    Raises:
        OSError: nobody listens there.
    """
    target: str | tuple[str, int]
    if address.path:
        family, target = socket.AF_UNIX, address.path
    else:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        target = ("127.0.0.1" if address.host == "localhost" else address.host, address.port)
    raw = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        try:
            raw.connect(target)
        except BlockingIOError:
            if address.path:
                raise
            await anyio.wait_writable(raw)
            if code := raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, os.strerror(code)) from None
    except BaseException:
        close(raw)
        raise
    return RawStream(raw)


async def accept(listener: socket.socket) -> socket.socket:
    """The next connection to a listener that does not block."""
    while True:
        await anyio.wait_readable(listener)
        with contextlib.suppress(BlockingIOError):
            raw, _ = listener.accept()
            raw.setblocking(False)
            return raw


def close(raw: socket.socket) -> None:
    """Close a socket, also one that is being waited for. Idempotent."""
    if raw.fileno() >= 0:
        anyio.notify_closing(raw)
        raw.close()


class RawStream:
    """One connection. One task reads at a time, and one writes."""

    def __init__(self, raw: socket.socket) -> None:
        """Own `raw`, which does not block."""
        self.socket = raw

    async def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            ExecutionError: the other end is gone, or it was closed here.
        """
        rest = memoryview(data)
        try:
            while rest:
                try:
                    rest = rest[self.socket.send(rest) :]
                except BlockingIOError:
                    await anyio.wait_writable(self.socket)
        except (OSError, ValueError, anyio.ClosedResourceError):
            raise ExecutionError("The sandbox died.") from None

    async def receive(self) -> bytes:
        """What has come, `RECEIVE` bytes at most and never nothing. Same errors as `send`."""
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                data = self.socket.recv(RECEIVE)
            except BlockingIOError:
                data = None
            except (OSError, ValueError):
                raise ExecutionError("The sandbox died.") from None
            if data:
                return data
            if data is not None:
                raise ExecutionError("The sandbox died.")
            try:
                await anyio.wait_readable(self.socket)
            except (OSError, ValueError, anyio.ClosedResourceError):
                raise ExecutionError("The sandbox died.") from None

    def close(self) -> None:
        """Close at once. Idempotent."""
        close(self.socket)
