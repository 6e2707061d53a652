// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../dispatch.h"
#include "../forward.h"
#include "../program.h"
#include "../slots.h"
#include "../sweep.h"

enum { LINE = 900, PROGRAMS = 64, CONNECTIONS = 96, FIRST_PID = 1000 };

jmp_buf world_exit;

static struct {
	struct ends ends;
	uint8_t slot;
	bool alive;
} programs[PROGRAMS];
static int program_count, peers[CONNECTIONS], peer_count, listener[2], root = -1;
static bool files_changed;
static char root_path[64];
static const uint8_t *said;
static size_t said_size;
static int64_t clock_ms;

int __real_open(const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
int __real_mkdirat(int folder, const char *path, mode_t mode);
ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);

// --- set up and clean away ------------------------------------------------------------------------

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
	(void)st, (void)type;
	return ftw->level ? remove(path) : 0;
}

static void furnish(void) {
	nftw(root_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	char path[96];
	int fd = __real_openat(root, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "content", 7) != 7) abort();
	close(fd);
	snprintf(path, sizeof path, "%s/d", root_path);
	if (mkdir(path, 0755) || symlinkat("f", root, "l") || mkfifoat(root, "p", 0644)) abort();
	files_changed = false;
}

static void clean_away(void) {
	nftw(root_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	rmdir(root_path);
}

void world_begin(void) {
	if (root < 0) {
		snprintf(root_path, sizeof root_path, "/tmp/yett-fuzz-XXXXXX");
		if (!mkdtemp(root_path) || atexit(clean_away)) abort();
		root = __real_open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		signal(SIGPIPE, SIG_IGN);
		files_changed = true;
	}
	if (files_changed) furnish();
	program_count = peer_count = 0;
	listener[0] = listener[1] = -1;
	said_size = 0;
	clock_ms = 1;
}

static void shut(int fd) {
	if (fd >= 0) close(fd);
}

void world_end(void) {
	for (int i = 0; i < program_count; i++) {
		struct ends *e = &programs[i].ends;
		shut(e->in), shut(e->out), shut(e->err), shut(e->trouble), shut(e->status);
	}
	for (int i = 0; i < peer_count; i++) shut(peers[i]);
	shut(listener[0]), shut(listener[1]);
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		shut(s->in), shut(s->out), shut(s->err), shut(s->trouble), shut(s->status_pipe);
		free(s->payload);
	}
	for (struct connection *c = connections; c < connections + MAX_CONNECTIONS; c++) {
		shut(c->fd);
		free(c->held);
	}
}

// --- the line --------------------------------------------------------------------------------------

_Noreturn void __wrap__exit(int code) {
	longjmp(world_exit, code + 1);
}

void world_say(const uint8_t *bytes, size_t size) {
	said = bytes, said_size = size;
	while (said_size) {
		line_receive();
		dispatch_received();
	}
}

ssize_t __wrap_read(int fd, void *to, size_t size) {
	if (fd != LINE) return __real_read(fd, to, size);
	size_t n = size < said_size ? size : said_size;
	memcpy(to, said, n);
	said += n, said_size -= n;
	if (n) return (ssize_t)n;
	errno = EAGAIN;
	return -1;
}

// Every frame of the runner has a type and a size that it may have, in whatever parts it is taken.
static void check(uint8_t byte) {
	static uint8_t head[5];
	static uint32_t have, left;
	if (left) {
		left--;
		return;
	}
	head[have++] = byte;
	if (have < 5) return;
	have = 0;
	memcpy(&left, head, 4);
	if (left > CHUNK || !strchr("12EDNIOFodgex", head[4]) || !head[4]) abort();
	if (strchr("12DNd", head[4]) && !left) abort();
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count) {
	static size_t turn;
	if (fd != LINE) return __real_writev(fd, parts, count);
	size_t most = ++turn % 3 ? SIZE_MAX : 1 + turn % 7, n = 0;
	for (int i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].iov_len && n < most; j++, n++) check(((const uint8_t *)parts[i].iov_base)[j]);
	return (ssize_t)n;
}

// --- programs --------------------------------------------------------------------------------------

pid_t __wrap_program_fork(const struct program *p, const struct ends *ends) {
	if (program_count == PROGRAMS || (p->argv[0][0] == '!' && !p->argv[0][1])) {
		errno = EAGAIN;
		return -1;
	}
	for (int i = 0; p->argv[i]; i++) (void)!strlen(p->argv[i]);
	for (int i = 0; p->envp[i]; i++) (void)!strlen(p->envp[i]);
	struct ends *e = &programs[program_count].ends;
	*e = (struct ends){dup(ends->in), dup(ends->out), dup(ends->err), dup(ends->trouble), ends->status < 0 ? -1 : dup(ends->status)};
	fcntl(e->out, F_SETFL, O_NONBLOCK);
	fcntl(e->err, F_SETFL, O_NONBLOCK);
	programs[program_count].slot = p->slot;
	programs[program_count].alive = true;
	return FIRST_PID + program_count++;
}

