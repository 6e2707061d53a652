# SPDX-License-Identifier: Apache-2.0
"""Connections that programs make to the forwarded port, each served as a stream of bytes.

The runner takes them inside the container and they come over its line; what is behind them is `ports.Forward`
and none of this module's business. A program sends no more than it was granted and is sent no more than it
takes, so neither side holds more than a window of a connection. `container.py` is the only caller.
"""

from __future__ import annotations

import anyio
import anyio.lowlevel
import structlog
from anyio.abc import ByteStream, TaskGroup

from yett.action import Principal
from yett.errors import YettError
from yett.ports import Forward
from yett.sandbox.connection_frames import (
    CONNECTIONS,
    PIECE,
    WINDOW,
    Bytes,
    ConnectionFrame,
    Ended,
    Granted,
    Opened,
    Reset,
    encode_data,
    encode_end,
    encode_grant,
    encode_reset,
)
from yett.sandbox.line import Line
from yett.sandbox.protocol import Answer
from yett.sandbox.wire import ProtocolViolation

PORT = 3128
"""On 127.0.0.1 of the container."""

_PROXY = f"http://127.0.0.1:{PORT}"
PROXY_ENVIRONMENT = {
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _PROXY),
    "no_proxy": "localhost,127.0.0.1",
}
"""What makes programs use it."""

_NUMBERS = 1 << 16
"""That a connection can have."""

_LINGER = 5.0
"""How long a program may take to end its side of a connection whose other side is closed, in seconds."""

log = structlog.get_logger("yett.sandbox")


