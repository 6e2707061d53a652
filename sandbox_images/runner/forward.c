// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "text.h"

struct connection connections[MAX_CONNECTIONS];

static int listener = -1;
static uint16_t port, next_id;
static bool full;  // out of descriptors: wait until a connection closes

void forward_begin(void) {
	listener = -1;
	port = next_id = 0;
	full = false;
	for (int i = 0; i < MAX_CONNECTIONS; i++) connections[i] = (struct connection){.fd = -1};
}

int forward_listen(uint16_t on) {
	int yes = 1;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(on), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) return errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) || bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    listen(fd, MAX_CONNECTIONS)) {
		int error = errno;
		close(fd);
		return error;
	}
	listener = fd;
	port = on;
	return 0;
}

static struct connection *find(uint16_t id) {
	for (struct connection *c = connections; c < connections + MAX_CONNECTIONS; c++)
		if (c->used && c->id == id) return c;
	return NULL;
}

static void say_id(uint8_t type, uint16_t id) {
	say(type, &id, sizeof id, NULL, 0);
}

// Both sides know the end of it, or soon will: `id_free` if nothing more comes for the id.
static void drop(struct connection *c, bool abort, bool id_free) {
	struct linger at_once = {1, 0};
	if (c->fd >= 0 && abort) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	if (c->fd >= 0) close(c->fd);
	free(c->held);
	c->held = NULL;
	c->held_size = 0;
	c->fd = -1;
	c->used = !id_free;
	full = false;
}

static void reset(struct connection *c) {
	bool over = c->sent_end && c->got_end;
	if (!over) say_id(CONN_RESET, c->id);
	c->sent_reset = true;
	drop(c, true, over);
}

// --- program to gateway --------------------------------------------------------------------------

static void accept_one(void) {
	struct connection *c = connections;
	while (c < connections + MAX_CONNECTIONS && c->used) c++;
	if (c == connections + MAX_CONNECTIONS) return;
	struct sockaddr_in from = {0};
	socklen_t size = sizeof from;
	int fd = accept4(listener, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
		return;
	}
	while (find(next_id)) next_id++;
	*c = (struct connection){
		.used = true, .id = next_id++, .fd = fd, .peer_port = ntohs(from.sin_port), .credit = WINDOW, .granted = WINDOW,
	};
	c->held = malloc(WINDOW);
	if (!c->held) _exit(EXIT_SYSTEM);
	say_id(CONN_OPEN, c->id);
}

static void from_program(struct connection *c) {
	static uint8_t buffer[CHUNK - sizeof c->id];
	ssize_t n = read(c->fd, buffer, c->credit < sizeof buffer ? c->credit : sizeof buffer);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n < 0) return reset(c);
	if (n > 0) {
		say(CONN_DATA, &c->id, sizeof c->id, buffer, (size_t)n);
		c->credit -= (uint32_t)n;
		return;
	}
	say_id(CONN_END, c->id);
	c->sent_end = true;
	if (c->got_end && !c->held_size) drop(c, false, true);
}

// --- gateway to program --------------------------------------------------------------------------

static void to_program(struct connection *c) {
	while (c->held_size) {
		ssize_t n = send(c->fd, c->held + c->held_from, c->held_size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) return reset(c);
		c->held_from += (uint32_t)n;
		c->held_size -= (uint32_t)n;
		c->passed += (uint32_t)n;
	}
	if (c->got_end) {
		if (c->held_size) return;
		shutdown(c->fd, SHUT_WR);
		if (c->sent_end) drop(c, false, true);
	} else if (c->passed >= GRANT_STEP) {
		uint8_t payload[6];
		memcpy(payload, &c->id, 2);
		memcpy(payload + 2, &c->passed, 4);
		say(CONN_GRANT, payload, sizeof payload, NULL, 0);
		c->granted += c->passed;
		c->passed = 0;
	}
}

static void hold(struct connection *c, const uint8_t *bytes, uint32_t size) {
	if (c->held_from + c->held_size + size > WINDOW) {
		memmove(c->held, c->held + c->held_from, c->held_size);
		c->held_from = 0;
	}
	memcpy(c->held + c->held_from + c->held_size, bytes, size);
	c->held_size += size;
}

static void data_came(struct connection *c, const uint8_t *bytes, size_t size) {
	if (size > CHUNK - sizeof c->id) _exit(EXIT_PROTOCOL);
	if (c->sent_reset) return;
	if (c->got_end || size > c->granted) _exit(EXIT_PROTOCOL);
	c->granted -= (uint32_t)size;
	bool waiting = c->held_size;
	hold(c, bytes, (uint32_t)size);
	if (!waiting) to_program(c);
}

