# SPDX-License-Identifier: Apache-2.0
import anyio
import pytest
from fake_runner import DONE, exit_, faced, frame, killed, out
from sandbox_world import marker, on_host, sh, until

from yett.errors import ExecutionError
from yett.ports import Command
from yett.sandbox.wire import ProtocolViolation

pytestmark = pytest.mark.anyio

X = Command(argv=("x",))


@pytest.fixture(params=["socket", "attach"])
def both_ways(request, sandboxes_of):
    return lambda **changes: sandboxes_of(transport=request.param, **changes)


@pytest.mark.engine
async def test_a_program_that_was_asked_to_stay_outlives_its_call_and_tells_its_output(both_ways):
    seconds = marker()
    async with both_ways() as boxes:
        async with boxes.lease("s") as box:
            started = await box.start(sh(f"echo up; echo bad >&2; sleep {seconds}"))
            assert (started.number, started.running) == (1, True)
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo a call of its own"))).stdout == b"a call of its own\n"
            assert len(on_host(seconds)) == 1
            (known,) = box.programs()
            assert known.running
            assert known.result.exit_code is None
            assert known.result.signal is None
            await until(lambda: box.programs()[0].result.stderr == b"bad\n")
            assert box.programs()[0].result.stdout == b"up\n"
            ended = await box.kill(1)
            assert (ended.running, ended.result.signal, ended.result.timed_out) == (False, 9, False)
            await until(lambda: on_host(seconds) == [])
            assert (await box.run(sh("echo on"))).stdout == b"on\n"


@pytest.mark.engine
async def test_a_background_program_that_ends_is_waited_for(both_ways):
    async with both_ways() as boxes, boxes.lease("s") as box:
        first = await box.start(sh("read word; echo $word; exit 3", stdin=b"hello\n"))
        second = await box.start(sh("sleep 100"))
        ended = await box.wait(first.number, 10)
        assert (ended.running, ended.result.exit_code, ended.result.stdout) == (False, 3, b"hello\n")
        still = await box.wait(second.number, 0.05)
        assert still.running
        assert [p.running for p in box.programs()] == [False, True]


@pytest.mark.engine
async def test_a_background_program_that_cannot_be_started_says_why(both_ways):
    async with both_ways() as boxes, boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match="/no/such: No such file"):
            await box.start(Command(argv=("/no/such",)))
        assert box.programs() == ()
        assert not box.has_programs
        assert (await box.run(sh("echo on"))).stdout == b"on\n"


@pytest.mark.engine
async def test_only_so_many_may_run_and_an_ended_one_makes_room(both_ways):
    async with both_ways(background=2) as boxes, boxes.lease("s") as box:
        for _ in range(2):
            await box.start(sh("sleep 100"))
        with pytest.raises(ExecutionError, match="already has 2 background programs"):
            await box.start(sh("sleep 100"))
        await box.kill(1)
        assert (await box.start(sh("sleep 100"))).number == 3


@pytest.mark.engine
async def test_a_background_program_lives_no_longer_than_its_time(both_ways):
    seconds = marker()
    async with both_ways(background_timeout=0.3) as boxes, boxes.lease("s") as box:
        await box.start(sh(f"trap '' TERM; setsid sleep {seconds} & sleep {seconds}", timeout=1000))
        ended = await box.wait(1, 10)
        assert (ended.result.timed_out, ended.result.signal) == (True, 9)
        await until(lambda: on_host(seconds) == [])
        assert (await box.run(sh("echo on"))).stdout == b"on\n"


@pytest.mark.engine
async def test_a_background_program_that_floods_is_killed_and_its_first_output_kept(both_ways):
    async with both_ways(flood_limit=1 << 20) as boxes, boxes.lease("s") as box:
        await box.start(sh("yes", output_limit=1000))
        ended = await box.wait(1, 10)
        assert (ended.running, ended.result.signal, len(ended.result.stdout)) == (False, 9, 1000)
        assert ended.result.stdout_truncated
        assert (await box.run(sh("echo on"))).stdout == b"on\n"


@pytest.mark.engine
async def test_a_call_that_times_out_takes_the_background_with_it_and_says_so(both_ways):
    seconds = marker()
    async with both_ways() as boxes, boxes.lease("s") as box:
        await box.start(sh(f"sleep {seconds}"))
        result = await box.run(sh("sleep 100", timeout=0.2))
        assert result.timed_out
        (known,) = box.programs()
        assert (known.running, known.result.signal) == (False, 9)
        assert on_host(seconds) == []


