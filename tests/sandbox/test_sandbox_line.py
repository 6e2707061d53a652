# SPDX-License-Identifier: Apache-2.0
import anyio
import pytest
from fake_runner import DONE, FILE, err, exit_, faced, frame, killed, out
from sandbox_world import sh, until

from yett.errors import ExecutionError, ExecutionTimeout
from yett.ports import Command
from yett.sandbox.wire import ProtocolViolation

pytestmark = pytest.mark.anyio

X = Command(argv=("x",))


async def test_output_is_told_as_it_comes_in_order_and_by_stream(tmp_path):
    told = []
    go_on = anyio.Event()

    async def on_output(stream, data):
        told.append((stream, data))
        go_on.set()

    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:

        async def talk():
            await runner.answer("X", out(b"a"))
            await go_on.wait()
            await runner.say(out(b"b"), out(b"c"), err(b"d"), out(b"e"), exit_())

        tasks.start_soon(talk)
        result = await box.run(X, on_output)
    assert told == [("stdout", b"a"), ("stdout", b"bc"), ("stderr", b"d"), ("stdout", b"e")]
    assert (result.stdout, result.stderr) == (b"abce", b"d")


async def test_who_follows_the_output_slowly_holds_up_neither_the_call_nor_its_deadline(tmp_path):
    told = []

    async def on_output(stream, data):
        told.append(data)
        await anyio.sleep_forever()

    async with faced(tmp_path, progress_deadline=0.05, timeout=30.0) as (box, runner):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runner.answer, "X", out(b"a"), out(b"b"), exit_(5))
            with anyio.fail_after(5):
                result = await box.run(X, on_output)
        assert (result.exit_code, result.stdout, told, box.usable) == (5, b"ab", [b"ab"], True)
    (tmp_path / "s").unlink()
    async with faced(tmp_path, progress_deadline=30.0) as (box, runner):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runner.answer, "X", out(b"a"))
            with anyio.fail_after(5):
                result = await box.run(Command(argv=("x",), timeout=0.1), on_output)
        assert (result.timed_out, box.usable) == (True, False)


async def test_a_program_that_ended_in_time_did_not_time_out_because_somebody_listened_slowly(tmp_path):
    async def on_output(stream, data):
        await anyio.sleep_forever()

    async with faced(tmp_path, progress_deadline=30.0) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", out(b"a"), exit_())
        result = await box.run(Command(argv=("x",), timeout=0.2), on_output)
        assert (result.timed_out, result.exit_code, box.usable) == (False, 0, True)


async def test_output_that_drips_does_not_move_the_deadline(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:

        async def drip():
            await runner.asked()
            for byte in out(b"x" * 1000):
                await runner.say(bytes([byte]))
                await anyio.sleep(0.01)

        tasks.start_soon(drip)
        with anyio.fail_after(3):
            result = await box.run(Command(argv=("x",), timeout=0.2))
        tasks.cancel_scope.cancel()
    assert (result.timed_out, result.signal, result.stdout) == (True, 9, b"")


async def test_a_frame_that_drips_does_not_last_longer_than_its_deadline(tmp_path):
    slow = {"file_deadline": 0.3, "timeout": 30.0}
    async with faced(tmp_path, **slow) as (box, runner), anyio.create_task_group() as tasks:

        async def drip():
            await runner.asked()
            for byte in out(b"x" * 1000):
                await runner.say(bytes([byte]))
                await anyio.sleep(0.01)

        tasks.start_soon(drip)
        with pytest.raises(ProtocolViolation, match="begun and not ended"), anyio.fail_after(5):
            await box.run(X)
        tasks.cancel_scope.cancel()


async def test_frames_cut_anywhere_for_longer_than_a_deadline_are_fine_when_each_is_ended(tmp_path):
    async with faced(tmp_path, file_deadline=0.3) as (box, runner), anyio.create_task_group() as tasks:

        async def talk():
            await runner.asked()
            rest = b""
            for _ in range(20):  # there is always a part of one under way
                whole = rest + out(b"1234")
                await runner.say(whole[:-3])
                rest = whole[-3:]
                await anyio.sleep(0.03)
            await runner.say(rest, exit_())

        tasks.start_soon(talk)
        result = await box.run(X)
    assert (result.stdout, result.exit_code) == (b"1234" * 20, 0)


async def test_a_request_that_the_container_does_not_take_ends_it(tmp_path):
    async with faced(tmp_path, file_deadline=0.2, file_limit=16 << 20, request_limit=16 << 20) as (box, _):
        with pytest.raises(ExecutionTimeout), anyio.fail_after(5):
            await box.write("/f", b"x" * (16 << 20))
        assert not box.usable


async def test_a_call_that_is_cancelled_in_the_middle_ends_the_container(tmp_path):
    async with faced(tmp_path) as (box, runner):
        with anyio.move_on_after(0.1):
            await box.run(X)
        assert (await runner.asked())[0] == "X"
        assert not box.usable
        with pytest.raises(ExecutionError, match="gone"):
            await box.run(X)


async def test_two_calls_at_once_are_refused_and_the_first_goes_on(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        results = []

        async def first():
            results.append(await box.run(X))

        tasks.start_soon(first)
        await runner.asked()
        with pytest.raises(ExecutionError):
            await box.run(X)
        await runner.say(exit_(4))
        await until(lambda: bool(results), 5)
        assert results[0].exit_code == 4


async def test_a_deadline_that_keeps_the_container_waits_for_the_runners_word(tmp_path):
    async with faced(tmp_path, after_timeout="keep") as (box, runner), anyio.create_task_group() as tasks:

        async def talk():
            await runner.answer("X", out(b"before"))
            await runner.answer("K", out(b" after"), killed())

        tasks.start_soon(talk)
        result = await box.run(Command(argv=("x",), timeout=0.1))
        assert (result.timed_out, result.stdout, box.usable) == (True, b"before after", True)


async def test_everybody_who_waits_is_told_when_a_container_dies(tmp_path):
    async with faced(tmp_path, timeout=60.0) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE)
        await box.start(X)
        seen = []

        async def wait():
            seen.append((await box.wait(1, 30)).running)

        async def call():
            with pytest.raises(ExecutionError):
                await box.run(X)
            seen.append("call")

        tasks.start_soon(wait)
        tasks.start_soon(call)
        await runner.asked()
        await runner.hang_up()
        with anyio.fail_after(5):
            await until(lambda: len(seen) == 2, 5)
        assert sorted(map(str, seen)) == ["False", "call"]
        assert not box.alive


async def test_destroy_says_once_that_it_was_the_first_and_each_time_when_it_is_done(tmp_path):
    async with faced(tmp_path) as (box, runner):
        await runner.hang_up()
        await until(lambda: not box.usable, 5)
        assert [await box.destroy(), await box.destroy()] == [True, False]
        assert box.removed


async def test_a_path_is_told_with_its_name(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "S", FILE, DONE)
        found = await box.stat("/workspace/f")
        assert (found.name, found.kind, found.size) == ("f", "file", 3)
        tasks.start_soon(runner.answer, "S", frame(b"F", b"\2\0\0\0stat"))
        with pytest.raises(ExecutionError, match="/none: No such file"):
            await box.stat("/none")
        assert box.usable


@pytest.mark.engine
async def test_a_link_is_told_as_a_link(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.run(sh("ln -s /etc/passwd l"))
        assert (await box.stat("/workspace/l")).kind == "symlink"
