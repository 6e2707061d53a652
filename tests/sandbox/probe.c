// SPDX-License-Identifier: Apache-2.0
// Which doors of the kernel a seccomp profile leaves open: one "name errno" a line, errno 0 for success.
// A door whose use kills the process is told as 1000 and the signal. Works in the current folder.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, long result) {
	printf("%s %d\n", name, result < 0 ? errno : 0);
	fflush(stdout);
}
#define TRY(name, ...) (errno = 0, tell(name, syscall(__VA_ARGS__)))

// What changes the process for good, or may kill it, happens in a child.
#define APART(name, ...) do { \
	fflush(stdout); \
	pid_t child = fork(); \
	if (child == 0) { errno = 0; _exit((__VA_ARGS__) < 0 ? errno : 0); } \
	int status = 0; \
	waitpid(child, &status, 0); \
	printf("%s %d\n", name, WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status)); \
} while (0)

static long clone_with(long flags) {
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) _exit(0);
	return pid;
}

#ifdef __x86_64__
static long by_int80(void) {
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");  // getpid of i386
	return result < 0 ? (errno = (int)-result, -1) : 0;
}
#endif

static void calls(void) {
	TRY("ptrace", SYS_ptrace, 16, 999999, 0, 0);
	TRY("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0);
	TRY("process_vm_writev", SYS_process_vm_writev, 1, 0, 0, 0, 0, 0);
	TRY("process_madvise", 440, -1, 0, 0, 0, 0);
	TRY("process_mrelease", 448, -1, 0);
	TRY("kcmp", SYS_kcmp, 1, 1, 0, 0, 0);
	TRY("pidfd_open", 434, getpid(), 0);
	TRY("pidfd_getfd", 438, -1, 0, 0);
	TRY("io_uring_setup", 425, 0, 0);
	TRY("io_uring_enter", 426, -1, 0, 0, 0, 0);
	TRY("io_uring_register", 427, -1, 0, 0, 0);
	TRY("userfaultfd", SYS_userfaultfd, 0);
	TRY("keyctl", SYS_keyctl, 0, -3, 0, 0, 0);
	TRY("add_key", SYS_add_key, 0, 0, 0, 0, 0);
	TRY("request_key", SYS_request_key, 0, 0, 0, 0);
	TRY("bpf", SYS_bpf, 999, 0, 0);
	TRY("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1, 0);
	TRY("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, 0);
	TRY("umount2", SYS_umount2, "/none", 0);
	TRY("fsopen", 430, "tmpfs", 0);
	TRY("fsconfig", 431, -1, 0, 0, 0, 0);
	TRY("fsmount", 432, -1, 0, 0);
	TRY("fspick", 433, -100, "/", 0);
	TRY("open_tree", 428, -100, "/", 1);
	TRY("open_tree_attr", 467, -1, "", 0, 0, 0);
	TRY("move_mount", 429, -1, "", -1, "", 0);
	TRY("mount_setattr", 442, -1, "", 0, 0, 0);
	TRY("statmount", 457, 0, 0, 0, 0);
	TRY("listmount", 458, 0, 0, 0, 0);
	TRY("listns", 470, 0, 0, 0, 0);
	TRY("chroot", SYS_chroot, "/");
	TRY("pivot_root", SYS_pivot_root, "/", "/");
	TRY("setns", SYS_setns, -1, 0);
	static const struct { const char *name; long flag; } namespaces[] = {
		{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"net", CLONE_NEWNET}, {"pid", CLONE_NEWPID}, {"ipc", CLONE_NEWIPC},
		{"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},
	};
	for (unsigned i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
		char name[64];
		snprintf(name, sizeof name, "unshare_%s", namespaces[i].name);
		APART(name, syscall(SYS_unshare, namespaces[i].flag));
		if (namespaces[i].flag == 0x80) continue;  // of clone these bits are the signal
		snprintf(name, sizeof name, "clone_%s", namespaces[i].name);
		APART(name, clone_with(namespaces[i].flag));
	}
	APART("clone_user_with_high_bits", clone_with(CLONE_NEWUSER | 1L << 40));
	APART("clone_plain", clone_with(0));
	TRY("clone3", 435, 0, 0);
	TRY("init_module", SYS_init_module, 0, 0, "");
	TRY("finit_module", SYS_finit_module, -1, "", 0);
	TRY("delete_module", SYS_delete_module, "none", 0);
	TRY("kexec_load", SYS_kexec_load, 0, 0, 0, 1);
	TRY("kexec_file_load", SYS_kexec_file_load, -1, -1, 0, "", 0);
	TRY("reboot", SYS_reboot, 0, 0, 0, 0);
	TRY("swapon", SYS_swapon, "/none", 0);
	TRY("swapoff", SYS_swapoff, "/none");
	TRY("acct", SYS_acct, "/none");
	TRY("syslog", SYS_syslog, 10, 0, 0);
	TRY("quotactl", SYS_quotactl, 0, 0, 0, 0);
	TRY("quotactl_fd", 443, -1, 0, 0, 0);
	TRY("sethostname", SYS_sethostname, "x", 1);
	TRY("setdomainname", SYS_setdomainname, "x", 1);
	TRY("vhangup", SYS_vhangup);
	TRY("sync", SYS_sync);
	TRY("settimeofday", SYS_settimeofday, 0, 0);
	TRY("clock_settime", SYS_clock_settime, 0, 0);
	TRY("clock_adjtime", SYS_clock_adjtime, 0, 0);
	TRY("adjtimex", SYS_adjtimex, 0);
	TRY("open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0);
	TRY("name_to_handle_at", SYS_name_to_handle_at, -1, 0, 0, 0, 0);
	TRY("fanotify_init", SYS_fanotify_init, 0, 0);
	TRY("fanotify_mark", SYS_fanotify_mark, -1, 0, 0, 0, 0);
	TRY("lookup_dcookie", SYS_lookup_dcookie, 0, 0, 0);
	TRY("cachestat", 451, -1, 0, 0, 0);
	TRY("file_getattr", 468, -1, "", 0, 0, 0);
	TRY("file_setattr", 469, -1, "", 0, 0, 0);
	TRY("setxattrat", 463, -1, "", 0, "", 0, 0);
	TRY("getxattrat", 464, -1, "", 0, "", 0, 0);
	TRY("listxattrat", 465, -1, "", 0, 0, 0);
	TRY("removexattrat", 466, -1, "", 0, "");
	TRY("lsm_get_self_attr", 459, 0, 0, 0, 0);
	TRY("lsm_set_self_attr", 460, 0, 0, 0, 0);
	TRY("lsm_list_modules", 461, 0, 0, 0);
	TRY("landlock_create_ruleset", 444, 0, 0, 1);
	TRY("landlock_add_rule", 445, -1, 0, 0, 0);
	TRY("landlock_restrict_self", 446, -1, 0);
	TRY("seccomp", SYS_seccomp, 99, 0, 0);
	TRY("mseal", 462, 0, 0, 0);
	TRY("map_shadow_stack", 453, 0, 0, 0);
	TRY("futex", SYS_futex, 1, 1, 0, 0, 0, 0);
	TRY("futex_waitv", 449, 0, 0, 0, 0, 0);
	TRY("futex_wake", 454, 0, 0, 0, 0);
	TRY("futex_wait", 455, 0, 0, 0, 0, 0, 0);
	TRY("futex_requeue", 456, 0, 0, 0, 0);
	TRY("mbind", SYS_mbind, 0, 0, 0, 0, 0, 0);
	TRY("set_mempolicy", SYS_set_mempolicy, 0, 0, 0);
	TRY("set_mempolicy_home_node", 450, 0, 0, 0, 0);
	TRY("migrate_pages", SYS_migrate_pages, 1, 0, 0, 0);
	TRY("move_pages", SYS_move_pages, 1, 0, 0, 0, 0, 0);
	TRY("remap_file_pages", SYS_remap_file_pages, 0, 0, 0, 0, 0);
	TRY("pkey_alloc", SYS_pkey_alloc, 0, 0);
	TRY("memfd_create", SYS_memfd_create, "x", 0);
	TRY("memfd_secret", 447, 0);
	TRY("vmsplice", SYS_vmsplice, -1, 0, 0, 0);
	TRY("shmget", SYS_shmget, 0, 4096, 01600);
	TRY("semget", SYS_semget, 0, 1, 01600);
	TRY("msgget", SYS_msgget, 0, 01600);
	TRY("mq_open", SYS_mq_open, "zz", 0, 0, 0);
	TRY("ioprio_set", SYS_ioprio_set, 1, 0, 0);
	TRY("personality_other", SYS_personality, 0x0400000);
	TRY("personality_query", SYS_personality, 0xffffffff);
	TRY("made_up_number", 900);
#ifdef __x86_64__
	TRY("modify_ldt", 154, 0, 0, 0);
	TRY("iopl", 172, 3);
	TRY("ioperm", 173, 0, 1, 1);
	TRY("sysfs", 139, 3);
	TRY("ustat", 136, 0, 0);
	TRY("uselib", 134, 0);
	TRY("sysctl", 156, 0);
	TRY("nfsservctl", 180, 0);
	APART("x32", syscall(0x40000000 + SYS_getpid));
	APART("int80", by_int80());
#endif
}

static void ioctls(void) {
	static const struct { const char *name; long command; } commands[] = {
		{"tiocsti", 0x5412}, {"tioclinux", 0x541c}, {"tiocsetd", 0x5423}, {"fionread", 0x541b}, {"tcgets", 0x5401},
		{"tiocgwinsz", 0x5413}, {"tiocgetd", 0x5424}, {"all_ones", 0xffffffff},
	};
	for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
		char name[64];
		snprintf(name, sizeof name, "ioctl_%s", commands[i].name);
		TRY(name, SYS_ioctl, -1, commands[i].command, 0);
		snprintf(name, sizeof name, "ioctl_%s_with_high_bits", commands[i].name);
		TRY(name, SYS_ioctl, -1, commands[i].command | 1L << 32, 0);
	}
}

// Ways to a file with a set-uid or set-gid bit, each beside what must go on working.
static void set_uid_files(void) {
	int f = open("f", O_CREAT | O_RDWR, 0600), flags = O_CREAT | O_WRONLY;
	static const struct { const char *name; long mode; } modes[] = {
		{"suid", 04755}, {"sgid", 02755}, {"both", 06755}, {"suid_with_high_bits", 04755 | 1L << 32}, {"plain", 01755},
	};
	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
		char name[64], file[64];
#define WITH(word, ...) (snprintf(name, sizeof name, word "_%s", modes[i].name), \
	snprintf(file, sizeof file, word "_%u", i), TRY(name, __VA_ARGS__))
		long m = modes[i].mode;
		WITH("fchmod", SYS_fchmod, f, m);
		WITH("fchmodat", SYS_fchmodat, AT_FDCWD, "f", m);
		WITH("openat", SYS_openat, AT_FDCWD, file, flags, m);
		WITH("openat_tmpfile", SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_WRONLY, m);
		WITH("openat_existing", SYS_openat, AT_FDCWD, "f", O_RDONLY, m);
		WITH("mknodat_file", SYS_mknodat, AT_FDCWD, file, S_IFREG | m, 0);
		WITH("mknodat_fifo", SYS_mknodat, AT_FDCWD, file, S_IFIFO | m, 0);
		WITH("mkdirat", SYS_mkdirat, AT_FDCWD, file, m);
#ifdef __x86_64__
		WITH("chmod", SYS_chmod, "f", m);
		WITH("open", SYS_open, file, flags, m);
		WITH("open_tmpfile", SYS_open, ".", O_TMPFILE | O_WRONLY, m);
		WITH("open_existing", SYS_open, "f", O_RDONLY, m);
		WITH("creat", SYS_creat, file, m);
		WITH("mknod_file", SYS_mknod, file, S_IFREG | m, 0);
#endif
	}
	struct stat st;
	TRY("mkdirat_made_no_sgid", SYS_newfstatat, AT_FDCWD, "mkdirat_2", &st, 0);
	if (st.st_mode & 06000) printf("a_set_uid_folder 0\n");
	struct { unsigned long flags, mode, resolve; } how = {O_CREAT | O_WRONLY, 04755, 0};
	TRY("openat2", 437, AT_FDCWD, "openat2", &how, sizeof how);
	TRY("fchmodat2_suid", 452, AT_FDCWD, "f", 04755, 0);
	TRY("mknodat_chr", SYS_mknodat, AT_FDCWD, "chr", S_IFCHR | 0600, 0x103);
	TRY("mknodat_blk", SYS_mknodat, AT_FDCWD, "blk", S_IFBLK | 0600, 0x103);
	TRY("mknodat_socket", SYS_mknodat, AT_FDCWD, "sock", S_IFSOCK | 0600, 0);
	static const char everything[20] = {1, 0, 0, 2, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1};
	TRY("file_capability", SYS_setxattr, "f", "security.capability", everything, sizeof everything, 0);
}

static void sockets(void) {
	static const struct { const char *name; long family, type, protocol; } made[] = {
		{"unix", 1, 1, 0}, {"inet", 2, 1, 0}, {"inet_tcp", 2, 1, 6}, {"inet_udp", 2, 2, 17}, {"inet_dgram", 2, 2, 0},
		{"inet_cloexec", 2, 1 | O_CLOEXEC | O_NONBLOCK, 0}, {"inet_raw", 2, 3, 1}, {"inet_ping", 2, 2, 1},
		{"inet_seqpacket", 2, 5, 0}, {"inet_sctp", 2, 1, 132}, {"inet_dccp", 2, 6, 33}, {"inet_mptcp", 2, 1, 262},
		{"inet_smc", 2, 1, 256}, {"inet_l2tp", 2, 2, 115}, {"inet_udplite", 2, 2, 136}, {"inet_packet", 2, 10, 3},
		{"inet6", 10, 1, 0}, {"inet6_udp", 10, 2, 17}, {"inet6_raw", 10, 3, 58}, {"inet6_ping", 10, 2, 58}, {"inet6_smc", 10, 1, 256},
		{"netlink_route", 16, 3, 0}, {"netlink_usersock", 16, 3, 2}, {"netlink_sock_diag", 16, 3, 4}, {"netlink_xfrm", 16, 3, 6},
		{"netlink_netfilter", 16, 3, 12}, {"netlink_kobject", 16, 3, 15}, {"netlink_generic", 16, 3, 16}, {"netlink_crypto", 16, 3, 21},
		{"packet", 17, 3, 3}, {"ax25", 3, 2, 0}, {"ipx", 4, 2, 0}, {"x25", 9, 5, 0}, {"rds", 21, 5, 0}, {"pppox", 24, 1, 0},
		{"can", 29, 3, 1}, {"tipc", 30, 1, 0}, {"bluetooth", 31, 3, 1}, {"rxrpc", 33, 2, 2}, {"phonet", 35, 2, 0}, {"alg", 38, 5, 0},
		{"nfc", 39, 5, 0}, {"vsock", 40, 1, 0}, {"kcm", 41, 2, 0}, {"qipcrtr", 42, 2, 0}, {"smc", 43, 1, 0}, {"xdp", 44, 3, 0},
		{"mctp", 45, 2, 0}, {"vsock_with_high_bits", 40 | 1L << 32, 1, 0}, {"inet_with_high_bits", 2 | 1L << 32, 1, 0},
	};
	int ends[2];
	for (unsigned i = 0; i < sizeof made / sizeof *made; i++) {
		char name[64];
		snprintf(name, sizeof name, "socket_%s", made[i].name);
		TRY(name, SYS_socket, made[i].family, made[i].type, made[i].protocol);
	}
	TRY("socketpair_unix", SYS_socketpair, 1, 1, 0, ends);
	TRY("socketpair_tipc", SYS_socketpair, 30, 1, 0, ends);
}

int main(void) {
	umask(0);
	calls();
	ioctls();
	set_uid_files();
	sockets();
	return 0;
}
