// SPDX-License-Identifier: Apache-2.0
//
// PID 1 of a Yett sandbox container. It connects out to the gateway's unix socket (argv[1]), proves
// with a one-time secret that it is the container the gateway made, and then serves one request at a
// time: run a program, or read, write, list or stat a file. It exits when the socket closes, and with
// PID 1 the kernel kills every process of the container.
//
// It runs as the same unprivileged user as the programs it starts. What protects it from them:
// it is not dumpable (so /proc/1/{mem,fd,environ} are closed to its own uid), every descriptor is
// close-on-exec, signals cannot reach PID 1 from inside its namespace, and after each request
// kill(-1) leaves nothing alive that could touch the next one.
//
// Frame: u32le payload length, u8 type, payload. All integers are little-endian. The table of types
// is in README.md and, for the other side, in src/yett/sandbox/protocol.py.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire format is read with memcpy and needs a little-endian machine"
#endif

enum {
	MAX_REQUEST = 32 << 20,  // bytes of one request; the gateway refuses earlier
	MAX_STRINGS = 4096,      // argv and environment together
	MAX_PATH = 4096,
	CHUNK = 60 << 10,        // payload of one answer frame at most
	STRAGGLER_MS = 50,       // how long children of an ended program may still write
	DRAIN_MS = 1000,
	PROC_MAGIC = 0x9fa0,
	SYSFS_MAGIC = 0x62656572,
};

enum request { EXEC = 'X', KILL = 'K', READ = 'G', WRITE = 'P', LIST = 'L', STAT = 'S' };
enum answer { HELLO = 'R', OUT = '1', ERR = '2', EXIT = 'E', DATA = 'D', ENTRIES = 'N', INFO = 'I', DONE = 'O', FAIL = 'F' };

// Exit codes of PID 1 itself: each is a broken world, and the container ends with it.
enum { EXIT_GONE = 0, EXIT_USAGE = 96, EXIT_CONNECT = 97, EXIT_PROTOCOL = 98, EXIT_SYSTEM = 99 };

static int gateway = -1;
static int children = -1;  // signalfd for SIGCHLD

// --- bytes ---------------------------------------------------------------------------------------

static void receive(void *to, size_t n) {
	for (char *p = to; n;) {
		ssize_t r = read(gateway, p, n);
		if (r < 0 && errno == EINTR) continue;
		if (r <= 0) _exit(EXIT_GONE);
		p += r;
		n -= (size_t)r;
	}
}

static void send_all(const void *from, size_t n) {
	for (const char *p = from; n;) {
		ssize_t r = send(gateway, p, n, MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR) continue;
		if (r <= 0) _exit(EXIT_GONE);
		p += r;
		n -= (size_t)r;
	}
}

// One frame, in one send.
static void answer(enum answer type, const void *payload, size_t n) {
	static uint8_t frame[5 + CHUNK];
	if (n > CHUNK) _exit(EXIT_SYSTEM);
	uint32_t length = (uint32_t)n;
	memcpy(frame, &length, 4);
	frame[4] = (uint8_t)type;
	if (n) memcpy(frame + 5, payload, n);
	send_all(frame, 5 + n);
}

// A request that could not be served: errno and what was being done.
static void fail(int error, const char *doing) {
	uint8_t payload[4 + 64];
	uint32_t code = (uint32_t)error;
	size_t n = strnlen(doing, sizeof payload - 4);
	memcpy(payload, &code, 4);
	memcpy(payload + 4, doing, n);
	answer(FAIL, payload, 4 + n);
}

// --- reading a payload: every take checks what is left, and a false `ok` is sticky ----------------

struct cursor {
	const uint8_t *at, *end;
	bool ok;
};

static void take(struct cursor *c, void *to, size_t n) {
	if (!c->ok || (size_t)(c->end - c->at) < n) {
		c->ok = false;
		memset(to, 0, n);
		return;
	}
	memcpy(to, c->at, n);
	c->at += n;
}

static char *take_string(struct cursor *c) {
	const uint8_t *nul = c->ok && c->at < c->end ? memchr(c->at, 0, (size_t)(c->end - c->at)) : NULL;
	if (!nul) {
		c->ok = false;
		return NULL;
	}
	char *s = (char *)(uintptr_t)c->at;
	c->at = nul + 1;
	return s;
}

static char *take_path(struct cursor *c) {
	char *path = take_string(c);
	if (path && (path[0] != '/' || strlen(path) >= MAX_PATH)) c->ok = false;
	return c->ok ? path : NULL;
}

// --- running a program ---------------------------------------------------------------------------

