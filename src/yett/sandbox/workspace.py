# SPDX-License-Identifier: Apache-2.0
"""A folder of the host as mounts of a container: what the engine is asked for, and by which descriptor.

A program in another container may be changing the folder at this moment. So what is mounted from inside
of it is opened here first, without following links, and the engine is given the descriptor and not the
name. It must never hand the engine a name that a program can change. `container.py` is the only caller.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from yett.action import JsonObject
from yett.errors import SandboxUnavailable
from yett.sandbox.beneath import Folder
from yett.sandbox.hardening import WORKSPACE, bound
from yett.sandbox.settings import MIB, HostWorkspace

_OPEN_TREE, _MOUNT_SETATTR = 428, 442
_OPEN_TREE_CLONE, _AT_EMPTY_PATH, _NOSUID, _NODEV = 1, 0x1000, 2, 4
_LARGEST_COPY = MIB

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """What a container is made with.

    Attributes:
        mounts: entries of `HostConfig.Mounts`.
        disk: the block device below the folder, or empty where there is none to limit.
    """

    mounts: tuple[JsonObject, ...] = ()
    disk: str = ""


@contextmanager
def mounted(workspace: HostWorkspace | None, copies: Path, *, mapped_users: bool) -> Iterator[Mounted]:
    """The mounts of a workspace; valid until the container was started.

    Args:
        workspace: which folder, or None for none.
        copies: an existing folder of the gateway's own, for as long as the container lives.
        mapped_users: whether users of containers are other users of the host.

    Raises:
        SandboxUnavailable: the folder, or a protected place in it, is not what it has to be.
    """
    if workspace is None:
        yield Mounted()
        return
    with ExitStack() as open_until_started:
        try:
            folder = open_until_started.enter_context(Folder(workspace.path))
        except OSError as error:
            raise SandboxUnavailable(
                f"the workspace {workspace.path} can't be opened: {error.strerror}",
                advice="tools.shell.workspace names a folder, and no part of its path is a symbolic link",
            ) from error
        if not workspace.writable:
            yield Mounted(mounts=(_closed_mount(workspace.path, WORKSPACE),))
            return
        _check_owner(workspace, folder, mapped_users=mapped_users)
        mounts = [_open_mount(workspace, folder, open_until_started)]
        for number, name in enumerate(workspace.protect):
            mount = _protection(folder, name, copies / f"p{number}", open_until_started)
            if mount is not None:
                mounts.append(mount)
        yield Mounted(mounts=tuple(mounts), disk=disk_of(os.fstat(folder.fd).st_dev))


def disk_of(device: int, *, sys: Path = Path("/sys/dev/block"), dev: Path = Path("/dev")) -> str:
    """The whole disk of a device number, as the kernel throttles it; empty where there is none (tmpfs)."""
    entry = sys / f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError, ValueError):
        real = entry.resolve(strict=True)
        name = real.parent.name if (real / "partition").exists() else real.name
        if stat.S_ISBLK((dev / name).stat().st_mode):
            return str(dev / name)
    return ""


def _check_owner(workspace: HostWorkspace, folder: Folder, *, mapped_users: bool) -> None:
    if mapped_users:
        raise SandboxUnavailable(
            "this engine maps users, so that nobody in a container is the owner of a folder of the host",
            advice="mount it read-only (mode: read-only), or use an engine without user mapping",
        )
    found = os.fstat(folder.fd)
    if (found.st_uid, found.st_gid) != (workspace.uid, workspace.gid):
        raise SandboxUnavailable(
            f"{workspace.path} has another owner than when the gateway started", advice="restart the gateway"
        )


def _open_mount(workspace: HostWorkspace, folder: Folder, stack: ExitStack) -> JsonObject:
    """The folder itself, writable; with nosuid and nodev where the kernel lets this process say so.

    The engine can't mount a folder writable with these options. A gateway with CAP_SYS_ADMIN makes a mount
    that is nowhere attached (it is gone with its descriptor) and the engine binds that (Linux 6.15).
    """
    tree = _detached(folder.fd) if _kernel() >= (6, 15) else None
    if tree is None:
        return {**bound(workspace.path, WORKSPACE), "ReadOnly": False}
    stack.callback(os.close, tree)
    return _volume(f"/proc/{os.getpid()}/fd/{tree}", WORKSPACE, "bind")


def _detached(fd: int) -> int | None:
    flags = _OPEN_TREE_CLONE | _AT_EMPTY_PATH | os.O_CLOEXEC
    tree: int = _libc.syscall(_OPEN_TREE, fd, b"", flags)
    if tree < 0:
        return None  # no right to: nosuid is not seen from inside then, and the status says so
    attributes = struct.pack("=QQQQ", _NOSUID | _NODEV, 0, 0, 0)
    if _libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, len(attributes)) != 0:
        os.close(tree)
        return None
    return tree


def _kernel() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int(minor.partition("-")[0])


def _protection(folder: Folder, name: str, copy: Path, stack: ExitStack) -> JsonObject | None:
    """A read-only mount over a protected place; None where there is nothing."""
    try:
        fd = folder.open(name, os.O_PATH)
        stack.callback(os.close, fd)
        kind = os.fstat(fd).st_mode
        if stat.S_ISDIR(kind):
            return _closed_mount(f"/proc/{os.getpid()}/fd/{fd}", f"{WORKSPACE}/{name}")
        # A file can't be mounted by its descriptor. The program sees what it held at this moment.
        copy.write_bytes(folder.read(name, _LARGEST_COPY))
        copy.chmod(0o444)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = "is a symbolic link" if error.errno == errno.ELOOP else f"({error.strerror})"
        raise SandboxUnavailable(
            f"{name} in the workspace {why}: it can't be protected, so nothing runs",
            advice=f"look at who made it, remove it, or take {name} out of tools.shell.workspace.protect",
        ) from error
    return bound(str(copy), f"{WORKSPACE}/{name}")


def _closed_mount(source: str, target: str) -> JsonObject:
    """Read-only with nosuid and nodev, which only a volume of the engine's can say."""
    return _volume(source, target, "bind,ro,nosuid,nodev")


def _volume(source: str, target: str, options: str) -> JsonObject:
    # Without a name: the engine removes it with the container.
    local = {"type": "none", "o": options, "device": source}
    return {
        "Type": "volume",
        "Target": target,
        "VolumeOptions": {"NoCopy": True, "DriverConfig": {"Name": "local", "Options": {**local}}},
    }
