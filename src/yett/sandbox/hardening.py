# SPDX-License-Identifier: Apache-2.0
"""What a container is made of: the body of `ContainerCreate`, with every control in one place. Pure.

`container.py` sends it; `verify.py` looks from inside whether the kernel agrees. A control that is
added here belongs there too.
"""

from __future__ import annotations

from collections.abc import Mapping

from yett.action import JsonObject, JsonValue
from yett.sandbox.settings import SandboxSettings

UID = 65534
RUNNER = "/yett-runner"
SOCKET = "/run/yett.sock"
WORKSPACE = "/workspace"
SECRET_VARIABLE = "YETT_HELLO"  # noqa: S105  (the name, not the secret)

_CPU_PERIOD = 100_000
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
    """
    host: dict[str, JsonValue] = {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp}"],
        "PidsLimit": settings.pids,
        "Memory": settings.memory,
        "MemorySwap": settings.memory,  # together: no swap
        "CpuPeriod": _CPU_PERIOD,
        "CpuQuota": max(1000, int(settings.cpus * _CPU_PERIOD)),
        "CpuShares": 512,  # half of a host process's weight when the machine is busy
        "IpcMode": "private",
        "ShmSize": settings.shm_size,
        # A resolv.conf of the host would name its DNS server even where there is no network.
        "Dns": ["127.0.0.1"],
        "LogConfig": {"Type": "none", "Config": {}},
        "Tmpfs": _file_systems(settings),
        "Ulimits": [
            _ulimit("nofile", settings.open_files),
            _ulimit("core", 0),
            _ulimit("fsize", settings.file_size),
        ],
        "Mounts": [
            *([_bound(socket, SOCKET)] if socket else []),
            *_workspace(settings.workspace),
        ],
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
        "User": f"{UID}:{UID}",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Env": [f"{SECRET_VARIABLE}={secret}"],
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }


def _file_systems(settings: SandboxSettings) -> dict[str, JsonValue]:
    # uid and gid rather than mode: where the mount point exists in the image its mode wins.
    # nr_inodes: without it a tmpfs holds millions of empty files.
    owner = f"uid={UID},gid={UID}"
    inodes = f"nr_inodes={settings.inodes}"
    made: dict[str, JsonValue] = {
        "/tmp": f"rw,nosuid,nodev,noexec,size={settings.tmp_size},{inodes},{owner},mode=1777",  # noqa: S108
    }
    if not settings.workspace:
        made[WORKSPACE] = f"rw,nosuid,nodev,exec,size={settings.work_size},{inodes},{owner},mode=0700"
    return made


def _bound(source: str, target: str) -> JsonObject:
    """A path of the host inside the container, read-only; a missing source is an error, never made."""
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}


def _workspace(folder: str) -> list[JsonValue]:
    # Not recursive: older engines leave file systems that are mounted below it writable.
    return [{**_bound(folder, WORKSPACE), "BindOptions": {"NonRecursive": True}}] if folder else []


def _ulimit(name: str, value: int) -> dict[str, JsonValue]:
    return {"Name": name, "Soft": value, "Hard": value}
