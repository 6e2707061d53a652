# SPDX-License-Identifier: Apache-2.0
"""What is asked of the engine. That the kernel agrees is shown by test_sandbox_verify.py."""

from yett.sandbox.hardening import container_config
from yett.sandbox.settings import HostWorkspace, SandboxSettings


def config(*, private=True, **changes):
    return container_config(
        SandboxSettings(**changes),
        socket="/run/yett/a:b/s",
        secret="made-up",
        seccomp="{}",
        labels={"l": "v"},
        private_cgroup_namespace=private,
    )


def test_no_setting_can_give_a_container_more_than_this():
    host = config()["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert "CapAdd" not in host
    assert host["NetworkMode"] == "none"
    assert (host["ReadonlyRootfs"], host["Privileged"]) == (True, False)
    assert host["SecurityOpt"] == ["no-new-privileges:true", "seccomp={}"]
    assert {"PidMode", "Devices", "UsernsMode", "VolumesFrom", "Binds"} & set(host) == set()
    assert config()["User"] == "60871:60871"


def test_the_only_mount_from_the_host_is_the_socket_and_it_is_read_only():
    assert config()["HostConfig"]["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/run/yett/a:b/s",
            "Target": "/run/yett.sock",
            "ReadOnly": True,
            "BindOptions": {"NonRecursive": True},
        }
    ]


def test_memory_and_swap_are_one_limit():
    host = config(memory=100 << 20)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 100 << 20


def test_a_share_of_a_cpu_never_rounds_to_no_limit():
    assert config(cpus=0.5)["HostConfig"]["CpuQuota"] == 50_000
    assert config(cpus=1e-9)["HostConfig"]["CpuQuota"] == 1000


def test_an_old_engine_is_not_asked_for_what_it_does_not_know():
    assert config()["HostConfig"]["CgroupnsMode"] == "private"
    assert "CgroupnsMode" not in config(private=False)["HostConfig"]


def test_the_secret_is_in_the_environment_of_pid_1_and_nowhere_else():
    whole = config()
    assert whole.pop("Env") == ["YETT_HELLO=made-up"]
    assert "made-up" not in repr(whole)


def test_a_security_module_is_named_only_where_the_engine_has_it():
    assert "apparmor=docker-default" not in config()["HostConfig"]["SecurityOpt"]
    with_one = container_config(
        SandboxSettings(),
        socket="/s",
        secret="made-up",
        seccomp="{}",
        labels={},
        private_cgroup_namespace=True,
        security=("name=apparmor", "name=seccomp,profile=default"),
    )
    assert "apparmor=docker-default" in with_one["HostConfig"]["SecurityOpt"]


def test_a_disk_is_throttled_only_where_programs_can_write_to_it():
    workspace = HostWorkspace(
        path="/srv/x", writable=True, uid=1000, gid=1000, disk_rate=7, disk_operations=8
    )
    throttled = container_config(
        SandboxSettings(workspace=workspace),
        socket="/s",
        secret="made-up",
        seccomp="{}",
        labels={},
        private_cgroup_namespace=True,
        disk="/dev/vda",
    )["HostConfig"]
    assert throttled["BlkioDeviceWriteBps"] == [{"Path": "/dev/vda", "Rate": 7}]
    assert throttled["BlkioDeviceReadIOps"] == [{"Path": "/dev/vda", "Rate": 8}]
    assert not [key for key in config()["HostConfig"] if key.startswith("Blkio")]


def test_programs_are_the_owner_of_a_writable_workspace_and_nobody_otherwise():
    workspace = HostWorkspace(path="/srv/x", writable=True, uid=1000, gid=1001)
    assert config(workspace=workspace)["User"] == "1000:1001"
    assert "uid=1000,gid=1001" in config(workspace=workspace)["HostConfig"]["Tmpfs"]["/tmp"]
    assert "/workspace" not in config(workspace=workspace)["HostConfig"]["Tmpfs"]
    assert config(workspace=HostWorkspace(path="/srv/x", uid=1000, gid=1001))["User"] == "60871:60871"
