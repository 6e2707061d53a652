// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "dispatch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "files.h"
#include "forward.h"
#include "frames.h"
#include "slots.h"

static bool begun;

void dispatch_begin(void) {
	begun = false;
}

static void begin(struct cursor *c) {
	uint16_t port;
	take(c, &port, sizeof port);
	expect_end(c);
	if (begun) _exit(EXIT_PROTOCOL);
	begun = true;
	int error = port ? forward_listen(port) : 0;
	if (error) say_failed(error, "listen");
	else say_done();
}

static void kill_slot(struct cursor *c) {
	uint8_t slot;
	take(c, &slot, sizeof slot);
	expect_end(c);
	slots_kill(slot);
}

static void dispatch(struct frame *frame) {
	struct cursor c = {frame->payload, frame->payload + frame->size, true};
	if (!begun && frame->type != BEGIN) _exit(EXIT_PROTOCOL);
	switch (frame->type) {
	case KILL: return kill_slot(&c);
	case CONN_DATA:
	case CONN_GRANT:
	case CONN_END:
	case CONN_RESET: return forward_frame(frame->type, &c);
	default: break;
	}
	if (slots_busy()) _exit(EXIT_PROTOCOL);  // one request at a time
	switch (frame->type) {
	case BEGIN: return begin(&c);
	case RUN: return slots_run(frame);
	case READ: return serve_read(&c);
	case WRITE: return serve_write(&c);
	case LIST: return serve_list(&c);
	case STAT: return serve_stat(&c);
	default: _exit(EXIT_PROTOCOL);
	}
}

void dispatch_received(void) {
	for (struct frame frame; line_next(&frame);) {
		dispatch(&frame);
		free(frame.payload);
	}
}
