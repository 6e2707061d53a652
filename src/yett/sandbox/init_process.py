# SPDX-License-Identifier: Apache-2.0
"""A container's PID 1 as this host sees it: whether it lives, how it dies, and who died of memory.

A pid can be reused, so everything after the first look goes through a pidfd. Where the gateway cannot see
the process (another host or pid namespace) every answer is "unknown". Called by `container.py`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal

import anyio

from yett.sandbox.cgroup import in_container, oom_file, oom_kills


class InitProcess:
    """PID 1 of one container."""

    def __init__(self, pid: int) -> None:
        """`pid` as this process sees it, or 0."""
        self._pidfd = _open(pid)
        self._oom_file = oom_file(pid) if pid else None

    @classmethod
    def of_container(cls, pid: int, container: str) -> InitProcess:
        """The process that the engine calls a container's PID 1, if it is one of this machine."""
        found = cls(pid)
        # Looked at after the pidfd was opened, so that it is no later process of that number.
        if in_container(pid, container) and found.alive:
            return found
        found.forget()
        return cls(0)

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as this process can see."""
        return self._pidfd is None or not select.select([self._pidfd], [], [], 0)[0]

    def oom_kills(self) -> int | None:
        """How many processes of its cgroup the kernel has killed for memory, or None when unknown."""
        return oom_kills(self._oom_file)

    def forget(self) -> None:
        """Let go of it without touching it."""
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is not None:
            os.close(pidfd)

    async def kill(self, grace: float) -> bool:
        """SIGKILL it where that is permitted, and wait up to `grace` seconds to see it dead.

        PID 1 of a pid namespace is dead only after every process in it is.
        """
        pidfd, self._pidfd = self._pidfd, None
        if pidfd is None:
            return False
        try:
            with contextlib.suppress(PermissionError, ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            with anyio.move_on_after(grace):
                await anyio.wait_readable(pidfd)
                return True
            return False
        finally:
            os.close(pidfd)


def _open(pid: int) -> int | None:
    if pid:
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None
