# SPDX-License-Identifier: Apache-2.0
"""How much a container may use, as its cgroup and its process limits say from inside.

Pure: judges what `look.py` printed. Called by `verify.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from yett.sandbox.control import Control, control, one_of
from yett.sandbox.engine import EngineFacts
from yett.sandbox.hardening import CPU_PERIOD, CPU_SHARES
from yett.sandbox.settings import SandboxSettings

_WEIGHTS = (str(1 + (CPU_SHARES - 2) * 9999 // 262142), "59")
"""What runc makes of the shares for cgroup v2: before 1.3.2, and since."""
_NO_LIMITS = "a rootless engine enforces limits with cgroup v2 and systemd only"


def limit_controls(
    seen: Mapping[str, str], settings: SandboxSettings, facts: EngineFacts | None
) -> Iterator[Control]:
    """Every limit, in the order of the table."""
    hint = _NO_LIMITS if facts and facts.rootless else ""
    yield control("memory", str(settings.memory), seen["memory"].strip(), note=hint)
    # Version 1 counts memory and swap together, version 2 swap alone; without accounting there is neither.
    yield one_of("swap", (str(settings.memory), "0"), seen["swap"].strip(), note=hint)
    yield control("pids", str(settings.pids), seen["pids"].strip(), note=hint)
    quota = str(max(1000, int(settings.cpus * CPU_PERIOD)))
    yield control("cpu quota", quota, seen["cpu"].partition(" ")[0].strip(), note=hint)
    yield one_of("cpu shares", (str(CPU_SHARES), *_WEIGHTS), seen["shares"].strip(), note=hint)
    files, core, size = _of_the_shell(seen["ulimits"])
    limits = seen["limits"]
    yield control("open files", str(settings.open_files), _limit(limits, "Max open files") or files)
    yield control("core files", "0", _limit(limits, "Max core file size") or core)
    yield control("file size", str(settings.file_size), _limit(limits, "Max file size") or size)


def _of_the_shell(words: str) -> tuple[str, str, str]:
    """Open files, core files and the size of a file in bytes, as the shell says them, or nothing."""
    numbers = words.split()
    if len(numbers) != 3 or not numbers[2].isdigit():
        return "", "", ""
    return numbers[0], numbers[1], str(int(numbers[2]) * 512)


def _limit(limits: str, name: str) -> str:
    found = re.search(rf"^{name}\s+(\S+)\s+(\S+)", limits, re.MULTILINE)
    return " ".join(dict.fromkeys(found.groups())) if found else ""
