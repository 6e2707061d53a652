# SPDX-License-Identifier: Apache-2.0
"""A file system as a tar archive whose bytes depend on its entries alone: sorted, without times. Pure."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, replace

from yett.sandbox.settings import UID


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, a folder (`folder`) or a symbolic link (`link`)."""

    mode: int
    data: bytes = b""
    link: str = ""
    folder: bool = False
    owner: int = 0
    group: int = 0


class Layer:
    """Entries by path, without the leading slash. A later one replaces an earlier one."""

    def __init__(self) -> None:
        """Empty."""
        self._entries: dict[str, Entry] = {}

    def folder(self, path: str, mode: int = 0o755, *, owner: int = 0) -> None:
        """Add a folder."""
        self.add(path, Entry(mode=mode, folder=True, owner=owner, group=owner))

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Add a file and, where they are missing, the folders above it."""
        folder = path
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder not in self._entries:
                self.folder(folder)
        self.add(path, Entry(mode=mode, data=data))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self.add(path, Entry(mode=0o777, link=target))

    def add(self, path: str, entry: Entry) -> None:
        """Add an entry as it is, but for setuid and setgid bits, which it never has."""
        self._entries[path] = replace(entry, mode=entry.mode & ~0o6000)

    def runner(self, runner: bytes) -> None:
        """What every image of a sandbox holds: the runner and what is mounted or written over."""
        self.file("yett-runner", runner, 0o755)
        self.add("workspace", Entry(mode=0o700, folder=True, owner=UID, group=UID))
        self.add("run/yett.sock", Entry(mode=0o644))

    def bytes(self) -> bytes:
        """The archive."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            self.write(tar)
        return out.getvalue()

    def write(self, tar: tarfile.TarFile) -> None:
        """Add the entries to an archive, folders before what is in them."""
        for path in sorted(self._entries):
            entry = self._entries[path]
            info = tarfile.TarInfo(path)
            info.type = (
                tarfile.DIRTYPE if entry.folder else tarfile.SYMTYPE if entry.link else tarfile.REGTYPE
            )
            info.mode, info.size, info.linkname = entry.mode, len(entry.data), entry.link
            info.uid, info.gid = entry.owner, entry.group
            tar.addfile(info, io.BytesIO(entry.data) if entry.data else None)
