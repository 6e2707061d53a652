// SPDX-License-Identifier: Apache-2.0
//
// The line to the gateway: frames in, frames out, and the cursor that reads a payload. README.md has the table of types.
// Any fault of the line ends this process, and with PID 1 the container: there is nobody else to tell.
#ifndef YETT_FRAMES_H
#define YETT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VERSION = 2,
	MAX_REQUEST = 32 << 20,  // payload of one request; the gateway refuses earlier
	MAX_PATH = 4096,
	CHUNK = 60 << 10,        // payload of one answer frame at most
	MAX_PREFIX = 64,         // of a payload: what stands before the bytes that are passed on
};

enum request { BEGIN = 'B', RUN = 'X', KILL = 'K', READ = 'G', WRITE = 'P', LIST = 'L', STAT = 'S' };
enum answer { READY = 'R', OUT = '1', ERR = '2', END = 'E', DATA = 'D', ENTRIES = 'N', INFO = 'I', DONE = 'O', FAIL = 'F' };
enum either_way { CONN_OPEN = 'o', CONN_DATA = 'd', CONN_GRANT = 'g', CONN_END = 'e', CONN_RESET = 'x' };

// Exit codes of PID 1 itself: each is a broken world, and the container ends with it.
enum { EXIT_GONE = 0, EXIT_USAGE = 96, EXIT_CONNECT = 97, EXIT_PROTOCOL = 98, EXIT_SYSTEM = 99 };

struct frame {
	uint8_t type;
	uint8_t *payload;  // from malloc; whoever gets the frame frees it
	size_t size;
};

struct cursor {
	const uint8_t *at, *end;
	bool ok;  // false once anything was not there, and for good
};

// The two directions may be one descriptor. Forgets what was read from an earlier line.
void line_open(int in, int out);
int line_in(void);
// One read, which does not block after POLLIN.
void line_receive(void);
// The next complete frame of what was received; false when there is none.
bool line_next(struct frame *frame);

// One frame to the gateway; waits until it is taken.
void say(uint8_t type, const void *prefix, size_t prefix_size, const void *bytes, size_t size);
void say_done(void);
// What was asked could not be done: errno, and a word for what was being tried.
void say_failed(int error, const char *word);

// Each checks what is left; what is not there reads as zero, or NULL.
void take(struct cursor *c, void *to, size_t size);
char *take_string(struct cursor *c);
char *take_path(struct cursor *c);
// A payload that has anything left, or lacked anything, was not made by the gateway.
void expect_end(const struct cursor *c);

#endif
