// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "text.h"

enum {
	PROC_MAGIC = 0x9fa0,
	SYSFS_MAGIC = 0x62656572,
	ENTRY = 23,  // an entry without its name
	MAX_NAME = 255,
};

// A link is told by its own word: ELOOP alone could be a path that really goes in circles.
static void failed(int error, const char *word) {
	say_failed(error, error == ELOOP ? "symlink" : word);
}

static int fault(int fd, int error) {
	close(fd);
	errno = error;
	return -1;
}

// Seen from here "self" in /proc is PID 1, whose memory and descriptors are not the agent's business.
static bool is_kernels(int fd) {
	struct statfs fs;
	return fstatfs(fd, &fs) || fs.f_type == PROC_MAGIC || fs.f_type == SYSFS_MAGIC;
}

// --- where a path leads --------------------------------------------------------------------------

static int open_part(int parent, const char *part, bool make) {
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, part, flags);
	if (fd < 0 && errno == ENOENT && make) {
		if (mkdirat(parent, part, 0755) && errno != EEXIST) return -1;
		fd = openat(parent, part, flags);
	}
	struct stat st;
	if (fd < 0 && errno == ENOTDIR && !fstatat(parent, part, &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode)) errno = ELOOP;
	if (fd >= 0 && is_kernels(fd)) return fault(fd, EACCES);
	return fd;
}

// Take the empty parts, `.` and `..` out of an absolute path, in place. With no links `..` can be done on the text, and then
// no rename can change what it means.
static void straighten(char *path) {
	char *to = path, *rest = path, *part;
	while ((part = strsep(&rest, "/"))) {
		if (!*part || !strcmp(part, ".")) continue;
		if (!strcmp(part, "..")) {
			while (to > path && *--to != '/') {}
			continue;
		}
		size_t size = strlen(part);
		memmove(to + 1, part, size);  // every part follows a slash, so there is room for one
		*to = '/';
		to += 1 + size;
	}
	*to = 0;
}

// Open the folder that holds the last part of a path, and tell that part; the root is `.` in itself. `make` the folders
// on the way.
static int open_folder(char *path, bool make, const char **last) {
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	straighten(path);
	char *part = path, *slash;
	if (*part) part++;
	for (; fd >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
		*slash = 0;
		int inner = open_part(fd, part, make), error = errno;
		close(fd);
		fd = inner;
		errno = error;
	}
	*last = *part ? part : ".";
	return fd;
}

// Errno for what is not of this kind, 0 for what is.
static int wrong_kind(const struct stat *st, mode_t kind) {
	mode_t is = st->st_mode & S_IFMT;
	if (is == kind) return 0;
	return is == S_IFLNK ? ELOOP : is == S_IFDIR ? EISDIR : kind == S_IFDIR ? ENOTDIR : EINVAL;
}

// Open what is of the kind. The first look keeps a FIFO, device or socket from being opened at all; the second sees
// what was opened if that was changed between, and O_NONBLOCK that it could not hold us up.
static int open_plain(int folder, const char *name, int flags, mode_t kind, struct stat *st) {
	int error = 0;
	if (fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW)) error = flags & O_CREAT && errno == ENOENT ? 0 : errno;
	else error = wrong_kind(st, kind);
	if (error) {
		errno = error;
		return -1;
	}
	int fd = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	if (fd < 0) return -1;
	if (fstat(fd, st)) return fault(fd, errno);
	error = is_kernels(fd) ? EACCES : wrong_kind(st, kind);
	return error ? fault(fd, error) : fd;
}

static int open_path(char *path, int flags, mode_t kind, struct stat *st) {
	const char *name;
	int folder = open_folder(path, false, &name);
	if (folder < 0) return -1;
	int fd = open_plain(folder, name, flags, kind, st), error = errno;
	close(folder);
	errno = error;
	return fd;
}

// --- read, list, stat ----------------------------------------------------------------------------

static uint8_t kind_of(mode_t mode) {
	return S_ISREG(mode) ? 'f' : S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'o';
}

// One entry: u8 kind, u64 size, u32 mode, i64 mtime in ns, u16 name length, name.
static size_t put_entry(uint8_t *to, const struct stat *st, const char *name, size_t name_size) {
	uint64_t size = (uint64_t)st->st_size;
	uint32_t mode = st->st_mode & 07777;
	// Unsigned, because a program may set any time, and a signed overflow would be undefined.
	uint64_t mtime = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
	uint16_t n = (uint16_t)name_size;
	to[0] = kind_of(st->st_mode);
	memcpy(to + 1, &size, 8);
	memcpy(to + 9, &mode, 4);
	memcpy(to + 13, &mtime, 8);
	memcpy(to + 21, &n, 2);
	memcpy(to + ENTRY, name, n);
	return ENTRY + name_size;
}

static void say_info(const struct stat *st) {
	uint8_t info[ENTRY];
	say(INFO, NULL, 0, info, put_entry(info, st, "", 0));
}

