// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "forward.h"
#include "program.h"
#include "sweep.h"

struct slot slots[SLOTS];

int64_t now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void shut(int *fd) {
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

static uint8_t number_of(const struct slot *s) {
	return (uint8_t)(s - slots);
}

static void clear(struct slot *s) {
	*s = (struct slot){.state = FREE, .in = -1, .out = -1, .err = -1, .status_pipe = -1, .trouble = -1};
}

void slots_begin(void) {
	for (int i = 0; i < SLOTS; i++) clear(&slots[i]);
}

bool slots_busy(void) {
	if (slots[0].state != FREE) return true;
	for (int i = 1; i < SLOTS; i++)
		if (slots[i].state == STARTING || slots[i].failed) return true;
	return false;
}

bool slots_alive(void) {
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].state != FREE && !slots[i].swept) return true;
	return false;
}

static void forget_input(struct slot *s) {
	shut(&s->in);
	free(s->payload);
	s->payload = NULL;
}

// --- start ---------------------------------------------------------------------------------------

static bool make_pipe(int *ours, int *theirs, bool we_write) {
	int ends[2];
	if (pipe2(ends, O_CLOEXEC)) return false;
	*ours = ends[we_write];
	*theirs = ends[!we_write];
	return !fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static bool make_pipes(struct slot *s, struct ends *theirs) {
	return make_pipe(&s->in, &theirs->in, true) && make_pipe(&s->out, &theirs->out, false) &&
	       make_pipe(&s->err, &theirs->err, false) && make_pipe(&s->trouble, &theirs->trouble, false) &&
	       (!s->supervised || make_pipe(&s->status_pipe, &theirs->status, false));
}

void slots_run(struct frame *frame) {
	struct program p;
	struct cursor c = {frame->payload, frame->payload + frame->size, true};
	if (!program_parse(&c, &p) || p.slot >= SLOTS || slots[p.slot].state != FREE) _exit(EXIT_PROTOCOL);
	struct slot *s = &slots[p.slot];
	struct ends theirs = {-1, -1, -1, -1, -1};
	// Beside a background program the call's program needs a supervisor too, or what it leaves would look
	// the same as what a background program left.
	s->supervised = p.slot || slots_alive();
	pid_t child = make_pipes(s, &theirs) ? program_fork(&p, &theirs) : -1;
	int error = errno;
	shut(&theirs.in), shut(&theirs.out), shut(&theirs.err), shut(&theirs.trouble), shut(&theirs.status);
	program_free(&p);
	if (child < 0) {
		shut(&s->in), shut(&s->out), shut(&s->err), shut(&s->trouble), shut(&s->status_pipe);
		clear(s);
		return say_failed(error, "fork");
	}
	s->child = child;
	s->state = p.slot ? STARTING : RUNNING;
	s->payload = frame->payload;
	frame->payload = NULL;
	s->input = p.input;
	s->input_end = p.input + p.input_size;
	if (s->input == s->input_end) forget_input(s);
}

// Whether exec came off, as far as that is known by now.
static void note_start(struct slot *s) {
	struct trouble what;
	ssize_t n = read(s->trouble, &what, sizeof what);
	s->failed = n == sizeof what;
	if (s->failed) s->why.error = what.error, s->why.stage = what.stage;
	shut(&s->trouble);
	if (s->state != STARTING) return;
	s->state = RUNNING;
	if (!s->failed) say_done();
}

// --- end -----------------------------------------------------------------------------------------

static void ended(struct slot *s, int status) {
	if (s->state == STARTING) note_start(s);
	s->state = ENDED;
	s->status = status;
	s->deadline = now_ms() + STRAGGLER_MS;
	shut(&s->status_pipe);
}

// The supervisor's word on how its program ended; a supervisor that died without one was killed.
static void note_status(struct slot *s) {
	int status;
	ssize_t n = read(s->status_pipe, &status, sizeof status);
	if (n == sizeof status) ended(s, status);
	else if (n == 0 || !s->child) ended(s, SIGKILL);
}

void slots_reaped(pid_t pid, int status) {
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (s->state == FREE || s->child != pid) continue;
		s->child = 0;
		if (s->state == ENDED) return;
		if (s->supervised) note_status(s);
		else ended(s, status);
		return;
	}
}

