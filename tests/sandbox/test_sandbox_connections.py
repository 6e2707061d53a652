# SPDX-License-Identifier: Apache-2.0
import struct

import anyio
import anyio.lowlevel
import pytest
from fake_runner import DEADLINE, connection, exit_, faced
from sandbox_world import echo, sh, until

from yett.action import Principal
from yett.ports import Command
from yett.sandbox.connection_frames import CONNECTIONS, PIECE, WINDOW
from yett.sandbox.pool import DockerSandboxes

pytestmark = pytest.mark.anyio

ANN = Principal(id="agent:ann", agent="ann")
X = Command(argv=("x",))


def grant(number: int, more: int) -> bytes:
    return connection(b"g", number, struct.pack("<I", more))


class Taken:
    """A forward that hands its connections to the test."""

    def __init__(self):
        self.principals = []
        self._send, self._receive = anyio.create_memory_object_stream(100)
        self.release = anyio.Event()

    async def __call__(self, stream, principal):
        self.principals.append(principal)
        await self._send.send(stream)
        await self.release.wait()

    async def next(self):
        with anyio.fail_after(DEADLINE):
            return await self._receive.receive()

    def close(self):
        self._send.close()
        self._receive.close()


@pytest.fixture
def taken():
    forward = Taken()
    yield forward
    forward.close()


@pytest.fixture
async def opened(tmp_path, taken):
    """A container, its runner, and a connection that a program of it made."""
    async with faced(tmp_path, forward=taken) as (box, runner):
        box.principal = ANN
        await runner.say(connection(b"o", 7))
        yield box, runner, await taken.next()
        taken.release.set()


async def test_bytes_pass_both_ways_and_each_side_ends_on_its_own(opened):
    box, runner, stream = opened
    await runner.say(connection(b"d", 7, b"request"), connection(b"e", 7))
    assert await stream.receive() == b"request"
    with pytest.raises(anyio.EndOfStream):
        await stream.receive()
    await stream.send(b"answer")
    assert await runner.asked() == ("d", b"\7\0answer")
    await stream.send_eof()
    assert await runner.asked() == ("e", b"\7\0")
    with pytest.raises(anyio.ClosedResourceError):
        await stream.send(b"more")
    assert box.usable


async def test_no_more_is_sent_than_the_program_takes(opened):
    _, runner, stream = opened
    got = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, b"x" * (WINDOW + 10))
        while got < WINDOW:
            kind, payload = await runner.asked()
            assert kind == "d"
            assert len(payload) - 2 <= PIECE
            got += len(payload) - 2
        with anyio.move_on_after(0.05):
            await runner.asked()
            pytest.fail("sent beyond the window")
        await runner.say(grant(7, 10))
        assert await runner.asked() == ("d", b"\7\0" + b"x" * 10)


async def test_what_was_taken_is_granted_again(opened):
    _, runner, stream = opened
    await runner.say(connection(b"d", 7, b"x" * 40_000))
    taken = 0
    while taken < 40_000:
        taken += len(await stream.receive(10_000))
    kind, payload = await runner.asked()
    assert (kind, struct.unpack("<HI", payload)) == ("g", (7, 40_000))


