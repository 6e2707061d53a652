// SPDX-License-Identifier: Apache-2.0
//
// Numbers in the kernel's text files, without stdio (which would be half of the program).
#ifndef YETT_TEXT_H
#define YETT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// Take a number of this base from `*at`, after any spaces; false if there is none.
bool text_number(const char **at, unsigned base, unsigned long *number);
// Step over one character that must be there.
bool text_is(const char **at, char c);
// Step over `count` fields between spaces.
bool text_skip(const char **at, int count);
// Write a decimal number; gives the end, where it puts a NUL.
char *text_put(char *to, unsigned long number);
// What a file under a directory holds, up to size - 1 bytes, ended by NUL. How many bytes, or -1.
long text_read(int folder, const char *path, char *to, size_t size);

#endif