@pytest.mark.engine
async def test_a_timeout_that_keeps_the_sandbox_keeps_its_background(both_ways):
    async with both_ways(after_timeout="keep") as boxes, boxes.lease("s") as box:
        await box.start(sh("sleep 100"))
        assert (await box.run(sh("sleep 100", timeout=0.2))).timed_out
        assert box.usable
        assert box.has_programs


@pytest.mark.engine
async def test_a_container_in_which_a_program_runs_is_not_idle(both_ways):
    async with both_ways(idle=0.2) as boxes:
        async with boxes.lease("s") as box:
            await box.write("/workspace/kept", b"1")
            await box.start(sh("sleep 1"))
        await anyio.sleep(0.6)
        assert box.usable
        await until(lambda: not box.usable, 10)  # it has ended, and then idle is idle


@pytest.mark.engine
async def test_what_dies_of_memory_in_the_background_says_so(both_ways):
    async with both_ways(memory=48 << 20) as boxes, boxes.lease("s") as box:
        await box.start(sh("x=$(cat /dev/zero | tr '\\0' 'x'); echo survived"))
        ended = await box.wait(1, 20)
        assert ended.result.oom
        assert b"survived" not in ended.result.stdout


async def test_a_number_that_was_never_given_is_an_error(tmp_path):
    async with faced(tmp_path) as (box, _):
        for use in (box.kill(1), box.wait(1, 1)):
            with pytest.raises(ExecutionError, match="no background program 1"):
                await use


async def test_only_the_last_that_ended_are_remembered(tmp_path):
    async with faced(tmp_path, background_ended=2) as (box, runner):
        for _ in range(4):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(runner.answer, "X", DONE, exit_(slot=1))
                await box.start(X)
        assert [p.number for p in box.programs()] == [3, 4]


async def test_a_program_that_will_not_die_takes_its_container_with_it(tmp_path):
    async with faced(tmp_path, kill_grace=0.05) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE)
        await box.start(X)
        assert await runner_sees_nothing(runner)
        ended = await box.kill(1)
        assert not ended.running
        assert not box.usable


async def runner_sees_nothing(runner) -> bool:
    with anyio.move_on_after(0.02):
        await runner.asked()
        return False
    return True


@pytest.mark.parametrize(
    "said", [out(b"x", slot=1), exit_(slot=1), out(b"x", slot=2) + DONE, exit_(slot=1) + DONE]
)
async def test_a_background_program_says_nothing_before_it_was_started(said, tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", said)
        with pytest.raises(ProtocolViolation):
            await box.start(X)
        assert box.programs() == ()


async def test_a_background_program_says_nothing_after_its_end(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE, exit_(slot=1), out(b"more", slot=1))
        await box.start(X)
        await until(lambda: not box.usable, 5)


async def test_output_of_the_background_comes_apart_from_that_of_a_call(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE)
        await box.start(X)
        tasks.start_soon(
            runner.answer, "X", out(b"a"), out(b"b", slot=1), out(b"c"), exit_(7, slot=1), exit_(0)
        )
        assert (await box.run(X)).stdout == b"ac"
        (known,) = box.programs()
        assert (known.result.stdout, known.result.exit_code) == (b"b", 7)
        assert box.usable


async def test_a_part_of_a_frame_of_the_background_leaves_the_container_usable_but_not_for_ever(tmp_path):
    async with faced(tmp_path, file_deadline=0.2) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE)
        await box.start(X)
        tasks.start_soon(runner.answer, "X", exit_(), out(b"half", slot=1)[:6])
        await box.run(X)
        assert box.usable
        await until(lambda: not box.usable, 5)


async def test_a_flooding_program_whose_kill_is_not_confirmed_ends_the_container(tmp_path):
    async with faced(tmp_path, flood_limit=1000, kill_grace=0.05) as (box, runner):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runner.answer, "X", DONE, out(b"x" * 1001, slot=1))
            await box.start(X)
        assert await runner.asked() == ("K", b"\1")
        await until(lambda: not box.usable, 5)
        assert not box.programs()[0].running


async def test_a_killed_program_is_what_its_runner_says_of_it(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", DONE)
        await box.start(X)
        tasks.start_soon(runner.answer, "K", killed(1))
        ended = await box.kill(1)
        assert (ended.running, ended.result.signal, box.usable) == (False, 9, True)


async def test_a_failure_to_start_is_the_kernels_word(tmp_path):
    async with faced(tmp_path) as (box, runner), anyio.create_task_group() as tasks:
        tasks.start_soon(runner.answer, "X", frame(b"F", b"\2\0\0\0cwd"))
        with pytest.raises(ExecutionError, match="/workspace: No such file"):
            await box.start(X)
        assert box.usable
