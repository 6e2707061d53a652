// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer over whole conversations: what the gateway says, what programs write, how they end, what their connections do,
// in any order. The product's own loop body runs after each step.
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>

#include "../dispatch.h"
#include "../forward.h"
#include "../frames.h"
#include "../slots.h"
#include "world.h"

enum { LINE = 900, STEPS = 400, INPUT = 64 << 10 };

struct input {
	const uint8_t *at, *end;
};

static uint8_t byte(struct input *in) {
	return in->at < in->end ? *in->at++ : 0;
}

static const uint8_t *bytes(struct input *in, size_t *size) {
	const uint8_t *at = in->at;
	if (*size > (size_t)(in->end - at)) *size = (size_t)(in->end - at);
	in->at += *size;
	return at;
}

// A frame with the right length, as the gateway makes them; the rest is up to the fuzzer.
static void say_frame(struct input *in, uint8_t type) {
	static uint8_t frame[5 + 255 * 256];
	size_t times = 1 + (size_t)byte(in), size = byte(in);
	const uint8_t *payload = bytes(in, &size);
	if (type != CONN_DATA && type != WRITE) times = 1;
	frame[4] = type;
	memcpy(frame + 5, payload, size);
	size_t total = size;
	for (size_t i = 1; i < times && size > 2; i++, total += size - 2) memcpy(frame + 5 + total, payload + 2, size - 2);
	uint32_t length = (uint32_t)total;
	memcpy(frame, &length, 4);
	world_say(frame, 5 + total);
}

static void step(struct input *in) {
	uint8_t what = byte(in), which = byte(in);
	size_t size = 0;
	const uint8_t *some = NULL;
	if (what % 16 < 6 && what % 16 > 2) {
		size = byte(in);
		some = bytes(in, &size);
	}
	switch (what % 16) {
	case 0:
	case 1: return say_frame(in, which);
	case 2: return world_close(which % SLOTS);
	case 3: return world_output(which % SLOTS, which >> 7, some, size);
	case 4: return world_conn_write(which, some, size);
	case 5: return world_say(some, size);
	case 6: return world_ends(which % SLOTS, byte(in) << 8, 1);
	case 7: return world_ends(which % SLOTS, which >> 4, 0);
	case 8: return world_trouble(which % SLOTS, NULL, 0);
	case 9: return world_trouble(which % SLOTS, (const uint8_t *)"\2\0\0\0x\0\0\0", 8);
	case 10: return world_connect();
	case 11: return world_conn_read(which, 1 + (size_t)byte(in) * 256);
	case 12: return world_conn_close(which, byte(in) % 4);
	case 13: return world_wait(which * 8);
	default: return;
	}
}

static void turn(void) {
	struct pollfd watch[SLOTS * WATCHED_BY_SLOT + WATCHED_BY_FORWARD];
	slots_watch(watch);
	forward_watch(watch + SLOTS * WATCHED_BY_SLOT);
	poll(watch, sizeof watch / sizeof *watch, 0);
	slots_heed(watch);
	forward_heed(watch + SLOTS * WATCHED_BY_SLOT);
	dispatch_received();
	slots_advance();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size > INPUT) return -1;
	struct input in = {data, data + size};
	world_begin();
	line_open(LINE, LINE);
	slots_begin();
	forward_begin();
	dispatch_begin();
	if (!setjmp(world_exit)) {
		for (int i = 0; i < STEPS && in.at < in.end; i++) {
			step(&in);
			turn();
		}
	}
	world_end();
	return 0;
}
