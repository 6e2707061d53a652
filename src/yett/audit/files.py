# SPDX-License-Identifier: Apache-2.0
"""The log's files: segments that only grow, small files that are replaced whole.

A segment is `<20 digits of its first record's number>.jsonl`. What `SegmentWriter.append` has
returned from is on stable storage; what it failed to write is cut off again. It must never change a
byte below the durable length. Only `journal.py` writes; `verify` and `tail` list segments.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"([0-9]{20})\.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment file and the number of its first record."""

    path: Path
    first: int


def segments(folder: Path) -> tuple[Segment, ...]:
    """The segments of a log, oldest first.

    Raises:
        OSError: the folder can't be read.
    """
    found = ((entry, _NAME.fullmatch(entry.name)) for entry in folder.iterdir())
    return tuple(
        sorted(
            (Segment(path=path, first=int(match[1])) for path, match in found if match),
            key=lambda segment: segment.first,
        )
    )


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by one with this content; readers see the old or the new one. Mode 0600.

    After a power cut it may be the old one, until `sync_folder` was called.

    Raises:
        OSError: it could not be written; the old file is as it was.
    """
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)  # noqa: PTH105 - beside the other os calls of this room


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SegmentWriter:
    """The one open segment."""

    def __init__(self, folder: Path, first: int, length: int) -> None:
        """Open the segment that starts with record `first` and has `length` good bytes.

        Raises:
            OSError: it can't be opened, or it is shorter than that.
        """
        self.path = folder / f"{first:020}.jsonl"
        self.length = length
        self._descriptor = os.open(
            self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            size = os.fstat(self._descriptor).st_size
            if size < length:
                raise OSError(f"{self.path.name} was cut from {length} to {size} bytes by somebody else")
            if size > length:
                self._cut()
            if length == 0:
                sync_folder(folder)
        except OSError:
            self.close()
            raise

    def append(self, data: bytes) -> None:
        """Append and make durable.

        Raises:
            OSError: nothing was appended (unless the disk also refuses to cut; opening it again does).
        """
        self._still_ours()
        try:
            _write_all(self._descriptor, data)
            os.fdatasync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                self._cut()
            raise
        self.length += len(data)

    def finish(self) -> None:
        """Close a full segment; nobody is to write it again."""
        os.fchmod(self._descriptor, 0o400)
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self.length)
        os.fsync(self._descriptor)

    def _still_ours(self) -> None:
        """The name must still lead to this file, with the length that we left it."""
        named, ours = os.stat(self.path, follow_symlinks=False), os.fstat(self._descriptor)  # noqa: PTH116
        if (named.st_ino, named.st_dev) != (ours.st_ino, ours.st_dev):
            raise OSError(f"{self.path.name} was replaced by somebody else")
        if ours.st_size != self.length:
            raise OSError(f"{self.path.name} was changed by somebody else")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


__all__ = ["Segment", "SegmentWriter", "segments", "sync_folder", "write_atomically"]
