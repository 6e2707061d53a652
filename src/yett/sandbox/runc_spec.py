# SPDX-License-Identifier: Apache-2.0
"""The body of `ContainerCreate` as an OCI runtime configuration. Pure.

The controls are decided in `hardening.py` alone. What this translation does not know it refuses: a control
that was added there and forgotten here must stop the container, not vanish. Beyond what was asked for it
adds what an engine adds (/proc, /dev, namespaces) and a user namespace. `runc.py` calls it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from yett.action import JsonObject, JsonValue
from yett.errors import SandboxUnavailable
from yett.sandbox.hardening import SOCKET

NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup", "user")
CAPABILITY_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")

FIRST_HOST_ID = 0x7800_0000
"""Above what directory services give to people (SSSD ends at 2000200000) and below systemd's last ranges."""
HOST_ID_PAIRS = 1 << 25

_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/scsi",
    "/proc/sched_debug",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""An engine's own lists, for a body that says nothing of them."""

_DEMANDED: Mapping[str, JsonValue] = {
    "NetworkMode": "none",
    "ReadonlyRootfs": True,
    "CapDrop": ["ALL"],
    "IpcMode": "private",
    "CgroupnsMode": "private",
    "Dns": ["127.0.0.1"],  # written into the image's root when that is unpacked
    "LogConfig": {"Type": "none", "Config": {}},
    "RestartPolicy": {"Name": "no"},
    "AutoRemove": True,
}
"""What the body must say, because nothing else is ever done here."""

