// SPDX-License-Identifier: Apache-2.0
//
// Connections that programs make to 127.0.0.1, carried to the gateway as frames. Nothing here waits for a program: what
// one side is slow to take is held back at the other by the windows, and each connection has a buffer of its own.
#ifndef YETT_FORWARD_H
#define YETT_FORWARD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "frames.h"

enum {
	MAX_CONNECTIONS = 64,
	WINDOW = 64 << 10,       // what either side may send before it is granted more
	GRANT_STEP = 16 << 10,   // grants are saved up to this
	WATCHED_BY_FORWARD = MAX_CONNECTIONS + 1,
};

struct connection {
	bool used;          // the entry is taken: the id is not free, or bytes are still to go to the program
	uint16_t id;
	int fd;             // -1 once it was reset
	bool sent_end, got_end, sent_reset;
	bool hushed;        // nothing to do with it until the gateway says something
	uint16_t peer_port;
	uint32_t credit;    // bytes that the gateway has granted
	uint32_t granted;   // bytes that the gateway may still send
	uint32_t passed;    // bytes that went to the program and were not granted anew
	uint8_t *held;      // WINDOW bytes: what the program has not taken
	uint32_t held_from, held_size;
};

extern struct connection connections[MAX_CONNECTIONS];

void forward_begin(void);
// Listen on 127.0.0.1; errno, 0 for none.
int forward_listen(uint16_t port);
// A frame about a connection; a fault in it ends this process.
void forward_frame(uint8_t type, struct cursor *c);
// Reset the connections of dead programs: all, or those whose other end has no owner any more.
void forward_reset_all(void);
void forward_reset_orphans(void);

// For the loop: fill in WATCHED_BY_FORWARD entries; do what came up.
void forward_watch(struct pollfd *watch);
void forward_heed(const struct pollfd *watch);

#endif
