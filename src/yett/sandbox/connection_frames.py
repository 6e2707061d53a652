# SPDX-License-Identifier: Apache-2.0
"""The frames of connections that programs make to the forwarded port. Pure, and the same in both directions.

`protocol.py` parses with it, `connections.py` answers with it. Whether an id or an amount is allowed just now
is not known here: that is `connections.py`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from yett.sandbox.wire import CHUNK, ProtocolViolation, frame

CONNECTIONS = 64
"""Open at a time, by the protocol."""

WINDOW = 64 * 1024
"""What either side may send of a connection before it was granted more, in bytes."""

PIECE = CHUNK - 2
"""The most data that one frame carries."""

_ID = struct.Struct("<H")
_GRANT = struct.Struct("<HI")


@dataclass(frozen=True, slots=True)
class Opened:
    """A program has connected."""

    id: int


@dataclass(frozen=True, slots=True)
class Bytes:
    """The next bytes of a connection."""

    id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Granted:
    """The other side may send so many bytes more."""

    id: int
    more: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The sender of this has no more data."""

    id: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Both directions are over."""

    id: int


ConnectionFrame: TypeAlias = Opened | Bytes | Granted | Ended | Reset


def encode_data(connection: int, data: bytes) -> bytes:
    """The next bytes, `PIECE` at most."""
    return frame("d", _ID.pack(connection) + data)


def encode_grant(connection: int, more: int) -> bytes:
    """The other side may send so many bytes more."""
    return frame("g", _GRANT.pack(connection, more))


def encode_end(connection: int) -> bytes:
    """Nothing more comes from this side."""
    return frame("e", _ID.pack(connection))


def encode_reset(connection: int) -> bytes:
    """The connection is over."""
    return frame("x", _ID.pack(connection))


def _bytes(payload: bytes) -> Bytes:
    if len(payload) <= _ID.size:
        raise ProtocolViolation("Data of a connection without its bytes.")
    return Bytes(_ID.unpack_from(payload)[0], payload[_ID.size :])


def _granted(payload: bytes) -> Granted:
    if len(payload) != _GRANT.size:
        raise ProtocolViolation("A grant of the wrong size.")
    return Granted(*_GRANT.unpack(payload))


def _id(payload: bytes) -> int:
    if len(payload) != _ID.size:
        raise ProtocolViolation("A connection's frame of the wrong size.")
    found: int = _ID.unpack(payload)[0]
    return found


PARSERS: dict[str, Callable[[bytes], ConnectionFrame]] = {
    "o": lambda payload: Opened(_id(payload)),
    "d": _bytes,
    "g": _granted,
    "e": lambda payload: Ended(_id(payload)),
    "x": lambda payload: Reset(_id(payload)),
}
