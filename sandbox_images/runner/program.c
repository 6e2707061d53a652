// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TROUBLE = 3, STATUS = 4, AWAY = 16 };

bool program_parse(struct cursor *c, struct program *p) {
	static const int resources[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_AS};
	uint16_t argc, envc;
	*p = (struct program){0};
	take(c, &p->slot, 1);
	take(c, &argc, 2);
	take(c, &envc, 2);
	take(c, &p->limit_count, 1);
	if (!c->ok || argc < 1 || argc + envc > MAX_STRINGS || p->limit_count > MAX_LIMITS) return false;
	for (int i = 0; i < p->limit_count; i++) {
		uint8_t which;
		uint64_t value;
		take(c, &which, 1);
		take(c, &value, 8);
		if (!c->ok || which >= sizeof resources / sizeof *resources) return false;
		p->limits[i].resource = resources[which];
		p->limits[i].value = value;
	}
	p->folder = take_path(c);
	if (!c->ok) return false;
	p->argv = calloc((size_t)argc + 1, sizeof(char *));
	p->envp = calloc((size_t)envc + 1, sizeof(char *));
	if (!p->argv || !p->envp) _exit(EXIT_SYSTEM);
	for (int i = 0; i < argc; i++) p->argv[i] = take_string(c);
	for (int i = 0; i < envc; i++) p->envp[i] = take_string(c);
	p->input = c->at;
	p->input_size = (size_t)(c->end - c->at);
	return c->ok;
}

void program_free(struct program *p) {
	free(p->argv);
	free(p->envp);
	p->argv = p->envp = NULL;
}

void close_from(int first) {
	if (!syscall(SYS_close_range, (unsigned)first, ~0u, 0u)) return;
	struct rlimit files;
	int last = 65536;
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < (rlim_t)last) last = (int)files.rlim_cur;
	for (int fd = first; fd < last; fd++) close(fd);
}

static _Noreturn void give_up(int trouble, char stage) {
	struct trouble what = {errno, stage};
	(void)!write(trouble, &what, sizeof what);
	_exit(127);
}

// Give the pipes their numbers and close all else, the line to the gateway first of all. Until this is done the
// process must not be dumpable: programs of the same uid may be alive, and could take what it holds.
static void arrange(const struct ends *ends) {
	const int from[] = {ends->in, ends->out, ends->err, ends->trouble, ends->status};
	const int count = ends->status < 0 ? STATUS : STATUS + 1;
	int away[5];
	for (int i = 0; i < count; i++)
		if ((away[i] = fcntl(from[i], F_DUPFD_CLOEXEC, AWAY)) < 0) give_up(ends->trouble, 's');
	for (int i = 0; i < count; i++)
		if (dup3(away[i], i, i < TROUBLE ? 0 : O_CLOEXEC) < 0) give_up(away[TROUBLE], 's');
	close_from(count);
}

static _Noreturn void become(const struct program *p) {
	setsid();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	// Be the one the kernel picks when the container is out of memory, rather than PID 1. The file
	// is writable only to a dumpable process; exec makes the child dumpable in any case.
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (score >= 0) {
		(void)!write(score, "1000", 4);
		close(score);
	}
	for (int i = 0; i < p->limit_count; i++) {
		struct rlimit limit;
		if (getrlimit(p->limits[i].resource, &limit)) give_up(TROUBLE, 's');
		if (p->limits[i].value < limit.rlim_max) limit.rlim_max = p->limits[i].value;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(p->limits[i].resource, &limit)) give_up(TROUBLE, 's');
	}
	if (chdir(p->folder)) give_up(TROUBLE, 'd');
	environ = p->envp;  // so that execvp looks along the program's PATH and not along ours
	execvp(p->argv[0], p->argv);
	give_up(TROUBLE, 'x');
}

// Orphans of the program come to the supervisor and not to PID 1: that is how they are told from all others. It tells
// how the program ended and stays until PID 1 has killed what is below it, and then it.
static _Noreturn void supervise(const struct program *p) {
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	// A kernel without subreapers (older gVisor) gives orphans to PID 1: they count as nobody's and die in the next
	// sweep, so less stays than could and nothing that should not.
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) && errno != EINVAL) give_up(TROUBLE, 's');
	pid_t child = fork();
	if (child < 0) give_up(TROUBLE, 'f');
	if (child == 0) {
		close(STATUS);
		become(p);
	}
	for (int fd = 0; fd < STATUS; fd++) close(fd);
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid == child) (void)!write(STATUS, &status, sizeof status);
		if (pid < 0 && errno == ECHILD) pause();
	}
}

pid_t program_fork(const struct program *p, const struct ends *ends) {
	pid_t child = fork();
	if (child) return child;
	arrange(ends);
	if (ends->status >= 0) supervise(p);
	become(p);
}