static void end_came(struct connection *c) {
	if (c->sent_reset) return;
	if (c->got_end) _exit(EXIT_PROTOCOL);
	c->got_end = true;
	to_program(c);
}

static void grant_came(struct connection *c, uint32_t more) {
	if (c->sent_reset) return;
	if (more > INT32_MAX || c->credit + more > INT32_MAX) _exit(EXIT_PROTOCOL);
	c->credit += more;
}

void forward_frame(uint8_t type, struct cursor *payload) {
	uint16_t id;
	uint32_t more = 0;
	take(payload, &id, sizeof id);
	if (type == CONN_GRANT) take(payload, &more, sizeof more);
	if (type != CONN_DATA) expect_end(payload);
	if (!payload->ok) _exit(EXIT_PROTOCOL);
	struct connection *c = find(id);
	// A grant and a reset may cross with the end that made the id free.
	if (type == CONN_RESET) {
		if (!c || !c->sent_reset) say_id(CONN_RESET, id);
		if (c) drop(c, true, true);
		return;
	}
	if (!c && type == CONN_GRANT) return;
	if (!c) _exit(EXIT_PROTOCOL);
	c->hushed = false;
	if (type == CONN_DATA) data_came(c, payload->at, (size_t)(payload->end - payload->at));
	else if (type == CONN_END) end_came(c);
	else if (type == CONN_GRANT) grant_came(c, more);
	else _exit(EXIT_PROTOCOL);
}

// --- dead programs -------------------------------------------------------------------------------

void forward_reset_all(void) {
	// Those that were not taken yet must not come up after the end was told.
	for (int fd; listener >= 0 && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) close(fd);
	for (struct connection *c = connections; c < connections + MAX_CONNECTIONS; c++)
		if (c->used && !c->sent_reset) reset(c);
}

// A line of the kernel's table of sockets: is it the program's end of a connection to us that a process still holds?
static bool owned_end(const char *line, unsigned long *local_port) {
	unsigned long peer_address, peer_port, inode;
	return text_skip(&line, 1) && text_number(&line, 16, &inode) && text_is(&line, ':') && text_number(&line, 16, local_port) &&
	       text_number(&line, 16, &peer_address) && text_is(&line, ':') && text_number(&line, 16, &peer_port) &&
	       text_skip(&line, 6) && text_number(&line, 10, &inode) && inode && peer_port == port &&
	       peer_address == htonl(INADDR_LOOPBACK);
}

void forward_reset_orphans(void) {
	static char table[256 << 10];
	bool owned[MAX_CONNECTIONS] = {false}, any = false;
	for (int i = 0; i < MAX_CONNECTIONS; i++) any |= connections[i].fd >= 0;
	long size = any ? text_read(AT_FDCWD, "/proc/net/tcp", table, sizeof table) : -1;
	if (size < 0 || size == sizeof table - 1) return;  // then they end with what their other end says, or the gateway
	for (char *line = table, *next; (next = strchr(line, '\n')); line = next + 1) {
		*next = 0;
		unsigned long local_port;
		if (!owned_end(line, &local_port)) continue;
		for (int i = 0; i < MAX_CONNECTIONS; i++) owned[i] |= connections[i].peer_port == local_port;
	}
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		if (connections[i].fd >= 0 && !owned[i]) reset(&connections[i]);
}

// --- the loop ------------------------------------------------------------------------------------

void forward_watch(struct pollfd *watch) {
	bool room = false;
	for (int i = 0; i < MAX_CONNECTIONS; i++) {
		const struct connection *c = &connections[i];
		bool reads = !c->sent_end && c->credit, writes = c->held_size;
		room |= !c->used;
		watch[i] = (struct pollfd){c->hushed && !reads && !writes ? -1 : c->fd, 0, 0};
		watch[i].events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
	}
	watch[MAX_CONNECTIONS] = (struct pollfd){room && !full ? listener : -1, POLLIN, 0};
}

void forward_heed(const struct pollfd *watch) {
	for (int i = 0; i < MAX_CONNECTIONS; i++) {
		struct connection *c = &connections[i];
		short came = watch[i].revents;
		if (!came || !c->used || watch[i].fd != c->fd) continue;
		if (!watch[i].events && came & POLLERR) {
			reset(c);
			continue;
		}
		if (!watch[i].events) c->hushed = true;
		if (watch[i].events & POLLOUT && came & (POLLOUT | POLLERR | POLLHUP)) to_program(c);
		if (c->fd >= 0 && watch[i].events & POLLIN && came & (POLLIN | POLLERR | POLLHUP)) from_program(c);
	}
	if (watch[MAX_CONNECTIONS].revents) accept_one();
}
