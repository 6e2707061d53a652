# SPDX-License-Identifier: Apache-2.0
"""A folder of the host as the workspace, and nothing of the host beside it."""

import os

import docker
import pytest
from host_folder import OWNER, shared
from sandbox_world import sh, until

from yett.errors import ConfigurationError, ExecutionError, SandboxUnavailable
from yett.ports import Command
from yett.sandbox.settings import HostWorkspace
from yett.sandbox.verify import verify_hardening
from yett.sandbox.workspace import disk_of, mounted


@pytest.mark.anyio
@pytest.mark.engine
async def test_a_folder_is_readable_and_can_not_be_written(project, sandboxes_of, settings_of):
    (project / "out").symlink_to("../secret")
    project.chmod(0o755)
    workspace = HostWorkspace(path=str(project))
    async with sandboxes_of(workspace=workspace) as boxes, boxes.lease("ses-1") as box:
        assert (await box.read("/workspace/notes.txt", offset=0, limit=100))[0] == b"hello\n"
        ended = await box.run(
            Command(argv=("/bin/sh", "-c", "echo x > /workspace/notes.txt; cat /workspace/out; mount"))
        )
        assert b"Read-only" in ended.stderr
        assert b"HOSTSECRET" not in ended.stdout
        controls = await verify_hardening(box, settings_of(workspace=workspace), await boxes.engine.facts())
    assert [c for c in controls if not c.ok] == []
    flags = next(c for c in controls if c.control == "mount /workspace")
    assert flags.seen == "ro,nosuid,nodev"
    assert (project / "notes.txt").read_text() == "hello\n"


@pytest.mark.anyio
@pytest.mark.engine
async def test_a_writable_folder_is_written_as_its_owner(project, sandboxes_of, settings_of):
    workspace = shared(project)
    async with sandboxes_of(workspace=workspace) as boxes, boxes.lease("ses-1") as box:
        await box.write("/workspace/made/by/tool", b"1")
        await box.run(sh("echo 2 > by-program; mkdir folder"))
        controls = await verify_hardening(box, settings_of(workspace=workspace), await boxes.engine.facts())
    assert [c for c in controls if not c.ok] == []
    flags = next(c for c in controls if c.control == "mount /workspace")
    assert set(flags.seen.split(",")) >= {"rw"}
    assert flags.seen == "rw,nosuid,nodev" or flags.note
    for name in ("made/by/tool", "by-program", "folder"):
        assert (project / name).stat().st_uid == workspace.uid


def volumes_of_this_process():
    client = docker.APIClient(timeout=30)
    try:
        found = client.volumes()["Volumes"] or []
    finally:
        client.close()
    ours = f"/proc/{os.getpid()}/fd/"
    return [v["Name"] for v in found if str((v["Options"] or {}).get("device", "")).startswith(ours)]


@pytest.mark.anyio
@pytest.mark.engine
async def test_nothing_is_left_at_the_engine(project, sandboxes_of):
    async with sandboxes_of(workspace=shared(project)) as boxes:
        async with boxes.lease("ses-1") as box:
            await box.run(sh("true"))
        assert volumes_of_this_process()
    await until(lambda: not volumes_of_this_process())  # the engine clears away in its own time


def test_a_folder_of_roots_is_refused_with_what_to_do():
    with pytest.raises(ConfigurationError, match="belongs to root") as refused:
        HostWorkspace(path="/srv/x", writable=True, uid=0, gid=0)
    assert "chown" in str(vars(refused.value))
    HostWorkspace(path="/srv/x", uid=0, gid=0)  # reading is nobody's


def test_a_relative_workspace_is_refused():
    with pytest.raises(ConfigurationError, match="absolute"):
        HostWorkspace(path="project")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b"])
def test_only_a_name_in_the_folder_itself_can_be_protected(name):
    with pytest.raises(ConfigurationError, match="can't be protected"):
        HostWorkspace(path="/srv/x", protect=(name,))


@pytest.mark.parametrize("name", ["quota", "files", "reserve", "disk_rate", "disk_operations", "interval"])
def test_the_first_value_that_would_be_no_limit_is_refused(name):
    with pytest.raises(ConfigurationError, match=name):
        HostWorkspace(path="/srv/x", **{name: 0})


def mounts_of(workspace, copies, *, mapped_users=False):
    copies.mkdir(exist_ok=True)
    with mounted(workspace, copies, mapped_users=mapped_users) as made:
        return {mount["Target"]: mount for mount in made.mounts}, made.disk


def test_what_exists_of_the_protected_is_mounted_read_only(project, tmp_path):
    mounts, _ = mounts_of(shared(project), tmp_path / "copies")
    assert set(mounts) == {"/workspace", "/workspace/.git", "/workspace/.envrc"}
    options = mounts["/workspace/.git"]["VolumeOptions"]["DriverConfig"]["Options"]
    assert options["o"] == "bind,ro,nosuid,nodev"
    assert options["device"].startswith(f"/proc/{os.getpid()}/fd/")  # and no name that a program can change
    assert mounts["/workspace/.envrc"]["ReadOnly"] is True
    assert str(project) not in mounts["/workspace/.envrc"]["Source"]


@pytest.mark.parametrize("kind", ["link", "pipe", "hard link"])
def test_a_protected_place_that_can_not_be_protected_stops_everything(project, tmp_path, kind):
    place = project / ".mcp.json"
    if kind == "link":
        place.symlink_to("notes.txt")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        os.link(tmp_path / "secret", place)
    with pytest.raises(SandboxUnavailable, match=r"\.mcp\.json in the workspace"):
        mounts_of(shared(project), tmp_path / "copies")


def test_users_that_the_engine_maps_can_not_write_to_a_folder_of_the_host(project, tmp_path):
    with pytest.raises(SandboxUnavailable, match="maps users"):
        mounts_of(shared(project), tmp_path / "copies", mapped_users=True)


def test_a_folder_that_changed_its_owner_meanwhile_is_refused(project, tmp_path):
    with pytest.raises(SandboxUnavailable, match="another owner"):
        mounts_of(shared(project, uid=OWNER + 1), tmp_path / "copies")


def test_the_disk_of_a_folder_is_the_whole_one(tmp_path):
    blocks, devices = tmp_path / "block", tmp_path / "dev"
    assert disk_of(os.makedev(0, 77), sys=blocks, dev=devices) == ""
    found = disk_of(tmp_path.stat().st_dev)
    assert found == "" or found.startswith("/dev/")


@pytest.mark.anyio
@pytest.mark.engine
async def test_over_the_quota_nothing_is_written_and_room_can_be_made(project, writable):
    (project / "big").write_bytes(b"x" * (3 << 20))
    async with writable(quota=2 << 20) as boxes:
        async with boxes.lease("s") as box:
            with pytest.raises(ExecutionError, match="more than its quota"):
                await box.write("/workspace/more", b"x")
            assert (await box.run(sh("rm big"))).exit_code == 0
        await boxes.quota.look()
        async with boxes.lease("s") as box:
            await box.write("/workspace/more", b"x")
            with pytest.raises(ExecutionError, match="over its quota"):
                await box.write("/workspace/too-much", b"x" * (2 << 20))


@pytest.mark.anyio
@pytest.mark.engine
async def test_a_full_disk_is_a_reason_too(writable):
    async with writable(reserve=1 << 60) as boxes, boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match="are to stay free"):
            await box.write("/workspace/more", b"x")