_TRANSLATED = frozenset(
    {
        "BlkioDeviceReadBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceWriteIOps",
        "CpuPeriod",
        "CpuQuota",
        "CpuShares",
        "MaskedPaths",
        "Memory",
        "MemorySwap",
        "Mounts",
        "OomScoreAdj",
        "PidsLimit",
        "ReadonlyPaths",
        "Runtime",
        "SecurityOpt",
        "ShmSize",
        "Tmpfs",
        "Ulimits",
    }
)
_TRANSLATED_OUTSIDE = frozenset(
    {
        "Cmd",
        "Entrypoint",
        "Env",
        "Healthcheck",
        "HostConfig",
        "Hostname",
        "Image",
        "Labels",
        "User",
        "WorkingDir",
    }
)
_THROTTLES = {
    "BlkioDeviceReadBps": "throttleReadBpsDevice",
    "BlkioDeviceReadIOps": "throttleReadIOPSDevice",
    "BlkioDeviceWriteBps": "throttleWriteBpsDevice",
    "BlkioDeviceWriteIOps": "throttleWriteIOPSDevice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIds:
    """What the container's root (which nothing in it can become) and its user are outside of it."""

    root: int
    user: int


def host_ids(name: str) -> HostIds:
    """Two ids of the host for a container's name, used by nobody else and the same at every call.

    Two containers in 2^25 share a pair by chance, which is what all containers of an engine do.
    """
    pair = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % HOST_ID_PAIRS
    return HostIds(root=FIRST_HOST_ID + 2 * pair, user=FIRST_HOST_ID + 2 * pair + 1)


def oci_spec(
    body: JsonObject,
    *,
    name: str,
    root: str,
    cgroup: str,
    device: Callable[[str], tuple[int, int]],
) -> JsonObject:
    """The configuration of a container.

    Args:
        body: of `ContainerCreate`, from `hardening.py`.
        name: of the container.
        root: the unpacked image.
        cgroup: its path from the root of each hierarchy.
        device: major and minor number of a block device's path.

    Raises:
        SandboxUnavailable: the body asks for something that is not known here.
    """
    host = cast("JsonObject", body["HostConfig"])
    _check(body, host)
    uid, gid = (int(part) for part in str(body["User"]).split(":"))
    mounts = cast("list[JsonObject]", host.get("Mounts") or [])
    bound = [_bind(mount) for mount in mounts]
    # Files of a host folder belong to ids of the host: who writes there is the one it was given to.
    outside = not any("rw" in cast("list[str]", mount["options"]) for mount in bound)
    ids = host_ids(name)
    security = _security(cast("list[str]", host["SecurityOpt"]))
    process: dict[str, JsonValue] = {
        "terminal": False,
        "user": {"uid": uid, "gid": gid, "umask": 0o022},
        "args": [*cast("list[JsonValue]", body["Entrypoint"]), *cast("list[JsonValue]", body["Cmd"])],
        "env": body.get("Env") or [],
        "cwd": body["WorkingDir"],
        "capabilities": {kind: [] for kind in CAPABILITY_SETS},
        "rlimits": [
            {"type": f"RLIMIT_{str(limit['Name']).upper()}", "soft": limit["Soft"], "hard": limit["Hard"]}
            for limit in cast("list[JsonObject]", host.get("Ulimits") or [])
        ],
        "noNewPrivileges": True,
        "oomScoreAdj": host.get("OomScoreAdj", 0),
    }
    if security.apparmor:
        process["apparmorProfile"] = security.apparmor
    return {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": root, "readonly": True},
        "hostname": body["Hostname"],
        "annotations": body.get("Labels") or {},
        "mounts": [
            *_system_mounts(int(cast("int", host["ShmSize"]))),
            *(_tmpfs(where, str(words)) for where, words in cast("JsonObject", host["Tmpfs"]).items()),
            *bound,
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "uidMappings": _mapping(uid, ids.root, ids.user if outside else uid),
            "gidMappings": _mapping(gid, ids.root, ids.user if outside else gid),
            "cgroupsPath": cgroup,
            "resources": _resources(host, device),
            "seccomp": security.seccomp,
            "maskedPaths": host.get("MaskedPaths") or list(_MASKED),
            "readonlyPaths": host.get("ReadonlyPaths") or list(_READ_ONLY),
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Security:
    seccomp: JsonObject
    apparmor: str


def _check(body: JsonObject, host: JsonObject) -> None:
    for key, value in _DEMANDED.items():
        if host.get(key) != value:
            raise _unknown(key, host.get(key))
    asked = [
        *((key, value) for key, value in body.items() if key not in _TRANSLATED_OUTSIDE),
        *((key, value) for key, value in host.items() if key not in _TRANSLATED | _DEMANDED.keys()),
    ]
    for key, value in asked:
        if value:  # what is switched off asks for nothing
            raise _unknown(key, value)
    if body.get("Healthcheck") not in ({"Test": ["NONE"]}, None):
        raise _unknown("Healthcheck", body.get("Healthcheck"))
    if host.get("Runtime") not in {"runc", None}:
        raise _unknown("Runtime", host.get("Runtime"))


def _security(options: list[str]) -> _Security:
    seccomp: JsonObject | None = None
    privileges, apparmor = False, ""
    for option in options:
        if option == "no-new-privileges:true":
            privileges = True
        elif option.startswith("seccomp="):
            seccomp = _seccomp(option.removeprefix("seccomp="))
        elif option.startswith("apparmor="):
            apparmor = option.removeprefix("apparmor=")
        else:
            raise _unknown("SecurityOpt", option)
    if seccomp is None or seccomp.get("defaultAction") != "SCMP_ACT_ERRNO" or not privileges:
        raise _unknown("SecurityOpt", "no seccomp profile, or new privileges")
    return _Security(seccomp=seccomp, apparmor=apparmor)


def _seccomp(text: str) -> JsonObject:
    """The engine's form, of which only what means the same in both is let through."""
    try:
        profile = cast("JsonObject", json.loads(text))
    except ValueError:
        raise _unknown("SecurityOpt", f"seccomp={text}") from None
    for key in profile.keys() - {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"}:
        raise _unknown("seccomp", key)
    for rule in cast("list[JsonObject]", profile.get("syscalls") or []):
        for key in rule.keys() - {"names", "action", "errnoRet", "args"}:
            raise _unknown("seccomp", key)
    return profile


def _system_mounts(shm_size: int) -> list[JsonValue]:
    """What an engine mounts by itself. No sysfs: /sys holds the container's own cgroups and nothing else."""
    closed = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": [*closed]},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "noexec", "strictatime", "ro", "mode=755", "size=64k", "nr_inodes=64"],
        },
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        },
        {
            "destination": "/dev/shm",  # noqa: S108  (the container's)
            "type": "tmpfs",
            "source": "shm",
            "options": [*closed, "mode=1777", f"size={shm_size}", f"nr_inodes={max(64, shm_size >> 12)}"],
        },
        {
            "destination": "/sys",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": [*closed, "ro", "mode=755", "size=64k", "nr_inodes=64"],
        },
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": [*closed, "ro", "relatime"],
        },
    ]