// Kill all that no other slot has a claim to.
static void sweep_slot(struct slot *s) {
	s->swept = true;
	sweep();
	s->deadline = now_ms() + DRAIN_MS;
	if (!slots_alive()) forward_reset_all();
	else forward_reset_orphans();
}

void slots_kill(uint8_t number) {
	if (number >= SLOTS) _exit(EXIT_PROTOCOL);
	struct slot *s = &slots[number];
	if (s->state != FREE && !s->swept) sweep_slot(s);
}

static void finish(struct slot *s) {
	if (s->trouble >= 0) note_start(s);
	forget_input(s);
	shut(&s->out), shut(&s->err), shut(&s->status_pipe);
	struct slot last = *s;
	clear(s);
	if (last.failed) {
		char stage = last.why.stage;
		return say_failed(last.why.error, stage == 'd' ? "cwd" : stage == 'x' ? "exec" : stage == 'f' ? "fork" : "setup");
	}
	bool killed = WIFSIGNALED(last.status);
	uint8_t end[] = {number_of(s), killed, (uint8_t)(killed ? WTERMSIG(last.status) : WEXITSTATUS(last.status))};
	say(END, end, sizeof end, NULL, 0);
}

void slots_advance(void) {
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (s->state != ENDED) continue;
		bool late = now_ms() >= s->deadline, silent = s->out < 0 && s->err < 0;
		if (!s->swept && (late || silent)) {
			sweep_slot(s);
			late = false;
		}
		if (s->swept && (late || silent)) finish(s);
	}
}

// --- between -------------------------------------------------------------------------------------

void slots_watch(struct pollfd *watch) {
	for (struct slot *s = slots; s < slots + SLOTS; s++, watch += WATCHED_BY_SLOT) {
		// Output waits until the start was told. Of the call's program trouble is asked at the end only.
		bool flows = s->state == RUNNING || s->state == ENDED, started = s->state != FREE && s->state != STARTING;
		watch[0] = (struct pollfd){flows ? s->in : -1, POLLOUT, 0};
		watch[1] = (struct pollfd){flows ? s->out : -1, POLLIN, 0};
		watch[2] = (struct pollfd){flows ? s->err : -1, POLLIN, 0};
		watch[3] = (struct pollfd){started ? s->status_pipe : -1, POLLIN, 0};
		watch[4] = (struct pollfd){s->state == STARTING ? s->trouble : -1, POLLIN, 0};
	}
}

int slots_timeout(void) {
	int64_t first = -1, now = 0;
	for (struct slot *s = slots; s < slots + SLOTS; s++) {
		if (s->state != ENDED) continue;
		if (!now) now = now_ms();
		int64_t left = s->deadline > now ? s->deadline - now : 0;
		if (first < 0 || left < first) first = left;
	}
	return (int)first;
}

// Pass on what a pipe holds; false at its end.
static bool pass_on(int pipe_end, uint8_t type, uint8_t slot) {
	static uint8_t buffer[CHUNK - 1];
	ssize_t n = read(pipe_end, buffer, sizeof buffer);
	if (n > 0) say(type, &slot, 1, buffer, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static bool feed(struct slot *s) {
	ssize_t n = write(s->in, s->input, (size_t)(s->input_end - s->input));
	if (n > 0) s->input += n;
	return s->input < s->input_end && (n >= 0 || errno == EAGAIN || errno == EINTR);
}

void slots_heed(const struct pollfd *watch) {
	for (struct slot *s = slots; s < slots + SLOTS; s++, watch += WATCHED_BY_SLOT) {
		if (s->state == FREE) continue;
		if (watch[4].revents) note_start(s);
		if (watch[0].revents && !feed(s)) forget_input(s);
		if (watch[1].revents && !pass_on(s->out, OUT, number_of(s))) shut(&s->out);
		if (watch[2].revents && !pass_on(s->err, ERR, number_of(s))) shut(&s->err);
		if (watch[3].revents) note_status(s);
	}
}
