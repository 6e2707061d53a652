# SPDX-License-Identifier: Apache-2.0
"""Which loader and which shared libraries a program asks for, from its ELF headers. Pure; nothing is run.

`ldd` would start the program's own loader, and knows nothing of another machine's programs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from yett.errors import SandboxUnavailable

_DYNAMIC, _INTERPRETER, _LOAD = 2, 3, 1
_NEEDED, _STRING_TABLE = 1, 5
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkage:
    """`interpreter` is the loader's path, empty for a static program; `libraries` are file names."""

    interpreter: str
    libraries: tuple[str, ...]


def read_linkage(program: bytes, name: str) -> Linkage:
    """Read a 64-bit little-endian ELF file.

    Args:
        program: the file.
        name: of the file, for the error.

    Raises:
        SandboxUnavailable: it is not such a file, or is cut short.
    """
    try:
        return _read(program)
    except (struct.error, ValueError, OverflowError) as fault:
        raise SandboxUnavailable(f"{name} is not a program for this kind of machine: {fault}") from fault


def _read(program: bytes) -> Linkage:
    if program[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit little-endian ELF file")
    (start,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    interpreter, loads, dynamic = "", [], b""
    for number in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", program, start + number * size)
        if kind == _INTERPRETER:
            interpreter = program[offset : offset + length].rstrip(b"\0").decode()
        elif kind == _LOAD:
            loads.append((address, offset, length))
        elif kind == _DYNAMIC:
            dynamic = program[offset : offset + length]
    if not dynamic:
        return Linkage(interpreter=interpreter, libraries=())
    entries = [
        pair for pair, _ in zip(struct.iter_unpack("<QQ", dynamic), range(_MOST_ENTRIES), strict=False)
    ]
    names = [value for tag, value in entries if tag == _NEEDED]
    tables = [value for tag, value in entries if tag == _STRING_TABLE]
    if names and not tables:
        raise ValueError("no string table")
    table = _offset_of(tables[0], loads) if names else 0
    return Linkage(interpreter=interpreter, libraries=tuple(_string(program, table + at) for at in names))


def _offset_of(address: int, loads: list[tuple[int, int, int]]) -> int:
    for start, offset, length in loads:
        if start <= address < start + length:
            return address - start + offset
    raise ValueError("an address outside of the file")


def _string(program: bytes, at: int) -> str:
    return program[at : program.index(b"\0", at)].decode()
