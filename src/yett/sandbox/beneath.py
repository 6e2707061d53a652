# SPDX-License-Identifier: Apache-2.0
"""Opening what lies in a folder that somebody hostile writes to, and nothing else.

Whatever the gateway looks at inside of a mounted workspace goes through `Folder`: the kernel resolves the
path below the folder's descriptor, follows no link of any kind and leaves the file system at no mount
point (`openat2`). Where there is no `openat2` each part is opened from its parent. It must never open a
path in a workspace by name. Callers: `workspace.py`, `survey.py`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from types import TracebackType
from typing import Self

_OPENAT2 = 437
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_NOT_OURS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""A FIFO does not block, a terminal does not become ours."""
_MOST_PARTS = 256

_libc = ctypes.CDLL(None, use_errno=True)


class Folder:
    """A folder and what is beneath it. Close it."""

    def __init__(self, path: str, *, kernel_resolves: bool | None = None) -> None:
        """Open the folder itself; no part of its path may be a symbolic link.

        Args:
            path: absolute.
            kernel_resolves: whether to use `openat2`; None asks the kernel.

        Raises:
            OSError: with the kernel's reason; ELOOP for a link.
        """
        self._kernel = _knows_openat2() if kernel_resolves is None else kernel_resolves
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Above the folder other file systems are fine, links are not.
            inside = path.strip("/") or "."
            if self._kernel:
                how = _NO_SYMLINKS | _NO_MAGICLINKS | _BENEATH
                self.fd = _openat2(root, inside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, how)
            else:
                self.fd = _walk(root, inside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, None)
        finally:
            os.close(root)

    def __enter__(self) -> Self:
        """The folder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of it. Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of what is at a path beneath; the caller closes it.

        Args:
            path: relative, without `..`.
            flags: of open(2). Nothing can be made: there is no mode.

        Raises:
            OSError: ELOOP for a link, EXDEV for a path that leaves, or the kernel's reason.
        """
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or "\0" in path:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        if not path or len(parts) > _MOST_PARTS or flags & (os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        if self._kernel:
            return _openat2(
                self.fd, path, flags | _NOT_OURS, _BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS | _NO_XDEV
            )
        return _walk(self.fd, path, flags | _NOT_OURS, os.fstat(self.fd).st_dev)

    def read(self, path: str, limit: int) -> bytes:
        """What a regular file of one name holds.

        A file of several names is refused: one of them may be outside, put there by a hard link.

        Raises:
            OSError: as `open`; EINVAL for what is no such file; EFBIG for more than `limit` bytes.
        """
        fd = self.open(path)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise OSError(errno.EINVAL, "not a regular file of one name", path)
            data = file.read(limit + 1)
        if len(data) > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return data


def _openat2(at: int, path: str, flags: int, resolve: int) -> int:
    if flags & os.O_PATH:  # which takes no other flag but these
        flags &= os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    how = struct.pack("=QQQ", flags, 0, resolve)
    while True:
        fd: int = _libc.syscall(_OPENAT2, at, os.fsencode(path), how, len(how))
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        if code not in {errno.EINTR, errno.EAGAIN}:
            raise OSError(code, os.strerror(code), path)


def _knows_openat2() -> bool:
    try:
        os.close(_openat2(-100, "/", os.O_PATH | os.O_CLOEXEC, 0))
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EPERM}:  # an old kernel, or a filter around this process
            return False
        raise
    return True


def _walk(at: int, path: str, flags: int, device: int | None) -> int:
    """Part by part, each from its parent's descriptor; on one file system if a device is given."""
    *above, last = [part for part in path.split("/") if part not in {"", "."}] or ["."]
    here = os.dup(at)
    try:
        for part in above:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
        found = os.stat(last, dir_fd=here, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        end = os.open(last, flags | os.O_NOFOLLOW, dir_fd=here)
        if device is not None and os.fstat(end).st_dev != device:
            os.close(end)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
    except NotADirectoryError as error:
        raise OSError(errno.ELOOP, "not a folder, or a link", path) from error
    finally:
        os.close(here)
    return end
