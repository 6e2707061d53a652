# SPDX-License-Identifier: Apache-2.0
"""What is worth knowing of a container engine: what it can't do here, and what is known against its version.

Pure. Shown by `yett sandbox status` and `yett doctor`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from yett.sandbox.engine import EngineFacts

_FIXED = ((1, 2, 8), (1, 3, 3))
"""The first runc of each line without CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881."""


def engine_notes(facts: EngineFacts) -> Iterator[str]:
    """One sentence each."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", facts.oci)
    version = tuple(int(part) for part in found.groups()) if found else None
    if version is not None and (version < _FIXED[0] or (1, 3, 0) <= version < _FIXED[1]):
        older = " and CVE-2024-21626" if version < (1, 1, 12) else ""
        yield (
            f"runc {facts.oci} is of a version with ways out of a container (CVE-2025-31133, CVE-2025-52565,"
            f" CVE-2025-52881{older}), unless its distribution has mended it: update it, or see its changelog"
        )
    if not facts.userns:
        yield "the engine maps no users: uid 60871 of a container is uid 60871 of the host (userns-remap)"
    if facts.rootless and facts.cgroup != "2":
        yield "a rootless engine enforces no limits with cgroup v1: it is refused"
    if facts.cgroup == "1":
        yield "cgroup v1 throttles only direct and synced writes to a disk"
    if not any("name=apparmor" in option or "name=selinux" in option for option in facts.security):
        yield "there is neither AppArmor nor SELinux"
    yield from facts.warnings
