# SPDX-License-Identifier: Apache-2.0
"""What gVisor does not show to the programs in it, and why that is in order.

Its kernel is a program of its own (the Sentry): a container in it has no namespace, cgroup or mount option of
the host's kernel to show. Only what is not seen at all is excused, only the controls named here, and only
where the kernel that answered is gVisor's. Something that is seen and is wrong stays wrong. Pure; called by
`verify.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from yett.sandbox.control import UNSEEN, Control

_VERSION = "Linux version 4.4.0"
"""What the Sentry calls itself in /proc/version, in every release so far."""

_OWN_KERNEL = "gVisor shows none: the container has a kernel of its own"
_OUTSIDE = "gVisor shows none: the engine's cgroup around gVisor itself holds it"
_EXCUSED = {
    **dict.fromkeys(
        ("mount namespace", "uts namespace", "ipc namespace", "cgroup namespace", "user namespace"),
        _OWN_KERNEL,
    ),
    **dict.fromkeys(("cgroup paths", "no new privileges", "users", "routes", "mount /proc/sys"), _OWN_KERNEL),
    **dict.fromkeys(("memory", "swap", "pids", "cpu quota", "cpu shares"), _OUTSIDE),
}
_FORGED = "this gVisor lets programs write to PID 1's line; no container serves another call"
_ONCE = "this gVisor lets programs write to PID 1's line: set tools.shell.lifetime: call"
_NODES = {"fuse", "net"}
_MOUNTS = ("mount /tmp", "mount /dev/shm", "mount /workspace")
_UNSHOWN = ("nosuid", "nodev", "nr_inodes=")


def is_gvisor(runtime: str, version: str) -> bool:
    """Whether that was asked for, and is what answered."""
    return "runsc" in runtime and version.startswith(_VERSION)


def as_gvisor_shows(controls: Iterable[Control], *, once: bool = False) -> Iterator[Control]:
    """The controls, with what gVisor shows to nobody excused and said.

    Args:
        controls: as they were seen.
        once: whether no container serves two calls. Older gVisors let a program open PID 1's descriptors: it
            can then forge answers, and look ended when it is not: worth nothing where nothing follows.
    """
    for found in controls:
        if found.ok:
            yield found
        elif found.seen == UNSEEN and found.control in _EXCUSED:
            yield replace(found, ok=True, note=_EXCUSED[found.control])
        elif found.control == "device nodes" and set(found.seen.split(", ")) <= _NODES:
            yield replace(found, ok=True, note="they are gVisor's own and lead to none of the host's")
        elif found.control == "PID 1" and found.seen != UNSEEN:
            yield replace(found, ok=once, note=_FORGED if once else _ONCE)
        elif found.control in _MOUNTS and _only_unshown_is_missing(found):
            yield replace(found, ok=True, note="gVisor shows no more options and counts files as memory")
        else:
            yield found


def _only_unshown_is_missing(found: Control) -> bool:
    missing = set(found.expected.split(",")) - set(found.seen.split(","))
    return found.seen != UNSEEN and all(option.startswith(_UNSHOWN) for option in missing)
