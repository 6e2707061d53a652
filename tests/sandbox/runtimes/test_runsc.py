# SPDX-License-Identifier: Apache-2.0
"""The sandbox under gVisor: `make runsc`. Without that runtime in the engine it fails; it never skips."""

import contextlib
import os
from pathlib import Path

import anyio
import pytest
from sandbox_world import echo, sh, until

from yett.action import Principal
from yett.errors import ExecutionError, SandboxUnavailable
from yett.ports import Command
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.verify import verify_hardening

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

MIB = 1 << 20
CGROUP = Path("/sys/fs/cgroup")


@pytest.fixture
def runsc(settings_of, run_dir, entropy, instance):
    def make(forward=None, **changes):
        calm = {"runtime": "runsc", "transport": "attach", "start_deadline": 60.0, "timeout": 40.0}
        settings = settings_of(**{**calm, **changes})
        return DockerSandboxes(settings, instance=instance, run_dir=run_dir, entropy=entropy, forward=forward)

    return make


def processes_of(box) -> list[str]:
    """Processes of this host in the container's cgroup: the Sentry, its gofer, and what they run in."""
    counter = box._init._oom_file
    assert counter is not None
    try:
        return (counter.parent / "cgroup.procs").read_text().split()
    except OSError:
        return []


async def test_auto_finds_the_way_that_the_sentry_leaves_open(runsc):
    async with runsc(transport="auto", transport_deadline=2.0) as boxes, boxes.lease("s") as box:
        assert (await box.run(sh("echo hi"))).stdout == b"hi\n"
        assert box._line.peer is None  # not the socket


async def test_programs_see_the_sentry_and_not_the_hosts_kernel(runsc):
    async with runsc() as boxes, boxes.lease("s") as box:
        seen = (await box.run(sh("cat /proc/version; ls -d /proc/sentry-meminfo"))).stdout.decode()
    assert os.uname().release not in seen
    assert "/proc/sentry-meminfo" in seen


async def test_one_container_serves_many_calls_and_none_sees_what_another_left_running(runsc):
    async with runsc() as boxes, boxes.lease("s") as box:
        for number in range(20):
            result = await box.run(sh(f"echo {number}; sleep 100 & setsid sleep 100 & (sleep 100 &)"))
            assert (result.stdout, result.exit_code) == (f"{number}\n".encode(), 0)
            left = await box.run(sh("ps -o args | grep -c '^sleep'"))
            assert left.stdout == b"0\n"


async def test_files_are_read_written_and_listed_and_links_are_not_followed(runsc):
    async with runsc() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/a/b", b"hello")
        await box.write("/workspace/a/b", b"!", append=True)
        assert await box.read("/workspace/a/b", offset=1, limit=10) == (b"ello!", 6)
        await box.run(sh("ln -s /etc/passwd a/l; mkfifo a/p; mkdir a/d"))
        kinds = [(e.name, e.kind) for e in await box.list("/workspace/a")]
        assert kinds == [("b", "file"), ("d", "directory"), ("l", "symlink"), ("p", "other")]
        for path in ("/workspace/a/l", "/workspace/a/p"):
            with pytest.raises(ExecutionError):
                await box.read(path, offset=0, limit=10)
        assert box.usable


async def test_a_timeout_leaves_no_process_on_the_host(runsc):
    async with runsc() as boxes:
        async with boxes.lease("s") as box:
            assert len(processes_of(box)) > 0
            result = await box.run(sh("trap '' TERM; sleep 100 & sleep 100", timeout=0.5))
            assert result.timed_out
            await until(lambda: processes_of(box) == [])
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo new"))).stdout == b"new\n"


async def test_closing_the_line_is_enough_to_end_it(runsc):
    async with runsc() as boxes, boxes.lease("s") as box:
        await box._line._transport.close()
        await until(lambda: processes_of(box) == [])


