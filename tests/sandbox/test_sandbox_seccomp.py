# SPDX-License-Identifier: Apache-2.0
import errno
import json
import re
import runpy
import signal
from pathlib import Path

import pytest
from sandbox_world import compiled, sh

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


def words(text):
    return set(text.split())


def calls_of_x86_64():
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    return set(re.findall(r"^#define __NR_(\w+) \d+", header, re.MULTILINE))


def calls_of_aarch64():
    """It has the numbers of asm-generic, where some names stand for one of two numbers."""
    header = Path("/usr/include/asm-generic/unistd.h").read_text()
    numbered = set(re.findall(r"^#define __NR3264_(\w+) \d+", header, re.MULTILINE))
    either = re.findall(r"^#define __NR_(\w+) __NR3264_(\w+)", header, re.MULTILINE)
    plain = set(re.findall(r"^#define __NR_(\w+) \d+", header, re.MULTILINE))
    return plain | {name for name, number in either if number in numbered}


NEWER_THAN_THE_HEADERS = words("""
cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount listns
mseal lsm_get_self_attr lsm_set_self_attr lsm_list_modules setxattrat getxattrat listxattrat
removexattrat open_tree_attr file_getattr file_setattr
""")
ONLY_X86_64 = words("""
access alarm arch_prctl chmod chown creat dup2 epoll_create epoll_ctl_old epoll_wait epoll_wait_old
eventfd fork futimesat get_thread_area getdents getpgrp inotify_init lchown link lstat mkdir mknod
open pause pipe poll readlink rename rmdir select set_thread_area signalfd stat symlink time unlink
utime utimes vfork
""")
"""What arm64 programs say with another call of the list."""


def test_every_name_is_a_call_of_a_machine_that_the_profile_is_for():
    named = {name for rule in PROFILE["syscalls"] for name in rule["names"]} - NEWER_THAN_THE_HEADERS
    assert named - calls_of_x86_64() == set()  # a name of no machine would stand there for nothing
    assert named - calls_of_aarch64() == ONLY_X86_64


def test_a_restricted_call_is_restricted_on_the_bits_that_the_kernel_reads():
    """Every condition but those on a family or a protocol is on bits: a high bit opens nothing."""
    compared = {
        (name, condition["op"])
        for rule in PROFILE["syscalls"]
        for condition in rule.get("args", [])
        for name in rule["names"]
    }
    assert {name for name, op in compared if op == "SCMP_CMP_EQ"} == {"personality", "socket", "socketpair"}
    assert {op for _, op in compared} == {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"}


MAKES = {"chmod", "fchmod", "fchmodat", "creat", "open", "openat", "open_tmpfile", "openat_tmpfile"} | {
    "mknod_file",
    "mknodat_file",
    "mknodat_fifo",
}
BITS = {"suid", "sgid", "both", "suid_with_high_bits"}
SET_UID = {f"{call}_{bits}" for call in MAKES for bits in BITS}
OPEN = {
    *(f"{call}_plain" for call in MAKES),
    *(f"{call}_existing_{bits}" for call in ("open", "openat") for bits in (*BITS, "plain")),
    *(f"mkdirat_{bits}" for bits in (*BITS, "plain")),
    "clone_plain",
    "memfd_create",
    "mkdirat_made_no_sgid",
    "personality_query",
    "pidfd_open",
    "socket_inet",
    "socket_inet6",
    "socket_inet6_udp",
    "socket_inet_cloexec",
    "socket_inet_dgram",
    "socket_inet_tcp",
    "socket_inet_udp",
    "socket_netlink_route",
    "socket_unix",
    "socketpair_unix",
}
OPEN_BUT_THE_KERNEL_SAYS_NO = {
    "futex": errno.EINVAL,
    "seccomp": errno.EINVAL,
    **{
        f"ioctl_{command}{bits}": errno.EBADF
        for command in ("fionread", "tcgets", "tiocgwinsz", "tiocgetd", "all_ones")
        for bits in ("", "_with_high_bits")
    },
}
AS_IF_MISSING = words("""
cachestat clone3 file_getattr file_setattr futex_requeue futex_wait futex_waitv futex_wake
getxattrat io_uring_enter io_uring_register io_uring_setup landlock_add_rule landlock_create_ruleset
landlock_restrict_self listmount listns listxattrat lsm_get_self_attr lsm_list_modules
lsm_set_self_attr made_up_number map_shadow_stack memfd_secret mseal open_tree_attr openat2
pidfd_getfd process_madvise process_mrelease removexattrat set_mempolicy_home_node setxattrat
statmount userfaultfd
""")
KILLED = dict.fromkeys(("x32", "int80"), 1000 + signal.SIGSYS)
"""The other ways into an x86-64 kernel have numbers of their own, which no rule here is about."""
PROBES = 270


@pytest.fixture
def probe(tmp_path):
    """The probe, compiled."""
    return compiled(Path(__file__).with_name("probe.c"), tmp_path)


@pytest.mark.anyio
@pytest.mark.engine
async def test_exactly_these_doors_of_the_kernel_are_open(sandboxes_of, probe):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/probe", probe)
        result = await box.run(sh("chmod +x probe && ./probe"))
    assert result.exit_code == 0
    seen = {name: int(code) for name, code in (line.split() for line in result.stdout.decode().splitlines())}
    assert len(seen) == PROBES
    assert {name for name, code in seen.items() if code == 0} == OPEN
    other = {name: code for name, code in seen.items() if code not in {0, errno.EPERM}}
    assert other == {
        **OPEN_BUT_THE_KERNEL_SAYS_NO,
        **dict.fromkeys(AS_IF_MISSING, errno.ENOSYS),
        **KILLED,
    }


@pytest.mark.anyio
@pytest.mark.engine
async def test_no_file_with_a_set_uid_or_set_gid_bit_comes_into_being(sandboxes_of, probe):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/probe", probe)
        result = await box.run(sh("chmod +x probe && ./probe; find / -xdev -perm /6000; find . -perm /6000"))
    seen = dict(line.split() for line in result.stdout.decode().splitlines())  # and no line of find's
    assert len(SET_UID) == 44
    assert {seen[door] for door in SET_UID} == {str(errno.EPERM)}
