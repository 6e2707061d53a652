# SPDX-License-Identifier: Apache-2.0
"""The answers of PID 1 of a container, without any I/O.

`Parser` turns whatever bytes arrive into answers. The bytes of a container are hostile: a frame is checked
against its type's shape and size before it becomes a value, the parser never holds more than one frame's
worth, and the first fault ends the conversation for good. `line.py` is the only caller. The other side is
`sandbox_images/runner/runner.c`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from yett.ports import FileEntry
from yett.sandbox import connection_frames
from yett.sandbox.connection_frames import ConnectionFrame
from yett.sandbox.wire import CHUNK, HEADER, SLOTS, ProtocolViolation

_ENTRY = struct.Struct("<BQIqH")
_KINDS = {ord("f"): "file", ord("d"): "directory", ord("l"): "symlink", ord("o"): "other"}


@dataclass(frozen=True, slots=True)
class Hello:
    """The runner is there. `secret` is what it was given to prove itself, `version` that of its frames."""

    version: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that the program of a slot wrote. `stream` is `stdout` or `stderr`."""

    slot: int
    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Exit:
    """The program of a slot has ended, and everything it started with it. One of the other two is set."""

    slot: int
    code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class Info:
    """What a path is; the entry's name is empty."""

    entry: FileEntry


@dataclass(frozen=True, slots=True)
class Data:
    """The next bytes of a file."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Entries:
    """The next entries of a directory."""

    entries: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked last was done."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request could not be served: errno, and a word for what was being done."""

    errno: int
    doing: str


Answer: TypeAlias = Hello | Output | Exit | Info | Data | Entries | Done | Failure


class Parser:
    """Bytes in, answers out, in order. Raises `ProtocolViolation` at the first fault and ever after."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken = False

    @property
    def waiting(self) -> bool:
        """Whether a part of a frame has come."""
        return bool(self._buffer)

    def feed(self, data: bytes | memoryview) -> list[Answer | ConnectionFrame]:
        """Take bytes as they came and give the answers they complete, in order.

        Raises:
            ProtocolViolation: not a frame of the runner's.
        """
        if self._broken:
            raise ProtocolViolation("The conversation has already failed.")
        self._buffer += data
        try:
            return list(self._frames())
        except ProtocolViolation:
            self._broken = True
            self._buffer.clear()
            raise

    def _frames(self) -> Iterator[Answer | ConnectionFrame]:
        at = 0
        try:
            while len(self._buffer) - at >= HEADER.size:
                length, kind = HEADER.unpack_from(self._buffer, at)
                if length > CHUNK:
                    raise ProtocolViolation("A frame is over the limit.")
                end = at + HEADER.size + length
                if len(self._buffer) < end:
                    break
                payload = bytes(memoryview(self._buffer)[at + HEADER.size : end])
                at = end
                yield _answer(kind, payload)
        finally:
            del self._buffer[:at]


def _answer(kind: int, payload: bytes) -> Answer | ConnectionFrame:
    if chr(kind) in "DN" and not payload:
        raise ProtocolViolation("A frame without its bytes.")
    parse = _PARSERS.get(chr(kind))
    if parse is None:
        raise ProtocolViolation("A frame of an unknown type.")
    return parse(payload)


def _hello(payload: bytes) -> Hello:
    if not 1 <= len(payload) <= 257:
        raise ProtocolViolation("A greeting of the wrong size.")
    return Hello(payload[0], payload[1:])


def _output(stream: str, payload: bytes) -> Output:
    if len(payload) < 2 or payload[0] > SLOTS:
        raise ProtocolViolation("Output of no slot, or none.")
    return Output(payload[0], stream, payload[1:])


def _done(payload: bytes) -> Done:
    if payload:
        raise ProtocolViolation("A frame with bytes that it does not have.")
    return Done()


def _exit(payload: bytes) -> Exit:
    if len(payload) != 3 or payload[0] > SLOTS:
        raise ProtocolViolation("An exit status of no slot.")
    slot, by_signal, which = payload
    if by_signal > 1 or (by_signal and not 1 <= which <= 64):
        raise ProtocolViolation("An exit status that no program can have.")
    return Exit(slot, None, which) if by_signal else Exit(slot, which, None)


def _failure(payload: bytes) -> Failure:
    if not 4 <= len(payload) <= 68:
        raise ProtocolViolation("A failure of the wrong size.")
    return Failure(int.from_bytes(payload[:4], "little"), payload[4:].decode("ascii", "replace"))


def _info(payload: bytes) -> Info:
    entries = tuple(_entries(payload))
    if len(entries) != 1 or entries[0].name:
        raise ProtocolViolation("Information that is not about one path.")
    return Info(entries[0])


def _entries(payload: bytes) -> Iterator[FileEntry]:
    at = 0
    while at < len(payload):
        if len(payload) - at < _ENTRY.size:
            raise ProtocolViolation("A directory entry is cut short.")
        kind, size, mode, modified, name_size = _ENTRY.unpack_from(payload, at)
        at += _ENTRY.size
        if kind not in _KINDS or mode > 0o7777 or name_size > 255 or len(payload) - at < name_size:
            raise ProtocolViolation("A directory entry that no directory has.")
        name = payload[at : at + name_size]
        if b"/" in name or b"\0" in name or name in {b".", b".."}:
            raise ProtocolViolation("A file name that no file can have.")
        at += name_size
        yield FileEntry(
            name=name.decode("utf-8", "surrogateescape"),
            kind=_KINDS[kind],
            size=size,
            mode=mode,
            modified_at=modified / 1e9,
        )


_PARSERS: dict[str, Callable[[bytes], Answer | ConnectionFrame]] = {
    "R": _hello,
    "1": lambda payload: _output("stdout", payload),
    "2": lambda payload: _output("stderr", payload),
    "E": _exit,
    "D": Data,
    "N": lambda payload: Entries(tuple(_entries(payload))),
    "I": _info,
    "O": _done,
    "F": _failure,
    **connection_frames.PARSERS,
}
