# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a container from inside it, control by control.

`hardening.py` asks for controls; an engine can accept a setting and not enforce it (a missing cgroup
controller, a kernel without seccomp). `yett doctor` prints this list and the tests assert it. The image
must have /bin/sh and cat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from yett.errors import ExecutionError
from yett.ports import Command, Sandbox
from yett.sandbox.hardening import SECRET_VARIABLE, UID, WORKSPACE
from yett.sandbox.settings import SandboxSettings

_FILES = {
    "status": "/proc/self/status",
    "limits": "/proc/self/limits",
    "mounts": "/proc/self/mounts",
    "devices": "/proc/net/dev",
    "cgroup": "/proc/self/cgroup",
    "resolv": "/etc/resolv.conf",
    "environment": "/proc/self/environ",
    "init": "/proc/1/environ",
    "memory": "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max",
    "pids": "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max",
    "cpu": "/sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max",
    "swap": "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/memory.swap.max",
}
_MARK = "@@@"
_SCRIPT = "\n".join(f"echo; echo '{_MARK}{name}'; cat {path} 2>/dev/null" for name, path in _FILES.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control: what was asked for, what was seen from inside, and whether they agree."""

    control: str
    expected: str
    seen: str
    ok: bool


async def verify_hardening(sandbox: Sandbox, settings: SandboxSettings) -> tuple[Control, ...]:
    """Look from inside at every control that can be seen from there.

    Raises:
        ExecutionError: the image has no /bin/sh, or the look itself failed.
    """
    result = await sandbox.run(Command(argv=("/bin/sh", "-c", _SCRIPT), timeout=10.0))
    if result.timed_out or result.stdout_truncated:
        raise ExecutionError("Looking at the sandbox from inside did not work.")
    return inspect(_sections(result.stdout.decode("utf-8", "replace")), settings)


def inspect(seen: Mapping[str, str], settings: SandboxSettings) -> tuple[Control, ...]:
    """The controls, from the contents of the files that `_FILES` names. Pure."""
    status = dict(re.findall(r"^(\w+):\s*(.*)$", seen["status"], re.MULTILINE))
    nothing = "0" * 16
    capabilities = {status.get(name, "?") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    paths = {line.split(":", 2)[2] for line in seen["cgroup"].split() if line.count(":") >= 2}
    secret = "present" if SECRET_VARIABLE in seen["environment"] else "absent"
    interfaces = re.findall(r"^\s*(\S+):", seen["devices"], re.MULTILINE)
    servers = re.findall(r"^nameserver\s+(\S+)", seen["resolv"], re.MULTILINE)
    quota = str(max(1000, int(settings.cpus * 100_000)))
    work, temporary = _sized(settings.work_size, settings.inodes), _sized(settings.tmp_size, settings.inodes)
    closed = ("nosuid", "nodev", "noexec")
    shared = f"size={settings.shm_size // 1024}k"
    mounts = seen["mounts"]
    return (
        _control("user", str(UID), " ".join(sorted(set(status.get("Uid", "?").split())))),
        _control("groups", str(UID), " ".join(sorted(set(status.get("Gid", "?").split())))),
        _control("capabilities", nothing, " ".join(sorted(capabilities))),
        _control("no new privileges", "1", status.get("NoNewPrivs", "?")),
        _control("seccomp filter", "2", status.get("Seccomp", "?")),
        _control("network interfaces", "lo", " ".join(interfaces)),
        _control("name servers", "127.0.0.1", " ".join(servers)),
        _control("cgroup namespace", "/", " ".join(sorted(paths))),
        _control("memory", str(settings.memory), seen["memory"].strip()),
        _swap(seen["swap"].strip(), settings),
        _control("pids", str(settings.pids), seen["pids"].strip()),
        _control("cpu quota", quota, seen["cpu"].partition(" ")[0].strip()),
        _control("open files", str(settings.open_files), _limit(seen["limits"], "Max open files")),
        _control("core files", "0", _limit(seen["limits"], "Max core file size")),
        _control("file size", str(settings.file_size), _limit(seen["limits"], "Max file size")),
        _mount(mounts, "/", ("ro",)),
        _mount(mounts, WORKSPACE, ("ro",) if settings.workspace else ("nosuid", "nodev", *work)),
        _mount(mounts, "/tmp", (*closed, *temporary)),  # noqa: S108  (the container's)
        _mount(mounts, "/dev/shm", (*closed, shared)),  # noqa: S108  (the container's)
        _mount(mounts, "/proc/sys", ("ro",)),
        _control("runner's environment", "closed", "open" if seen["init"].strip() else "closed"),
        _control("one-time secret in programs", "absent", secret),
    )


def _sections(text: str) -> dict[str, str]:
    found = dict.fromkeys(_FILES, "")
    for part in text.split(f"\n{_MARK}")[1:]:
        name, _, body = part.partition("\n")
        found[name] = body.removesuffix("\n")
    return found


def _control(name: str, expected: str, seen: str) -> Control:
    return Control(control=name, expected=expected, seen=seen or "nothing", ok=seen == expected)


def _swap(seen: str, settings: SandboxSettings) -> Control:
    """Cgroup v1 counts memory and swap together, v2 swap alone; without swap accounting there is neither."""
    memory = str(settings.memory)
    ok = seen in {memory, "0"}
    return Control(control="swap", expected=f"{memory} or 0", seen=seen or "not accounted", ok=ok)


def _limit(limits: str, name: str) -> str:
    found = re.search(rf"^{name}\s+(\S+)\s+(\S+)", limits, re.MULTILINE)
    return " ".join(dict.fromkeys(found.groups())) if found else ""


def _sized(size: int, inodes: int) -> tuple[str, str]:
    return f"size={size // 1024}k", f"nr_inodes={inodes}"


def _mount(mounts: str, where: str, options: tuple[str, ...]) -> Control:
    rows = [line.split() for line in mounts.splitlines()]
    last = [row[3].split(",") for row in rows if len(row) >= 4 and row[1] == where][-1:]
    seen = [option for option in options if last and option in last[0]]
    return _control(f"mount {where}", ",".join(options), ",".join(seen))
