/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of any size from an arena: slabs in size classes (16-byte steps up to 128, then four
 * classes to each power of two) up to 32 KiB, whole spans above. The caller remembers the size.
 *
 * Thread: the arena's owner.
 */
#ifndef LINEMQ_MESSAGE_POOL_H
#define LINEMQ_MESSAGE_POOL_H

#include "dataplane/message/slab.h"

enum { POOL_CLASSES = 40, POOL_SLAB_MAX = 32768 };

struct pool {
    struct arena *arena;
    void *base; /* arena_base(arena), for arena_at() */
    struct slab classes[POOL_CLASSES];
};

void pool_init(struct pool *pool, struct arena *arena);

/* `size` bytes (at least 1) aligned to 16, or NULL. */
void *pool_alloc(struct pool *pool, size_t size);
void pool_free(struct pool *pool, void *memory, size_t size);

/* Bytes that an allocation of `size` really takes: its class's, or whole spans. */
size_t pool_taken(size_t size);

/* Gives the empty spans that the classes keep in hand back to the arena (at most one each). False:
 * there were none. pool_alloc does it when memory is short. */
bool pool_trim(struct pool *pool);

#endif
