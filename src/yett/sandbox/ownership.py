# SPDX-License-Identifier: Apache-2.0
"""Which process made a container, as a label of it, and whether that process can be proved dead.

A pid alone proves nothing: it is reused, and it is another process's in another pid namespace, on another
machine, after a reboot. `reaper.py` asks before it removes what another gateway made.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Fields 3 and 22 of /proc/PID/stat (proc(5)), counted from after the name in brackets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process: its machine, boot and pid namespace, its pid there, and when it started (clock ticks)."""

    machine: str
    boot: str
    namespace: str
    pid: int
    started: int

    @classmethod
    def of_this_process(cls) -> Self:
        """This process."""
        _, started = _stat(os.getpid()) or ("", 0)
        return cls(**_here(), pid=os.getpid(), started=started)

    @classmethod
    def parse(cls, label: str) -> Self | None:
        """The owner a label names, or None when it is not one of ours."""
        parts = label.split("/")
        if len(parts) != 5 or not (parts[3].isdecimal() and parts[4].isdecimal()):
            return None
        machine, boot, namespace, pid, started = parts
        return cls(machine=machine, boot=boot, namespace=namespace, pid=int(pid), started=int(started))

    def label(self) -> str:
        """As a label's value."""
        return f"{self.machine}/{self.boot}/{self.namespace}/{self.pid}/{self.started}"

    @property
    def on_this_machine(self) -> bool:
        """Whether it is, or was, a process of this machine, in this boot or an earlier one."""
        return self.machine == _here()["machine"]

    @property
    def alive(self) -> bool | None:
        """Whether it runs, or None where that cannot be known from here."""
        here = _here()
        if (self.machine, self.boot, self.namespace) != (here["machine"], here["boot"], here["namespace"]):
            return None
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass  # somebody else's; its stat may be hidden from us as well
        found = _stat(self.pid)
        if found is None:
            return None
        state, started = found
        return started == self.started and state not in "ZX"


def _here() -> dict[str, str]:
    return {
        "machine": _read(Path("/etc/machine-id")),
        "boot": _read(_PROC / "sys/kernel/random/boot_id"),
        "namespace": _link(_PROC / "self/ns/pid"),
    }


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return fields[_STATE], int(fields[_STARTED])
    except (OSError, ValueError, IndexError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip().replace("/", "")
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink()).replace("/", "")
    except OSError:
        return ""
