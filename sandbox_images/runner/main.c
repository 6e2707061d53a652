// SPDX-License-Identifier: Apache-2.0
//
// PID 1 of a Yett sandbox container. It proves to the gateway with a one-time secret that it is the container the gateway
// made, and then serves requests: run a program, or read, write, list or stat a file. It ends when the line does, and
// with PID 1 the kernel kills every process of the container.
//
// It runs as the same unprivileged user as the programs it starts. README.md says what protects it from them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dispatch.h"
#include "forward.h"
#include "frames.h"
#include "program.h"
#include "slots.h"
#include "sweep.h"

enum { MAX_SECRET = 256, AWAY = 16 };

static int children = -1;  // signalfd for SIGCHLD

static int connect_to(const char *path) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path) _exit(EXIT_USAGE);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) _exit(EXIT_CONNECT);
	return fd;
}

static int move_away(int fd) {
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, AWAY);
	if (moved < 0) _exit(EXIT_CONNECT);
	close(fd);
	return moved;
}

// Nothing that the container runtime left open may stay open (the class of CVE-2024-21626), and 0 to 2 lead nowhere.
static void open_line(const char *where) {
	close_from(3);
	if (!strcmp(where, "-")) {
		int in = move_away(0), out = move_away(1);
		line_open(in, out);
	} else {
		int fd = move_away(connect_to(where));
		line_open(fd, fd);
	}
	for (int fd = 0; fd < 3; fd++) close(fd);
	for (int fd = 0; fd < 3; fd++)
		if (open("/dev/null", O_RDWR) != fd) _exit(EXIT_SYSTEM);
	if (chdir("/")) _exit(EXIT_SYSTEM);
}

static void say_ready(char *secret) {
	uint8_t version = VERSION;
	size_t size = strlen(secret);
	say(READY, &version, sizeof version, secret, size);
	explicit_bzero(secret, size);
	clearenv();
}

static void watch_children(void) {
	sigset_t ended;
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &ended, NULL)) _exit(EXIT_SYSTEM);
	children = signalfd(-1, &ended, SFD_CLOEXEC | SFD_NONBLOCK);
	if (children < 0) _exit(EXIT_SYSTEM);
}

int main(int argc, char **argv) {
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	char *secret = getenv("YETT_HELLO");
	if (argc != 2 || !secret || strlen(secret) > MAX_SECRET) return EXIT_USAGE;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	open_line(argv[1]);
	watch_children();
	sweep_begin();
	slots_begin();
	forward_begin();
	dispatch_begin();
	say_ready(secret);

	enum { GATEWAY, CHILDREN, SLOTS_AT, FORWARD_AT = SLOTS_AT + SLOTS * WATCHED_BY_SLOT };
	for (;;) {
		struct pollfd watch[FORWARD_AT + WATCHED_BY_FORWARD];
		watch[GATEWAY] = (struct pollfd){line_in(), POLLIN, 0};
		watch[CHILDREN] = (struct pollfd){children, POLLIN, 0};
		slots_watch(watch + SLOTS_AT);
		forward_watch(watch + FORWARD_AT);
		if (poll(watch, sizeof watch / sizeof *watch, slots_timeout()) < 0) {
			if (errno != EINTR) return EXIT_SYSTEM;
			continue;
		}
		slots_heed(watch + SLOTS_AT);
		forward_heed(watch + FORWARD_AT);
		if (watch[CHILDREN].revents) {
			struct signalfd_siginfo ignored;
			while (read(children, &ignored, sizeof ignored) > 0) {}
			reap();
		}
		if (watch[GATEWAY].revents) {
			line_receive();
			dispatch_received();
		}
		slots_advance();
	}
}
