# SPDX-License-Identifier: Apache-2.0
"""One look around in a container: a shell script, and what it printed by section.

It must work with busybox and with coreutils, change nothing that stays, and end in time on an image that
is not of our making. What it reads is judged by `verify.py` and its parts.
"""

from __future__ import annotations

from yett.errors import ExecutionError
from yett.ports import Command, Sandbox
from yett.sandbox.hardening import MASKED, WORKSPACE

NAMESPACES = ("pid", "net", "mnt", "uts", "ipc", "cgroup", "user")

_CGROUP = "/sys/fs/cgroup"
_FILES = {
    "version": "/proc/version",
    "status": "/proc/self/status",
    "limits": "/proc/self/limits",
    "mountinfo": "/proc/self/mountinfo",
    "users": "/proc/self/uid_map",
    "devices": "/proc/net/dev",
    "routes": "/proc/net/route",
    "routes6": "/proc/net/ipv6_route",
    "cgroup": "/proc/self/cgroup",
    "resolv": "/etc/resolv.conf",
    "hostname": "/proc/sys/kernel/hostname",
    "environment": "/proc/self/environ",
    "module": "/proc/self/attr/current",
    # Version 1 of cgroups, then version 2.
    "memory": f"{_CGROUP}/memory/memory.limit_in_bytes {_CGROUP}/memory.max",
    "swap": f"{_CGROUP}/memory/memory.memsw.limit_in_bytes {_CGROUP}/memory.swap.max",
    "pids": f"{_CGROUP}/pids/pids.max {_CGROUP}/pids.max",
    "cpu": f"{_CGROUP}/cpu/cpu.cfs_quota_us {_CGROUP}/cpu.max",
    "shares": f"{_CGROUP}/cpu/cpu.shares {_CGROUP}/cpu.weight",
    "disk": f"{_CGROUP}/blkio/blkio.throttle.write_bps_device {_CGROUP}/io.max",
}
_PROBES = {
    # For kernels without /proc/self/limits; the shell counts files by 512 bytes.
    "ulimits": "echo $(ulimit -n) $(ulimit -c) $(ulimit -f)",
    "namespaces": f'for n in {" ".join(NAMESPACES)}; do echo "$n $(readlink /proc/self/ns/$n)"; done',
    # A folder shows a name and a file its first bytes; what is masked shows neither.
    "masked": f"for p in {' '.join(MASKED)}; do if [ -d $p ]; then x=$(ls -A $p | head -n 1);"
    " else x=$(head -c 64 $p | tr -d '\\0'); fi; [ -n \"$x\" ] && echo $p; done; echo looked",
    "sysrq": "[ -e /proc/sysrq-trigger ] && echo present || echo absent",
    "init": "cat /proc/1/environ /proc/1/maps; ls /proc/1/fd; ls /proc/1/task/1/fd;"
    " for l in exe root cwd ns/mnt; do readlink /proc/1/$l; done; echo; echo looked",
    "nodes": "ls /dev",
    "set_uid": "timeout 5 find / -xdev -type f -perm /6000; echo ended $?",
    # On a file of our own, in memory.
    "make_set_uid": "f=/tmp/.yett-look; rm -f $f; : > $f && chmod 0755 $f && echo plain;"
    " chmod 4755 $f && echo suid; chmod 2755 $f && echo sgid; rm -f $f",
    "make_device": "mknod /tmp/.yett-device c 1 3 && echo device; rm -f /tmp/.yett-device; echo looked",
    "workspace": f"stat -c %d:%i {WORKSPACE}",
}
COMMANDS = {name: f"cat {paths}" for name, paths in _FILES.items()} | _PROBES
_MARK = "@@@"
# In a subshell each, so that a redirection that fails ends nothing else.
_SCRIPT = "\n".join(
    f"echo; echo '{_MARK}{name}'; ( {command} ) 2>/dev/null" for name, command in COMMANDS.items()
)


async def look_around(sandbox: Sandbox) -> dict[str, str]:
    """What each part of the look printed, by its name; nothing where nothing could be read.

    Raises:
        ExecutionError: the image has no /bin/sh, or the look did not end.
    """
    result = await sandbox.run(Command(argv=("/bin/sh", "-c", _SCRIPT), timeout=15.0))
    if result.timed_out or result.stdout_truncated:
        raise ExecutionError("Looking at the sandbox from inside did not work.")
    found = dict.fromkeys(COMMANDS, "")
    for part in result.stdout.decode("utf-8", "replace").split(f"\n{_MARK}")[1:]:
        name, _, body = part.partition("\n")
        found[name] = body.removesuffix("\n")
    return found
