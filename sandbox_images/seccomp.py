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
access chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64
fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init
inotify_init1 inotify_rm_watch lchown lchown32 lgetxattr link linkat listxattr llistxattr lremovexattr
_llseek lseek lsetxattr lstat lstat64 mkdir mkdirat newfstatat open openat openat2 pread64 preadv preadv2
pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2
rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync
sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64
utimes write writev chdir memfd_create
"""

WAITING = """
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
eventfd eventfd2 _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd
signalfd4 io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
"""

SOCKETS = """
accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair
"""

MEMORY = """
brk madvise membarrier mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap msync munlock munlockall
munmap get_mempolicy
"""

PROCESSES = """
alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_time64 get_robust_list
get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer
getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit
getrusage getsid gettid getuid getuid32 ioprio_get kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list
set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32
setreuid setreuid32 setrlimit setsid setuid setuid32 sigaction sigaltstack signal sigpending sigprocmask
sigreturn sigsuspend sysinfo tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid
"""

TIME = """
clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
gettimeofday nanosleep time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
timerfd_settime64
"""

# glibc and musl fall back to an older call on ENOSYS and give up on EPERM.
MISSING = """
clone3 cachestat futex_waitv io_uring_enter io_uring_register io_uring_setup listmount map_shadow_stack
memfd_secret mseal pidfd_getfd set_mempolicy_home_node statmount userfaultfd
"""

CLONE_NEW = (
    0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)
S_IFMT, S_IFIFO, S_IFREG = 0o170000, 0o010000, 0o100000
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, NETLINK_ROUTE = 1, 2, 10, 16, 0
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
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


def ioctl_but_for_terminal_injection() -> list[Rule]:
    """Everything whose low 32 bits are neither TIOCSTI nor TIOCLINUX.

    The kernel cuts the command to 32 bits and seccomp compares 64, so "not equal" lets 1 << 32 | TIOCSTI
    through (CVE-2019-7303). One rule for each bit that differs says the same without that hole.
    """
    shared = TIOCSTI & ~0xF  # and TIOCLINUX's: they differ in the last four bits only
    elsewhere = [masked(1, 1 << bit, ~shared & 1 << bit) for bit in range(4, 32)]
    neighbours = [shared | low for low in range(16) if shared | low not in {TIOCSTI, TIOCLINUX}]
    return [allow(["ioctl"], c) for c in (*elsewhere, *(masked(1, 0xFFFFFFFF, n) for n in neighbours))]


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
            *[allow(["socket"], equal(0, family)) for family in (AF_UNIX, AF_INET, AF_INET6)],
            allow(["socket"], equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)),
            *[allow(["mknod"], masked(1, S_IFMT, kind)) for kind in (S_IFIFO, S_IFREG)],
            *[allow(["mknodat"], masked(2, S_IFMT, kind)) for kind in (S_IFIFO, S_IFREG)],
            *[allow(["personality"], equal(0, value)) for value in (0, 0xFFFFFFFF)],
            *ioctl_but_for_terminal_injection(),
        ],
    }


if __name__ == "__main__":
    json.dump(profile(), sys.stdout, indent=1)
    sys.stdout.write("\n")
