# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel killed something in a container for memory, read from the host's cgroup.

The engine does not tell: its `OOMKilled` is about PID 1 only. Read from files of the host, so it works
where the gateway shares the engine's machine; elsewhere the answer is "unknown". Called by `container.py`.
"""

from __future__ import annotations

from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")


def oom_file(pid: int, *, proc: Path = Path("/proc"), mount: Path = _MOUNT) -> Path | None:
    """The file that counts out-of-memory kills in the cgroup of a process of this host, if there is one."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    unified = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _existing(mount / "memory" / path.lstrip("/") / "memory.oom_control")
        if not controllers:
            unified = mount / path.lstrip("/") / "memory.events"
    return _existing(unified) if unified is not None else None


def in_container(pid: int, container: str, *, proc: Path = Path("/proc")) -> bool:
    """Whether a process of this host is in the cgroup that the engine made for a container, by its id.

    False also where the engine's host is another machine, whose pids mean other processes here, or none.
    """
    try:
        return bool(container) and container in (proc / str(pid) / "cgroup").read_text()
    except OSError:
        return False


def oom_kills(counter: Path | None) -> int | None:
    """How many processes were killed for memory so far, or None when that can't be known."""
    if counter is None:
        return None
    try:
        fields = dict(line.split(" ", 1) for line in counter.read_text().splitlines())
        return int(fields["oom_kill"])
    except (OSError, KeyError, ValueError):
        return None


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
