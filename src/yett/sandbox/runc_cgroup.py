# SPDX-License-Identifier: Apache-2.0
"""The cgroups of containers that runc made: who is in them, killing those, and taking the folders away.

runc does this in `runc delete`, but not for a container that it was killed over before it had written its
state. It never touches a cgroup outside of /yett. Blocking, bounded; `runc.py` calls it in worker threads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from yett.errors import SandboxUnavailable

_PARENT = "yett"
_PAUSE = 0.001


def cgroup_path(name: str) -> str:
    """Where a container's cgroup is in each hierarchy."""
    return f"/{_PARENT}/{name}"


def cgroup_version(mount: Path = Path("/sys/fs/cgroup")) -> str:
    """`2` for one unified hierarchy, `1` for others, hybrids too."""
    return "2" if (mount / "cgroup.controllers").exists() else "1"


def member(pid: int, name: str, *, proc: Path = Path("/proc")) -> bool:
    """Whether a process of this host is in a container's cgroup."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return False
    return any(line.split(":", 2)[2] == cgroup_path(name) for line in lines)


def end_and_clear(name: str, seconds: float, *, mount: Path = Path("/sys/fs/cgroup")) -> None:
    """Kill everything in a container's cgroup and take the cgroup away; one that is gone is fine.

    Raises:
        SandboxUnavailable: something in it could not be killed in that time.
    """
    until = time.monotonic() + seconds
    while True:
        left = [folder for folder in _folders(name, mount) if not _cleared(folder)]
        if not left:
            return
        if time.monotonic() > until:
            raise SandboxUnavailable(
                f"Processes of the container {name} do not die.", advice=f"Look into {left[0]}/cgroup.procs"
            )
        for folder in left:
            _kill(folder, name)
        time.sleep(_PAUSE)


def clear_empty(known: Collection[str], age: float, *, mount: Path = Path("/sys/fs/cgroup")) -> None:
    """Take away cgroups without a process, older than `age` seconds, whose names are not `known`.

    A runc whose gateway was killed may make one after it was cleared away. The kernel refuses to remove one
    that is in use.
    """
    now = time.time()
    for parent in _folders("", mount):
        for folder in parent.iterdir() if parent.exists() else ():
            with contextlib.suppress(OSError):
                if folder.is_dir() and folder.name not in known and now - folder.stat().st_ctime >= age:
                    folder.rmdir()


def _folders(name: str, mount: Path) -> Iterator[Path]:
    relative = cgroup_path(name).lstrip("/")
    if cgroup_version(mount) == "2":
        yield mount / relative
        return
    for hierarchy in mount.iterdir():
        if not hierarchy.is_symlink():  # `cpu` may be a link to `cpu,cpuacct`
            yield hierarchy / relative


def _cleared(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill(folder: Path, name: str) -> None:
    with contextlib.suppress(OSError):
        for word in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(int(word))
                try:
                    # Seen in the cgroup after the pidfd was opened: it is no later process of that number.
                    if member(int(word), name):
                        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                finally:
                    os.close(pidfd)
