# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import anyio
import docker
import pytest
from sandbox_world import containers_of, marker, on_host, sh, until

from yett.errors import ConfigurationError, ExecutionError, SandboxUnavailable
from yett.ports import Command
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

HI = Command(argv=("echo", "hi"))


async def test_a_session_keeps_its_files_and_another_never_sees_them(sandboxes_of):
    async with sandboxes_of() as boxes:
        async with boxes.lease("a") as box:
            await box.write("/workspace/mine", b"a")
        async with boxes.lease("b") as box:
            assert await box.list("/workspace") == ()
        async with boxes.lease("a") as box:
            assert [e.name for e in await box.list("/workspace")] == ["mine"]


async def test_with_lifetime_call_no_container_serves_twice(sandboxes_of, instance):
    async with sandboxes_of(lifetime="call") as boxes:
        async with boxes.lease("a") as box:
            await box.write("/workspace/mine", b"a")
        await until(lambda: containers_of(instance) == [])
        async with boxes.lease("a") as box:
            assert await box.list("/workspace") == ()


async def test_one_call_at_a_time_and_the_queue_is_bounded(sandboxes_of):
    order = []
    async with sandboxes_of(queue=1) as boxes:

        async def call(name):
            async with boxes.lease("s") as box:
                order.append(f"{name} in")
                await box.run(sh("usleep 200000"))
                order.append(f"{name} out")

        async with anyio.create_task_group() as group:
            group.start_soon(call, "first")
            await until(lambda: order == ["first in"])
            group.start_soon(call, "second")
            await anyio.sleep(0.02)
            with pytest.raises(ExecutionError, match=r"busy.*Retry after"):
                async with boxes.lease("s"):
                    pass
        assert order == ["first in", "first out", "second in", "second out"]


async def test_waiting_for_a_busy_sandbox_has_an_end(sandboxes_of):
    async with sandboxes_of(queue_wait=0.05) as boxes, boxes.lease("s"):
        with pytest.raises(ExecutionError, match="busy"):
            async with boxes.lease("s"):
                pass


async def test_the_number_of_containers_is_bounded(sandboxes_of):
    async with sandboxes_of(containers=1) as boxes:
        async with boxes.lease("a"):
            pass
        with pytest.raises(ExecutionError, match="All sandboxes are in use"):
            async with boxes.lease("b"):
                pass
        await boxes.end("a")
        async with boxes.lease("b") as box:
            assert (await box.run(HI)).exit_code == 0


async def test_the_end_of_a_session_destroys_its_container(sandboxes_of, instance):
    async with sandboxes_of() as boxes:
        async with boxes.lease("s"):
            assert len(containers_of(instance)) == 1
        await boxes.end("s")
        await boxes.end("s")
        await boxes.end("never was")
        await until(lambda: containers_of(instance) == [])


async def test_the_end_of_a_session_ends_its_running_call(sandboxes_of):
    seconds = marker()
    async with sandboxes_of() as boxes, anyio.create_task_group() as group:

        async def call():
            with pytest.raises(ExecutionError, match="died"):
                async with boxes.lease("s") as box:
                    await box.run(sh(f"sleep {seconds}"))

        group.start_soon(call)
        await until(lambda: on_host(seconds))
        await boxes.end("s")
        assert on_host(seconds) == []


async def test_a_call_that_waits_or_begins_while_its_session_ends_runs_nothing(sandboxes_of, instance):
    async with sandboxes_of() as boxes, anyio.create_task_group() as group:
        leased = anyio.Event()

        async def running():
            async with boxes.lease("s") as box:
                leased.set()
                with pytest.raises(ExecutionError, match="died"):
                    await box.run(sh("sleep 60"))

        async def refused():
            with pytest.raises(ExecutionError, match="session has ended"):
                async with boxes.lease("s"):
                    pass

        group.start_soon(running)
        await leased.wait()
        group.start_soon(refused)
        await until(lambda: boxes._seats.of("s").waiting)
        await boxes.end("s")
        await until(lambda: boxes.status().alive == 0)
        group.start_soon(refused)  # its container is being made
        await until(lambda: boxes.status().making)
        await boxes.end("s")
        await until(lambda: not boxes.status().making)
        await until(lambda: containers_of(instance) == [])
        await until(lambda: boxes.status().alive == 0)
        assert len(boxes._seats) == 0


