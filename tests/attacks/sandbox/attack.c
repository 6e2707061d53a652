// SPDX-License-Identifier: Apache-2.0
// What an attacker compiles and brings along: one word a try, printed with "open" or the error's name.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result) {
	printf("%s %d\n", what, result >= 0 ? 0 : errno);
	fflush(stdout);
}

static void a_socket(const char *name, int family, int type, int protocol) {
	int fd = socket(family, type, protocol);
	say(name, fd);
	if (fd >= 0) close(fd);
}

static void vsock(void) {
	a_socket("stream", AF_VSOCK, SOCK_STREAM, 0);
	a_socket("dgram", AF_VSOCK, SOCK_DGRAM, 0);
	a_socket("seqpacket", AF_VSOCK, SOCK_SEQPACKET, 0);
	// The kernel reads 32 bits of the family; a filter that compares 64 is passed by the others.
	say("high-bits", syscall(SYS_socket, 0x100000000ul | AF_VSOCK, (long)SOCK_STREAM, 0l));
	say("pair", syscall(SYS_socketpair, (long)AF_VSOCK, (long)SOCK_STREAM, 0l, (int[2]){0}));
}

static void raw_sockets(void) {
	a_socket("raw-icmp", AF_INET, SOCK_RAW, 1);
	a_socket("raw-tcp", AF_INET, SOCK_RAW, 6);
	a_socket("raw-any", AF_INET, SOCK_RAW, 255);
	a_socket("raw-icmp6", AF_INET6, SOCK_RAW, 58);
	a_socket("ping", AF_INET, SOCK_DGRAM, 1);
	a_socket("packet", AF_PACKET, SOCK_RAW, 0x0300);
	a_socket("packet-dgram", AF_PACKET, SOCK_DGRAM, 0x0300);
}

static void netlink(void) {
	for (int protocol = 1; protocol <= 22; protocol++) {
		char name[16];
		snprintf(name, sizeof name, "netlink-%d", protocol);
		a_socket(name, AF_NETLINK, SOCK_RAW, protocol);
	}
}

static void keyrings(void) {
	say("add_key", syscall(SYS_add_key, "user", "yett", "x", 1l, -2l));
	say("request_key", syscall(SYS_request_key, "user", "yett", NULL, -2l));
	say("join", syscall(SYS_keyctl, 1l, "yett"));
	say("read", syscall(SYS_keyctl, 11l, -4l, NULL, 0l));
	say("search-session", syscall(SYS_keyctl, 10l, -3l, "user", "yett", 0l));
}

static void namespaces(void) {
	static const struct { const char *name; int flag; } all[] = {
		{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET},
		{"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"cgroup", 0x02000000}, {"time", 0x00000080},
		{"user+net", CLONE_NEWUSER | CLONE_NEWNET},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		pid_t child = fork();
		if (child == 0) {
			say(all[i].name, unshare(all[i].flag));
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	long made = syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), 0l, 0l, 0l, 0l);
	if (made == 0) _exit(0);
	say("clone-user", made);
	uint64_t args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
	made = syscall(SYS_clone3, args, sizeof args);
	if (made == 0) _exit(0);
	say("clone3-user", made);
	int fd = open("/proc/1/ns/net", O_RDONLY);
	say("open-ns-of-1", fd);
	say("setns-self", syscall(SYS_setns, (long)open("/proc/self/ns/net", O_RDONLY), 0l));
}

static void tracing(void) {
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	say("attach-child", ptrace(PTRACE_ATTACH, child, 0, 0));
	say("seize-1", ptrace(PTRACE_SEIZE, 1, 0, 0));
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
	say("vm-read-1", syscall(SYS_process_vm_readv, 1l, &here, 1l, &there, 1l, 0l));
	say("pidfd-getfd-1", syscall(438, syscall(434, 1l, 0l), 3l, 0l));
	say("kcmp", syscall(SYS_kcmp, 1l, (long)getpid(), 0l, 0l, 0l));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void kernel(void) {
	say("reboot", syscall(SYS_reboot, 0xfee1deadl, 0x28121969l, 0l, NULL));
	say("bpf", syscall(SYS_bpf, 0l, NULL, 0l));
	say("perf", syscall(SYS_perf_event_open, NULL, 0l, -1l, -1l, 0l));
	say("io_uring", syscall(425, 1l, (char[256]){0}));
	say("userfaultfd", syscall(SYS_userfaultfd, 0l));
	say("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0l, NULL));
	say("fsopen", syscall(430, "tmpfs", 0l));
	say("open_tree", syscall(428, -100l, "/", 1l));
	say("pivot_root", syscall(SYS_pivot_root, "/", "/"));
	say("chroot", syscall(SYS_chroot, "/tmp"));
	say("init_module", syscall(SYS_init_module, NULL, 0l, ""));
	say("kexec", syscall(SYS_kexec_load, 0l, 0l, NULL, 0l));
	say("swapon", syscall(SYS_swapon, "/tmp/x", 0l));
	say("open_by_handle", syscall(SYS_open_by_handle_at, -100l, NULL, 0l));
	say("settime", syscall(SYS_clock_settime, 0l, (long[2]){0}));
	say("sethostname", syscall(SYS_sethostname, "x", 1l));
	say("alg-socket", socket(38, SOCK_SEQPACKET, 0));
	say("syslog", syscall(SYS_syslog, 3l, (char[16]){0}, 16l));
	say("quotactl", syscall(SYS_quotactl, 0l, NULL, 0l, NULL));
	say("acct", syscall(SYS_acct, "/tmp/x"));
}

// A program that exists only in memory: noexec on a file system does not hold it.
static void from_memory(void) {
	int in = open("/proc/self/exe", O_RDONLY), out = (int)syscall(SYS_memfd_create, "x", 0l);
	say("memfd", out);
	char buffer[4096];
	for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;) (void)!write(out, buffer, (size_t)n);
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", out);
	execl(path, "attack", "status", NULL);
	say("exec", -1);
}

static void status(void) {
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof line, file))
		if (strstr(line, "NoNewPrivs") == line || strstr(line, "Seccomp:") == line || strstr(line, "CapEff") == line || strstr(line, "CapBnd") == line || strstr(line, "Uid") == line) fputs(line, stdout);
}

