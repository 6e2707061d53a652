// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "text.h"

#include <fcntl.h>
#include <unistd.h>

static unsigned digit(char c) {
	if (c >= '0' && c <= '9') return (unsigned)(c - '0');
	if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A' + 10);
	if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
	return 99;
}

bool text_number(const char **at, unsigned base, unsigned long *number) {
	while (**at == ' ') ++*at;
	if (digit(**at) >= base) return false;
	for (*number = 0; digit(**at) < base; ++*at) *number = *number * base + digit(**at);
	return true;
}

bool text_is(const char **at, char c) {
	return **at == c && *(*at)++;
}

bool text_skip(const char **at, int count) {
	while (count--) {
		while (**at == ' ') ++*at;
		if (!**at) return false;
		while (**at && **at != ' ') ++*at;
	}
	return true;
}

char *text_put(char *to, unsigned long number) {
	char digits[24];
	int n = 0;
	do digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n) *to++ = digits[--n];
	*to = 0;
	return to;
}

long text_read(int folder, const char *path, char *to, size_t size) {
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	size_t used = 0;
	ssize_t n = 0;
	while (used < size - 1 && (n = read(fd, to + used, size - 1 - used)) > 0) used += (size_t)n;
	close(fd);
	to[used] = 0;
	return n < 0 ? -1 : (long)used;
}
