# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of a container from inside it, control by control.

`hardening.py` asks for controls; an engine can accept a setting and not enforce it (a missing cgroup
controller, a kernel without seccomp). `app.py` lets no container serve before this list is in order,
`yett sandbox status` and `yett doctor` print it. What could not be seen is never in order, unless the
control's `note` says why nothing can be seen there. The image must have /bin/sh and cat.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from yett.ports import Sandbox
from yett.sandbox.control import Control
from yett.sandbox.engine import EngineFacts
from yett.sandbox.look import NAMESPACES, look_around
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.verify_gvisor import as_gvisor_shows, is_gvisor
from yett.sandbox.verify_limits import limit_controls
from yett.sandbox.verify_mounts import mount_controls
from yett.sandbox.verify_process import process_controls

__all__ = ["Control", "inspect", "verify_hardening"]


async def verify_hardening(
    sandbox: Sandbox, settings: SandboxSettings, facts: EngineFacts | None = None
) -> tuple[Control, ...]:
    """Look from inside at every control that can be seen from there.

    Args:
        sandbox: the container.
        settings: what it was made with.
        facts: what the engine says of itself; without them nothing of an engine's own is expected.

    Raises:
        ExecutionError: the image has no /bin/sh, or the look itself failed.
    """
    return inspect(await look_around(sandbox), settings, facts, own=own_namespaces())


def inspect(
    seen: Mapping[str, str],
    settings: SandboxSettings,
    facts: EngineFacts | None = None,
    *,
    own: Mapping[str, str] | None = None,
) -> tuple[Control, ...]:
    """The controls, from what a look printed. Reads nothing but the workspace's number on this host.

    Args:
        seen: by the names of `look.py`.
        settings: what the container was made with.
        facts: what the engine says of itself.
        own: the gateway's own namespaces, to which none of the container's may be equal.
    """
    controls = (
        *process_controls(seen, settings, facts, own or {}),
        *limit_controls(seen, settings, facts),
        *mount_controls(seen, settings),
    )
    gvisor = is_gvisor(settings.runtime, seen["version"])
    return tuple(as_gvisor_shows(controls, once=settings.lifetime == "call")) if gvisor else controls


def own_namespaces() -> dict[str, str]:
    """The namespaces of this process, as far as there are such."""
    found = {}
    for name in NAMESPACES:
        try:
            found[name] = str(Path(f"/proc/self/ns/{name}").readlink())
        except OSError:
            continue
    return found
