# SPDX-License-Identifier: Apache-2.0
"""What the kernel counts against the maker of a user namespace too, bounded in each container's own.

What a container takes of inotify's instances and watches is taken from the host's root, who made its
namespace: without a bound one container leaves root none. No configuration of runc has a word for it, so
each namespace is entered once before anything runs in it. Blocking; `runc.py` calls it in worker threads.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from yett.errors import SandboxUnavailable

_COUNTS = ("instances", "watches")
_HOST = Path("/proc/sys/fs/inotify")
_OWN = "/proc/sys/user/max_inotify_"


def counts_of(containers: int, *, host: Path = _HOST) -> Mapping[str, int]:
    """What each of so many containers may have: half of the host's root's, shared out; at least one."""
    found = {}
    for name in _COUNTS:
        try:
            most = int((host / f"max_user_{name}").read_text())
        except OSError:
            continue  # a kernel without inotify has nothing to bound
        found[name] = max(1, most // 2 // containers)
    return found


def bound_counts(pid: int, pidfd: int, counts: Mapping[str, int], *, path: str, deadline: float) -> None:
    """Set them in the user namespace of a process.

    Args:
        pid: of this host.
        pidfd: the same process, opened before.
        counts: by name, as `counts_of` gives them.
        path: where programs are looked for.
        deadline: seconds.

    Raises:
        SandboxUnavailable: they could not be set, or it is not a namespace of its own.
    """
    if not counts:
        return
    program, shell = (shutil.which(name, path=path) for name in ("nsenter", "sh"))
    if program is None or shell is None:
        raise SandboxUnavailable(
            "There is no nsenter on this machine: inotify cannot be bounded.",
            advice="apt-get install util-linux",
        )
    script = "; ".join(["set -e", *(f"echo {most} > {_OWN}{name}" for name, most in counts.items())])
    namespace = _namespace(pid, pidfd)
    try:
        subprocess.run(  # noqa: S603  (from the system's own folders; the words are ours)
            [program, f"--user=/proc/self/fd/{namespace}", shell, "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": path},
            cwd="/",
            pass_fds=(namespace,),
            timeout=deadline,
            check=True,
        )
    except subprocess.SubprocessError as fault:
        raise SandboxUnavailable(f"inotify could not be bounded: {fault}") from fault
    finally:
        os.close(namespace)


def _namespace(pid: int, pidfd: int) -> int:
    """A descriptor of the process's user namespace, never ours: that has the host's limits."""
    try:
        found = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise SandboxUnavailable("The container's PID 1 ended at once.") from None
    # Seen alive after that was opened: it was no later process of that number.
    ours = os.fstat(found).st_ino == Path("/proc/self/ns/user").stat().st_ino
    if not ours and not select.select([pidfd], [], [], 0)[0]:
        return found
    os.close(found)
    raise SandboxUnavailable("The container has no user namespace of its own, or ended at once.")
