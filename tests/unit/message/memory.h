/* SPDX-License-Identifier: Apache-2.0 */
/* An arena on memory from the heap, for tests. */
#ifndef LINEMQ_TESTS_UNIT_MESSAGE_MEMORY_H
#define LINEMQ_TESTS_UNIT_MESSAGE_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/message/message.h"
#include "dataplane/message/poison.h"

enum { SPAN = 1 << ARENA_SPAN_SHIFT };

struct memory {
    void *range, *state;
    size_t size;
    struct arena *arena;
};

/* `pages` spans of the smallest size may be handed out; the range begins `skew` pages after a
 * multiple of 2 MiB. */
static inline void memory_open(struct memory *memory, unsigned pages, unsigned skew) {
    memory->size = (size_t)(pages + 1 + skew) * SPAN;
    memory->range = aligned_alloc(2u << 20, (memory->size + (2u << 20) - 1) & ~(size_t)0x1fffff);
    assert_non_null(memory->range);
    size_t size = memory->size - (size_t)skew * SPAN;
    memory->state = calloc(1, arena_footprint(size));
    assert_non_null(memory->state);
    memory->arena =
        arena_init(memory->state, (uint8_t *)memory->range + (size_t)skew * SPAN, size, size);
}

static inline void memory_close(struct memory *memory) {
    unpoison(memory->range, memory->size);
    free(memory->range);
    free(memory->state);
}

#endif
