# SPDX-License-Identifier: Apache-2.0
import errno
import json
import platform
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from sandbox_world import sh

from yett.sandbox.images import seccomp_profile, sources

PROFILE = json.loads(seccomp_profile())


def test_the_profile_is_what_its_generator_prints():
    printed = runpy.run_path(str(sources() / "seccomp.py"))["profile"]()
    assert json.loads(json.dumps(printed)) == PROFILE


def test_what_is_not_named_is_denied():
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in PROFILE["syscalls"]} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}


def test_no_rule_has_two_conditions_on_one_argument():
    for rule in PROFILE["syscalls"]:
        indexes = [condition["index"] for condition in rule.get("args", [])]
        assert len(indexes) == len(set(indexes)), rule  # runc would join them with OR


def test_no_call_is_both_allowed_always_and_restricted():
    always = {name for rule in PROFILE["syscalls"] if "args" not in rule for name in rule["names"]}
    restricted = {name for rule in PROFILE["syscalls"] if "args" in rule for name in rule["names"]}
    assert not always & restricted
    names = [name for rule in PROFILE["syscalls"] if "args" not in rule for name in rule["names"]]
    assert len(names) == len(set(names))


OPEN = {
    "personality_query",
    "mknod_fifo",
    "socket_unix",
    "socket_inet",
    "socket_inet6",
    "socket_netlink_route",
}
OPEN_BUT_THE_KERNEL_SAYS_NO = {"ioctl_fionread": errno.EBADF}
AS_IF_MISSING = {"clone3", "io_uring_setup", "userfaultfd", "memfd_secret", "pidfd_getfd", "statmount"}


@pytest.fixture
def probe(tmp_path):
    """The probe, compiled. musl has no kernel headers of its own."""
    compiler = shutil.which("musl-gcc") or shutil.which("gcc")
    multiarch = f"/usr/include/{platform.machine()}-linux-gnu"
    headers = ["-idirafter", "/usr/include", "-idirafter", multiarch]
    program, source = tmp_path / "probe", Path(__file__).with_name("probe.c")
    subprocess.run([compiler, "-static", "-Os", *headers, "-o", str(program), str(source)], check=True)
    return program.read_bytes()


@pytest.mark.anyio
@pytest.mark.engine
async def test_exactly_these_doors_of_the_kernel_are_open(sandboxes_of, probe):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/probe", probe)
        result = await box.run(sh("chmod +x probe && ./probe"))
    assert result.exit_code == 0
    seen = {name: int(code) for name, code in (line.split() for line in result.stdout.decode().splitlines())}
    assert len(seen) == 63
    assert {name for name, code in seen.items() if code == 0} == OPEN
    other = {name: code for name, code in seen.items() if code not in {0, errno.EPERM}}
    assert other == {**OPEN_BUT_THE_KERNEL_SAYS_NO, **dict.fromkeys(AS_IF_MISSING, errno.ENOSYS)}
