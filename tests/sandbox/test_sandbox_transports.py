# SPDX-License-Identifier: Apache-2.0
import contextlib
import struct

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_world import containers_of, on_host, sh, until

from yett.errors import ConfigurationError, SandboxUnavailable
from yett.sandbox.attach_transport import AttachApproach, Multiplex
from yett.sandbox.cgroup import in_container
from yett.sandbox.engine import Engine
from yett.sandbox.engine_address import EngineAddress
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.transport_choice import NotReached, TransportChoice
from yett.sandbox.wire import ProtocolViolation

pytestmark = pytest.mark.anyio


def piece(data: bytes, stream: int = 1) -> bytes:
    return struct.pack(">B3xI", stream, len(data)) + data


@given(st.lists(st.binary(max_size=100), max_size=20), st.data())
def test_the_engines_frames_are_taken_off_however_they_were_cut(parts, data):
    whole = b"".join(map(piece, parts))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    stream, got = Multiplex(), b""
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        got += stream.feed(whole[begin:end])
    assert got == b"".join(parts)


@given(st.binary(max_size=2000))
def test_any_bytes_of_the_engine_give_fewer_or_a_violation(raw):
    with contextlib.suppress(ProtocolViolation):
        assert len(Multiplex().feed(raw)) <= len(raw)


@pytest.mark.parametrize(
    "raw",
    [
        piece(b"error output", 2),
        piece(b"input", 0),
        b"\1\0\0\1\0\0\0\1x",
        b"\1\0\0\0" + b"\0\x10\0\1",
        b"HTTP/1.1",
    ],
)
def test_what_the_engine_was_not_asked_for_is_a_violation(raw):
    with pytest.raises(ProtocolViolation):
        Multiplex().feed(raw)


def test_a_piece_of_the_largest_size_is_taken():
    assert Multiplex().feed(b"\1\0\0\0\0\x10\0\0" + b"x" * 10) == b"x" * 10


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix:///var/run/docker.sock", EngineAddress(path="/var/run/docker.sock")),
        ("tcp://127.0.0.1", EngineAddress(host="127.0.0.1", port=2375)),
        ("tcp://127.8.8.8:99", EngineAddress(host="127.8.8.8", port=99)),
        ("tcp://[::1]:99", EngineAddress(host="::1", port=99)),
        ("tcp://localhost:99", EngineAddress(host="localhost", port=99)),
    ],
)
def test_an_engine_of_this_machine_is_taken(url, address):
    assert EngineAddress.parse(url) == address
    assert SandboxSettings(engine=url).engine == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("tcp://10.0.0.1:2375", "plain TCP to another machine"),
        ("tcp://engine.example:2375", "plain TCP to another machine"),
        ("tcp://127.0.0.1.example", "plain TCP to another machine"),
        ("tcp://127.0.0.1:99999", "is no address"),
        ("tcp://", "neither"),
        ("unix://relative", "neither"),
        ("http://127.0.0.1:2375", "neither"),
        ("", "neither"),
    ],
)
def test_an_engine_elsewhere_is_refused_by_name(url, words):
    with pytest.raises(ConfigurationError, match=words) as refused:
        SandboxSettings(engine=url)
    assert refused.value.path == ("engine",)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 1010 x\r\n\r\n",
        b"x" * 20_000,
        b"HTTP/1.1 101 UPGRADED\r\n",
        b"",
    ],
)
async def test_an_engine_that_does_not_attach_is_said(tmp_path, answer):
    async def refuse(stream):
        async with stream:
            await stream.receive()
            await stream.send(answer)

    listener = await anyio.create_unix_listener(tmp_path / "e")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        with pytest.raises(SandboxUnavailable, match="attach: the engine"), anyio.fail_after(5):
            async with AttachApproach(EngineAddress(path=str(tmp_path / "e")), (1, 41)) as approach:
                await approach.created("n")
        tasks.cancel_scope.cancel()


def ways(made: list, failing: dict):
    async def attempt(kind, deadline):
        made.append((kind, deadline))
        if kind in failing:
            raise failing[kind]
        return kind

    return attempt


async def test_the_socket_is_tried_first_and_what_worked_is_remembered():
    made = []
    choice = TransportChoice(SandboxSettings(transport_deadline=3.0, start_deadline=20.0))
    assert await choice.start(ways(made, {"socket": NotReached("no")})) == "attach"
    assert await choice.start(ways(made, {})) == "attach"
    assert made == [("socket", 3.0), ("attach", 20.0), ("attach", 20.0)]
    made.clear()
    choice = TransportChoice(SandboxSettings())
    assert await choice.start(ways(made, {})) == "socket"
    with pytest.raises(NotReached):
        await choice.start(ways(made, {"socket": NotReached("later")}))
    assert [kind for kind, _ in made] == ["socket", "socket"]


async def test_a_wrong_peer_is_no_reason_to_try_the_other_way():
    made = []
    choice = TransportChoice(SandboxSettings())
    with pytest.raises(SandboxUnavailable, match="not PID 1"):
        await choice.start(ways(made, {"socket": SandboxUnavailable("not PID 1")}))
    assert [kind for kind, _ in made] == ["socket"]
    assert choice.kind is None


