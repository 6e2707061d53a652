# SPDX-License-Identifier: Apache-2.0
"""Newline-delimited messages over a byte stream, with a limit. Used by the unix-socket servers."""

from __future__ import annotations

import anyio
from anyio.abc import ByteReceiveStream

from yett.server.strict_json import MessageTooLarge


class LineReader:
    """Reads lines of at most `limit` bytes."""

    def __init__(self, stream: ByteReceiveStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0

    async def line(self) -> bytes | None:
        """The next line without its end, or None at the end of the stream.

        Raises:
            MessageTooLarge: a line over the limit. The stream is of no use after that.
        """
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if end > self._limit:
                raise MessageTooLarge(f"the message is larger than {self._limit} bytes")
            if end >= 0:
                found = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._searched = 0
                return found
            self._searched = len(self._buffer)
            if self._searched > self._limit:
                raise MessageTooLarge(f"the message is larger than {self._limit} bytes")
            try:
                self._buffer += await self._stream.receive(65536)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return None
