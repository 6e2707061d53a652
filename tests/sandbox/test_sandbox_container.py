# SPDX-License-Identifier: Apache-2.0
import secrets

import pytest
from sandbox_world import marker, on_host, sh

from yett.errors import ExecutionError
from yett.ports import Command

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture(params=["socket", "attach"])
def sandboxes_of(request, sandboxes_of):
    """Everything here holds on both ways to a container."""
    return lambda **changes: sandboxes_of(transport=request.param, **changes)


async def test_a_program_gives_its_output_error_output_and_exit_code(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("echo out; echo err >&2; exit 3"))
    assert (result.stdout, result.stderr, result.exit_code, result.signal) == (b"out\n", b"err\n", 3, None)
    assert not result.timed_out
    assert not result.oom


async def test_a_program_that_a_signal_ends_has_no_exit_code(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("kill -TERM $$"))
    assert (result.exit_code, result.signal) == (None, 15)


async def test_input_environment_and_folder_reach_the_program(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/deep/er/x", b"")
        command = sh(
            "cat; echo $COLOUR; pwd", stdin=b"in" * 100_000, env={"COLOUR": "red"}, cwd="/workspace/deep"
        )
        result = await box.run(command)
    assert result.stdout == b"in" * 100_000 + b"red\n/workspace/deep\n"


async def test_output_that_comes_after_the_main_process_in_a_moment_is_kept(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        outputs = [(await box.run(sh("(usleep 1000; echo late) & exit 0"))).stdout for _ in range(5)]
    assert b"late\n" in outputs


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command(argv=("/no/such/program",)), "/no/such/program: No such file"),
        (Command(argv=("/etc/passwd",)), "/etc/passwd: Permission denied"),
        (Command(argv=("ls",), cwd="/nowhere"), "/nowhere: No such file"),
        (Command(argv=("ls", "a\0b")), "NUL byte"),
        (Command(argv=("ls",), env={"A": "b\0c"}), "NUL byte"),
        (Command(argv=("ls",), env={"A=B": "c"}), "variable's name"),
        (Command(argv=("ls",), cwd="relative"), "absolute"),
        (Command(argv=()), "no program"),
        (Command(argv=("ls", "x" * (3 << 20))), "ls: Argument list too long"),
    ],
)
async def test_what_cannot_be_started_says_why_and_leaves_the_sandbox_usable(sandboxes_of, command, words):
    async with sandboxes_of() as boxes:
        async with boxes.lease("s") as box:
            await box.write("/workspace/kept", b"1")
        with pytest.raises(ExecutionError, match=words):
            async with boxes.lease("s") as box:
                await box.run(command)
        async with boxes.lease("s") as box:
            assert await box.read("/workspace/kept", offset=0, limit=10) == (b"1", 1)


async def test_a_request_over_the_limit_is_refused_and_the_one_below_is_not(sandboxes_of):
    async with sandboxes_of(request_limit=4096) as boxes, boxes.lease("s") as box:
        assert (await box.run(Command(argv=("cat",), stdin=b"x" * 3500))).stdout == b"x" * 3500
        with pytest.raises(ExecutionError, match="over 4096 bytes"):
            await box.run(Command(argv=("cat",), stdin=b"x" * 4096))


async def test_nothing_is_left_on_the_host_after_a_timeout(sandboxes_of):
    seconds = marker()
    async with sandboxes_of() as boxes:
        async with boxes.lease("s") as box:
            result = await box.run(
                sh(f"trap '' TERM INT HUP; echo on; sleep {seconds} & sleep {seconds}", timeout=0.3)
            )
            assert on_host(seconds) == []
        assert (result.timed_out, result.exit_code, result.signal, result.stdout) == (True, None, 9, b"on\n")
        async with boxes.lease("s") as box:  # a new one
            assert (await box.run(Command(argv=("echo", "hi")))).stdout == b"hi\n"


async def test_a_timeout_that_keeps_the_sandbox_keeps_its_files_and_no_process(sandboxes_of):
    seconds = marker()
    async with sandboxes_of(after_timeout="keep") as boxes, boxes.lease("s") as box:
        result = await box.run(sh(f"echo 1 > kept; setsid sleep {seconds} & sleep {seconds}", timeout=0.3))
        assert on_host(seconds) == []
        assert result.timed_out
        assert await box.read("/workspace/kept", offset=0, limit=10) == (b"1\n", 2)