class ForwardedConnection(ByteStream):
    """One connection, as whoever serves it sees it.

    It waits for its program as long as its caller lets it, like a socket. Made by `Connections`.
    """

    def __init__(self, number: int, line: Line, among: Connections) -> None:
        """`among` is told when it is closed or ended here."""
        self.number = number
        self._line = line
        self._among = among
        self._arrived = bytearray()
        self._consumed = 0
        self.may_send = WINDOW
        """What we may still send, in bytes."""
        self.may_come = WINDOW
        """What the program may still send, in bytes."""
        self.ended_here = False
        self.ended_there = False
        self.is_reset = False
        """Whether we have said so, or it was said to us and answered."""
        self.closed = False
        self.moved = anyio.Event()
        """Set and replaced whenever any of this changes."""

    def move(self) -> None:
        """Wake whoever waits for a change."""
        self.moved.set()
        self.moved = anyio.Event()

    def arrive(self, data: bytes) -> None:
        """Data of the program, within its window."""
        self.may_come -= len(data)
        self._arrived += data
        self.move()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes of the program.

        Raises:
            anyio.EndOfStream: it sends no more.
            anyio.BrokenResourceError: it, or its container, is gone.
            anyio.ClosedResourceError: closed here.
        """
        await anyio.lowlevel.checkpoint()
        while not self._arrived:
            self._check()
            if self.ended_there:
                raise anyio.EndOfStream
            await self.moved.wait()
        data = bytes(self._arrived[:max_bytes])
        del self._arrived[:max_bytes]
        self._grant(len(data))
        return data

    async def send(self, item: bytes) -> None:
        """Send to the program, at the pace it takes it. Same errors as `receive`."""
        await anyio.lowlevel.checkpoint()
        rest = memoryview(item)
        while rest:
            self._check()
            if self.ended_here:
                raise anyio.ClosedResourceError
            if not self.may_send:
                await self.moved.wait()
                continue
            piece = rest[: min(PIECE, self.may_send)]
            rest = rest[len(piece) :]
            self.may_send -= len(piece)
            await self._line.post(encode_data(self.number, bytes(piece))).wait()
        self._check()

    async def send_eof(self) -> None:
        """Say that nothing more comes from here."""
        await anyio.lowlevel.checkpoint()
        self._check()
        self.end_here()

    async def aclose(self) -> None:
        """Close it: what was sent arrives, what still comes is not wanted."""
        if not self.closed:
            self.closed = True
            self._arrived.clear()
            self.move()
            self._among.closed(self)
        await anyio.lowlevel.checkpoint()

    def end_here(self) -> None:
        """Say once that nothing more comes from here."""
        if not self.ended_here and not self.is_reset:
            self.ended_here = True
            self._line.post(encode_end(self.number))
            self._among.ended(self)

    def reset(self) -> None:
        """Say once that it is over."""
        if not self.is_reset:
            self.is_reset = True
            self._line.post(encode_reset(self.number))
        self.move()

    def _grant(self, consumed: int) -> None:
        """Grant again what was taken, in portions."""
        self._consumed += consumed
        if self._consumed >= WINDOW // 2 and not self.ended_there and not self.is_reset:
            self._line.post(encode_grant(self.number, self._consumed))
            self.may_come += self._consumed
            self._consumed = 0

    def _check(self) -> None:
        if self.closed:
            raise anyio.ClosedResourceError
        if self.is_reset or not self._line.whole:
            raise anyio.BrokenResourceError


class Connections:
    """Those of one container (`line.Aside`)."""

    def __init__(self, line: Line, forward: Forward | None) -> None:
        """`forward` serves each; without one the runner was told to take none."""
        self._line = line
        self._forward = forward
        self._open: dict[int, ForwardedConnection] = {}
        self._used = bytearray(_NUMBERS)
        self._served = 0
        self._tasks: TaskGroup | None = None
        self.principal: Principal | None = None
        """In whose name what comes from now on is sent; None: nobody's, and it is refused."""

    def serve_in(self, tasks: TaskGroup) -> None:
        """Say who owns the tasks that serve. Before the first connection."""
        self._tasks = tasks

    @property
    def quiet(self) -> bool:
        """See `line.Aside`. A connection can come whenever a program lives, and end after it."""
        return self._forward is None

    def take(self, frame: Answer | ConnectionFrame) -> None:
        """See `line.Aside`."""
        if isinstance(frame, Opened):
            self._opened(frame.id)
        elif isinstance(frame, Bytes | Granted | Ended | Reset):
            connection = self._open.get(frame.id)
            if connection is not None:
                self._take(connection, frame)
            elif isinstance(frame, Reset) and self._used[frame.id]:
                self._line.post(encode_reset(frame.id))  # it crossed our end
            elif not isinstance(frame, Granted) or not self._used[frame.id]:
                raise ProtocolViolation("A frame of a connection that is not open.")

    def broken(self) -> None:
        """See `line.Aside`."""
        for connection in self._open.values():
            connection.move()
        self._open.clear()

    def ended(self, connection: ForwardedConnection) -> None:
        """One side of it has ended. After both its number is free."""
        if connection.ended_here and connection.ended_there:
            self._open.pop(connection.number, None)

    def closed(self, connection: ForwardedConnection) -> None:
        """Whoever served it has closed it; its program has a moment to do so too."""
        if not self._line.whole or self._tasks is None:
            return
        connection.end_here()
        if self._open.get(connection.number) is connection:
            self._tasks.start_soon(self._linger, connection)

    def _opened(self, number: int) -> None:
        if self._forward is None or self._tasks is None:
            raise ProtocolViolation("A connection that nobody offered.")
        if number in self._open or len(self._open) >= CONNECTIONS:
            raise ProtocolViolation("A connection too many.")
        connection = self._open[number] = ForwardedConnection(number, self._line, self)
        self._used[number] = True
        # A program can be done with a connection long before what it asked for there is done.
        if self.principal is None or self._served >= CONNECTIONS:
            connection.reset()
        else:
            self._served += 1
            self._tasks.start_soon(self._serve, self._forward, connection, self.principal)

    def _take(self, connection: ForwardedConnection, frame: Bytes | Granted | Ended | Reset) -> None:
        if isinstance(frame, Reset):
            connection.reset()
            del self._open[connection.number]
        elif connection.is_reset:
            return  # it was on its way before the other side knew
        elif isinstance(frame, Granted):
            connection.may_send += frame.more
            connection.move()
        elif connection.ended_there or (isinstance(frame, Bytes) and len(frame.data) > connection.may_come):
            raise ProtocolViolation("Data of a connection that was not granted, or after its end.")
        elif isinstance(frame, Ended):
            connection.ended_there = True
            connection.move()
            self.ended(connection)
        elif connection.closed:
            connection.reset()
        else:
            connection.arrive(frame.data)

    async def _linger(self, connection: ForwardedConnection) -> None:
        with anyio.move_on_after(_LINGER):
            while self._open.get(connection.number) is connection:
                await connection.moved.wait()
            return
        connection.reset()

    async def _serve(self, forward: Forward, connection: ForwardedConnection, principal: Principal) -> None:
        try:
            await forward(connection, principal)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
            pass  # the program or its container is gone
        except (YettError, OSError) as fault:
            log.info("a program's connection failed", error=str(fault))
        except Exception:  # one connection must never end the gateway
            log.exception("a program's connection failed")
            connection.reset()
        finally:
            self._served -= 1
            await connection.aclose()