async def test_a_program_that_kills_pid_1_kills_its_own_container_only(runsc):
    async with runsc() as boxes:
        with pytest.raises(ExecutionError, match="died"):
            async with boxes.lease("s") as box:
                await box.run(sh("kill -9 1; sleep 100"))
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo new"))).stdout == b"new\n"


async def test_the_sentry_shows_no_rights_one_interface_and_the_filter(runsc):
    async with runsc() as boxes, boxes.lease("s") as box:
        status = (await box.run(sh("cat /proc/self/status"))).stdout.decode()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        assert {fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
        assert set(fields["Uid"].split()) == {"60871"}
        assert fields["Seccomp"].strip() == "2"
        devices = (await box.run(sh("tail -n +3 /proc/net/dev | cut -d: -f1"))).stdout.split()
        assert set(devices) <= {b"lo"}
        assert (await box.run(sh("touch /x /etc/x /proc/sys/x"))).exit_code != 0


async def test_the_limits_of_a_container_are_the_sentrys_on_the_host(runsc):
    """The Sentry has no cgroups to show; the kernel that it runs on does."""
    async with runsc(memory=300 * MIB, pids=77, cpus=0.5) as boxes, boxes.lease("s") as box:
        assert processes_of(box)
        folder = box._init._oom_file.parent
        if folder.is_relative_to(CGROUP / "memory"):
            where = folder.relative_to(CGROUP / "memory")
            files = ("memory/{}/memory.limit_in_bytes", "pids/{}/pids.max", "cpu/{}/cpu.cfs_quota_us")
            seen = [(CGROUP / file.format(where)).read_text().strip() for file in files]
            assert seen == [str(300 * MIB), str(77 * 8 + 256), "50000"]
        else:
            seen = [(folder / name).read_text().split()[0] for name in ("memory.max", "pids.max", "cpu.max")]
            assert seen == [str(300 * MIB), str(77 * 8 + 256), "50000"]


async def test_what_a_program_may_fill_is_bounded(runsc):
    script = (
        "head -c 20000000 /dev/zero > /workspace/a; head -c 5000000 /dev/zero > /workspace/b; "
        "ls -l /workspace | tail -n +2 | while read m l u g size rest; do echo $size; done; "
        "ulimit -n; ulimit -c"
    )
    async with runsc(file_size=4 * MIB, work_size=6 * MIB) as boxes, boxes.lease("s") as box:
        result = await box.run(sh(script))
    first, second, files, core = (int(word) for word in result.stdout.split())
    assert first <= 4 * MIB
    assert first + second <= 6 * MIB
    assert (files, core) == (256, 0)


async def test_a_memory_bomb_ends_with_its_container(runsc):
    async with runsc(memory=200 * MIB) as boxes:
        bomb = "x=$(cat /dev/zero | tr '\\0' 'x'); echo survived"
        try:
            async with boxes.lease("s") as box:
                result = await box.run(sh(bomb, timeout=30))
            assert b"survived" not in result.stdout
        except ExecutionError as fault:
            assert "died" in str(fault)  # noqa: PT017  (either is contained)
        await until(lambda: processes_of(box) == [] or box.usable)
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo on"))).stdout == b"on\n"


async def test_a_fork_bomb_is_bounded_on_the_host_and_ends_with_its_call_or_container(runsc):
    script = "i=0; while [ $i -lt 400 ]; do sleep 100 & i=$((i+1)); done; sleep 100"
    async with runsc(pids=20) as boxes:
        most = 0
        async with boxes.lease("s") as box, anyio.create_task_group() as tasks:

            async def watch():
                nonlocal most
                while True:
                    most = max(most, len(processes_of(box)))
                    await anyio.sleep(0.01)

            tasks.start_soon(watch)
            with contextlib.suppress(ExecutionError):
                await box.run(sh(script, timeout=5))
            tasks.cancel_scope.cancel()
        assert 0 < most <= 20 * 8 + 256
        await until(lambda: processes_of(box) == [] or box.usable)


async def test_a_flood_is_cut(runsc):
    async with runsc(flood_limit=MIB) as boxes, boxes.lease("s") as box:
        flood = await box.run(sh("yes", output_limit=1000))
        assert (len(flood.stdout), flood.stdout_truncated, flood.signal) == (1000, True, 9)
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"


async def test_nothing_of_the_host_answers(runsc):
    import socket

    with socket.create_server(("0.0.0.0", 0)) as host:
        port = host.getsockname()[1]
        host.settimeout(0.5)
        addresses = "127.0.0.1 172.17.0.1 169.254.169.254 10.0.0.1"
        script = f"for a in {addresses}; do nc -w 1 $a {port} </dev/null && echo reached $a; done"
        async with runsc() as boxes, boxes.lease("s") as box:
            assert (await box.run(sh(script))).stdout == b""
        with pytest.raises(TimeoutError):
            host.accept()


async def test_programs_reach_the_forward(runsc):
    ann = Principal(id="agent:ann", agent="ann")
    async with runsc(echo) as boxes, boxes.lease("s", ann) as box:
        assert (await box.run(sh("echo hello | nc 127.0.0.1 3128"))).stdout == b"hello\n"


async def test_a_background_program_stays_beside_calls_and_what_they_leave_does_not(runsc):
    async with runsc() as boxes, boxes.lease("s") as box:
        started = await box.start(sh("echo up; while :; do sleep 77; done"))
        for _ in range(3):
            await box.run(sh("sleep 100 & setsid sleep 100 & (sleep 100 &) ; echo done"))
            left = (await box.run(sh("ps -o args"))).stdout.decode().splitlines()
            assert [line for line in left if line.startswith("sleep")] == ["sleep 77"]
        ended = await box.kill(started.number)
        assert (ended.running, ended.result.stdout) == (False, b"up\n")
        left = (await box.run(sh("ps -o args"))).stdout.decode()
        assert "sleep 77" not in left


async def test_with_lifetime_call_a_forged_end_outlives_nothing(runsc):
    """This Sentry lets a program write to PID 1's line, so that it can say that it has ended and go on."""
    forge = 'for f in /proc/1/fd/*; do printf "\\003\\0\\0\\0E\\0\\0\\0" > $f; done 2>/dev/null; sleep 100'
    async with runsc(lifetime="call") as boxes:
        async with boxes.lease("s") as box:
            with contextlib.suppress(ExecutionError):
                await box.run(sh(forge, timeout=5))
        await until(lambda: processes_of(box) == [])


async def test_a_runtime_that_does_not_start_is_an_error_that_names_it(runsc, monkeypatch):
    boxes = runsc()
    create = boxes.engine.create

    async def altered(name, config):
        await create(name, {**config, "Entrypoint": ["/no/such/runner"]})

    monkeypatch.setattr(boxes.engine, "create", altered)
    async with boxes:
        with pytest.raises(SandboxUnavailable, match="runsc"), anyio.fail_after(60):
            async with boxes.lease("s"):
                pass


@pytest.mark.parametrize("lifetime", ["session", "call"])
async def test_what_can_be_seen_is_in_order_and_an_open_pid_1_only_where_no_call_follows(
    runsc, settings_of, lifetime
):
    async with runsc(lifetime=lifetime) as boxes, boxes.lease("s") as box:
        settings = settings_of(runtime="runsc", lifetime=lifetime)
        seen = await verify_hardening(box, settings, await boxes.engine.facts())
        opened = (await box.run(sh("ls /proc/1/fd"))).stdout != b""
    wrong = [found.control for found in seen if not found.ok]
    assert wrong == (["PID 1"] if opened and lifetime == "session" else [])


async def test_strict_mode_works(runsc):
    async with runsc(lifetime="call") as boxes:
        for _ in range(2):
            async with boxes.lease("s") as box:
                result = await box.run(Command(argv=("ls", "/workspace")))
                assert (result.stdout, result.exit_code) == (b"", 0)
                await box.write("/workspace/left", b"x")