void serve_read(struct cursor *c) {
	static uint8_t buffer[CHUNK];
	uint64_t offset, left;
	take(c, &offset, 8);
	take(c, &left, 8);
	char *path = take_path(c);
	expect_end(c);
	if (offset > INT64_MAX) _exit(EXIT_PROTOCOL);
	struct stat st;
	int fd = open_path(path, O_RDONLY, S_IFREG, &st);
	if (fd < 0) return failed(errno, "open");
	say_info(&st);
	while (left) {
		ssize_t n = pread(fd, buffer, left < CHUNK ? (size_t)left : CHUNK, (off_t)offset);
		if (n < 0) {
			int error = errno;
			close(fd);
			return failed(error, "read");
		}
		if (n == 0) break;
		say(DATA, NULL, 0, buffer, (size_t)n);
		offset += (uint64_t)n;
		left -= (uint64_t)n;
	}
	close(fd);
	say_done();
}

void serve_list(struct cursor *c) {
	static uint8_t buffer[CHUNK];
	uint32_t left;
	take(c, &left, 4);
	char *path = take_path(c);
	expect_end(c);
	struct stat st;
	int fd = open_path(path, O_RDONLY | O_DIRECTORY, S_IFDIR, &st);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) return failed(errno, "open");
	size_t used = 0;
	for (struct dirent *e; left && (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
		left--;  // also for what is gone by now: a program could make and remove without end
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
		if (used + ENTRY + MAX_NAME > sizeof buffer) {
			say(ENTRIES, NULL, 0, buffer, used);
			used = 0;
		}
		used += put_entry(buffer + used, &st, e->d_name, strnlen(e->d_name, MAX_NAME));
	}
	if (used) say(ENTRIES, NULL, 0, buffer, used);
	closedir(dir);
	say_done();
}

void serve_stat(struct cursor *c) {
	char *path = take_path(c);
	expect_end(c);
	const char *name;
	struct stat st;
	int folder = open_folder(path, false, &name);
	if (folder < 0) return failed(errno, "stat");
	int error = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) ? errno : 0;
	close(folder);
	if (error) return failed(error, "stat");
	say_info(&st);
	say_done();
}

// --- write ---------------------------------------------------------------------------------------

// Errno, 0 for none. Closes the file: an error may show only then.
static int write_and_close(int fd, const uint8_t *at, const uint8_t *end) {
	int error = 0;
	while (!error && at < end) {
		ssize_t n = write(fd, at, (size_t)(end - at));
		if (n > 0) at += n;
		else if (n < 0 && errno != EINTR) error = errno;
	}
	if (close(fd) && !error) error = errno;
	return error;
}

// The mode that a file beside the old one is to get. Errno if the old one could not have been written to.
static int mode_of_old(int folder, const char *name, mode_t *mode) {
	struct stat st;
	*mode = 0644;
	int old = open_plain(folder, name, O_WRONLY, S_IFREG, &st);
	if (old < 0 && errno == ENOENT) return 0;
	// A program that runs cannot be written to, but it can be replaced.
	if (old < 0 && errno != ETXTBSY) return errno;
	if (old >= 0) close(old);
	*mode = st.st_mode & 0777;
	return 0;
}

// A whole new file beside the old one, put in its place by one rename: what a reader, or a full disk, sees is one or
// the other.
static int replace(int folder, const char *name, const uint8_t *at, const uint8_t *end, const char **doing) {
	mode_t mode;
	*doing = "open";
	int error = mode_of_old(folder, name, &mode);
	if (error) return error;
	unsigned long random;
	char beside[32] = ".yett-";
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) return EAGAIN;
	text_put(beside + strlen(beside), random);
	int fd = openat(folder, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) return errno;
	*doing = "write";
	if (is_kernels(fd)) error = EACCES;
	else if (fchmod(fd, mode)) error = errno;
	if (error) close(fd);
	else error = write_and_close(fd, at, end);
	if (!error && renameat(folder, beside, folder, name)) error = errno;
	if (error) unlinkat(folder, beside, 0);
	return error;
}

static int append_to(int folder, const char *name, const uint8_t *at, const uint8_t *end, const char **doing) {
	struct stat st;
	*doing = "open";
	int fd = open_plain(folder, name, O_WRONLY | O_CREAT | O_APPEND, S_IFREG, &st);
	if (fd < 0) return errno;
	*doing = "write";
	return write_and_close(fd, at, end);
}

void serve_write(struct cursor *c) {
	uint8_t append;
	take(c, &append, 1);
	char *path = take_path(c);
	if (!path || append > 1) _exit(EXIT_PROTOCOL);
	const char *name, *doing;
	int folder = open_folder(path, true, &name);
	if (folder < 0) return failed(errno, "open");
	int error = (append ? append_to : replace)(folder, name, c->at, c->end, &doing);
	close(folder);
	if (error) failed(error, doing);
	else say_done();
}
