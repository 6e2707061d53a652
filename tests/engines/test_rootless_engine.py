# SPDX-License-Identifier: Apache-2.0
"""A real rootless engine: recognised, and refused by the proof where it enforces no limits."""

import os
import shutil

import pytest

from yett.errors import SandboxUnavailable
from yett.proving import ProvenSandboxes
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.verify import verify_hardening
from yett.world import SystemClock

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def as_its_user(run_dir):
    """The gateway is the engine's user; another one's sockets it could not reach."""
    run_dir.chmod(0o700)
    shutil.chown(run_dir, 65534, 65534)
    os.setegid(65534)
    os.seteuid(65534)
    yield
    os.seteuid(0)
    os.setegid(0)


@pytest.mark.usefixtures("as_its_user")
async def test_it_serves_only_if_every_limit_is_enforced(rootless, run_dir, entropy, instance):
    address, image = rootless
    settings = SandboxSettings(engine=address, image=image, warm=0, engine_deadline=60, start_deadline=60)
    async with DockerSandboxes(settings, instance=instance, run_dir=run_dir, entropy=entropy) as boxes:
        facts = await boxes.engine.facts()
        assert (facts.userns, facts.rootless) == (True, True)
        wrong = []

        async def look(box):
            controls = await verify_hardening(box, settings, facts)
            wrong.extend(c for c in controls if not c.ok)
            return tuple(f"{c.control} is {c.seen}, not {c.expected} ({c.note})" for c in wrong)

        proven = ProvenSandboxes(boxes, look, SystemClock(), 60.0)
        if facts.cgroup == "2":
            async with proven.lease("s"):
                pass
            return
        with pytest.raises(SandboxUnavailable) as refused:
            async with proven.lease("s"):
                pass
    assert {"memory", "pids", "cpu quota"} <= {c.control for c in wrong}
    assert "a rootless engine enforces limits with cgroup v2" in str(refused.value)
