# SPDX-License-Identifier: Apache-2.0
import errno
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "sandbox"))

from host_folder import project, writable
from host_watch import HostWatch
from sandbox_world import (
    anyio_backend,
    compiled,
    entropy,
    instance,
    run_dir,
    sandboxes_of,
    settings_of,
    sh,
    tiny_image,
)

__all__ = [
    "anyio_backend",
    "entropy",
    "instance",
    "project",
    "run_dir",
    "sandboxes_of",
    "settings_of",
    "tiny_image",
    "writable",
]


@pytest.fixture(scope="session")
def attack_program(tmp_path_factory):
    """attack.c, compiled: what an attacker brings along."""
    return compiled(Path(__file__).with_name("attack.c"), tmp_path_factory.mktemp("attack"))


@pytest.fixture
def host(instance):
    return HostWatch(instance)


@pytest.fixture
def attacked(sandboxes_of, attack_program, host):
    """Run one try of attack.c in a fresh sandbox: what was open, and the errors of the rest by name."""

    async def run(what):
        async with sandboxes_of() as boxes, boxes.lease("s") as box:
            await box.write("/workspace/attack", attack_program)
            result = await box.run(sh(f"chmod +x attack && exec ./attack {what}"))
            assert result.exit_code == 0, result
            assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
        host.unharmed()
        await host.cleared()
        tries = (line.split() for line in result.stdout.decode().splitlines())
        return {name: errno.errorcode[int(code)] if int(code) else "open" for name, code in tries}

    return run
