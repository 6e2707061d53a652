# SPDX-License-Identifier: Apache-2.0
"""An engine that stops answering, or dies, must not take a call with it."""

import anyio
import pytest
from sandbox_world import containers_of, sh, until

from yett.errors import SandboxUnavailable

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


class FragileEngine:
    """A proxy in front of the real engine that can hang or break on a chosen request."""

    def __init__(self, path):
        self.path = str(path)
        self.connections = 0
        self.hang_on = None
        self.break_on = None

    async def serve(self, *, task_status):
        async with await anyio.create_unix_listener(self.path) as listener:
            task_status.started(f"unix://{self.path}")
            await listener.serve(self._connection)

    async def _connection(self, client):
        self.connections += 1
        engine = await anyio.connect_unix("/var/run/docker.sock")
        async with client, engine, anyio.create_task_group() as group:
            group.start_soon(self._copy, client, engine, group.cancel_scope, True)
            group.start_soon(self._copy, engine, client, group.cancel_scope, False)

    async def _copy(self, source, sink, scope, requests):
        try:
            async for data in source:
                if requests and self.hang_on and self.hang_on in data:
                    await anyio.sleep_forever()
                if requests and self.break_on and self.break_on in data:
                    break
                await sink.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        scope.cancel()


@pytest.fixture
async def engine(tmp_path):
    fragile = FragileEngine(tmp_path / "e")
    async with anyio.create_task_group() as group:
        fragile.url = await group.start(fragile.serve)
        yield fragile
        group.cancel_scope.cancel()


LIMITS = {"engine_deadline": 4.0, "breaker_pause": 0.4}


async def test_an_engine_that_hangs_fails_the_call_in_time_and_is_then_left_alone(sandboxes_of, engine):
    async with sandboxes_of(engine=engine.url, **LIMITS) as boxes:
        async with boxes.lease("warm"):
            pass
        engine.hang_on = b"/containers/create"
        with (
            anyio.fail_after(3 * LIMITS["engine_deadline"]),
            pytest.raises(SandboxUnavailable, match="did not answer in time"),
        ):
            async with boxes.lease("s"):
                pass
        asked = engine.connections
        with pytest.raises(SandboxUnavailable, match="left alone"):
            async with boxes.lease("s"):
                pass
        assert engine.connections == asked
        async with boxes.lease("warm") as box:  # what runs needs no engine
            assert (await box.run(sh("echo hi"))).stdout == b"hi\n"
        engine.hang_on = None
        await anyio.sleep(LIMITS["breaker_pause"])
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo back"))).stdout == b"back\n"


async def test_a_container_whose_start_hangs_is_removed_when_the_engine_is_back(
    sandboxes_of, engine, instance
):
    async with sandboxes_of(engine=engine.url, idle=0.4, **LIMITS) as boxes:
        engine.hang_on = b"/start"
        with pytest.raises(SandboxUnavailable):
            async with boxes.lease("s"):
                pass
        assert len(containers_of(instance)) == 1  # the engine was not asked again
        engine.hang_on = None
        await until(lambda: containers_of(instance) == [])


async def test_an_engine_that_dies_in_mid_request_is_said(sandboxes_of, engine):
    async with sandboxes_of(engine=engine.url, **LIMITS) as boxes:
        engine.break_on = b"/containers/create"
        with pytest.raises(SandboxUnavailable, match="no container engine answers"):
            async with boxes.lease("s"):
                pass


async def test_a_call_that_runs_does_not_notice_that_the_engine_hangs(sandboxes_of, engine):
    async with sandboxes_of(engine=engine.url, **LIMITS) as boxes, boxes.lease("s") as box:
        engine.hang_on = b"HTTP/1.1"
        assert (await box.run(sh("echo on"))).stdout == b"on\n"
        assert (await box.run(sh("sleep 60", timeout=0.2))).timed_out  # killed without the engine
        assert not box.usable


async def test_no_engine_at_all_is_said(sandboxes_of, tmp_path):
    async with sandboxes_of(engine=f"unix://{tmp_path}/none", **LIMITS) as boxes:
        with pytest.raises(SandboxUnavailable, match="no container engine answers") as caught:
            async with boxes.lease("s"):
                pass
        assert str(tmp_path) not in caught.value.public()
        with pytest.raises(SandboxUnavailable):
            await boxes.reap()
