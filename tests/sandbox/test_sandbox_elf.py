# SPDX-License-Identifier: Apache-2.0
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yett.errors import SandboxUnavailable
from yett.sandbox.images.architecture import ARCHITECTURES
from yett.sandbox.images.elf import read_linkage
from yett.sandbox.images.programs import host_file, with_libraries

SHELL = Path("/bin/sh").resolve()
HERE = next(known for known in ARCHITECTURES.values() if known.native)


def test_a_program_names_its_loader_and_its_libraries():
    linkage = read_linkage(SHELL.read_bytes(), "sh")
    assert Path(linkage.interpreter).exists()
    assert "libc.so.6" in linkage.libraries


def test_a_static_program_names_none():
    linkage = read_linkage(Path("/bin/busybox").read_bytes(), "busybox")
    assert (linkage.interpreter, linkage.libraries) == ("", ())


def test_a_program_comes_with_every_library_it_needs():
    gathered = with_libraries(str(SHELL), host_file, HERE)
    assert f"lib/{HERE.triplet}/libc.so.6" in gathered
    assert read_linkage(SHELL.read_bytes(), "sh").interpreter.lstrip("/") in gathered


def test_a_missing_library_is_named():
    def without_libc(path: str) -> bytes | None:
        return None if "libc.so" in path else host_file(path)

    with pytest.raises(SandboxUnavailable, match=r"needs libc\.so\.6"):
        with_libraries(str(SHELL), without_libc, HERE)
    with pytest.raises(SandboxUnavailable, match="There is no /none"):
        with_libraries("/none", host_file, HERE)


def test_a_script_is_no_program():
    with pytest.raises(SandboxUnavailable, match="script is not a program"):
        read_linkage(b"#!/bin/sh\n", "script")


@example(36, b"\x00\x00\x00\x80")  # a table beyond what an offset can be
@given(st.integers(0, 4096), st.binary(min_size=1, max_size=64))
def test_a_damaged_file_is_read_or_refused_and_nothing_else(at, noise):
    whole = bytearray(SHELL.read_bytes()[: 1 << 14])
    whole[at : at + len(noise)] = noise
    with suppress(SandboxUnavailable):  # any other error fails
        read_linkage(bytes(whole), "damaged")
