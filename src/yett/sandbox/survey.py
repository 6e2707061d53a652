# SPDX-License-Identifier: Apache-2.0
"""How much a workspace holds, and where the places are that tools of the host obey.

One walk by descriptors: no link is followed, no file opened, no other file system entered. It is bounded,
and what it could not see makes it incomplete, which its callers must treat as too much: a program could
hide files by closing a folder. Runs in a worker thread; called by `watched.py` and `workspace.py`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from yett.sandbox.beneath import Folder

_DEEPEST = 128
_BLOCK = 512
_GIT = ".git"
_SHORT = {"git~1": _GIT}
_BARE = frozenset({"HEAD", "config", "objects", "refs"})
"""Where these lie together git sees a repository, and obeys its config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a walk found.

    Attributes:
        size: bytes that the file system has given to it; holes count nothing, hard links once.
        files: how many names.
        places: paths of the protected names, and which inode each was.
        unseen: why it is incomplete, or empty.
    """

    size: int = 0
    files: int = 0
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unseen: str = ""


def places_in(folder: Folder, names: Collection[str]) -> dict[str, tuple[int, int]]:
    """The protected names that lie in the folder itself, and which inode each is."""
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            fd = folder.open(name, os.O_PATH | os.O_NOFOLLOW)
            try:
                now = os.fstat(fd)
            finally:
                os.close(fd)
            found[name] = (now.st_dev, now.st_ino)
    return found


def survey(folder: Folder, *, names: Collection[str], most_files: int) -> Survey:
    """Walk everything beneath a folder.

    Args:
        folder: where.
        names: protected names, looked for in every folder and not looked into.
        most_files: where it stops.

    Raises:
        OSError: the folder itself can't be listed.
    """
    walk = _Walk(names, most_files, os.fstat(folder.fd).st_dev)
    walk.enter(folder.open(".", os.O_RDONLY | os.O_DIRECTORY), "")
    return Survey(size=walk.size, files=walk.files, places=walk.places, unseen=walk.unseen)


def shown(path: str) -> str:
    """A path on one line of printable text, whatever bytes it holds: people and agents read it."""
    if path.isprintable():
        return path
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in path)


def _alike(name: str) -> str:
    """What file systems that know no case, ignore what is invisible or shorten names take as one name."""
    bare = name.lower()
    if not bare.isascii():
        bare = "".join(letter for letter in name if unicodedata.category(letter) != "Cf").casefold()
    return _SHORT.get(bare, bare)


class _Walk:
    def __init__(self, names: Collection[str], most_files: int, device: int) -> None:
        self._names = frozenset(_alike(name) for name in names)
        self._most_files = most_files
        self._device = device
        self._linked: set[int] = set()
        self.size = 0
        self.files = 0
        self.places: dict[str, tuple[int, int]] = {}
        self.unseen = ""

    def enter(self, fd: int, path: str, depth: int = 0, *, told: bool = False) -> None:
        """`told`: this lies in a protected place, or is one."""
        repository: dict[str, tuple[int, int]] = {}
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if self.files >= self._most_files:
                        self.unseen = f"it holds more than {self._most_files} files"
                        return
                    inode = self._take(fd, entry.name, f"{path}{entry.name}", depth, told=told)
                    if inode and entry.name in _BARE:
                        repository[entry.name] = inode
            if len(repository) == len(_BARE) and _GIT in self._names and not told:
                self.places[shown(f"{path}config")] = repository["config"]
        except OSError as error:
            if not path:
                raise
            self.unseen = self.unseen or f"{shown(path)}: {error.strerror}"
        finally:
            os.close(fd)

    def _take(self, parent: int, name: str, path: str, depth: int, *, told: bool) -> tuple[int, int] | None:
        """Count one name and what lies below it; its inode, or None where it is gone meanwhile."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        self.files += 1
        if found.st_nlink == 1 or stat.S_ISDIR(found.st_mode) or found.st_ino not in self._linked:
            self.size += found.st_blocks * _BLOCK
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            self._linked.add(found.st_ino)
        inode = (found.st_dev, found.st_ino)
        if _alike(name) in self._names:
            self.places[shown(path)] = inode
            told = True
        if not stat.S_ISDIR(found.st_mode) or found.st_dev != self._device:
            return inode
        if depth >= _DEEPEST:
            self.unseen = self.unseen or f"it has folders deeper than {_DEEPEST}"
            return inode
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            below = os.open(name, flags, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return inode  # gone, or another thing by now
        except OSError as error:
            self.unseen = self.unseen or f"{shown(path)}: {error.strerror}"
            return inode
        self.enter(below, f"{path}/", depth + 1, told=told)
        return inode
