# SPDX-License-Identifier: Apache-2.0
"""The frames between the gateway and PID 1 of a container, without any I/O.

`encode_*` make requests; `Parser` turns whatever bytes arrive into answers. The bytes of a container
are hostile: a frame is checked against its type's shape and size before it becomes a value, the
parser never holds more than one frame's worth, and the first fault ends the conversation for good.
`container.py` is the only caller. The other side is `sandbox_images/runner/runner.c`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from yett.errors import ExecutionError
from yett.ports import FileEntry

CHUNK = 60 * 1024
"""The largest payload of one answer frame."""

_HEADER = struct.Struct("<IB")
_ENTRY = struct.Struct("<BQIqH")
_KINDS = {ord("f"): "file", ord("d"): "directory", ord("l"): "symlink", ord("o"): "other"}


class ProtocolViolation(ExecutionError):
    """The container sent something that its runner never sends. It is not to be used again."""

    public_text = "The sandbox broke its protocol and was destroyed."


class Limit(IntEnum):
    """Resource limits a program can be given; the value on the wire is the index in runner.c."""

    CPU_SECONDS = 0
    FILE_SIZE = 1
    OPEN_FILES = 2
    ADDRESS_SPACE = 3


@dataclass(frozen=True, slots=True)
class Hello:
    """The runner is there. `secret` is what it was given to prove itself."""

    secret: bytes


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that the program wrote. `stream` is `stdout` or `stderr`."""

    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Exit:
    """The program has ended, and everything it started with it. Exactly one of the two is set."""

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
    """A file request was served."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request could not be served: errno, and a word for what was being done."""

    errno: int
    doing: str


Answer: TypeAlias = Hello | Output | Exit | Info | Data | Entries | Done | Failure


def _frame(kind: bytes, payload: bytes) -> bytes:
    return _HEADER.pack(len(payload), kind[0]) + payload


def _string(text: str, what: str) -> bytes:
    """UTF-8 (file names that are not come back as surrogates and go out as they came), NUL-terminated."""
    if "\0" in text:
        raise ExecutionError(f"A NUL byte in {what}.")
    try:
        return text.encode("utf-8", "surrogateescape") + b"\0"
    except UnicodeEncodeError:
        raise ExecutionError(f"A lone surrogate in {what}.") from None


def _path(path: str) -> bytes:
    if not path.startswith("/"):
        raise ExecutionError("A path in a sandbox is absolute.")
    encoded = _string(path, "a path")
    if len(encoded) > 4096:
        raise ExecutionError("A path is longer than 4095 bytes.")
    return encoded


def encode_exec(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stdin: bytes = b"", limits: Mapping[Limit, int]
) -> bytes:
    """A request to run a program.

    Raises:
        ExecutionError: no program, a NUL byte, `=` in a variable's name, more than 4096 strings.
    """
    if not argv or not argv[0]:
        raise ExecutionError("There is no program to run.")
    if len(argv) + len(env) > 4096:
        raise ExecutionError("More than 4096 arguments and variables.")
    if any(not name or "=" in name for name in env):
        raise ExecutionError("A variable's name is empty or contains `=`.")
    head = struct.pack("<HHB", len(argv), len(env), len(limits))
    bounds = b"".join(struct.pack("<BQ", kind, value) for kind, value in limits.items())
    strings = b"".join(_string(a, "an argument") for a in argv)
    variables = b"".join(_string(f"{k}={v}", "a variable") for k, v in env.items())
    return _frame(b"X", head + bounds + _path(cwd) + strings + variables + stdin)


def encode_kill() -> bytes:
    """Kill the running program and all it started; its `Exit` follows."""
    return _frame(b"K", b"")


def encode_read(path: str, *, offset: int, limit: int) -> bytes:
    """A request for up to `limit` bytes of a file; answered by Info, Data, Done."""
    if not 0 <= offset < 1 << 63 or not 0 <= limit < 1 << 63:
        raise ExecutionError("An offset or a limit is out of range.")
    return _frame(b"G", struct.pack("<QQ", offset, limit) + _path(path))


def encode_write(path: str, data: bytes, *, append: bool) -> bytes:
    """A request to write a file; answered by Done."""
    return _frame(b"P", bytes([append]) + _path(path) + data)


def encode_list(path: str, *, limit: int) -> bytes:
    """A request for up to `limit` entries of a directory; answered by Entries, Done."""
    return _frame(b"L", struct.pack("<I", limit) + _path(path))


def encode_stat(path: str) -> bytes:
    """A request for what a path is, not following a last symlink; answered by Info, Done."""
    return _frame(b"S", _path(path))


class Parser:
    """Bytes in, answers out, in order. Raises `ProtocolViolation` at the first fault and ever after."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._broken = False

    @property
    def waiting(self) -> bool:
        """Whether a part of a frame has come."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Answer]:
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

    def _frames(self) -> Iterator[Answer]:
        at = 0
        try:
            while len(self._buffer) - at >= _HEADER.size:
                length, kind = _HEADER.unpack_from(self._buffer, at)
                if length > CHUNK:
                    raise ProtocolViolation("A frame is over the limit.")
                end = at + _HEADER.size + length
                if len(self._buffer) < end:
                    break
                payload = bytes(memoryview(self._buffer)[at + _HEADER.size : end])
                at = end
                yield _answer(kind, payload)
        finally:
            del self._buffer[:at]


def _answer(kind: int, payload: bytes) -> Answer:
    if chr(kind) in "12DN" and not payload:
        raise ProtocolViolation("A frame without its bytes.")
    parse = _PARSERS.get(chr(kind))
    if parse is None:
        raise ProtocolViolation("A frame of an unknown type.")
    return parse(payload)


def _hello(payload: bytes) -> Hello:
    if len(payload) > 256:
        raise ProtocolViolation("A greeting of the wrong size.")
    return Hello(payload)


def _done(payload: bytes) -> Done:
    if payload:
        raise ProtocolViolation("A frame with bytes that it does not have.")
    return Done()


def _exit(payload: bytes) -> Exit:
    if len(payload) != 2 or payload[0] > 1 or (payload[0] and not 1 <= payload[1] <= 64):
        raise ProtocolViolation("An exit status that no program can have.")
    return Exit(None, payload[1]) if payload[0] else Exit(payload[1], None)


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


_PARSERS: dict[str, Callable[[bytes], Answer]] = {
    "R": _hello,
    "1": lambda payload: Output("stdout", payload),
    "2": lambda payload: Output("stderr", payload),
    "E": _exit,
    "D": Data,
    "N": lambda payload: Entries(tuple(_entries(payload))),
    "I": _info,
    "O": _done,
    "F": _failure,
}
