// SPDX-License-Identifier: Apache-2.0
//
// What stands in for the kernel while the runner is fuzzed: programs that are only pipes, a clock, a line in memory, a root
// folder of its own. The linker puts it in place of the real calls (--wrap), so the product has no trace of it.
#ifndef YETT_FUZZ_WORLD_H
#define YETT_FUZZ_WORLD_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

extern jmp_buf world_exit;  // where _exit of the product goes

void world_begin(void);
void world_end(void);
// What the gateway says next.
void world_say(const uint8_t *bytes, size_t size);
// A program writes to stdout or stderr (stream 0 or 1), or closes them.
void world_output(uint8_t slot, int stream, const uint8_t *bytes, size_t size);
void world_close(uint8_t slot);
// A program ends; `told` by its supervisor, if it has one.
void world_ends(uint8_t slot, int status, int told);
// A start fails, or succeeds.
void world_trouble(uint8_t slot, const uint8_t *bytes, size_t size);
void world_connect(void);
void world_conn_write(uint8_t which, const uint8_t *bytes, size_t size);
void world_conn_read(uint8_t which, size_t size);
void world_conn_close(uint8_t which, int how);
void world_wait(int ms);

#endif
