# SPDX-License-Identifier: Apache-2.0
"""The engine's attach stream: for engines whose machine cannot mount a socket of ours.

`POST /containers/{id}/attach` turns an HTTP connection into the container's standard streams (Docker Engine
API, "Attach to a container"). Standard input is raw; output comes in frames of the engine's own (stream,
three zero bytes, u32be length), in which the runner's frames lie cut anywhere. The engine is trusted with
more than this, but what it says is still bounded. Called by `creation.py`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import quote

import anyio
from anyio.abc import ByteStream

from yett.errors import ExecutionError, SandboxUnavailable
from yett.sandbox.engine_address import EngineAddress
from yett.sandbox.transport import RECEIVE, Peer, Transport
from yett.sandbox.wire import ProtocolViolation

_HEADER = struct.Struct(">B3xI")
_STDOUT = 1
_PIECE_LIMIT = 1 << 20
_HEAD_LIMIT = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (101|200)(?: |\r\n)")


class Multiplex:
    """Bytes of an attach stream in, bytes of standard output out. Holds one header at most. Pure."""

    def __init__(self) -> None:
        """Before the first header."""
        self._header = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came and give what the container wrote.

        Raises:
            ProtocolViolation: a stream that was not asked for, or a piece over the limit.
        """
        return b"".join(self._pieces(memoryview(data)))

    def _pieces(self, data: memoryview) -> Iterator[memoryview]:
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                yield piece
                continue
            missing = _HEADER.size - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == _HEADER.size:
                stream, self._left = _HEADER.unpack(self._header)
                if stream != _STDOUT or any(self._header[1:4]) or self._left > _PIECE_LIMIT:
                    raise ProtocolViolation("The engine's stream holds what was not asked for.")
                self._header.clear()


class AttachTransport:
    """A hijacked connection to the engine (`transport.Transport`)."""

    def __init__(self, stream: ByteStream, rest: bytes = b"") -> None:
        """Own `stream`, of which `rest` was read already."""
        self._stream = stream
        self._rest = rest
        self._multiplex = Multiplex()

    @property
    def peer(self) -> Peer | None:
        """Unknown: the engine is between us."""
        return None

    async def send(self, data: bytes) -> None:
        """See the port."""
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ExecutionError("The sandbox died.") from None

    async def receive(self) -> bytes:
        """See the port."""
        data, self._rest = self._rest, b""
        while not (found := self._multiplex.feed(data)):
            try:
                data = await self._stream.receive(RECEIVE)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                raise ExecutionError("The sandbox died.") from None
        return found

    async def close(self) -> None:
        """See the port. The engine closes the container's standard input with it (`StdinOnce`)."""
        await anyio.aclose_forcefully(self._stream)


class AttachApproach:
    """An attach before the start, so that no byte is missed (`transport.Approach`)."""

    def __init__(self, address: EngineAddress, api: tuple[int, int]) -> None:
        """The engine, and the version of its API."""
        self._address = address
        self._api = api
        self._stream: ByteStream | None = None
        self._transport: AttachTransport | None = None

    @property
    def socket(self) -> str | None:
        """None: nothing is mounted."""
        return None

    async def __aenter__(self) -> Self:
        """Nothing to do before the container exists."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close a connection that nobody took."""
        if self._stream is not None:
            await anyio.aclose_forcefully(self._stream)

    async def created(self, name: str) -> None:
        """Attach.

        Raises:
            SandboxUnavailable: the engine would not.
        """
        address = self._address
        if address.path:
            self._stream = await anyio.connect_unix(address.path)
        else:
            self._stream = await anyio.connect_tcp(address.host, address.port)
        major, minor = self._api
        where = f"/v{major}.{minor}/containers/{quote(name, safe='')}/attach?stream=1&stdin=1&stdout=1"
        await self._stream.send(
            f"POST {where} HTTP/1.1\r\n"
            "Host: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode()
        )
        rest = await self._answered(self._stream)
        self._transport = AttachTransport(self._stream, rest)

    async def transport(self) -> Transport:
        """The attached stream."""
        if self._transport is None:
            raise RuntimeError("not attached")
        self._stream = None
        return self._transport

    @staticmethod
    async def _answered(stream: ByteStream) -> bytes:
        """Read the head of the engine's answer; what came after it."""
        head = b""
        while b"\r\n\r\n" not in head:
            if len(head) > _HEAD_LIMIT:
                raise SandboxUnavailable("attach: the engine's answer is no HTTP")
            try:
                head += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                raise SandboxUnavailable("attach: the engine hung up") from None
        head, _, rest = head.partition(b"\r\n\r\n")
        if not _STATUS.match(head + b"\r\n"):
            line = head.partition(b"\r\n")[0][:200].decode("ascii", "replace")
            raise SandboxUnavailable(f"attach: the engine answered {line!r}")
        return rest
