# SPDX-License-Identifier: Apache-2.0
"""What a container is made of: the body of `ContainerCreate`, with every control in one place. Pure.

`container.py` sends it; `verify.py` looks from inside whether the kernel agrees. A control that is
added here belongs there too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from yett.action import JsonObject, JsonValue
from yett.sandbox.settings import UID, SandboxSettings

__all__ = [
    "CPU_PERIOD",
    "CPU_SHARES",
    "HOSTNAME",
    "MASKED",
    "READ_ONLY",
    "RUNNER",
    "SECRET_VARIABLE",
    "SOCKET",
    "UID",
    "WORKSPACE",
    "bound",
    "container_config",
]

RUNNER = "/yett-runner"
SOCKET = "/run/yett.sock"
WORKSPACE = "/workspace"
SECRET_VARIABLE = "YETT_HELLO"  # noqa: S105  (the name, not the secret)

HOSTNAME = "sandbox"
CPU_PERIOD = 100_000
CPU_SHARES = 512
"""Half of a host process's weight when the machine is busy."""

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/config.gz",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/pagetypeinfo",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/dmi",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/bpf",
    "/sys/kernel",
    "/sys/module",
)
"""What tells of the host, its hardware and its keys: the engine's own list and more."""

READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

PENDING_SIGNALS = 1024
"""Queued signals and timers. The kernel counts them by user of the host, whose share is many times that."""

_RUNNER_FILES = 256
"""What PID 1 may hold open itself; programs are given `open_files` of their own."""
_ATTACHED: JsonObject = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True}
"""Standard streams for the runner; standard input closes with the one connection that attached to it."""


def container_config(
    settings: SandboxSettings,
    *,
    socket: str | None,
    secret: str,
    seccomp: str,
    labels: Mapping[str, str],
    private_cgroup_namespace: bool,
    security: Collection[str] = (),
    mounts: Sequence[JsonObject] = (),
    disk: str = "",
) -> JsonObject:
    """The body of `ContainerCreate`.

    Args:
        settings: limits and image.
        socket: the path of the gateway's socket on the engine's host; None to speak over the engine's
            attach stream, with nothing mounted.
        secret: what the runner says first.
        seccomp: the profile as JSON text; the API takes the text and not a path.
        labels: for the reaper.
        private_cgroup_namespace: false for engines older than 20.10, which do not know it.
        security: what the engine says it has, as `name=apparmor`.
        mounts: of the host workspace (`workspace.py`), if there is one.
        disk: the block device that programs can write to through it.
    """
    uid, gid = settings.user
    host: dict[str, JsonValue] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp}", *_modules(security)],
        "MaskedPaths": list(MASKED),
        "ReadonlyPaths": list(READ_ONLY),
        "PidsLimit": settings.host_pids,
        "Memory": settings.memory,
        "MemorySwap": settings.memory,  # together: no swap
        "CpuPeriod": CPU_PERIOD,
        "CpuQuota": max(1000, int(settings.cpus * CPU_PERIOD)),
        "CpuShares": CPU_SHARES,
        "OomKillDisable": False,
        "OomScoreAdj": 500,  # out of memory, the host's own go later
        "IpcMode": "private",
        "ShmSize": settings.shm_size,
        # A resolv.conf of the host would name its DNS server even where there is no network.
        "Dns": ["127.0.0.1"],
        "LogConfig": {"Type": "none", "Config": {}},
        "Tmpfs": _file_systems(settings),
        "Ulimits": [
            _ulimit("nofile", settings.open_files + _RUNNER_FILES),
            _ulimit("core", 0),
            _ulimit("fsize", settings.file_size),
            _ulimit("sigpending", PENDING_SIGNALS),
        ],
        "Mounts": [
            *([bound(socket, SOCKET)] if socket else []),
            *mounts,
        ],
        **_disk_limits(settings, disk),
        "Runtime": settings.runtime,
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": True,  # whatever ends PID 1, the engine clears away what is left
    }
    if private_cgroup_namespace:
        host["CgroupnsMode"] = "private"
    return {
        "Image": settings.image,
        "Entrypoint": [RUNNER],
        "Cmd": [SOCKET if socket else "-"],
        **({} if socket else _ATTACHED),
        "User": f"{uid}:{gid}",
        "WorkingDir": "/",
        "Hostname": HOSTNAME,
        "Env": [f"{SECRET_VARIABLE}={secret}"],
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }


def _file_systems(settings: SandboxSettings) -> dict[str, JsonValue]:
    # uid and gid rather than mode: where the mount point exists in the image its mode wins.
    # nr_inodes: without it a tmpfs holds millions of empty files.
    uid, gid = settings.user
    owner = f"uid={uid},gid={gid}"
    inodes = f"nr_inodes={settings.inodes}"
    made: dict[str, JsonValue] = {
        "/tmp": f"rw,nosuid,nodev,noexec,size={settings.tmp_size},{inodes},{owner},mode=1777",  # noqa: S108
    }
    if settings.workspace is None:
        made[WORKSPACE] = f"rw,nosuid,nodev,exec,size={settings.work_size},{inodes},{owner},mode=0700"
    return made


def bound(source: str, target: str) -> JsonObject:
    """A path of the host inside the container, read-only; a missing source is an error, never made.

    Not recursive: older engines leave file systems that are mounted below it writable.
    """
    return {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": True,
        "BindOptions": {"NonRecursive": True},
    }


def _modules(security: Collection[str]) -> list[str]:
    """The profile of a security module that the engine has; one it has not is never named.

    SELinux needs no word: the engine gives each container a label of its own unless it is told not to.
    """
    return ["apparmor=docker-default"] if any("name=apparmor" in option for option in security) else []


def _disk_limits(settings: SandboxSettings, disk: str) -> dict[str, JsonValue]:
    """Where programs can write to a disk. Everything else that is writable is in memory."""
    workspace = settings.workspace
    if workspace is None or not disk:
        return {}
    rate: list[JsonValue] = [{"Path": disk, "Rate": workspace.disk_rate}]
    operations: list[JsonValue] = [{"Path": disk, "Rate": workspace.disk_operations}]
    return {
        "BlkioDeviceReadBps": rate,
        "BlkioDeviceWriteBps": rate,
        "BlkioDeviceReadIOps": operations,
        "BlkioDeviceWriteIOps": operations,
    }


def _ulimit(name: str, value: int) -> dict[str, JsonValue]:
    return {"Name": name, "Soft": value, "Hard": value}