def _tmpfs(where: str, words: str) -> JsonObject:
    options: list[JsonValue] = [*words.split(",")]
    return {"destination": where, "type": "tmpfs", "source": "tmpfs", "options": options}


def _bind(mount: JsonObject) -> JsonObject:
    mount = _bound_volume(mount) if mount["Type"] == "volume" else mount
    for key in mount.keys() - {"Type", "Source", "Target", "ReadOnly", "BindOptions"}:
        raise _unknown("Mounts", key)
    if mount["Type"] != "bind" or (mount.get("BindOptions") or {}) not in ({}, {"NonRecursive": True}):
        raise _unknown("Mounts", mount)
    # Said in full, for a remount in a user namespace may not take a flag of the source's file system away.
    options: list[JsonValue] = ["bind", "rprivate", "nosuid", "nodev"]
    if mount.get("Target") == SOCKET:
        options.append("noexec")
    options.append("ro" if mount.get("ReadOnly") else "rw")
    return {"destination": mount["Target"], "type": "bind", "source": mount["Source"], "options": options}


def _bound_volume(mount: JsonObject) -> JsonObject:
    """A volume that an engine's local driver would make of a folder with `mount -o bind`."""
    options = cast("JsonObject", mount.get("VolumeOptions") or {})
    driver = cast("JsonObject", options.get("DriverConfig") or {})
    local = cast("JsonObject", driver.get("Options") or {})
    words = set(str(local.get("o", "")).split(","))
    if (
        mount.keys() - {"Type", "Target", "VolumeOptions", "ReadOnly"}
        or driver.get("Name") != "local"
        or local.get("type") != "none"
        or not {"bind"} <= words <= {"bind", "ro", "rw", "nosuid", "nodev"}
    ):
        raise _unknown("Mounts", mount)
    read_only = bool(mount.get("ReadOnly")) or "ro" in words
    return {"Type": "bind", "Source": local["device"], "Target": mount["Target"], "ReadOnly": read_only}


def _mapping(inside: int, root: int, user: int) -> list[JsonValue]:
    if inside == 0:
        raise _unknown("User", "root")
    return [
        {"containerID": 0, "hostID": root, "size": 1},
        {"containerID": inside, "hostID": user, "size": 1},
    ]


def _resources(host: JsonObject, device: Callable[[str], tuple[int, int]]) -> JsonObject:
    made: dict[str, JsonValue] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": host["Memory"], "swap": host["MemorySwap"]},
        "cpu": {"shares": host["CpuShares"], "quota": host["CpuQuota"], "period": host["CpuPeriod"]},
        "pids": {"limit": host["PidsLimit"]},
    }
    throttles: dict[str, JsonValue] = {}
    for asked, meant in _THROTTLES.items():
        rows: list[JsonValue] = []
        for row in cast("list[JsonObject]", host.get(asked) or []):
            major, minor = device(str(row["Path"]))
            rows.append({"major": major, "minor": minor, "rate": row["Rate"]})
        if rows:
            throttles[meant] = rows
    if throttles:
        made["blockIO"] = throttles
    return made


def _unknown(key: str, value: JsonValue) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"The runc driver cannot do what was asked of a container: {key} = {str(value)[:80]}",
        advice="Use tools.shell.driver: docker for this configuration.",
    )
