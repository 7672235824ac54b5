/* SPDX-License-Identifier: Apache-2.0 */
/* Where a router's tables take their memory from, with the sum of what they hold. Thread: owner. */
#ifndef LINEMQ_TOPICS_TOPIC_MEMORY_H
#define LINEMQ_TOPICS_TOPIC_MEMORY_H

#include "dataplane/message/pool.h"

struct topic_memory {
    struct pool *pool;
    uint64_t bytes; /* held, by size asked for */
};

static inline void *topic_memory_alloc(struct topic_memory *memory, size_t size) {
    void *object = pool_alloc(memory->pool, size);
    if (object)
        memory->bytes += size;
    return object;
}

static inline void topic_memory_free(struct topic_memory *memory, void *object, size_t size) {
    memory->bytes -= size;
    pool_free(memory->pool, object, size);
}

static inline void *topic_memory_at(const struct topic_memory *memory, ref_t ref) {
    return arena_at(memory->pool->base, ref);
}

static inline ref_t topic_memory_ref(const struct topic_memory *memory, const void *object) {
    return arena_ref(memory->pool->base, object);
}

#endif
