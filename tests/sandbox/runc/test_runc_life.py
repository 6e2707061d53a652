# SPDX-License-Identifier: Apache-2.0
"""A container of runc's from its making to the last trace of it."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from sandbox_world import marker, on_host, sh, until

from yett.errors import SandboxUnavailable
from yett.sandbox.runc_program import RuncProgram
from yett.sandbox.runc_spec import FIRST_HOST_ID, NAMESPACES
from yett.sandbox.settings import HostWorkspace

pytestmark = pytest.mark.anyio

SCRIPT = Path(__file__).parents[1] / "gateway_process.py"
KINDS = {"network": "net", "mount": "mnt"}
SET_CHILD_SUBREAPER = 36


def traces(name, folders):
    """Every file of this machine that is there because of a container."""
    state = Path(folders["runc_state"])
    groups = [g / "yett" / name for g in Path("/sys/fs/cgroup").iterdir()] + [
        Path("/sys/fs/cgroup/yett") / name
    ]
    return [p for p in (*groups, state / "bundles" / name, state / "states" / name) if p.exists()]


def parents():
    return [group / "yett" for group in Path("/sys/fs/cgroup").iterdir() if (group / "yett").is_dir()]


def namespace(pid, kind):
    return (Path("/proc") / str(pid) / "ns" / KINDS.get(kind, kind)).readlink()


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def dead(pid):
    """Gone, or waiting for the machine's init to notice."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def writable(folder):
    """What somebody but root could change, or become root by."""
    found = [(path, path.lstat()) for path in folder.rglob("*") if not path.is_symlink()]
    return [path for path, seen in found if seen.st_uid != 0 or seen.st_mode & 0o6022]


