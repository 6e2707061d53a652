// SPDX-License-Identifier: Apache-2.0
//
// Nobody can hide: an orphan's parent is the supervisor above it, or PID 1. PID 1's list of children can only lose an
// entry by PID 1's own waitpid, so one reading of it that shows none but living supervisors proves that at
// its beginning there was nothing else. The walk over /proc before it only makes it fast.
#define _GNU_SOURCE
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slots.h"
#include "text.h"

enum {
	MAX_PROCESSES = 4096,  // looked at in one pass; a container has a limit far below
	CLEAN_PASSES = 2,      // where the kernel has no list of children
};

struct process {
	pid_t pid, parent;
	bool dead, nobodys;
};

static int proc = -1;
static struct process processes[MAX_PROCESSES];
static int process_count;

void sweep_begin(void) {
	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void reap(void) {
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) slots_reaped(pid, status);
}

static void kill_everything(void) {
	kill(-1, SIGKILL);
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;)
		if (pid > 0) slots_reaped(pid, status);
}

static bool kept(pid_t pid) {
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state != FREE && !slots[i].swept && slots[i].supervised && slots[i].child == pid) return true;
	return false;
}

static bool anything_kept(void) {
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state != FREE && !slots[i].swept && slots[i].child) return true;
	return false;
}

// 1: PID 1 has no children but living supervisors. 0: it has. -1: the kernel does not tell.
static int only_kept_children(void) {
	static char text[64 << 10];
	long size = text_read(proc, "1/task/1/children", text, sizeof text);
	if (size < 0) return -1;
	if (size == sizeof text - 1) return 0;
	unsigned long pid;
	for (const char *at = text; text_number(&at, 10, &pid);)
		if (!kept((pid_t)pid)) return 0;
	return 1;
}

// The parent's pid from /proc/PID/stat, and whether it is dead: a zombie with no other thread.
static bool read_process(unsigned long pid, struct process *p) {
	char path[32], text[512];
	memcpy(text_put(path, pid), "/stat", sizeof "/stat");
	if (text_read(proc, path, text, sizeof text) <= 0) return false;
	const char *at = strrchr(text, ')');  // the name before it may hold anything
	if (!at || at[1] != ' ') return false;
	char state = at[2];
	unsigned long parent, threads;
	at += 3;
	if (!text_number(&at, 10, &parent) || !text_skip(&at, 15) || !text_number(&at, 10, &threads)) return false;
	*p = (struct process){(pid_t)pid, (pid_t)parent, (state == 'Z' || state == 'X') && threads <= 1, false};
	return true;
}

static bool list_processes(void) {
	int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0) close(fd);
		return false;
	}
	process_count = 0;
	for (struct dirent *e; process_count < MAX_PROCESSES && (e = readdir(dir));) {
		const char *name = e->d_name;
		unsigned long pid;
		if (text_number(&name, 10, &pid) && read_process(pid, &processes[process_count])) process_count++;
	}
	closedir(dir);
	return true;
}

// Whether the line of parents ends at PID 1 without passing a living supervisor. A line that is broken, because a
// parent has just died, is nobody's only in the next pass.
static bool is_nobodys(pid_t pid) {
	for (int steps = 0; steps <= process_count; steps++) {
		if (kept(pid)) return false;
		pid_t parent = -1;
		for (int i = 0; i < process_count && parent < 0; i++)
			if (processes[i].pid == pid) parent = processes[i].parent;
		if (parent == 1 || parent == 0) return true;
		if (parent < 0) return false;
		pid = parent;
	}
	return false;
}

// One pass: hold all that is nobody's so that it stops multiplying, then kill it. How many were alive, or -1.
static int strike(void) {
	if (!list_processes()) return -1;
	int alive = 0;
	for (struct process *p = processes; p < processes + process_count; p++) {
		p->nobodys = p->pid != 1 && is_nobodys(p->pid);
		if (!p->nobodys) continue;
		kill(p->pid, SIGSTOP);
		alive += !p->dead;
	}
	for (struct process *p = processes; p < processes + process_count; p++)
		if (p->nobodys) kill(p->pid, SIGKILL);
	return alive;
}

void sweep(void) {
	int64_t deadline = now_ms() + SWEEP_MS;
	int clean = 0;
	while (anything_kept() && now_ms() < deadline) {
		reap();
		int only_kept = only_kept_children();
		if (only_kept == 1) return;
		int alive = strike();
		if (alive < 0) break;
		clean = alive ? 0 : clean + 1;
		if (only_kept < 0 && clean == CLEAN_PASSES) return reap();
		// What was killed takes a moment to go, and then makes this process's SIGCHLD pending.
		sigset_t chld;
		sigemptyset(&chld);
		sigaddset(&chld, SIGCHLD);
		struct timespec moment = {0, 1000000};
		sigtimedwait(&chld, NULL, &moment);
	}
	kill_everything();
}