async def test_more_than_was_granted_ends_the_container(opened):
    box, runner, stream = opened
    await runner.say(*[connection(b"d", 7, b"x" * 1024)] * (WINDOW // 1024))
    await anyio.sleep(0.02)
    assert box.usable
    await runner.say(connection(b"d", 7, b"x"))
    await until(lambda: not box.usable, 5)
    with pytest.raises((anyio.BrokenResourceError, anyio.ClosedResourceError)):
        await stream.receive()


@pytest.mark.parametrize(
    "said",
    [
        connection(b"o", 7),
        connection(b"d", 8, b"x"),
        connection(b"e", 8),
        connection(b"g", 8, b"\1\0\0\0"),
        connection(b"x", 8),
        connection(b"e", 7) + connection(b"d", 7, b"x"),
        connection(b"e", 7) * 2,
    ],
)
async def test_a_frame_that_fits_no_connection_ends_the_container(opened, said):
    box, runner, _ = opened
    await runner.say(said)
    await until(lambda: not box.usable, 5)


async def test_a_reset_breaks_the_stream_and_is_answered(opened):
    box, runner, stream = opened
    await runner.say(connection(b"x", 7))
    assert await runner.asked() == ("x", b"\7\0")
    with pytest.raises(anyio.BrokenResourceError):
        await stream.receive()
    with pytest.raises(anyio.BrokenResourceError):
        await stream.send(b"x")
    assert box.usable


async def test_a_number_is_free_after_both_ends_and_what_crossed_them_is_no_fault(opened, taken):
    box, runner, stream = opened
    await stream.send_eof()
    await runner.say(connection(b"e", 7), grant(7, 100))
    assert await runner.asked() == ("e", b"\7\0")
    await runner.say(connection(b"x", 7))
    assert await runner.asked() == ("x", b"\7\0")
    await runner.say(connection(b"o", 7), connection(b"d", 7, b"again"))
    assert await (await taken.next()).receive() == b"again"
    assert box.usable


async def test_a_closed_connection_delivers_what_was_sent_and_wants_nothing_more(opened, taken):
    _, runner, stream = opened
    await stream.send(b"last")
    await stream.aclose()
    assert await runner.asked() == ("d", b"\7\0last")
    assert await runner.asked() == ("e", b"\7\0")
    await runner.say(connection(b"d", 7, b"unwanted"))
    assert await runner.asked() == ("x", b"\7\0")
    await runner.say(connection(b"d", 7, b"late"), grant(7, 1), connection(b"e", 7), connection(b"x", 7))
    await runner.say(connection(b"o", 7))
    await taken.next()
    for use in (stream.receive(), stream.send(b"x"), stream.send_eof()):
        with pytest.raises(anyio.ClosedResourceError):
            await use


async def test_a_program_that_does_not_close_its_end_is_reset_after_a_moment(opened, monkeypatch):
    monkeypatch.setattr("yett.sandbox.connections._LINGER", 0.05)
    _, runner, stream = opened
    await stream.aclose()
    assert await runner.asked() == ("e", b"\7\0")
    assert await runner.asked() == ("x", b"\7\0")


async def test_the_end_of_a_container_breaks_its_connections(opened):
    box, _, stream = opened
    async with anyio.create_task_group() as tasks:

        async def read():
            with pytest.raises(anyio.BrokenResourceError):
                await stream.receive()

        tasks.start_soon(read)
        await anyio.lowlevel.checkpoint()
        await box.destroy()
    with pytest.raises(anyio.ClosedResourceError):  # by its forward, which was cancelled
        await stream.send(b"x")


async def test_one_connection_too_many_ends_the_container(tmp_path, taken):
    async with faced(tmp_path, forward=taken) as (box, runner):
        box.principal = ANN
        await runner.say(*[connection(b"o", number) for number in range(CONNECTIONS)])
        for _ in range(CONNECTIONS):
            await taken.next()
        assert box.usable
        await runner.say(connection(b"o", CONNECTIONS))
        await until(lambda: not box.usable, 5)


async def test_a_connection_in_nobodys_name_is_refused_and_serves_nobody(tmp_path, taken):
    async with faced(tmp_path, forward=taken) as (box, runner):
        await runner.say(connection(b"o", 1))
        assert await runner.asked() == ("x", b"\1\0")
        await runner.say(connection(b"d", 1, b"on its way"), connection(b"x", 1))
        await anyio.sleep(0.02)
        assert taken.principals == []
        assert box.usable


async def test_a_connection_is_in_the_name_of_the_last_lease(tmp_path, taken):
    other = Principal(id="agent:bob", agent="bob")
    async with faced(tmp_path, forward=taken) as (box, runner):
        for number, principal in ((1, ANN), (2, other)):
            box.principal = principal
            await runner.say(connection(b"o", number))
            await taken.next()
    assert taken.principals == [ANN, other]


async def test_whatever_breaks_in_a_forward_ends_its_connection_alone(tmp_path):
    async def forward(stream, principal):
        raise ValueError("made up")

    async with faced(tmp_path, forward=forward) as (box, runner):
        box.principal = ANN
        await runner.say(connection(b"o", 1))
        assert await runner.asked() == ("x", b"\1\0")
        await runner.say(connection(b"x", 1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runner.answer, "X", exit_())
            assert (await box.run(X)).exit_code == 0


async def test_a_runner_that_makes_us_answer_and_does_not_read_is_not_waited_for(tmp_path, taken):
    async with faced(tmp_path, forward=taken, file_deadline=0.3) as (box, runner):
        with anyio.move_on_after(5):
            while box.usable:
                await runner.say(connection(b"o", 1) + connection(b"x", 1))
        assert not box.usable


@pytest.fixture(params=["socket", "attach"])
def forwarding(request, settings_of, run_dir, entropy, instance):
    def make(forward, **changes):
        return DockerSandboxes(
            settings_of(transport=request.param, **changes),
            instance=instance,
            run_dir=run_dir,
            entropy=entropy,
            forward=forward,
        )

    return make


@pytest.mark.engine
async def test_a_program_reaches_the_forward_and_is_answered(forwarding):
    async with forwarding(echo) as boxes, boxes.lease("s", ANN) as box:
        assert (await box.run(sh("echo hello | nc 127.0.0.1 3128"))).stdout == b"hello\n"
        many = sh("for i in 1 2 3 4 5; do (echo $i | nc 127.0.0.1 3128) & done; wait")
        assert sorted((await box.run(many)).stdout.split()) == [b"1", b"2", b"3", b"4", b"5"]
        assert box.usable


@pytest.mark.engine
async def test_megabytes_pass_whole(forwarding):
    script = "head -c 5000000 /dev/urandom > a; nc 127.0.0.1 3128 < a > b; cmp a b && wc -c < b"
    async with forwarding(echo) as boxes, boxes.lease("s", ANN) as box:
        result = await box.run(sh(script))
    assert (result.stdout.strip(), result.exit_code) == (b"5000000", 0)


@pytest.mark.engine
async def test_programs_are_told_of_the_proxy_where_there_is_one(forwarding):
    names = "http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy"
    show = sh(f"for n in {names}; do eval echo \\$$n; done")
    async with forwarding(echo) as boxes, boxes.lease("s") as box:
        seen = (await box.run(show)).stdout.split()
    assert seen == [b"http://127.0.0.1:3128"] * 5 + [b"localhost,127.0.0.1"]
    async with forwarding(None) as boxes, boxes.lease("s") as box:
        assert (await box.run(show)).stdout.split() == []
        assert (await box.run(sh("nc -w 1 127.0.0.1 3128 </dev/null"))).exit_code != 0


@pytest.mark.engine
async def test_a_programs_connection_ends_with_its_call(forwarding):
    ended = anyio.Event()

    async def hold(stream, principal):
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            ended.set()

    async with forwarding(hold) as boxes, boxes.lease("s", ANN) as box:
        await box.run(sh("sleep 100 | nc 127.0.0.1 3128 & usleep 100000"))
        with anyio.fail_after(5):
            await ended.wait()
        assert (await box.run(sh("echo on"))).stdout == b"on\n"
