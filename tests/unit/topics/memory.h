/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's arena and pool, and random filters and topics, for the tests of topics. */
#ifndef LINEMQ_TESTS_TOPICS_MEMORY_H
#define LINEMQ_TESTS_TOPICS_MEMORY_H

#include "dataplane/message/message.h"
#include "dataplane/topics/topic_memory.h"

struct memory {
    void *state, *range;
    size_t size;
    struct arena *arena;
    struct pool pool;
    struct topic_memory topics;
};

void memory_open(struct memory *memory, size_t size);
void memory_close(struct memory *memory);

/* Objects and spans of the pool that are handed out. */
uint64_t memory_objects(const struct memory *memory);

/* A seeded generator. */
uint32_t random_below(uint64_t *seed, uint32_t below);

/* A valid topic name or filter of few words, so that they meet often. Returns the length. */
size_t random_topic(uint64_t *seed, uint8_t *to, size_t room);
size_t random_filter(uint64_t *seed, uint8_t *to, size_t room);

#endif
