# SPDX-License-Identifier: Apache-2.0
"""A flat image's tar archive as a folder that containers can share read-only.

The archive is hostile. Each part of a path is opened from its parent's descriptor and no link is followed, so
nothing lands outside; no device, no FIFO, no setuid bit, no capability, no bit that lets another than root
write; bytes and entries are bounded. Everything belongs to root. Blocking; `runc_images.py` calls it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from yett.errors import SandboxUnavailable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOUNTED_OVER = ("dev", "proc", "sys")
_MOUNT_POINTS = ("dev", "etc", "proc", "run", "sys", "tmp", "workspace")
_WHITEOUT = ".wh."
_WRITTEN = {
    "etc/resolv.conf": b"nameserver 127.0.0.1\n",  # no server of the host's, and none that answers
    "etc/hosts": b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "etc/hostname": b"sandbox\n",
    "run/yett.sock": b"",
}
"""What an engine mounts over each container's files, and where the socket is mounted."""


def unpack(tar: tarfile.TarFile, folder: Path, *, size: int, files: int) -> None:
    """Unpack an archive into an empty folder.

    Args:
        tar: of a whole file system, not of one layer over others.
        folder: exists, empty.
        size: bytes of all files together, at most.
        files: entries, at most.

    Raises:
        SandboxUnavailable: the archive holds what an image must not hold, or is no archive.
    """
    top = os.open(folder, _FOLDER)
    try:
        _Unpacking(top, size, files).all(tar)
        for name in _MOUNT_POINTS:
            os.close(_descend(top, (name,)))
        for path, data in _WRITTEN.items():
            with _parent(top, _parts(path)) as (parent, name):
                _clear(parent, name)
                with os.fdopen(os.open(name, _NEW, 0o644, dir_fd=parent), "wb") as file:
                    file.write(data)
                    os.fchmod(file.fileno(), 0o644)
        os.fchmod(top, 0o755)
    except (tarfile.TarError, EOFError, OSError, UnicodeError) as fault:
        raise _refused("", f"it cannot be unpacked: {fault}") from fault
    finally:
        os.close(top)


class _Unpacking:
    def __init__(self, top: int, size: int, files: int) -> None:
        self._top = top
        self._size = size
        self._files = files

    def all(self, tar: tarfile.TarFile) -> None:
        for entry in tar:
            self._files -= 1
            self._size -= entry.size if entry.isreg() else 0
            if self._files < 0 or self._size < 0:
                raise _refused(entry.name, "the image is larger than images may be")
            parts = _parts(entry.name)
            if parts and parts[0] not in _MOUNTED_OVER:
                with _parent(self._top, parts) as (parent, name):
                    self._one(tar, entry, parent, name)

    def _one(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, name: str) -> None:
        if name.startswith(_WHITEOUT):
            raise _refused(entry.name, "this is one layer of an image and not a whole one")
        if entry.isdir():
            below = _enter(parent, name)
            try:
                os.fchmod(below, entry.mode & 0o755)
            finally:
                os.close(below)
            return
        _clear(parent, name)
        if entry.isreg():
            self._file(tar.extractfile(entry), entry, parent, name)
        elif entry.issym():
            os.symlink(entry.linkname, name, dir_fd=parent)  # followed in the container only
        elif entry.islnk():
            with _parent(self._top, _parts(entry.linkname)) as (folder, target):
                if not stat.S_ISREG(os.stat(target, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise _refused(entry.name, "a hard link to what is not a file")
                os.link(target, name, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
        else:
            raise _refused(entry.name, "neither file, folder nor link")

    @staticmethod
    def _file(content: IO[bytes] | None, entry: tarfile.TarInfo, parent: int, name: str) -> None:
        with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=parent), "wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, 1 << 20)
            file.flush()
            os.fchmod(file.fileno(), entry.mode & 0o755)
            # Python trusts its compiled files by the time of the sources.
            os.utime(file.fileno(), (entry.mtime, entry.mtime))


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if ".." in parts or "\0" in path:
        raise _refused(path, "a path that leads out of the image")
    return parts


@contextlib.contextmanager
def _parent(top: int, parts: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The folder that holds an entry, made where it is missing, and the entry's name."""
    if not parts:
        raise _refused("/", "it is not a file")
    parent = _descend(top, parts[:-1])
    try:
        yield parent, parts[-1]
    finally:
        os.close(parent)


def _descend(top: int, parts: tuple[str, ...]) -> int:
    here = os.dup(top)
    for part in parts:
        try:
            below = _enter(here, part)
        except OSError as fault:
            raise _refused("/".join(parts), f"a folder on the way is none: {fault.strerror}") from fault
        finally:
            os.close(here)
        here = below
    return here


def _enter(parent: int, name: str) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _clear(parent: int, name: str) -> None:
    """Take away an earlier entry of the same name; a folder stays, and the next step fails on it."""
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(name, dir_fd=parent)


def _refused(path: str, why: str) -> SandboxUnavailable:
    where = f" at {path[:200]!r}" if path else ""
    return SandboxUnavailable(f"The image's archive is not unpacked{where}: {why}.")