struct program {
	char *cwd, **argv, **envp;
	const uint8_t *input;
	size_t input_size;
	uint8_t limit_count;
	struct {
		int resource;
		rlim_t value;
	} limits[8];
};

static bool parse_program(struct cursor *c, struct program *p) {
	static const int resources[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_AS};
	uint16_t argc, envc;
	take(c, &argc, 2);
	take(c, &envc, 2);
	take(c, &p->limit_count, 1);
	if (!c->ok || argc < 1 || argc + envc > MAX_STRINGS || p->limit_count > 8) return false;
	for (int i = 0; i < p->limit_count; i++) {
		uint8_t which;
		uint64_t value;
		take(c, &which, 1);
		take(c, &value, 8);
		if (!c->ok || which >= sizeof resources / sizeof *resources) return false;
		p->limits[i].resource = resources[which];
		p->limits[i].value = value;
	}
	p->cwd = take_path(c);
	p->argv = calloc((size_t)argc + 1, sizeof(char *));
	p->envp = calloc((size_t)envc + 1, sizeof(char *));
	if (!p->argv || !p->envp) return false;
	for (int i = 0; i < argc; i++) p->argv[i] = take_string(c);
	for (int i = 0; i < envc; i++) p->envp[i] = take_string(c);
	p->input = c->at;
	p->input_size = (size_t)(c->end - c->at);
	return c->ok;
}

// In the child. What goes wrong before exec is told through the close-on-exec pipe `trouble`.
static void give_up(int trouble, char stage) {
	struct {
		int error;
		char stage;
	} what = {errno, stage};
	(void)!write(trouble, &what, sizeof what);
	_exit(127);
}

static void become(const struct program *p, int in, int out, int err, int trouble) {
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	setsid();
	// Be the one the kernel picks when the container is out of memory, rather than PID 1. The file
	// is writable only to a dumpable process; exec makes the child dumpable in any case.
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (score >= 0) (void)!write(score, "1000", 4);
	for (int i = 0; i < p->limit_count; i++) {
		struct rlimit limit;
		if (getrlimit(p->limits[i].resource, &limit)) give_up(trouble, 'l');
		if (p->limits[i].value < limit.rlim_max) limit.rlim_max = p->limits[i].value;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(p->limits[i].resource, &limit)) give_up(trouble, 'l');
	}
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) give_up(trouble, 'f');
	if (chdir(p->cwd)) give_up(trouble, 'd');
	environ = p->envp;  // so that execvp looks along the program's PATH and not along ours
	execvp(p->argv[0], p->argv);
	give_up(trouble, 'x');
}

// Everything in the namespace except PID 1 dies, and is reaped however deeply it was forked.
static void kill_everything(void) {
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
}

// Pass on what a pipe holds; false at its end.
static bool forward(int pipe_end, enum answer type) {
	static char buffer[CHUNK];
	ssize_t r = read(pipe_end, buffer, sizeof buffer);
	if (r > 0) answer(type, buffer, (size_t)r);
	return r > 0 || (r < 0 && (errno == EINTR || errno == EAGAIN));
}

static bool feed(int pipe_end, const struct program *p, size_t *sent) {
	ssize_t r = write(pipe_end, p->input + *sent, p->input_size - *sent);
	if (r > 0) *sent += (size_t)r;
	return *sent < p->input_size && (r >= 0 || errno == EAGAIN || errno == EINTR);
}

// Reap what has ended; true once `main_child` is among it.
static bool reap(pid_t main_child, int *status) {
	struct signalfd_siginfo ignored;
	while (read(children, &ignored, sizeof ignored) > 0) {}
	bool ended = false;
	int s;
	for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;) {
		if (pid == main_child) {
			*status = s;
			ended = true;
		}
	}
	return ended;
}

// While a program runs the gateway may say one thing: kill.
static void heed_gateway(void) {
	uint8_t frame[5];
	receive(frame, sizeof frame);
	if (memcmp(frame, "\0\0\0\0K", 5) != 0) _exit(EXIT_PROTOCOL);
	kill(-1, SIGKILL);
}