async def test_a_call_may_not_ask_for_more_time_than_the_settings_give(sandboxes_of):
    async with sandboxes_of(timeout=0.3) as boxes, boxes.lease("s") as box:
        assert (await box.run(sh("sleep 30", timeout=30))).timed_out


async def test_a_file_comes_back_as_it_was_written(sandboxes_of):
    data = secrets.token_bytes(1_000_003)
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/new/folder/file", data)
        await box.write("/workspace/new/folder/file", b"end", append=True)
        assert await box.read("/workspace/new/folder/file", offset=0, limit=2 << 20) == (
            data + b"end",
            1_000_006,
        )
        assert await box.read("/workspace/new/folder/file", offset=1_000_003, limit=2) == (b"en", 1_000_006)
        assert await box.read("/workspace/new/folder/file", offset=9_000_000, limit=9) == (b"", 1_000_006)
        await box.write("/workspace/new/folder/file", b"short")
        assert await box.read("/workspace/new/folder/file", offset=0, limit=100) == (b"short", 5)


async def test_a_folder_is_listed_by_name_with_kinds(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.run(sh("mkdir d; echo hello > f; ln -s /etc l; mkfifo p; chmod 640 f"))
        entries = await box.list("/workspace")
        assert [(e.name, e.kind) for e in entries] == [
            ("d", "directory"),
            ("f", "file"),
            ("l", "symlink"),
            ("p", "other"),
        ]
        assert (entries[1].size, entries[1].mode) == (6, 0o640)
        assert [e.name for e in await box.list("/workspace/f")] == ["f"]
        assert await box.list("/workspace/d") == ()


async def test_a_folder_of_thousands_comes_in_many_frames_and_is_cut_at_the_limit(sandboxes_of):
    async with sandboxes_of(list_limit=3000) as boxes, boxes.lease("s") as box:
        await box.run(sh("i=0; while [ $i -lt 3100 ]; do : > a-name-of-some-length-$i; i=$((i+1)); done"))
        assert len(await box.list("/workspace")) == 3000


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/workspace/none", "No such file"),
        ("/workspace", "Is a directory"),
        ("/etc/shadow-none/x", "No such file"),
        ("/workspace/fifo", "Invalid argument"),
        ("/proc/self/environ", "Permission denied"),
        ("/proc/1/mem", "Permission denied"),
        ("/dev/zero", "Invalid argument"),
    ],
)
async def test_what_is_no_regular_file_of_the_container_is_not_read(sandboxes_of, path, words):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.run(sh("mkfifo fifo"))
        with pytest.raises(ExecutionError, match=words):
            await box.read(path, offset=0, limit=100)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/passwd", "Permission denied"),
        ("/new", "Read-only file system"),
        ("/proc/self/mem", "Permission denied"),
        ("/proc/self/oom_score_adj", "Permission denied"),
        ("/workspace", "Is a directory"),
        ("/dev/null", "Invalid argument"),
    ],
)
async def test_what_is_no_regular_file_of_the_container_is_not_written(sandboxes_of, path, words):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match=words):
            await box.write(path, b"x")


async def test_file_sizes_over_the_limit_are_refused(sandboxes_of):
    async with sandboxes_of(file_limit=1000) as boxes, boxes.lease("s") as box:
        await box.write("/workspace/f", b"x" * 1000)
        await box.read("/workspace/f", offset=0, limit=1000)
        with pytest.raises(ExecutionError, match="At most 1000 bytes can be written"):
            await box.write("/workspace/f", b"x" * 1001)
        with pytest.raises(ExecutionError, match="At most 1000 bytes can be read"):
            await box.read("/workspace/f", offset=0, limit=1001)


async def test_a_full_workspace_is_an_answer_and_not_a_broken_sandbox(sandboxes_of):
    async with sandboxes_of(work_size=1 << 20) as boxes, boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match="No space left"):
            await box.write("/workspace/f", b"x" * (2 << 20))
        assert (await box.run(Command(argv=("echo", "on")))).stdout == b"on\n"


async def test_each_output_stream_is_cut_at_its_limit(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("head -c 1000 /dev/zero; head -c 999 /dev/zero >&2", output_limit=999))
    assert (len(result.stdout), result.stdout_truncated) == (999, True)
    assert (len(result.stderr), result.stderr_truncated) == (999, False)
