// SPDX-License-Identifier: Apache-2.0
// Which doors of the kernel a seccomp profile leaves open: one "name errno" a line, errno 0 for success.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *name, long result) {
	printf("%s %d\n", name, result < 0 ? errno : 0);
	fflush(stdout);
}
#define TRY(name, ...) (errno = 0, tell(name, syscall(__VA_ARGS__)))

int main(void) {
	TRY("ptrace", SYS_ptrace, 16, 999999, 0, 0);
	TRY("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0);
	TRY("io_uring_setup", 425, 0, 0);
	TRY("userfaultfd", SYS_userfaultfd, 0);
	TRY("keyctl", SYS_keyctl, 0, -3, 0, 0, 0);
	TRY("bpf", SYS_bpf, 999, 0, 0);
	TRY("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1, 0);
	TRY("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, 0);
	TRY("fsopen", 430, "tmpfs", 0);
	TRY("open_tree", 428, -100, "/", 1);
	TRY("unshare", SYS_unshare, CLONE_NEWUSER);
	TRY("setns", SYS_setns, -1, 0);
	TRY("clone_newuser", SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0);
	TRY("clone3", 435, 0, 0);
	TRY("chroot", SYS_chroot, "/");
	TRY("pivot_root", SYS_pivot_root, "/", "/");
	TRY("init_module", SYS_init_module, 0, 0, "");
	TRY("kexec_load", SYS_kexec_load, 0, 0, 0, 1);
	TRY("reboot", SYS_reboot, 0, 0, 0, 0);
	TRY("syslog", SYS_syslog, 10, 0, 0);
	TRY("open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0);
	TRY("name_to_handle_at", SYS_name_to_handle_at, -1, 0, 0, 0, 0);
	TRY("fanotify_init", SYS_fanotify_init, 0, 0);
	TRY("kcmp", SYS_kcmp, 1, 1, 0, 0, 0);
	TRY("pidfd_getfd", 438, -1, 0, 0);
	TRY("mbind", SYS_mbind, 0, 0, 0, 0, 0, 0);
	TRY("memfd_secret", 447, 0);
	TRY("vmsplice", SYS_vmsplice, -1, 0, 0, 0);
	TRY("shmget", SYS_shmget, 0, 4096, 01600);
	TRY("mq_open", SYS_mq_open, "zz", 0, 0, 0);
	TRY("msgget", SYS_msgget, 0, 01600);
	TRY("modify_ldt", 154, 0, 0, 0);
	TRY("personality_other", SYS_personality, 0x0400000);
	TRY("personality_query", SYS_personality, 0xffffffff);
	TRY("adjtimex", SYS_adjtimex, 0);
	TRY("clock_settime", SYS_clock_settime, 0, 0);
	TRY("quotactl", SYS_quotactl, 0, 0, 0, 0);
	TRY("statmount", 457, 0, 0, 0, 0);
	TRY("tiocsti", SYS_ioctl, 0, 0x5412, "x");
	TRY("tiocsti_with_high_bits", SYS_ioctl, 0, 0x100005412, "x");
	TRY("tioclinux", SYS_ioctl, 0, 0x541c, "x");
	TRY("ioctl_fionread", SYS_ioctl, -1, 0x541b, 0);
	TRY("mknod_chr", SYS_mknodat, -100, "/workspace/chr", S_IFCHR | 0600, 0x103);
	TRY("mknod_blk", SYS_mknodat, -100, "/workspace/blk", S_IFBLK | 0600, 0x103);
	TRY("mknod_fifo", SYS_mknodat, -100, "/workspace/fifo", S_IFIFO | 0600, 0);
	static const struct { const char *name; long family, type, protocol; } sockets[] = {
		{"unix", 1, 1, 0}, {"inet", 2, 1, 0}, {"inet_raw", 2, 3, 1}, {"inet6", 10, 1, 0}, {"netlink_route", 16, 3, 0},
		{"netlink_netfilter", 16, 3, 12}, {"netlink_kobject", 16, 3, 15}, {"packet", 17, 3, 3}, {"tipc", 30, 1, 0},
		{"bluetooth", 31, 3, 1}, {"rxrpc", 33, 2, 2}, {"alg", 38, 5, 0}, {"vsock", 40, 1, 0}, {"kcm", 41, 2, 0},
		{"qipcrtr", 42, 2, 0}, {"smc", 43, 1, 0}, {"xdp", 44, 3, 0}, {"mctp", 45, 2, 0},
	};
	for (unsigned i = 0; i < sizeof sockets / sizeof *sockets; i++) {
		char name[64];
		snprintf(name, sizeof name, "socket_%s", sockets[i].name);
		TRY(name, SYS_socket, sockets[i].family, sockets[i].type, sockets[i].protocol);
	}
	return 0;
}
