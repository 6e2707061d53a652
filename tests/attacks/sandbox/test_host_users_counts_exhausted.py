# SPDX-License-Identifier: Apache-2.0
"""The kernel counts some things by user of the host: a container that takes all there are of them."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from sandbox_world import sh, until

from yett.sandbox.settings import UID

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def at_host(attack_program):
    """What is left on the host for one of its users, by the names of attack.c."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    program = folder / "attack"
    program.write_bytes(attack_program)
    program.chmod(0o755)

    def left(user: int) -> set[str]:
        who = {"user": user, "group": user, "extra_groups": []}
        ran = subprocess.run([program, "counts"], capture_output=True, text=True, check=True, **who)
        return {line.split()[0] for line in ran.stdout.splitlines() if line.endswith(" 0")}

    yield left
    shutil.rmtree(folder)


async def test_a_container_leaves_the_hosts_users_what_they_had(sandboxes_of, attack_program, at_host):
    assert at_host(0) == {"inotify", "timer"}
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/attack", attack_program)
        await box.run(sh("chmod +x attack"))
        for _ in range(4):
            await box.start(sh("exec ./attack take-counts"))
        await until(lambda: all(p.result.stdout for p in box.programs()), 10)
        assert sum(int(p.result.stdout.split()[1]) for p in box.programs()) <= 1024
        assert at_host(0) == {"inotify", "timer"}
        assert "timer" in at_host(UID)