static int newest(uint8_t slot) {
	for (int i = program_count; i--;)
		if (programs[i].slot == slot) return i;
	return -1;
}

void world_output(uint8_t slot, int stream, const uint8_t *bytes, size_t size) {
	int i = newest(slot), fd = i < 0 ? -1 : stream ? programs[i].ends.err : programs[i].ends.out;
	if (fd >= 0) (void)!write(fd, bytes, size);
}

static void drop(int *fd) {
	shut(*fd);
	*fd = -1;
}

void world_close(uint8_t slot) {
	int i = newest(slot);
	if (i < 0) return;
	drop(&programs[i].ends.in), drop(&programs[i].ends.out), drop(&programs[i].ends.err);
}

void world_trouble(uint8_t slot, const uint8_t *bytes, size_t size) {
	int i = newest(slot);
	if (i < 0 || programs[i].ends.trouble < 0) return;
	if (size) (void)!write(programs[i].ends.trouble, bytes, size);
	drop(&programs[i].ends.trouble);
}

static void dies(int i, int status) {
	if (!programs[i].alive) return;
	programs[i].alive = false;
	struct ends *e = &programs[i].ends;
	drop(&e->in), drop(&e->out), drop(&e->err), drop(&e->trouble), drop(&e->status);
	slots_reaped(FIRST_PID + i, status);
}

void world_ends(uint8_t slot, int status, int told) {
	int i = newest(slot);
	if (i < 0 || !programs[i].alive) return;
	if (told && programs[i].ends.status >= 0) (void)!write(programs[i].ends.status, &status, sizeof status);
	else dies(i, status);
}

// In place of sweep.c: what it promises.
void sweep(void) {
	for (int i = 0; i < program_count; i++) {
		struct slot *s = &slots[programs[i].slot];
		if (s->child == FIRST_PID + i && s->state != FREE && !s->swept) continue;
		dies(i, SIGKILL);
	}
}

void reap(void) {}

// --- connections -----------------------------------------------------------------------------------

int __wrap_socket(int domain, int type, int protocol) {
	(void)domain, (void)type, (void)protocol;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, listener)) return -1;
	return listener[0];
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size) {
	(void)fd, (void)address, (void)size;
	return 0;
}

int __wrap_listen(int fd, int backlog) {
	(void)fd, (void)backlog;
	return 0;
}

void world_connect(void) {
	if (listener[1] >= 0) (void)!send(listener[1], "c", 1, MSG_NOSIGNAL);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
	char byte;
	int ends[2];
	(void)address, (void)size;
	if (__real_read(fd, &byte, 1) != 1) return -1;
	if (peer_count == CONNECTIONS || socketpair(AF_UNIX, SOCK_STREAM | flags, 0, ends)) {
		errno = EMFILE;
		return -1;
	}
	peers[peer_count++] = ends[1];
	return ends[0];
}

static int *peer(uint8_t which) {
	return peer_count ? &peers[which % peer_count] : NULL;
}

void world_conn_write(uint8_t which, const uint8_t *bytes, size_t size) {
	int *fd = peer(which);
	if (fd && *fd >= 0) (void)!send(*fd, bytes, size, MSG_NOSIGNAL);
}

void world_conn_read(uint8_t which, size_t size) {
	static char buffer[64 << 10];
	int *fd = peer(which);
	if (fd && *fd >= 0) (void)!recv(*fd, buffer, size < sizeof buffer ? size : sizeof buffer, MSG_DONTWAIT);
}

void world_conn_close(uint8_t which, int how) {
	int *fd = peer(which);
	if (fd && *fd >= 0 && how < 3) shutdown(*fd, how);
	else if (fd) drop(fd);
}

long __wrap_text_read(int folder, const char *path, char *to, size_t size) {
	// The kernel's table of sockets: all connections look as if nobody held them.
	(void)folder, (void)path;
	if (size) *to = 0;
	return 0;
}

// --- files and time --------------------------------------------------------------------------------

int __wrap_open(const char *path, int flags, ...) {
	if (strcmp(path, "/")) abort();  // everything else has to be opened from there
	return __real_openat(root, ".", flags);
}

int __wrap_mkdirat(int folder, const char *path, mode_t mode) {
	if (strchr(path, '/') || !strcmp(path, "..")) abort();
	files_changed = true;
	return __real_mkdirat(folder, path, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...) {
	if (strchr(path, '/') || !strcmp(path, "..") || !(flags & O_NOFOLLOW)) abort();
	files_changed |= (flags & O_CREAT) != 0;
	return __real_openat(folder, path, flags, 0644);
}

int __wrap_clock_gettime(clockid_t which, struct timespec *t) {
	(void)which;
	*t = (struct timespec){clock_ms / 1000, clock_ms % 1000 * 1000000};
	return 0;
}

void world_wait(int ms) {
	clock_ms += ms;
}
