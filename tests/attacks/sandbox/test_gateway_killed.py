# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from sandbox_world import containers_of, marker, on_host, sh, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

SCRIPT = Path(__file__).parents[2] / "sandbox" / "gateway_process.py"


@pytest.fixture
def gateway(tiny_image, instance, run_dir):
    seconds = marker()
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), tiny_image, instance, str(run_dir), seconds], env=dict(os.environ)
    )
    yield process, seconds
    process.kill()
    process.wait()


async def test_nothing_survives_a_gateway_that_is_killed_in_mid_call(gateway, instance, sandboxes_of):
    process, seconds = gateway
    await until(lambda: len(set(on_host(seconds)) - {process.pid}) == 2)
    await until(lambda: len(containers_of(instance)) == 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    await until(lambda: on_host(seconds) == [])  # PID 1 of each saw its socket close
    async with sandboxes_of() as boxes:
        await boxes.reap()
        await until(lambda: containers_of(instance) == [])


async def test_a_stopped_gateway_does_not_lift_the_cpu_limit_of_a_call(sandboxes_of):
    """The second belt: with nobody to enforce the deadline the kernel's RLIMIT_CPU does."""
    async with sandboxes_of(timeout=1.0) as boxes, boxes.lease("s") as box:
        result = await box.run(sh("ulimit -t"))
    assert result.stdout.strip() == b"3"


async def test_reaping_with_an_engine_that_lost_its_containers_is_quiet(sandboxes_of, instance, tiny_image):
    client = docker.APIClient(timeout=30)
    client.create_container(tiny_image, labels={"yett.gateway": instance, "yett.run": "dead"})
    client.close()
    async with sandboxes_of() as boxes:
        assert await boxes.reap() == 1
        assert await boxes.reap() == 0