async def test_when_neither_way_works_both_reasons_are_given():
    choice = TransportChoice(SandboxSettings())
    failing = {"socket": NotReached("first"), "attach": NotReached("second")}
    with pytest.raises(SandboxUnavailable, match=r"first .*second"):
        await choice.start(ways([], failing))
    assert choice.kind is None


@pytest.mark.parametrize("kind", ["socket", "attach"])
async def test_a_way_that_was_configured_is_the_only_one_tried(kind):
    made = []
    with pytest.raises(NotReached):
        await TransportChoice(SandboxSettings(transport=kind)).start(ways(made, {kind: NotReached("no")}))
    assert made == [(kind, 20.0)]


async def test_while_one_chooses_the_others_wait():
    made = []
    choice = TransportChoice(SandboxSettings())
    begun = anyio.Event()

    async def slow(kind, deadline):
        made.append(kind)
        begun.set()
        await anyio.sleep(0.02)
        if kind == "socket":
            raise NotReached("no")
        return kind

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(choice.start, slow)
    assert made == ["socket", "attach", "attach", "attach"]


def test_a_process_is_of_a_container_only_if_its_cgroup_says_so(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text("4:memory:/docker/abc123\n0::/\n")
    assert in_container(7, "abc123", proc=tmp_path)
    assert not in_container(7, "abc124", proc=tmp_path)
    assert not in_container(7, "", proc=tmp_path)
    assert not in_container(8, "abc123", proc=tmp_path)


@pytest.mark.engine
async def test_where_the_socket_does_not_come_through_the_engines_stream_does(
    sandboxes_of, monkeypatch, instance
):
    boxes = sandboxes_of(transport_deadline=0.5)
    create = boxes.engine.create

    async def altered(name, config):
        """As on an engine whose machine is another: the socket is there and nobody listens."""
        mounts = [{**m, "Source": "/dev/null"} for m in config["HostConfig"]["Mounts"]]
        await create(name, {**config, "HostConfig": {**config["HostConfig"], "Mounts": mounts}})

    monkeypatch.setattr(boxes.engine, "create", altered)
    async with boxes:
        for session in "ab":
            async with boxes.lease(session) as box:
                assert (await box.run(sh("echo hi; cat /proc/1/cmdline"))).stdout == b"hi\n/yett-runner\0-\0"
                assert box._init.alive
                assert box._init._pidfd is not None  # the engine shares this machine
        assert len(containers_of(instance)) == 2


@pytest.mark.engine
async def test_an_attached_container_has_nothing_of_the_host_mounted(sandboxes_of, run_dir):
    async with sandboxes_of(transport="attach") as boxes, boxes.lease("s") as box:
        table = (await box.run(sh("cat /proc/self/mountinfo"))).stdout.decode()
        assert run_dir.name not in table
        assert "yett.sock" not in table
        assert [list(folder.iterdir()) for folder in run_dir.iterdir()] == [[]]


@pytest.mark.engine
async def test_an_engine_on_loopback_tcp_serves_both_its_interface_and_the_stream(sandboxes_of):
    async def pipe(client):
        engine = await anyio.connect_unix("/var/run/docker.sock")
        async with client, engine, anyio.create_task_group() as tasks:
            for source, sink in ((client, engine), (engine, client)):
                tasks.start_soon(copy, source, sink, tasks.cancel_scope)

    async def copy(source, sink, scope):
        try:
            async for data in source:
                await sink.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        scope.cancel()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  (anyio's, not Django's)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, pipe)
        async with (
            sandboxes_of(engine=f"tcp://127.0.0.1:{port}", transport="attach") as boxes,
            boxes.lease("s") as box,
        ):
            assert (await box.run(sh("echo hi"))).stdout == b"hi\n"
        tasks.cancel_scope.cancel()


@pytest.mark.engine
@pytest.mark.parametrize("transport", ["socket", "attach"])
async def test_an_image_with_a_runner_of_another_version_says_what_to_do(
    sandboxes_of, monkeypatch, transport
):
    monkeypatch.setattr("yett.sandbox.container.VERSION", 3)
    async with sandboxes_of(transport=transport) as boxes:
        with pytest.raises(SandboxUnavailable, match="yett sandbox build"):
            async with boxes.lease("s"):
                pass


@pytest.mark.engine
async def test_an_unknown_runtime_is_named(sandboxes_of):
    async with sandboxes_of(runtime="nosuch") as boxes:
        with pytest.raises(SandboxUnavailable, match=r"no runtime `nosuch`, only .*runc"):
            async with boxes.lease("s"):
                pass


@pytest.mark.engine
async def test_the_engine_says_which_process_a_containers_first_one_is(sandboxes_of):
    async with sandboxes_of(transport="attach") as boxes, boxes.lease("s") as box:
        engine: Engine = boxes.engine
        state = await engine.state(box.name)
        assert in_container(state.pid, state.id)
        assert state.pid in on_host("/yett-runner")
    await until(lambda: not in_container(state.pid, state.id), 10)
