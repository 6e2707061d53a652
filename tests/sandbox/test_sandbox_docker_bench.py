# SPDX-License-Identifier: Apache-2.0
"""What docs/sandbox.md says of docker-bench-security's checks, against the engine's account of one."""

import re
from pathlib import Path

import docker
import pytest
from sandbox_world import containers_of, sh

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
ROWS = re.findall(r"^\| (5\.\d+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
SYSTEM = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr", "/var", "/root", "/home")

# By number: what docker-bench-security looks at, in the engine's account (host, the whole).
CHECKS = {
    "5.1": lambda h, w, swarm: swarm == "inactive",
    "5.4": lambda h, w, _: h["CapDrop"] == ["ALL"] and not h["CapAdd"],
    "5.5": lambda h, w, _: h["Privileged"] is False,
    "5.6": lambda h, w, _: all(m["Source"] not in SYSTEM for m in w["Mounts"]),
    "5.7": lambda h, w, _: (w["Path"], w["Args"]) == ("/yett-runner", ["/run/yett.sock"]),
    "5.8": lambda h, w, _: not h["PortBindings"] and not h["PublishAllPorts"],
    "5.9": lambda h, w, _: not w["Config"].get("ExposedPorts"),
    "5.10": lambda h, w, _: h["NetworkMode"] == "none",
    "5.11": lambda h, w, _: h["Memory"] == h["MemorySwap"] == 512 << 20,
    "5.12": lambda h, w, _: h["CpuShares"] not in {0, 1024},
    "5.13": lambda h, w, _: h["ReadonlyRootfs"] is True,
    "5.14": lambda h, w, _: not w["NetworkSettings"]["Ports"],
    "5.15": lambda h, w, _: h["RestartPolicy"]["Name"] == "no" and h["AutoRemove"] is True,
    "5.16": lambda h, w, _: h["PidMode"] == "",
    "5.17": lambda h, w, _: h["IpcMode"] == "private",
    "5.18": lambda h, w, _: not h["Devices"] and not h["DeviceRequests"] and not h["DeviceCgroupRules"],
    "5.19": lambda h, w, _: {u["Name"] for u in h["Ulimits"]} == {"nofile", "core", "fsize", "sigpending"},
    "5.20": lambda h, w, _: all(m["Propagation"] != "shared" for m in w["Mounts"]),
    "5.21": lambda h, w, _: h["UTSMode"] == "",
    "5.22": lambda h, w, _: any(o.startswith('seccomp={"default') for o in h["SecurityOpt"]),
    "5.25": lambda h, w, _: h["CgroupParent"] == "",
    "5.26": lambda h, w, _: "no-new-privileges:true" in h["SecurityOpt"],
    "5.29": lambda h, w, _: h["PidsLimit"] == 128,
    "5.30": lambda h, w, _: set(w["NetworkSettings"]["Networks"]) == {"none"},
    "5.31": lambda h, w, _: h["UsernsMode"] == "",
    "5.32": lambda h, w, _: not any("docker.sock" in m["Source"] for m in w["Mounts"]),
}


def test_the_page_has_every_check_and_a_reason_for_each():
    assert [number for number, _, _ in ROWS] == [f"5.{n}" for n in range(1, 33)]
    assert all(reason.strip() for _, _, reason in ROWS)
    assert {number for number, verdict, _ in ROWS if verdict == "met"} == set(CHECKS)


@pytest.mark.anyio
@pytest.mark.engine
async def test_what_the_page_calls_met_is_met_by_a_real_container(sandboxes_of, instance):
    client = docker.APIClient(timeout=30)
    try:
        async with sandboxes_of() as boxes, boxes.lease("s") as box:
            await box.run(sh("true"))
            whole = client.inspect_container(containers_of(instance)[0])
        swarm = client.info()["Swarm"]["LocalNodeState"]
    finally:
        client.close()
    assert [n for n, check in CHECKS.items() if not check(whole["HostConfig"], whole, swarm)] == []
    assert whole["HostConfig"]["LogConfig"]["Type"] == "none"
