# SPDX-License-Identifier: Apache-2.0
"""What runc is told. That the kernel agrees is shown by test_runc_verify.py and test_runc_life.py."""

import json

import pytest

from yett.errors import SandboxUnavailable
from yett.sandbox.hardening import container_config
from yett.sandbox.images import seccomp_profile
from yett.sandbox.runc_spec import FIRST_HOST_ID, HOST_ID_PAIRS, NAMESPACES, host_ids, oci_spec
from yett.sandbox.settings import SandboxSettings


def body(**changes):
    return container_config(
        SandboxSettings(**changes),
        socket="/run/yett/a/s",
        secret="made-up",
        seccomp=seccomp_profile(),
        labels={"l": "v"},
        private_cgroup_namespace=True,
    )


def spec(made=None, name="yett-a"):
    made = made or body()
    return oci_spec(made, name=name, root="/images/r", cgroup=f"/yett/{name}", device=lambda path: (254, 0))


def test_a_control_that_this_driver_does_not_know_stops_the_container():
    made = body()
    made["HostConfig"]["ControlOfTomorrow"] = 5
    with pytest.raises(SandboxUnavailable, match="ControlOfTomorrow"):
        spec(made)


def test_what_is_switched_off_asks_for_nothing():
    made = body()
    made["HostConfig"]["OomKillDisable"] = False
    made["OpenStdin"] = False
    assert spec(made) == spec()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NetworkMode", "bridge"),
        ("ReadonlyRootfs", False),
        ("CapDrop", []),
        ("IpcMode", "host"),
        ("CgroupnsMode", "host"),
        ("Dns", []),
        ("Privileged", True),
        ("CapAdd", ["SYS_ADMIN"]),
        ("Binds", ["/:/host"]),
        ("Runtime", "runsc"),
        ("SecurityOpt", ["no-new-privileges:true"]),
        ("SecurityOpt", ["no-new-privileges:true", "seccomp=unconfined"]),
        ("SecurityOpt", ["no-new-privileges:true", "seccomp={}"]),
        (
            "SecurityOpt",
            ["no-new-privileges:true", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}'],
        ),
        ("SecurityOpt", [f"seccomp={seccomp_profile()}"]),
    ],
)
def test_no_body_can_give_a_container_more_than_ours_do(key, value):
    made = body()
    made["HostConfig"][key] = value
    with pytest.raises(SandboxUnavailable):
        spec(made)


def test_every_namespace_is_new_and_none_is_joined():
    assert spec()["linux"]["namespaces"] == [{"type": kind} for kind in NAMESPACES]
    assert set(NAMESPACES) == {"pid", "network", "ipc", "uts", "mount", "cgroup", "user"}


def test_no_capability_is_in_any_set():
    assert set(map(tuple, spec()["process"]["capabilities"].values())) == {()}
    assert spec()["process"]["noNewPrivileges"] is True


def test_the_seccomp_profile_is_the_engines_rule_by_rule():
    assert spec()["linux"]["seccomp"] == json.loads(seccomp_profile())


def test_a_seccomp_key_that_means_something_to_engines_alone_is_refused():
    made = body()
    profile = json.loads(seccomp_profile())
    profile["syscalls"][0]["includes"] = {"caps": ["CAP_SYS_ADMIN"]}
    made["HostConfig"]["SecurityOpt"] = ["no-new-privileges:true", f"seccomp={json.dumps(profile)}"]
    with pytest.raises(SandboxUnavailable, match="includes"):
        spec(made)


def test_each_container_has_two_ids_that_are_nobodys():
    linux, other = spec()["linux"], spec(name="yett-b")["linux"]
    assert [row["containerID"] for row in linux["uidMappings"]] == [0, 60871]
    outside = {row["hostID"] for row in linux["uidMappings"] + other["uidMappings"]}
    assert len(outside) == 4
    assert all(FIRST_HOST_ID <= each < FIRST_HOST_ID + 2 * HOST_ID_PAIRS for each in outside)
    assert {row["size"] for row in linux["uidMappings"]} == {1}
    assert linux["gidMappings"] == linux["uidMappings"]
    assert FIRST_HOST_ID + 2 * HOST_ID_PAIRS <= 0x7FFE0000  # systemd's foreign range
    assert host_ids("yett-a") == host_ids("yett-a")