def contents(folder):
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def held(pid):
    return {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.fixture
def gateway(tiny_image, instance, run_dir, folders):
    seconds = marker()
    more = json.dumps({"driver": "runc", **folders})
    words = [str(SCRIPT), tiny_image, instance, str(run_dir), seconds, more]
    process = subprocess.Popen([sys.executable, *words])
    yield process, seconds
    process.kill()
    process.wait()


async def test_every_namespace_is_its_own_and_the_user_is_nobody_of_the_host(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("a") as box, boxes.lease("b") as other:
        pids = [(await boxes.engine.state(b.name)).pid for b in (box, other)]
        for kind in NAMESPACES:
            assert len({namespace(pid, kind) for pid in ("self", *pids)}) == 3, kind
        ours = [status(pid) for pid in pids]
        assert ours[0]["Uid"] != ours[1]["Uid"]
        for each in ours:
            assert all(int(uid) >= FIRST_HOST_ID for uid in (each["Uid"] + "\t" + each["Gid"]).split())
            assert each["Groups"] == ""
        inside = await box.run(sh("cat /proc/self/uid_map; cat /proc/self/setgroups; id -u; id -G"))
    rows = [[int(n) for n in row.split()] for row in inside.stdout.decode().splitlines()[:2]]
    assert [row[::2] for row in rows] == [[0, 1], [60871, 1]]
    assert all(row[1] >= FIRST_HOST_ID for row in rows)
    assert inside.stdout.split()[-2:] == [b"60871", b"60871"]


async def test_nothing_of_the_image_and_of_the_host_can_be_written(sandboxes_of, folders):
    folders_inside = "/ /bin /etc /dev /sys /sys/fs/cgroup /proc/sys/kernel /run"
    look = f"for d in {folders_inside}; do touch $d/x 2>/dev/null && echo $d; done"
    async with sandboxes_of() as boxes, boxes.lease("a") as box:
        result = await box.run(
            sh(f"{look}; mount -o remount,rw / 2>/dev/null && echo remounted; cat /etc/resolv.conf")
        )
    assert result.stdout == b"nameserver 127.0.0.1\n"
    assert writable(Path(folders["runc_images"])) == []


async def test_no_descriptor_of_the_gateway_reaches_a_container(sandboxes_of, tmp_path):
    """The class of CVE-2024-21626: also one that was left inheritable."""
    left = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(left, True)
    try:
        async with sandboxes_of() as boxes, boxes.lease("a") as box:
            pid = (await boxes.engine.state(box.name)).pid
            files = held(pid)
            seen = await box.run(sh("ls -l /proc/self/fd /proc/self/cwd"))
    finally:
        os.close(left)
    assert {name for name in files if name.startswith("/")} <= {"/dev/null", "/proc"}
    assert str(tmp_path).encode() not in seen.stdout


async def test_no_trace_is_left_of_a_container_that_ended(sandboxes_of, folders):
    async with sandboxes_of() as boxes:
        async with boxes.lease("a") as box:
            name, pid = box.name, (await boxes.engine.state(box.name)).pid
            assert len(traces(name, folders)) >= 3
            os.kill(pid, signal.SIGKILL)
            await until(lambda: traces(name, folders) == [])  # before anybody asked for it
        await boxes.end("a")
    await until(lambda: dead(pid))


async def test_the_one_time_secret_is_on_no_file_system_while_a_container_runs(
    sandboxes_of, folders, entropy, monkeypatch
):
    spoken, real = [], entropy.token
    monkeypatch.setattr(entropy, "token", lambda: spoken.append(real()) or spoken[-1])
    async with sandboxes_of() as boxes, boxes.lease("a"):
        files = contents(Path(folders["runc_state"]))
        assert len(files) >= 3
        assert not [data for data in files if spoken[0].encode() in data]


async def test_many_at_once_are_all_made_and_all_gone(sandboxes_of, instance, containers_of):
    async with sandboxes_of(containers=12) as boxes:

        async def one(session):
            async with boxes.lease(session) as box:
                assert (await box.run(sh("echo hi"))).stdout == b"hi\n"

        async with anyio.create_task_group() as group:
            for n in range(12):
                group.start_soon(one, f"s{n}")
        assert len(containers_of(instance)) == 12
    assert containers_of(instance) == []


async def test_nothing_is_left_of_a_gateway_that_was_killed(
    gateway, instance, folders, sandboxes_of, containers_of
):
    process, seconds = gateway
    await until(lambda: len(set(on_host(seconds)) - {process.pid}) == 4)
    process.kill()
    process.wait()
    await until(lambda: on_host(seconds) == [], 5.0)
    left = containers_of(instance)
    assert len(left) >= 3  # two at work, one idle, and what was just being made
    async with sandboxes_of() as boxes:
        assert await boxes.reap() >= len(left)
        assert await boxes.reap() == 0
    assert containers_of(instance) == []
    assert [trace for name in left for trace in traces(name, folders)] == []


async def test_a_gateway_that_is_everybodys_init_leaves_no_zombie(sandboxes_of):
    """In a container of its own nobody else reaps the orphans that runc leaves to it."""
    libc = ctypes.CDLL(None)
    assert libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        async with sandboxes_of() as boxes:
            async with boxes.lease("a") as box:
                pid = (await boxes.engine.state(box.name)).pid
                assert status(pid)["PPid"] == str(os.getpid())
            await boxes.end("a")
            await until(lambda: not Path(f"/proc/{pid}").exists())
    finally:
        libc.prctl(SET_CHILD_SUBREAPER, 0, 0, 0, 0)


async def test_what_another_gateway_made_is_not_reaped(sandboxes_of, settings_of, run_dir, entropy):
    from yett.sandbox.pool import DockerSandboxes

    other = DockerSandboxes(settings_of(), instance="other", run_dir=run_dir / "o", entropy=entropy)
    async with sandboxes_of() as boxes, other, other.lease("s") as box:
        assert await boxes.reap() == 0
        assert (await box.run(sh("echo hi"))).stdout == b"hi\n"


async def test_a_container_in_which_pid_1_cannot_be_started_leaves_no_trace(driver_with, folders):
    driver, name = driver_with()
    from test_runc_spec import body

    config = {**body(), "Image": "yett/tiny:test", "Entrypoint": ["/no-such-program"]}
    config["HostConfig"]["Mounts"] = []
    await driver.create(name, config)
    with pytest.raises(SandboxUnavailable, match="no-such-program"):
        await driver.start(name)
    assert traces(name, folders) == []
    await driver.aclose()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "x" * 65, ".", "a\n"])
