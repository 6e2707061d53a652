// SPDX-License-Identifier: Apache-2.0
//
// The programs that run: slot 0 is the open call's, 1 to 8 are background programs. From start to the frame that tells
// the end, and the killing of what a program left behind.
#ifndef YETT_SLOTS_H
#define YETT_SLOTS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "frames.h"

enum {
	SLOTS = 9,
	WATCHED_BY_SLOT = 5,  // in, out, err, status, trouble
	STRAGGLER_MS = 50,    // how long what an ended program left may still write
	DRAIN_MS = 1000,      // how long output of dead processes is waited for
	SWEEP_MS = 1000,
};

enum slot_state { FREE, STARTING, RUNNING, ENDED };

struct slot {
	enum slot_state state;
	pid_t child;        // the program, or its supervisor; 0 once it was reaped
	bool supervised;
	bool swept;         // nothing of it is alive
	bool failed;        // it never ran: errno and stage are in `why`
	int in, out, err, status_pipe, trouble;
	int status;         // as of waitpid
	int64_t deadline;   // once it has ended: when to wait no longer for output
	uint8_t *payload;   // holds the input
	const uint8_t *input, *input_end;
	struct {
		int error;
		char stage;
	} why;
};

extern struct slot slots[SLOTS];

void slots_begin(void);
// Start what the frame asks for. Takes the payload over.
void slots_run(struct frame *frame);
// Kill the program of a slot and all it started.
void slots_kill(uint8_t slot);
// Whether what was asked last is still to be answered.
bool slots_busy(void);
bool slots_alive(void);

// For the loop: fill in `SLOTS * WATCHED_BY_SLOT` entries; ms until something is due or -1; do what came up.
void slots_watch(struct pollfd *watch);
int slots_timeout(void);
void slots_heed(const struct pollfd *watch);
// Go on with what has ended; may send its last frame.
void slots_advance(void);
// A child of PID 1 was reaped.
void slots_reaped(pid_t pid, int status);

int64_t now_ms(void);

#endif
