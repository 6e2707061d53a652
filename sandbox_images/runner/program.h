// SPDX-License-Identifier: Apache-2.0
//
// One program: what the gateway asked to run, and the processes that become it. What happens between its start and
// its end is in slots.c.
#ifndef YETT_PROGRAM_H
#define YETT_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "frames.h"

enum {
	MAX_STRINGS = 4096,  // argv and environment together
	MAX_LIMITS = 8,
};

// Strings and input point into the request's payload; argv and envp are from malloc.
struct program {
	uint8_t slot;
	char *folder, **argv, **envp;
	const uint8_t *input;
	size_t input_size;
	uint8_t limit_count;
	struct {
		int resource;
		rlim_t value;
	} limits[MAX_LIMITS];
};

// The child's ends of the pipes, in the order of the numbers that they get.
struct ends {
	int in, out, err;
	int trouble;  // tells what went wrong before exec; closes with a good exec
	int status;   // the supervisor tells the wait status of the program; -1 without a supervisor
};

// What comes through `trouble`.
struct trouble {
	int32_t error;
	char stage;  // f fork, s setup, d folder, x exec
};

// False if the payload is not a request to run a program. Free with program_free.
bool program_parse(struct cursor *c, struct program *p);
void program_free(struct program *p);

// Fork the program, below a supervisor if `ends->status` is a descriptor; gives the child's pid, or -1 with errno.
pid_t program_fork(const struct program *p, const struct ends *ends);

// Close every descriptor from `first` on.
void close_from(int first);

#endif
