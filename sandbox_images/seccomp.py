# SPDX-License-Identifier: Apache-2.0
"""Writes seccomp.json: `python sandbox_images/seccomp.py > sandbox_images/seccomp.json`.

An allow-list by purpose. What is not named here fails with EPERM, or with ENOSYS where libraries
fall back on that. A test keeps the JSON equal to what this prints. Reasons are in README.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TypeAlias

Condition: TypeAlias = dict[str, Any]
Rule: TypeAlias = dict[str, Any]

FILES = """
access chown close close_range copy_file_range dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
fchdir fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs
fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init
inotify_init1 inotify_rm_watch lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek
lsetxattr lstat mkdir mkdirat newfstatat pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat
statfs statx symlink symlinkat sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat
utimes write writev chdir memfd_create
"""

WAITING = """
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
eventfd eventfd2 pipe pipe2 poll ppoll pselect6 select signalfd signalfd4 io_cancel io_destroy
io_getevents io_pgetevents io_setup io_submit
"""

SOCKETS = """
accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
sendmsg sendto setsockopt shutdown
"""

MEMORY = """
brk madvise membarrier mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap
get_mempolicy
"""

PROCESSES = """
alarm arch_prctl capget capset execve execveat exit exit_group fork futex get_robust_list get_thread_area
getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid getppid getpriority getrandom
getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get kill pause pidfd_open
pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask
rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer
setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo
tgkill times tkill uname vfork wait4 waitid
"""

TIME = """
clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time timer_create timer_delete
timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime
"""

# glibc and musl fall back to an older call on ENOSYS and give up on EPERM. openat2 keeps the mode of a new
# file in memory, where a filter can't look (set-uid bits); programs fall back to openat.
MISSING = """
cachestat clone3 file_getattr file_setattr futex_requeue futex_wait futex_waitv futex_wake getxattrat
io_uring_enter io_uring_register io_uring_setup landlock_add_rule landlock_create_ruleset
landlock_restrict_self listmount listns listxattrat lsm_get_self_attr lsm_list_modules lsm_set_self_attr
map_shadow_stack memfd_secret mseal open_tree_attr openat2 pidfd_getfd process_madvise process_mrelease
removexattrat set_mempolicy_home_node setxattrat statmount userfaultfd
"""

CLONE_NEW = (
    0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)
S_IFMT, S_IFIFO, S_IFREG, S_ISUGID = 0o170000, 0o010000, 0o100000, 0o6000
CREATES = 0o100 | 0o20000000  # O_CREAT, and the bit that only O_TMPFILE has; equal on both machines
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, NETLINK_ROUTE = 1, 2, 10, 16, 0
SOCK_TYPE, SOCK_STREAM, SOCK_DGRAM, IPPROTO_TCP, IPPROTO_UDP = 0xF, 1, 2, 6, 17
TIOCSTI, TIOCLINUX, TIOCSETD = 0x5412, 0x541C, 0x5423
ENOSYS = 38


def allow(names: Iterable[str], *args: Condition) -> Rule:
    """One rule. Never two conditions on one argument: runc joins those with OR."""
    if len({a["index"] for a in args}) != len(args):
        raise ValueError("two conditions on one argument")
    rule = {"names": sorted(names), "action": "SCMP_ACT_ALLOW"}
    return {**rule, "args": list(args)} if args else rule


def equal(index: int, value: int) -> Condition:
    """The argument is this value."""
    return {"index": index, "value": value, "valueTwo": 0, "op": "SCMP_CMP_EQ"}


def masked(index: int, mask: int, value: int) -> Condition:
    """The argument's bits under the mask are this value."""
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}


def every_ioctl_but(*denied: int) -> list[Rule]:
    """Everything whose low 32 bits are none of these.

    The kernel cuts the command to 32 bits and seccomp compares 64, so "not equal" lets 1 << 32 | TIOCSTI
    through (CVE-2019-7303). One rule for each prefix that no denied value has says it without that hole.
    """
    allowed = []
    for bit in range(32):
        mask = 0xFFFFFFFF & ~((1 << bit) - 1)
        beside = {(value & mask) ^ (1 << bit) for value in denied} - {value & mask for value in denied}
        allowed += [masked(1, mask, prefix) for prefix in sorted(beside)]
    return [allow(["ioctl"], condition) for condition in allowed]


def no_set_uid_files() -> list[Rule]:
    """Making and changing files, as long as no set-uid or set-gid bit is given to one.

    Nothing in a container gains by such a file, but a folder of the host can be mounted. `mkdir` takes no
    such bit from its argument. Without O_CREAT or O_TMPFILE the kernel does not look at a mode, and what
    stands in its place is rubbish.
    """
    plain = {"creat": 1, "chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "open": 2, "openat": 3}
    return [
        *[allow([name], masked(index, S_ISUGID, 0)) for name, index in plain.items()],
        *[allow([name], masked(index, CREATES, 0)) for name, index in (("open", 1), ("openat", 2))],
        *[
            allow([name], masked(index, S_IFMT | S_ISUGID, kind))
            for name, index in (("mknod", 1), ("mknodat", 2))
            for kind in (S_IFIFO, S_IFREG)
        ],
    ]


def sockets() -> list[Rule]:
    """Unix sockets, TCP and UDP, and asking for interfaces and routes.

    The type and the protocol are named, because SCTP, DCCP, MPTCP, L2TP and SMC are reached by AF_INET too,
    and `socketpair` makes TIPC sockets as well as unix ones.
    """
    spoken = ((SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP))
    return [
        *[allow([name], equal(0, AF_UNIX)) for name in ("socket", "socketpair")],
        *[
            allow(["socket"], equal(0, family), masked(1, SOCK_TYPE, kind), equal(2, number))
            for family in (AF_INET, AF_INET6)
            for kind, protocol in spoken
            for number in (0, protocol)
        ],
        allow(["socket"], equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)),
    ]


def profile() -> Rule:
    """The whole profile, in the form Docker and Podman read."""
    always = f"{FILES} {WAITING} {SOCKETS} {MEMORY} {PROCESSES} {TIME}".split()
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            allow(always),
            {"names": sorted(MISSING.split()), "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
            allow(["clone"], masked(0, CLONE_NEW, 0)),
            *sockets(),
            *no_set_uid_files(),
            *[allow(["personality"], equal(0, value)) for value in (0, 0xFFFFFFFF)],
            *every_ioctl_but(TIOCSTI, TIOCLINUX, TIOCSETD),
        ],
    }


if __name__ == "__main__":
    json.dump(profile(), sys.stdout, indent=1)
    sys.stdout.write("\n")
