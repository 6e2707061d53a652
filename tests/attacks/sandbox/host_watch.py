# SPDX-License-Identifier: Apache-2.0
"""The host before and after an attack: processes, memory, disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sandbox_world import containers_of, on_host, until

MIB = 1 << 20
NOISE = 512 * MIB
"""Other programs of the machine come and go; an attack that gets out takes more than this at once."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look: bytes of memory and disk that are free."""

    memory: int
    disk: int


def look() -> Sight:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    disk = os.statvfs("/var/lib/docker") if Path("/var/lib/docker").is_dir() else os.statvfs("/")
    return Sight(memory=int(lines["MemAvailable"].split()[0]) * 1024, disk=disk.f_bavail * disk.f_frsize)


class HostWatch:
    """Holds an attack to what it may take from the host: nothing that lasts."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.before = look()

    def unharmed(self, *markers: str) -> None:
        """Nothing of the attack runs, and neither memory nor disk is gone."""
        for marker in markers:
            assert on_host(marker) == []
        now = look()
        assert self.before.memory - now.memory < NOISE
        assert self.before.disk - now.disk < NOISE

    async def cleared(self) -> None:
        """The containers of the attack are gone from the engine too."""
        await until(lambda: not containers_of(self.instance))