async def test_a_name_that_could_be_a_path_is_refused(driver_with, name):
    driver, _ = driver_with()
    for call in (driver.start, driver.state, driver.remove):
        with pytest.raises(SandboxUnavailable, match="name of a container"):
            await call(name)


@pytest.fixture(params=["before", "after"])
def hanging(request, folders, tmp_path):
    """A runc that hangs before or after it has done its work, and the seconds that it sleeps."""
    seconds = marker()
    work = {"before": "", "after": '/usr/sbin/runc "$@";'}[request.param]
    (tmp_path / "runc").write_text(f"#!/bin/sh\n{work} exec sleep {seconds}\n")
    (tmp_path / "runc").chmod(0o755)
    state = Path(folders["runc_state"]) / "states"
    return RuncProgram(state=state, deadline=1.5, path=f"{tmp_path}:/usr/bin:/bin"), seconds


async def test_a_runc_that_hangs_fails_its_call_in_time_and_leaves_no_trace(
    sandboxes_of, instance, containers_of, hanging
):
    """Also where the container runs already, and only runc does not come back."""
    program, seconds = hanging
    async with sandboxes_of(breaker_pause=0.2) as boxes:
        async with boxes.lease("a"):
            whole = boxes.engine._program
            boxes.engine._program = program
            with pytest.raises(SandboxUnavailable, match="was killed"):
                async with boxes.lease("b"):
                    pass
            await until(lambda: on_host(seconds) == [])
            assert len(containers_of(instance)) == 1
            boxes.engine._program = whole
            await until(lambda: boxes.engine.breaker.passable)
        async with boxes.lease("b") as box:
            assert (await box.run(sh("echo hi"))).stdout == b"hi\n"
    assert containers_of(instance) == []


async def test_a_call_cancelled_at_any_moment_leaves_no_container(
    sandboxes_of, instance, containers_of, folders
):
    """One that was made already is dead when the call returns, and its folders go a moment later."""
    async with sandboxes_of() as boxes:
        for wait in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16):
            with anyio.move_on_after(wait):
                async with boxes.lease("s"):
                    await anyio.sleep_forever()
        await until(lambda: containers_of(instance) == [], 5.0)
    for folder in ("bundles", "states"):
        await until(lambda: contents(Path(folders["runc_state"]) / folder) == [], 5.0)  # noqa: B023


async def test_a_writable_workspace_is_refused_and_a_readable_one_is_read(tmp_path, sandboxes_of):
    """Its user is no owner of anything on the host, which is the point of it."""
    (tmp_path / "hello").write_text("hi")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    for owned in (tmp_path, tmp_path / "hello"):
        os.chown(owned, 1234, 1234)
    async with sandboxes_of(workspace=HostWorkspace(path=str(tmp_path))) as boxes, boxes.lease("s") as box:
        assert (await box.run(sh("cat hello; touch x"))).stdout == b"hi"
    theirs = HostWorkspace(path=str(tmp_path), writable=True, uid=1234, gid=1234)
    async with sandboxes_of(workspace=theirs) as boxes:
        with pytest.raises(SandboxUnavailable, match="owner of a folder"):
            async with boxes.lease("s"):
                pass


async def test_what_an_orphaned_runc_makes_late_is_cleared_away(driver_with, folders):
    driver, name = driver_with()
    await driver.facts()
    late = [folder / name for folder in parents()]
    for folder in (*late, Path(folders["runc_state"]) / "states" / name):
        folder.mkdir()
    await driver.labelled("any")
    assert len(traces(name, folders)) == len(late) + 1  # it may be somebody's who is just making it
    driver._orphan_age = 1.0  # not 0: other tests make theirs beside this one
    await anyio.sleep(1.1)
    await driver.labelled("any")
    assert traces(name, folders) == []
