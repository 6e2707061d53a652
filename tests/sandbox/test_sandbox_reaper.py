# SPDX-License-Identifier: Apache-2.0
"""What is removed because nobody holds it, and what must never be."""

from contextlib import suppress
from dataclasses import replace

import docker
import pytest
from sandbox_world import containers_of, until

from yett.ports import Command
from yett.sandbox.ownership import Owner

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

ME = Owner.of_this_process()
DEAD = replace(ME, started=ME.started + 1)
"""A process of our pid that does not run any more."""
ELSEWHERE = replace(ME, namespace="pid:[1]")
OTHER_MACHINE = replace(ME, machine="another")


@pytest.fixture
def left(tiny_image, instance):
    """Makes containers that some gateway left behind."""
    client = docker.APIClient(timeout=30)
    made = []

    def make(owner, *, of=instance, run="another", started=False):
        labels = {"yett.gateway": of, "yett.run": run, "yett.owner": owner.label()}
        container = client.create_container(
            tiny_image,
            labels=labels,
            entrypoint=["/bin/sleep", "600"],
            host_config=client.create_host_config(network_mode="none"),
        )["Id"]
        made.append(container)
        if started:
            client.start(container)
        return container

    yield make
    for container in made:
        with suppress(docker.errors.NotFound):
            client.remove_container(container, force=True)
    client.close()


@pytest.mark.parametrize("started", [False, True])
async def test_what_a_dead_gateway_left_is_removed_whoever_it_was(sandboxes_of, instance, left, started):
    left(DEAD, started=started)
    left(DEAD, of=f"{instance}-other", started=started)
    async with sandboxes_of() as boxes:
        assert await boxes.reap() >= 2
    assert containers_of(instance) == containers_of(f"{instance}-other") == []


@pytest.mark.parametrize("suffix", ["", "-other"])
async def test_what_a_living_gateway_has_is_never_touched(sandboxes_of, instance, left, suffix):
    container = left(ME, of=instance + suffix)
    async with sandboxes_of() as boxes:
        await boxes.reap()
        assert container in containers_of(instance + suffix)


async def test_where_nothing_can_be_proved_only_the_stopped_ones_of_our_own_folder_go(
    sandboxes_of, instance, left
):
    running = left(ELSEWHERE, started=True)  # its gateway lives, or its PID 1 had ended
    left(ELSEWHERE)
    other_machine = left(OTHER_MACHINE)
    other_gateway = left(ELSEWHERE, of=f"{instance}-other")
    async with sandboxes_of() as boxes:
        await boxes.reap()
    assert set(containers_of(instance)) == {running, other_machine}
    assert containers_of(f"{instance}-other") == [other_gateway]


async def test_a_container_of_this_run_that_nobody_holds_is_removed_on_the_timer(
    sandboxes_of, instance, left, run_dir
):
    async with sandboxes_of(reap_interval=0.2, warm=1) as boxes:
        async with boxes.lease("s"):
            await until(lambda: boxes.status().warm == 1)
            stray = left(ME, run=boxes._maker.run, started=True)
            (run_dir / "stray").mkdir()
            await until(lambda: stray not in containers_of(instance))
            await until(lambda: not (run_dir / "stray").exists())
            assert boxes.status().reaped >= 1
        async with boxes.lease("s") as box:  # held, and not touched
            assert (await box.run(Command(argv=("echo", "hi")))).stdout == b"hi\n"
        assert boxes.status().warm == 1


async def test_reaping_all_the_time_never_takes_what_is_being_made(sandboxes_of):
    async with sandboxes_of(reap_interval=0.02, lifetime="call", warm=2) as boxes:
        for _ in range(6):
            async with boxes.lease("s") as box:
                assert (await box.run(Command(argv=("echo", "hi")))).stdout == b"hi\n"