static int64_t now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Carry bytes until the program has ended and its output is read. What it left running and still
// holds that output gets STRAGGLER_MS, however busily it writes, and is killed.
static int attend(const struct program *p, pid_t child, int in, int out, int err) {
	size_t sent = 0;
	int status = 0;
	bool ended = false, killed = false;
	int64_t deadline = 0;
	if (!p->input_size) close(in), in = -1;
	while (!ended || out >= 0 || err >= 0) {
		struct pollfd watch[] = {
			{out, POLLIN, 0}, {err, POLLIN, 0}, {in, POLLOUT, 0}, {children, POLLIN, 0}, {gateway, POLLIN, 0},
		};
		int64_t left = deadline - now_ms();
		if (ended && left <= 0) {
			if (killed) break;
			kill_everything();
			killed = true;
			deadline = now_ms() + DRAIN_MS;
			continue;
		}
		if (poll(watch, 5, ended ? (int)left : -1) < 0) {
			if (errno != EINTR) _exit(EXIT_SYSTEM);
			continue;
		}
		if (watch[0].revents && !forward(out, OUT)) close(out), out = -1;
		if (watch[1].revents && !forward(err, ERR)) close(err), err = -1;
		if (watch[2].revents && !feed(in, p, &sent)) close(in), in = -1;
		if (watch[3].revents && reap(child, &status)) {
			ended = true;
			deadline = now_ms() + STRAGGLER_MS;
		}
		if (watch[4].revents) heed_gateway();
	}
	if (in >= 0) close(in);
	if (out >= 0) close(out);
	if (err >= 0) close(err);
	return status;
}

static void run(const struct program *p) {
	int in[2], out[2], err[2], trouble[2];
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(trouble, O_CLOEXEC)) _exit(EXIT_SYSTEM);
	pid_t child = fork();
	if (child == 0) become(p, in[0], out[1], err[1], trouble[1]);
	int fork_error = errno;
	close(in[0]), close(out[1]), close(err[1]), close(trouble[1]);
	if (child < 0) {
		close(in[1]), close(out[0]), close(err[0]), close(trouble[0]);
		fail(fork_error, "fork");
		return;
	}
	if (fcntl(in[1], F_SETFL, O_NONBLOCK)) _exit(EXIT_SYSTEM);
	struct {
		int error;
		char stage;
	} what;
	int status = attend(p, child, in[1], out[0], err[0]);
	kill_everything();
	bool started = read(trouble[0], &what, sizeof what) != sizeof what;
	close(trouble[0]);
	if (!started) {
		fail(what.error, what.stage == 'd' ? "cwd" : what.stage == 'x' ? "exec" : "setup");
		return;
	}
	uint8_t end[2] = {WIFSIGNALED(status), (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status))};
	answer(EXIT, end, 2);
}

static void serve_exec(struct cursor *c) {
	struct program p = {0};
	if (!parse_program(c, &p)) _exit(EXIT_PROTOCOL);
	run(&p);
	free(p.argv);
	free(p.envp);
}

// --- files: no process of the container is alive while these run ----------------------------------

// Open what really is a file or directory of this container. /proc and /sys are refused: seen from
// here "self" is PID 1, whose memory and descriptors are not the agent's business.
static int open_plain(const char *path, int flags, mode_t kind, struct stat *st) {
	int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	if (fd < 0) return -1;
	struct statfs fs;
	int error = 0;
	if (fstat(fd, st) || fstatfs(fd, &fs)) error = errno;
	else if (fs.f_type == PROC_MAGIC || fs.f_type == SYSFS_MAGIC) error = EACCES;
	else if (kind && (st->st_mode & S_IFMT) != kind) error = S_ISDIR(st->st_mode) ? EISDIR : kind == S_IFDIR ? ENOTDIR : EINVAL;
	if (!error) return fd;
	close(fd);
	errno = error;
	return -1;
}

static uint8_t kind_of(mode_t mode) {
	return S_ISREG(mode) ? 'f' : S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'o';
}

// One entry: u8 kind, u64 size, u32 mode, i64 mtime in ns, u16 name length, name.
static size_t put_entry(uint8_t *to, const struct stat *st, const char *name, size_t name_size) {
	uint64_t size = (uint64_t)st->st_size;
	uint32_t mode = st->st_mode & 07777;
	// Unsigned, because a program may set any time, and a signed overflow would be undefined.
	uint64_t mtime = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
	uint16_t n = (uint16_t)name_size;
	to[0] = kind_of(st->st_mode);
	memcpy(to + 1, &size, 8);
	memcpy(to + 9, &mode, 4);
	memcpy(to + 13, &mtime, 8);
	memcpy(to + 21, &n, 2);
	memcpy(to + 23, name, n);
	return 23 + name_size;
}

static void serve_read(struct cursor *c) {
	static char buffer[CHUNK];
	uint64_t offset, left;
	take(c, &offset, 8);
	take(c, &left, 8);
	const char *path = take_path(c);
	if (!path || offset > INT64_MAX) _exit(EXIT_PROTOCOL);
	struct stat st;
	int fd = open_plain(path, O_RDONLY, S_IFREG, &st);
	if (fd < 0) return fail(errno, "open");
	uint8_t info[23];
	answer(INFO, info, put_entry(info, &st, "", 0));
	while (left) {
		ssize_t r = pread(fd, buffer, left < CHUNK ? (size_t)left : CHUNK, (off_t)offset);
		if (r < 0) {
			fail(errno, "read");
			close(fd);
			return;
		}
		if (r == 0) break;
		answer(DATA, buffer, (size_t)r);
		offset += (uint64_t)r;
		left -= (uint64_t)r;
	}
	close(fd);
	answer(DONE, NULL, 0);
}

