// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "frames.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire format is read with memcpy and needs a little-endian machine"
#endif

enum { HEADER = 5 };

static int in = -1, out = -1;

// Small frames are parsed from `buffer`; what does not fit is read straight into its payload.
static uint8_t buffer[64 << 10];
static size_t start, end;
static struct frame large;
static size_t large_have;

void line_open(int from, int to) {
	in = from, out = to;
	free(large.payload);
	large = (struct frame){0};
	start = end = large_have = 0;
}

int line_in(void) {
	return in;
}

void line_receive(void) {
	uint8_t *to = large.payload ? large.payload + large_have : buffer + end;
	size_t room = large.payload ? large.size - large_have : sizeof buffer - end;
	ssize_t n = read(in, to, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (n <= 0) _exit(EXIT_GONE);
	if (large.payload) large_have += (size_t)n;
	else end += (size_t)n;
}

bool line_next(struct frame *frame) {
	if (large.payload) {
		if (large_have < large.size) return false;
		*frame = large;
		large = (struct frame){0};
		return true;
	}
	size_t have = end - start;
	if (have < HEADER) {
		memmove(buffer, buffer + start, have);
		start = 0, end = have;
		return false;
	}
	uint32_t size;
	memcpy(&size, buffer + start, 4);
	if (size > MAX_REQUEST) _exit(EXIT_PROTOCOL);
	*frame = (struct frame){buffer[start + 4], malloc((size_t)size + 1), size};
	if (!frame->payload) _exit(EXIT_SYSTEM);
	have -= HEADER;
	size_t part = have < size ? have : size;
	memcpy(frame->payload, buffer + start + HEADER, part);
	start += HEADER + part;
	if (part == size) return true;
	large = *frame;
	large_have = part;
	start = end = 0;
	return false;
}

void say(uint8_t type, const void *prefix, size_t prefix_size, const void *bytes, size_t size) {
	uint8_t head[HEADER + MAX_PREFIX];
	uint32_t length = (uint32_t)(prefix_size + size);
	if (prefix_size > MAX_PREFIX || prefix_size + size > CHUNK) _exit(EXIT_SYSTEM);
	memcpy(head, &length, 4);
	head[4] = type;
	if (prefix_size) memcpy(head + HEADER, prefix, prefix_size);
	struct iovec parts[] = {{head, HEADER + prefix_size}, {(void *)(uintptr_t)bytes, size}};
	for (int i = 0; i < 2;) {
		ssize_t n = writev(out, parts + i, 2 - i);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd room = {out, POLLOUT, 0};
			poll(&room, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			_exit(EXIT_GONE);
		}
		for (size_t left = n > 0 ? (size_t)n : 0; i < 2;) {
			size_t some = left < parts[i].iov_len ? left : parts[i].iov_len;
			if (some) parts[i].iov_base = (uint8_t *)parts[i].iov_base + some;
			parts[i].iov_len -= some;
			left -= some;
			if (parts[i].iov_len) break;
			i++;
		}
	}
}

void say_done(void) {
	say(DONE, NULL, 0, NULL, 0);
}

void say_failed(int error, const char *word) {
	uint32_t code = (uint32_t)error;
	say(FAIL, &code, sizeof code, word, strlen(word));
}

void take(struct cursor *c, void *to, size_t size) {
	if (!c->ok || (size_t)(c->end - c->at) < size) {
		c->ok = false;
		memset(to, 0, size);
		return;
	}
	memcpy(to, c->at, size);
	c->at += size;
}

char *take_string(struct cursor *c) {
	const uint8_t *nul = c->ok && c->at < c->end ? memchr(c->at, 0, (size_t)(c->end - c->at)) : NULL;
	if (!nul) {
		c->ok = false;
		return NULL;
	}
	char *s = (char *)(uintptr_t)c->at;
	c->at = nul + 1;
	return s;
}

char *take_path(struct cursor *c) {
	char *path = take_string(c);
	if (path && (path[0] != '/' || strlen(path) >= MAX_PATH)) c->ok = false;
	return c->ok ? path : NULL;
}

void expect_end(const struct cursor *c) {
	if (!c->ok || c->at != c->end) _exit(EXIT_PROTOCOL);
}
