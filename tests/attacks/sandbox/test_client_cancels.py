# SPDX-License-Identifier: Apache-2.0
import anyio
import pytest
from sandbox_world import containers_of, marker, on_host, sh, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_cancelled_call_kills_its_container_before_it_returns(sandboxes_of, instance):
    seconds = marker()
    async with sandboxes_of() as boxes:

        async def call():
            async with boxes.lease("s") as box:
                await box.run(sh(f"trap '' TERM; setsid sleep {seconds} & sleep {seconds}"))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await until(lambda: len(on_host(seconds)) == 2)
            group.cancel_scope.cancel()
        assert on_host(seconds) == []
        await until(lambda: containers_of(instance) == [])
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo new"))).stdout == b"new\n"


async def test_a_call_cancelled_while_its_container_is_made_leaves_none(sandboxes_of, instance):
    async with sandboxes_of() as boxes:
        for wait in (0.0, 0.01, 0.05, 0.1):
            with anyio.move_on_after(wait):
                async with boxes.lease("s"):
                    await anyio.sleep_forever()
        # What was being made has no use any more: it is ended when it is ready, not at the next sweep.
        with anyio.fail_after(4):
            await until(lambda: boxes.status().alive == 0)
        await until(lambda: containers_of(instance) == [])


async def test_a_cancelled_wait_leaves_the_queue_as_it_was(sandboxes_of):
    async with sandboxes_of(queue=1) as boxes:
        async with boxes.lease("s"):
            for _ in range(3):
                with anyio.move_on_after(0.02):
                    async with boxes.lease("s"):
                        pass
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo free"))).stdout == b"free\n"