static void make_parents(char *path) {
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);  // a failure shows when the file is opened
		*slash = '/';
	}
}

static void serve_write(struct cursor *c) {
	uint8_t append;
	take(c, &append, 1);
	char *path = take_path(c);
	if (!path || append > 1) _exit(EXIT_PROTOCOL);
	make_parents(path);
	struct stat st;
	int fd = open_plain(path, O_WRONLY | O_CREAT | (append ? O_APPEND : 0), S_IFREG, &st);
	if (fd < 0) return fail(errno, "open");
	int error = 0;
	if (!append && ftruncate(fd, 0)) error = errno;
	while (!error && c->at < c->end) {
		ssize_t r = write(fd, c->at, (size_t)(c->end - c->at));
		if (r > 0) c->at += r;
		else if (r < 0 && errno != EINTR) error = errno;
	}
	if (close(fd) && !error) error = errno;
	if (error) fail(error, "write");
	else answer(DONE, NULL, 0);
}

static void serve_list(struct cursor *c) {
	static uint8_t buffer[CHUNK];
	uint32_t left;
	take(c, &left, 4);
	const char *path = take_path(c);
	if (!path) _exit(EXIT_PROTOCOL);
	struct stat st;
	int fd = open_plain(path, O_RDONLY | O_DIRECTORY, S_IFDIR, &st);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) return fail(errno, "open");
	size_t used = 0;
	for (struct dirent *e; left && (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
		if (used + 23 + 256 > sizeof buffer) answer(ENTRIES, buffer, used), used = 0;
		used += put_entry(buffer + used, &st, e->d_name, strnlen(e->d_name, 255));
		left--;
	}
	if (used) answer(ENTRIES, buffer, used);
	closedir(dir);
	answer(DONE, NULL, 0);
}

static void serve_stat(struct cursor *c) {
	const char *path = take_path(c);
	if (!path) _exit(EXIT_PROTOCOL);
	struct stat st;
	if (lstat(path, &st)) return fail(errno, "stat");
	uint8_t info[23];
	answer(INFO, info, put_entry(info, &st, "", 0));
	answer(DONE, NULL, 0);
}

// --- beginning and end ---------------------------------------------------------------------------

static void serve(enum request type, struct cursor *c) {
	switch (type) {
	case EXEC: return serve_exec(c);
	case READ: return serve_read(c);
	case WRITE: return serve_write(c);
	case LIST: return serve_list(c);
	case STAT: return serve_stat(c);
	case KILL: return;  // what it meant to kill has just ended
	}
	_exit(EXIT_PROTOCOL);
}

// Nothing that the container runtime left open may stay open (the class of CVE-2024-21626).
static void tidy_descriptors(void) {
	if (syscall(SYS_close_range, 3u, ~0u, 0u))
		for (int fd = 3; fd < 1024; fd++) close(fd);
	int fd;
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd < 3) {}
	if (fd >= 0) close(fd);
	if (chdir("/")) _exit(EXIT_SYSTEM);
}

static void connect_to(const char *path) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path) _exit(EXIT_USAGE);
	strcpy(address.sun_path, path);
	gateway = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (gateway < 0 || connect(gateway, (struct sockaddr *)&address, sizeof address)) _exit(EXIT_CONNECT);
}

int main(int argc, char **argv) {
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	char *secret = getenv("YETT_HELLO");
	if (argc != 2 || !secret) return EXIT_USAGE;
	tidy_descriptors();
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigset_t ended;
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &ended, NULL)) return EXIT_SYSTEM;
	children = signalfd(-1, &ended, SFD_CLOEXEC | SFD_NONBLOCK);
	if (children < 0) return EXIT_SYSTEM;
	connect_to(argv[1]);
	answer(HELLO, secret, strnlen(secret, 256));
	explicit_bzero(secret, strlen(secret));
	clearenv();

	for (;;) {
		uint8_t head[5];
		uint32_t length;
		receive(head, sizeof head);
		memcpy(&length, head, 4);
		if (length > MAX_REQUEST) return EXIT_PROTOCOL;
		uint8_t *payload = malloc((size_t)length + 1);
		if (!payload) return EXIT_SYSTEM;
		receive(payload, length);
		struct cursor c = {payload, payload + length, true};
		serve((enum request)head[4], &c);
		free(payload);
	}
}
