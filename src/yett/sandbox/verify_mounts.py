# SPDX-License-Identifier: Apache-2.0
"""What a container sees of file systems: each mount with its options, and nothing of the host beside.

Judges what `look.py` printed; of the host it reads the workspace's device and inode alone. Called by
`verify.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yett.sandbox.control import UNSEEN, Control, control, nothing_of
from yett.sandbox.hardening import MASKED, READ_ONLY, SOCKET, WORKSPACE
from yett.sandbox.settings import HostWorkspace, SandboxSettings
from yett.sandbox.workspace import disk_of

_OF_THE_ENGINE = frozenset(("/etc/resolv.conf", "/etc/hostname", "/etc/hosts"))
_ALWAYS = frozenset(
    ("/", "/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm", "/dev/console", "/sys", "/tmp", WORKSPACE)  # noqa: S108
)
_NODES = frozenset(f"/dev/{name}" for name in ("full", "null", "random", "tty", "urandom", "zero"))
"""Bound from the host where the engine maps users and may make none."""
_IN_MEMORY = frozenset(("tmpfs", "devtmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "shm"))


@dataclass(frozen=True, slots=True)
class _Mount:
    where: str
    options: frozenset[str]
    kind: str
    root: str


def mount_controls(seen: Mapping[str, str], settings: SandboxSettings) -> Iterator[Control]:
    """Every mount that matters, in the order of the table."""
    mounts = _mounts(seen["mountinfo"])
    closed = ("nosuid", "nodev", "noexec")
    workspace = settings.workspace
    yield _mounted(mounts, "/", ("ro",))
    yield _mounted(mounts, "/proc/sys", ("ro",))
    if seen["sysrq"] != "absent":  # a kernel without it
        yield _mounted(mounts, "/proc/sysrq-trigger", ("ro",))
    yield _mounted(mounts, "/tmp", (*closed, *_sized(settings.tmp_size, settings.inodes)))  # noqa: S108
    yield _mounted(mounts, "/dev/shm", (*closed, f"size={settings.shm_size // 1024}k"))  # noqa: S108
    if workspace is None:
        options = ("nosuid", "nodev", *_sized(settings.work_size, settings.inodes))
        yield _mounted(mounts, WORKSPACE, options)
    else:
        yield from _host_folder(mounts, workspace, seen["workspace"].strip())
    yield nothing_of("mounts of the host", _unexpected(mounts, workspace), looked=bool(mounts))
    yield nothing_of("writable disks", _writable_disks(mounts, workspace), looked=bool(mounts))
    yield _block_input_output(workspace, seen["disk"])
    masked = seen["masked"].split()
    yield nothing_of("masked paths that show", [p for p in masked if p in MASKED], looked="looked" in masked)
    found = seen["set_uid"].splitlines()
    # Any end but a time-out: some folder is always closed.
    whole = bool(found) and found[-1].startswith("ended ") and found[-1] not in {"ended 124", "ended 143"}
    yield nothing_of("set-uid files of the image", found[:-1], looked=whole)


def _host_folder(mounts: Sequence[_Mount], workspace: HostWorkspace, number: str) -> Iterator[Control]:
    if not workspace.writable:
        yield _mounted(mounts, WORKSPACE, ("ro", "nosuid", "nodev"))
    else:
        found = _mounted(mounts, WORKSPACE, ("rw", "nosuid", "nodev"))
        yield Control(
            control=found.control,
            expected=found.expected,
            seen=found.seen,
            ok="rw" in found.seen.split(","),
            note=""
            if found.ok
            else "the engine can't set nosuid,nodev on a writable folder and this gateway may not; no such"
            " file can be made (see `set-uid files made` and `device nodes made`)",
        )
    yield control("workspace", _number(workspace.path), number)


def _block_input_output(workspace: HostWorkspace | None, table: str) -> Control:
    name = "block I/O"
    if workspace is None or not workspace.writable:
        return control(name, "nothing writable is on a disk", "nothing writable is on a disk")
    disk = _disk_number(workspace.path)
    if not disk:
        note = "the folder is on no disk that the kernel can throttle; its quota and the memory limit hold"
        return Control(control=name, expected="limits of its disk", seen="no such disk", ok=True, note=note)
    # Version 1: `254:0 1048576`; version 2: `254:0 rbps=... wbps=1048576 ...`.
    rows = [line.replace("wbps=", "").split() for line in table.splitlines()]
    rate = str(workspace.disk_rate)
    seen = rate if any(row[:1] == [disk] and rate in row for row in rows) else ""
    return control(name, rate, seen, note="cgroup v1 holds direct and synced writes only")


def _disk_number(path: str) -> str:
    try:
        disk = disk_of(Path(path).lstat().st_dev)
        number = Path(disk).stat().st_rdev if disk else 0
    except OSError:
        return ""
    return f"{os.major(number)}:{os.minor(number)}" if disk else ""


def _unexpected(mounts: Sequence[_Mount], workspace: HostWorkspace | None) -> list[str]:
    known = {*_ALWAYS, *_OF_THE_ENGINE, SOCKET, *MASKED, *READ_ONLY}
    known |= {m.where for m in mounts if m.where in _NODES and m.where == f"/dev{m.root}"}
    if workspace is not None and workspace.writable:
        known |= {f"{WORKSPACE}/{name}" for name in workspace.protect}
    return sorted(
        {m.where for m in mounts} - known - {m.where for m in mounts if m.where.startswith("/sys/fs/cgroup")}
    )


def _writable_disks(mounts: Sequence[_Mount], workspace: HostWorkspace | None) -> list[str]:
    """The socket's mount is read-only; a socket takes words all the same."""
    meant = {WORKSPACE} if workspace is not None and workspace.writable else set()
    return sorted({m.where for m in mounts if "rw" in m.options and m.kind not in _IN_MEMORY} - meant)


def _mounts(table: str) -> list[_Mount]:
    """From /proc/self/mountinfo (proc_pid_mountinfo(5)); of a mount's own options and its file system's."""
    found = []
    for line in table.splitlines():
        before, dash, after = line.partition(" - ")
        fields, of_fs = before.split(), after.split()
        if dash and len(fields) >= 6 and len(of_fs) >= 3:
            own = set(fields[5].split(","))
            of_system = {_in_kibibytes(option) for option in of_fs[2].split(",")} - {"ro", "rw"}
            found.append(_Mount(fields[4], frozenset(own | of_system), of_fs[0], fields[3]))
    return found


def _in_kibibytes(option: str) -> str:
    """A size as Linux shows it; gVisor shows bytes."""
    name, _, value = option.partition("=")
    return f"size={int(value) // 1024}k" if name == "size" and value.isdigit() else option


def _mounted(mounts: Sequence[_Mount], where: str, options: tuple[str, ...]) -> Control:
    last = [mount for mount in mounts if mount.where == where][-1:]
    seen = [option for option in options if last and option in last[0].options]
    return control(f"mount {where}", ",".join(options), ",".join(seen))


def _sized(size: int, inodes: int) -> tuple[str, str]:
    return f"size={size // 1024}k", f"nr_inodes={inodes}"


def _number(path: str) -> str:
    """The device and inode of a folder, as stat(1) prints them."""
    try:
        found = Path(path).lstat()
    except OSError:
        return UNSEEN
    return f"{found.st_dev}:{found.st_ino}"
