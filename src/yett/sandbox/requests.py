# SPDX-License-Identifier: Apache-2.0
"""Requests to PID 1 of a container, as bytes. Pure.

What an agent chose (arguments, variables, paths) can't end a string early or be taken for another field; what
the runner would end itself over is refused here. `container.py` and the parts it is made of are the callers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum

from yett.errors import ExecutionError
from yett.sandbox.wire import SLOTS, frame

_STRINGS = 4096
_PATH = 4096


class Limit(IntEnum):
    """Resource limits a program can be given; the value on the wire is the index in runner.c."""

    CPU_SECONDS = 0
    FILE_SIZE = 1
    OPEN_FILES = 2
    ADDRESS_SPACE = 3


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
    if len(encoded) > _PATH:
        raise ExecutionError("A path is longer than 4095 bytes.")
    return encoded


def _slot(slot: int) -> bytes:
    if not 0 <= slot <= SLOTS:
        raise ValueError(f"There is no slot {slot}.")
    return bytes([slot])


def encode_begin(*, port: int) -> bytes:
    """The first request: the port on 127.0.0.1 that is forwarded, 0 for none; answered by Done."""
    return frame("B", struct.pack("<H", port))


def encode_exec(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    stdin: bytes = b"",
    limits: Mapping[Limit, int],
    slot: int = 0,
) -> bytes:
    """A request to run a program: in slot 0 answered by Output and Exit, in another by Done, then those.

    Raises:
        ExecutionError: no program, a NUL byte, `=` in a variable's name, more than 4096 strings.
    """
    if not argv or not argv[0]:
        raise ExecutionError("There is no program to run.")
    if len(argv) + len(env) > _STRINGS:
        raise ExecutionError("More than 4096 arguments and variables.")
    if any(not name or "=" in name for name in env):
        raise ExecutionError("A variable's name is empty or contains `=`.")
    head = _slot(slot) + struct.pack("<HHB", len(argv), len(env), len(limits))
    bounds = b"".join(struct.pack("<BQ", kind, value) for kind, value in limits.items())
    strings = b"".join(_string(a, "an argument") for a in argv)
    variables = b"".join(_string(f"{k}={v}", "a variable") for k, v in env.items())
    return frame("X", head + bounds + _path(cwd) + strings + variables + stdin)


def encode_kill(slot: int) -> bytes:
    """Kill the program of a slot and all it started; its `Exit` follows. Ignored when nothing runs there."""
    return frame("K", _slot(slot))


def encode_read(path: str, *, offset: int, limit: int) -> bytes:
    """A request for up to `limit` bytes of a file; answered by Info, Data, Done."""
    if not 0 <= offset < 1 << 63 or not 0 <= limit < 1 << 63:
        raise ExecutionError("An offset or a limit is out of range.")
    return frame("G", struct.pack("<QQ", offset, limit) + _path(path))


def encode_write(path: str, data: bytes, *, append: bool) -> bytes:
    """A request to write a file; answered by Done."""
    return frame("P", bytes([append]) + _path(path) + data)


def encode_list(path: str, *, limit: int) -> bytes:
    """A request for up to `limit` entries of a directory; answered by Entries, Done."""
    return frame("L", struct.pack("<I", limit) + _path(path))


def encode_stat(path: str) -> bytes:
    """A request for what a path is, not following a last symlink; answered by Info, Done."""
    return frame("S", _path(path))