async def test_an_exception_in_the_caller_destroys_the_container(sandboxes_of):
    async with sandboxes_of() as boxes:

        async def fail():
            async with boxes.lease("s") as box:
                await box.write("/workspace/mine", b"a")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with boxes.lease("s") as box:
            assert await box.list("/workspace") == ()


async def test_an_idle_session_loses_its_container(sandboxes_of, instance):
    async with sandboxes_of(idle=0.2) as boxes:
        async with boxes.lease("s"):
            pass
        await until(lambda: containers_of(instance) == [])


async def test_a_spare_is_ready_for_a_new_session_and_is_replaced(sandboxes_of, instance):
    async with sandboxes_of(warm=1) as boxes:
        await until(lambda: boxes.status().warm == 1)
        spare = boxes._supply._spares[0].container
        async with boxes.lease("s") as box:
            assert box is spare
            assert (await box.run(HI)).exit_code == 0
            await until(lambda: boxes.status().warm == 1)
            assert boxes._supply._spares[0].container is not spare
    await until(lambda: containers_of(instance) == [])


async def test_a_spare_that_died_is_not_lent(sandboxes_of):
    async with sandboxes_of(warm=1) as boxes:
        await until(lambda: boxes.status().warm == 1)
        spare = boxes._supply._spares[0].container
        await boxes.engine.remove(spare.name)
        async with boxes.lease("s") as box:
            assert box is not spare
            assert (await box.run(HI)).exit_code == 0


async def test_closing_destroys_everything_and_refuses_more(sandboxes_of, instance):
    async with sandboxes_of(warm=1) as boxes:
        async with boxes.lease("s"):
            pass
        await boxes.aclose()
        await until(lambda: containers_of(instance) == [])
        with pytest.raises(SandboxUnavailable, match="stopping"):
            async with boxes.lease("s"):
                pass


async def test_a_missing_image_is_said(sandboxes_of):
    async with sandboxes_of(image="yett/there-is-none:latest") as boxes:
        with pytest.raises(SandboxUnavailable, match="no image"):
            async with boxes.lease("s"):
                pass


@pytest.fixture
def empty_image(instance):
    """An image with nothing in it."""
    client = docker.APIClient(timeout=30)
    client.import_image_from_data(b"\0" * 10240, repository="yett/tiny", tag=instance)
    yield f"yett/tiny:{instance}"
    client.remove_image(f"yett/tiny:{instance}", force=True)
    client.close()


async def test_an_image_without_a_runner_is_said_and_leaves_nothing(sandboxes_of, instance, empty_image):
    async with sandboxes_of(image=empty_image) as boxes:
        with pytest.raises(SandboxUnavailable, match="yett-runner"):
            async with boxes.lease("s"):
                pass
    await until(lambda: containers_of(instance) == [])


async def test_reaping_removes_what_crashed_gateways_of_this_state_left_and_nothing_else(
    sandboxes_of, instance, tiny_image, run_dir
):
    client = docker.APIClient(timeout=30)
    left = client.create_container(tiny_image, labels={"yett.gateway": instance, "yett.run": "crashed"})["Id"]
    other = client.create_container(
        tiny_image, labels={"yett.gateway": f"{instance}-other", "yett.run": "x"}
    )["Id"]
    (run_dir / "leftover").mkdir()
    try:
        async with sandboxes_of() as boxes, boxes.lease("s") as box:
            assert await boxes.reap() >= 1  # of this engine, and there may be other gateways
            assert left not in containers_of(instance)
            assert containers_of(f"{instance}-other") == [other]
            assert not (run_dir / "leftover").exists()
            assert (await box.run(HI)).exit_code == 0  # ours lives
    finally:
        client.remove_container(other)
        client.close()


def test_a_socket_folder_that_is_too_long_is_a_configuration_error(entropy):
    longest = Path("/" + "r" * 77)
    DockerSandboxes(SandboxSettings(), instance="i", run_dir=longest, entropy=entropy)
    with pytest.raises(ConfigurationError, match="longer than 78 bytes"):
        DockerSandboxes(SandboxSettings(), instance="i", run_dir=Path(f"{longest}r"), entropy=entropy)


def test_the_socket_folder_is_for_the_gateway_alone(sandboxes_of, run_dir):
    async def look():
        run_dir.chmod(0o755)
        async with sandboxes_of() as boxes, boxes.lease("s"):
            assert run_dir.stat().st_mode & 0o777 == 0o700
            assert {f.stat().st_mode & 0o777 for f in run_dir.iterdir()} == {0o700}

    anyio.run(look)
