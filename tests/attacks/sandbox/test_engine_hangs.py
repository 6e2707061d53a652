# SPDX-License-Identifier: Apache-2.0
"""An engine that stops answering, or dies, must not take a call with it."""

from contextlib import suppress

import anyio
import pytest
from anyio.abc import SocketAttribute
from sandbox_world import containers_of, sh, until

from yett.errors import SandboxUnavailable

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


class FragileEngine:
    """A proxy in front of the real engine that can hang or break on a chosen request, or keep its answer."""

    def __init__(self, path):
        self.path = str(path)
        self.connections = 0
        self.hang_on = None
        self.break_on = None
        self.mute_on = None

    async def serve(self, *, task_status):
        async with await anyio.create_unix_listener(self.path) as listener:
            task_status.started(f"unix://{self.path}")
            await listener.serve(self._connection)

    async def _connection(self, client):
        self.connections += 1
        engine = await anyio.connect_unix("/var/run/docker.sock")
        muted = anyio.Event()
        async with client, engine, anyio.create_task_group() as group:
            group.start_soon(self._copy, client, engine, group.cancel_scope, muted, True)
            group.start_soon(self._copy, engine, client, group.cancel_scope, muted, False)

    async def _copy(self, source, sink, scope, muted, requests):
        try:
            async for data in source:
                if requests and self.hang_on and self.hang_on in data:
                    await anyio.sleep_forever()
                if requests and self.break_on and self.break_on in data:
                    break
                if requests and self.mute_on and self.mute_on in data:
                    muted.set()
                if requests or not muted.is_set():
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


async def recovered(boxes, session):
    """Whether a session that has no container can have one."""
    try:
        async with boxes.lease(session) as box:
            return (await box.run(sh("echo back"))).stdout == b"back\n"
    except SandboxUnavailable:
        return False


REQUESTS = {
    "info": b"/info",
    "create": b"/containers/create",
    "start": b"/start HTTP",
    "inspect": b"/json HTTP",
}


@pytest.mark.parametrize("how", ["hang_on", "mute_on"])
@pytest.mark.parametrize("request_", REQUESTS)
async def test_each_request_that_hangs_fails_in_time_delays_nobody_else_and_leaves_nothing(
    sandboxes_of, engine, instance, request_, how
):
    limits = {"engine_deadline": 2.0, "breaker_pause": 0.2, "reap_interval": 0.4}
    async with sandboxes_of(engine=engine.url, **limits) as boxes, anyio.create_task_group() as group:
        async with boxes.lease("warm"):
            pass
        boxes.engine._facts = None
        failed = anyio.Event()

        async def newcomer():
            with anyio.fail_after(3 * limits["engine_deadline"]), pytest.raises(SandboxUnavailable):
                async with boxes.lease("s"):
                    pass
            failed.set()

        setattr(engine, how, REQUESTS[request_])
        group.start_soon(newcomer)
        await until(lambda: boxes.status().making)
        for _ in range(20):
            async with boxes.lease("warm") as box:
                assert (await box.run(sh("echo hi"))).stdout == b"hi\n"
        assert not failed.is_set()  # the engine hung all the while
        await failed.wait()
        assert boxes.status().breaker != "closed"
        setattr(engine, how, None)
        with anyio.fail_after(60):
            while not await recovered(boxes, "s"):  # noqa: ASYNC110  (asking is what is tested)
                await anyio.sleep(0.05)
        assert boxes.status().breaker == "closed"
        await until(lambda: len(containers_of(instance)) == 2 == boxes.status().alive)


async def test_a_container_that_cannot_be_seen_dead_counts_until_the_engine_has_removed_it(
    sandboxes_of, engine, instance, monkeypatch
):
    async def nothing_seen(init, grace):
        init.forget()
        return False

    # As where the gateway cannot see the engine's processes.
    monkeypatch.setattr("yett.sandbox.init_process.InitProcess.kill", nothing_seen)
    limits = {"engine_deadline": 2.0, "breaker_pause": 0.2, "reap_interval": 0.4, "containers": 1}
    async with sandboxes_of(engine=engine.url, **limits) as boxes:
        async with boxes.lease("s"):
            pass
        engine.hang_on = b"HTTP/1.1"  # neither is it removed nor is it asked for
        with anyio.fail_after(3 * limits["engine_deadline"]):
            await boxes.end("s")
        assert boxes.status().alive == 1
        engine.hang_on = None
        await until(lambda: boxes.status().alive == 0)
        assert containers_of(instance) == []
        assert await recovered(boxes, "t")


async def test_an_engine_that_answers_garbage_is_said_and_harms_nobody(sandboxes_of, tmp_path):
    async def garbage(client):
        async with client:
            with suppress(anyio.EndOfStream):  # only a knock
                await client.receive()
            body = b'{"ApiVersion": "1.41", "Id": [], "Runtimes": 7, "SecurityOptions": 5}'
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            with suppress(anyio.BrokenResourceError):
                await client.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    path = tmp_path / "g"
    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, garbage)
        async with sandboxes_of(engine=f"unix://{path}", **LIMITS) as boxes:
            with pytest.raises(SandboxUnavailable, match="no container engine's"):
                async with boxes.lease("s"):
                    pass
        group.cancel_scope.cancel()


async def test_spares_come_back_by_themselves_after_the_engine_hung(sandboxes_of, engine, monkeypatch):
    monkeypatch.setattr("yett.sandbox.supply._RETRY", 0.1)
    engine.hang_on = b"/containers/create"
    limits = {"engine_deadline": 2.0, "breaker_pause": 0.2, "idle": 0.4}
    async with sandboxes_of(engine=engine.url, warm=1, **limits) as boxes:
        await until(lambda: boxes.status().breaker == "open")
        engine.hang_on = None
        await until(lambda: boxes.status().warm == 1)


async def test_the_environment_does_not_say_which_engine_is_asked(sandboxes_of, monkeypatch, tmp_path):
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"httpProxy": "http://127.0.0.1:9"}}}')
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        assert b"127.0.0.1:9" not in (await box.run(sh("env"))).stdout


async def test_a_proxy_of_the_environment_never_sees_what_an_engine_over_tcp_is_told(
    sandboxes_of, monkeypatch
):
    asked, seen = [], []

    def note(where):
        async def serve(client):
            async with client:
                where.append(await client.receive())

        return serve

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as engine,
        await anyio.create_tcp_listener(local_host="127.0.0.1") as proxy,
        anyio.create_task_group() as group,
    ):
        group.start_soon(engine.serve, note(asked))
        group.start_soon(proxy.serve, note(seen))
        port, proxy_port = (one.extra_attributes[SocketAttribute.local_port]() for one in (engine, proxy))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy_port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with sandboxes_of(engine=f"tcp://127.0.0.1:{port}", **LIMITS) as boxes:
            with pytest.raises(SandboxUnavailable):
                async with boxes.lease("s"):
                    pass
        group.cancel_scope.cancel()
    assert asked
    assert not seen
