# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import docker
import pytest
from sandbox_world import containers_of, marker, on_host, sh, until

from yett.sandbox.janitor import Janitor

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


async def test_nothing_survives_a_gateway_that_is_killed_in_mid_call(gateway, instance):
    """Calls in flight, an idle session, spares, and containers in every state of being made."""
    process, seconds = gateway
    await until(lambda: len(set(on_host(seconds)) - {process.pid}) == 4)
    await until(lambda: len(containers_of(instance)) >= 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with anyio.fail_after(5):
        await until(lambda: on_host(seconds) == [])  # PID 1 of each saw its socket close
        await until(lambda: containers_of(instance) == [])
    await anyio.sleep(0.5)
    assert containers_of(instance) == []  # nor did one come late


async def test_what_a_killed_gateway_created_and_never_started_is_removed_without_another_gateway(
    tiny_image, instance
):
    client = docker.APIClient(timeout=30)
    client.create_container(tiny_image, labels={"yett.gateway": instance, "yett.run": f"run-{instance}"})
    client.close()
    janitor = Janitor("unix:///var/run/docker.sock", f"yett.run=run-{instance}")
    janitor.start()
    await anyio.sleep(0.3)
    assert len(containers_of(instance)) == 1
    janitor._process.stdin.close()  # what the kernel does when the gateway is dead
    await until(lambda: containers_of(instance) == [])
    janitor._process.kill()
    janitor._process.wait()


async def test_the_janitor_leaves_with_an_orderly_gateway_and_knows_nothing(sandboxes_of, monkeypatch):
    monkeypatch.setenv("YETT_TEST_SECRET", "s3cret")
    async with sandboxes_of() as boxes:
        process = boxes._janitor._process
        assert process.poll() is None
        await until(lambda: b"janitor" in of_process(process.pid, "cmdline"))
        assert b"s3cret" not in of_process(process.pid, "environ")
    assert process.returncode == 0


async def test_the_next_start_clears_what_a_killed_gateway_and_its_janitor_left(
    gateway, instance, sandboxes_of, run_dir
):
    process, seconds = gateway
    await until(lambda: len(set(on_host(seconds)) - {process.pid}) == 4)
    for child in children_of(process.pid):
        os.kill(child, signal.SIGKILL)
    process.send_signal(signal.SIGKILL)
    process.wait()
    await until(lambda: on_host(seconds) == [])
    async with sandboxes_of(reap_interval=0.2) as boxes:  # the engine may make one late
        await boxes.reap()
        await until(lambda: containers_of(instance) == [])
        assert list(run_dir.iterdir()) == []


def of_process(pid, name):
    return Path(f"/proc/{pid}/{name}").read_bytes()


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


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
        assert await boxes.reap() >= 1
        assert containers_of(instance) == []
        await boxes.reap()
