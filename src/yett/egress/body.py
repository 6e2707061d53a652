# SPDX-License-Identifier: Apache-2.0
"""Reads a response body up to a limit that counts decompressed bytes.

A few kilobytes can unpack to gigabytes, so decompression is done here, piece by piece, and stops at
the limit. Only gzip is ever asked for; another coding is an error. Called by `outbound`, and by
`program_messages` for what programs send.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

from yett.errors import ExecutionError

_FRAMING = 64 << 10
"""How much larger than its contents a compressed body may be on the wire."""


async def read_body(stream: AsyncIterable[bytes], coding: str, limit: int) -> tuple[bytes, bool]:
    """Read up to `limit` decoded bytes; returns them and whether there was more.

    Raises:
        ExecutionError: an unknown coding, or data that is not in it.
    """
    coding = coding.strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip"}:
        raise ExecutionError(f"The response is encoded as {coding[:40]!r}, which was not asked for.")
    unzip = _Gzip() if coding.endswith("gzip") else None
    body, wire = bytearray(), 0
    async for chunk in stream:
        wire += len(chunk)
        room = limit + 1 - len(body)
        body += unzip.feed(chunk, room) if unzip else chunk[:room]
        if len(body) > limit or wire > limit + _FRAMING:
            return bytes(body[:limit]), True
    if unzip and wire and not unzip.complete:
        raise ExecutionError("The response ended in the middle of its compressed data.")
    return bytes(body), False


def unpacked(body: bytes, limit: int) -> bytes:
    """What a gzip body of one member holds, up to one byte over `limit`.

    Raises:
        ValueError: it is none, or not a whole one.
    """
    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        out = member.decompress(body, limit + 1)
    except zlib.error as error:
        raise ValueError("damaged") from error
    if len(out) <= limit and (not member.eof or member.unused_data):
        raise ValueError("not one whole member")
    return out


class _Gzip:
    """Members of a gzip stream (RFC 1952), one after the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.complete = False

    def feed(self, data: bytes, room: int) -> bytes:
        """Decode at most `room` bytes; what is left over is lost, so the caller stops there."""
        out = bytearray()
        while data and len(out) < room:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            try:
                out += self._member.decompress(data, room - len(out))
            except zlib.error as error:
                raise ExecutionError("The response's compressed data is damaged.") from error
            data = self._member.unused_data if self._member.eof else b""
        self.complete = self._member.eof
        return bytes(out)