def test_a_workspace_that_is_only_read_changes_nothing_of_that():
    ids = spec(with_mount(volume(o="bind,ro,nosuid,nodev")))["linux"]["uidMappings"]
    assert ids == spec()["linux"]["uidMappings"]


def test_root_is_never_the_user():
    with pytest.raises(SandboxUnavailable, match="root"):
        spec({**body(), "User": "0:0"})


def test_the_host_is_mounted_nowhere_but_for_root_socket_and_workspace():
    mounts = spec(with_mount(volume(o="bind,ro,nosuid,nodev")))["mounts"]
    bound = [m for m in mounts if m["type"] == "bind"]
    assert [(m["source"], m["destination"]) for m in bound] == [
        ("/run/yett/a/s", "/run/yett.sock"),
        ("/proc/1/fd/9", "/workspace"),
    ]
    assert all({"ro", "nosuid", "nodev"} <= set(m["options"]) for m in bound)
    assert not any("rbind" in m["options"] for m in bound)
    assert "sysfs" not in {m["type"] for m in mounts}


def test_limits_are_the_settings():
    made = spec(body(memory=100 << 20, pids=9, cpus=0.5, open_files=33))
    resources = made["linux"]["resources"]
    assert resources["memory"] == {"limit": 100 << 20, "swap": 100 << 20}
    assert resources["pids"] == {"limit": 9}
    assert resources["cpu"]["quota"] == 50_000
    assert resources["devices"] == [{"allow": False, "access": "rwm"}]
    assert {"type": "RLIMIT_NOFILE", "soft": 33 + 256, "hard": 33 + 256} in made["process"]["rlimits"]


def test_a_disk_limit_names_the_device_by_its_numbers():
    made = body()
    made["HostConfig"]["BlkioDeviceWriteBps"] = [{"Path": "/dev/vda", "Rate": 1000}]
    assert spec(made)["linux"]["resources"]["blockIO"] == {
        "throttleWriteBpsDevice": [{"major": 254, "minor": 0, "rate": 1000}]
    }


def test_the_profile_of_a_security_module_is_passed_on():
    made = body()
    made["HostConfig"]["SecurityOpt"].append("apparmor=docker-default")
    assert spec(made)["process"]["apparmorProfile"] == "docker-default"


def volume(**changes):
    local = {"type": "none", "o": "bind,nosuid,nodev", "device": "/proc/1/fd/9", **changes}
    options = {"NoCopy": True, "DriverConfig": {"Name": "local", "Options": local}}
    return {"Type": "volume", "Target": "/workspace", "VolumeOptions": options}


def with_mount(mount):
    made = body()
    made["HostConfig"]["Mounts"].append(mount)
    return made


def test_a_writable_workspace_is_nosuid_and_nodev_and_its_user_is_the_hosts():
    made = spec({**with_mount(volume()), "User": "1000:1001"})
    mount = made["mounts"][-1]
    assert (mount["source"], mount["destination"]) == ("/proc/1/fd/9", "/workspace")
    assert {"bind", "rw", "nosuid", "nodev"} <= set(mount["options"])
    assert made["linux"]["uidMappings"][1] == {"containerID": 1000, "hostID": 1000, "size": 1}
    assert made["linux"]["gidMappings"][1] == {"containerID": 1001, "hostID": 1001, "size": 1}


@pytest.mark.parametrize(
    "mount",
    [
        volume(type="nfs"),
        volume(o="bind,suid"),
        volume(o="rbind"),
        {"Type": "volume", "Source": "named", "Target": "/x"},
        {"Type": "tmpfs", "Target": "/x"},
        {"Type": "bind", "Source": "/", "Target": "/x", "BindOptions": {"Propagation": "shared"}},
    ],
)
def test_no_other_kind_of_mount_is_made(mount):
    with pytest.raises(SandboxUnavailable, match="Mounts"):
        spec(with_mount(mount))