static void descriptors(void) {
	int n = 0, fd, pipes[2];
	while ((fd = dup(0)) >= 0) n = fd;
	printf("dup %d %d\n", n, errno);
	printf("pipe %d %d\n", pipe(pipes), errno);
	printf("socket %d %d\n", socket(AF_UNIX, SOCK_STREAM, 0), errno);
}

// Descriptors in flight in a socket count for nobody's limit but their sender's user.
static void in_flight(void) {
	int sent = 0, pair[2];
	for (int rounds = 0; rounds < 64 && !socketpair(AF_UNIX, SOCK_DGRAM, 0, pair); rounds++) {
		for (;;) {
			union { char space[CMSG_SPACE(sizeof(int) * 64)]; struct cmsghdr align; } control = {0};
			struct { char *base; size_t n; } part = {"x", 1};
			struct msghdr message = {.msg_iov = (void *)&part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
			struct cmsghdr *head = CMSG_FIRSTHDR(&message);
			head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof(int) * 64);
			for (int i = 0; i < 64; i++) ((int *)(void *)CMSG_DATA(head))[i] = 0;
			if (sendmsg(pair[0], &message, MSG_DONTWAIT) < 0) break;
			sent += 64;
		}
	}
	printf("in-flight %d\n", sent);
}

static void set_uid_bits(void) {
	int fd = open("/workspace/plain", O_CREAT | O_RDWR, 0700);
	say("chmod", chmod("/workspace/plain", 04755));
	say("fchmod", fchmod(fd, 02755));
	say("create", open("/workspace/born", O_CREAT | O_WRONLY | O_EXCL, 06755));
	say("mknod", mknod("/workspace/made", S_IFREG | 04755, 0));
	say("setuid-0", setuid(0));
	say("setgid-0", setgid(0));
}

// Writes a byte now and then for ever, so that there is always something to wait for.
static void drip(void) {
	signal(SIGTERM, SIG_IGN);
	for (;;) {
		(void)!write(1, ".", 1);
		usleep(20000);
	}
}

// Connects to the way out, says something, and resets the connection as soon as that has left.
static void dropped(void) {
	int count = 0;
	for (; count < 500; count++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(3128), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		struct linger at_once = {1, 0};
		if (connect(fd, (struct sockaddr *)&to, sizeof to) || write(fd, "x", 1) != 1) break;
		usleep(1000);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		close(fd);
	}
	printf("%d\n", count);
}

static int a_timer(void) {
	timer_t timer;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	return timer_create(CLOCK_MONOTONIC, &event, &timer);
}

// What the kernel counts by user: is there one left? With "take" all of them, held for ever.
static void counts(void) {
	say("inotify", inotify_init());
	say("timer", a_timer());
}

static void take_counts(void) {
	int instances = 0, timers = 0;
	while (inotify_init() >= 0) instances++;
	while (!a_timer()) timers++;
	printf("%d %d\n", instances, timers);
	fflush(stdout);
	for (;;) pause();
}

int main(int argc, char **argv) {
	static const struct { const char *name; void (*run)(void); } all[] = {
		{"vsock", vsock}, {"raw", raw_sockets}, {"netlink", netlink}, {"keyrings", keyrings},
		{"namespaces", namespaces}, {"tracing", tracing}, {"kernel", kernel}, {"from-memory", from_memory},
		{"status", status}, {"descriptors", descriptors}, {"in-flight", in_flight}, {"set-uid", set_uid_bits}, {"drip", drip},
		{"dropped", dropped}, {"counts", counts}, {"take-counts", take_counts},
	};
	for (size_t i = 0; argc > 1 && i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name)) return all[i].run(), 0;
	return 64;
}
