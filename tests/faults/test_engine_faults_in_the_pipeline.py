# SPDX-License-Identifier: Apache-2.0
"""An engine that hangs or dies in mid-call, seen from the gate: a denial, an outcome, and nothing left."""

import sys
from pathlib import Path

import anyio
import pytest
from sandbox_world import RealEntropy, containers_of, instance, marker, on_host, run_dir, until

from gate import World, denial_of, text_of
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings
from yett.tools.outputs import KeptOutputs
from yett.tools.settings import ShellLimits
from yett.tools.shell_run import ShellRun
from yett.tools.toolbox import BuiltinTools, Toolbox

sys.path.insert(0, str(Path(__file__).parents[1] / "attacks" / "sandbox"))

from test_engine_hangs import FragileEngine

__all__ = ["instance", "run_dir"]

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

SHELL = {"id": "shell", "allow": "shell_run", "to": "writer"}


@pytest.fixture
async def fragile(tmp_path):
    engine = FragileEngine(tmp_path / "e")
    async with anyio.create_task_group() as tasks:
        engine.url = await tasks.start(engine.serve)
        yield engine
        tasks.cancel_scope.cancel()


@pytest.fixture
async def world(fragile, tiny_image, instance, run_dir):
    settings = SandboxSettings(
        engine=fragile.url,
        image=tiny_image,
        warm=0,
        timeout=5,
        engine_deadline=1.0,
        breaker_pause=0.4,
        kill_grace=0.2,
    )
    async with DockerSandboxes(settings, instance=instance, run_dir=run_dir, entropy=RealEntropy()) as boxes:
        world = World()
        world.toolbox = Toolbox((BuiltinTools((ShellRun(boxes, KeptOutputs(), ShellLimits(timeout=5)),)),))
        world.use(catalog=world.toolbox, execute=world.toolbox)
        world.use(decide=world.policy((SHELL,)))
        yield world


async def shell(world, command):
    return await world.call("shell_run", {"command": command})


def last(world):
    return world.audit.records[-1].event, world.audit.records[-1].fields["status"]


@pytest.mark.parametrize("how", ["hang_on", "break_on"])
async def test_an_engine_that_is_lost_before_the_container_is_a_denial_and_an_outcome(
    world, fragile, how, instance
):
    setattr(fragile, how, b"/containers/create")
    with anyio.fail_after(8):
        reply = await shell(world, "echo ran")
    assert denial_of(reply)["rule"] == "gate.sandbox-unavailable"
    assert "sock" not in text_of(reply)
    assert last(world) == ("outcome", "failed")
    setattr(fragile, how, None)
    with anyio.fail_after(30):
        while "ran" not in text_of(await shell(world, "echo ran")):  # noqa: ASYNC110
            await anyio.sleep(0.2)


async def test_an_engine_that_is_lost_in_mid_call_does_not_keep_a_cancelled_process_alive(
    world, fragile, instance
):
    seconds = marker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shell, world, f"setsid sleep {seconds} & sleep {seconds}")
        await until(lambda: len(on_host(seconds)) == 2)
        fragile.hang_on = b"HTTP/1.1"
        tasks.cancel_scope.cancel()
    await until(lambda: on_host(seconds) == [])
    assert last(world) == ("outcome", "cancelled")
    fragile.hang_on = None


async def test_an_engine_that_is_lost_in_mid_call_does_not_take_the_call_with_it(world, fragile):
    replies = []

    async def call():
        replies.append(await shell(world, "sleep 0.5; echo done"))

    await shell(world, "true")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await anyio.sleep(0.1)
        fragile.hang_on = b"HTTP/1.1"
    assert "done" in text_of(replies[0])
    fragile.hang_on = None


async def test_a_container_that_is_killed_from_outside_in_mid_call_is_an_error_and_an_outcome(
    world, instance
):
    import docker

    seconds = marker()
    replies = []

    async def call():
        replies.append(await shell(world, f"sleep {seconds}"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await until(lambda: len(on_host(seconds)) == 1)
        client = docker.APIClient(timeout=30)
        for container in containers_of(instance):
            client.kill(container)
        client.close()
    assert replies[0].result.is_error
    assert last(world)[0] == "outcome"
    assert last(world)[1] != "ok"
    assert "new" in text_of(await shell(world, "echo new"))
