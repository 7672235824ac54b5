/* SPDX-License-Identifier: Apache-2.0 */
/* What all micro benchmarks share: each noun's entry point, memory, and random numbers. */
#ifndef LINEMQ_BENCH_MICRO_BENCH_H
#define LINEMQ_BENCH_MICRO_BENCH_H

#include <stdlib.h>

#include "bench/micro/shim.h"
#include "dataplane/message/pool.h"
#include "dataplane/message/region.h"

void bench_siphash(void);
void bench_slab(void);
void bench_message(void);
void bench_mailbox(void);
void bench_flow(int64_t connections);
void bench_wheel(int64_t timers);
void bench_codec(void);
void bench_topics(void);
void bench_routes(int64_t keys);
void bench_publish(void);

/* An arena in which up to `size` bytes may be used, and a pool on it; backed as it is touched. */
struct bench_memory {
    struct region region;
    void *books;
    struct arena *arena;
    struct pool pool;
};

static inline bool bench_memory_open(struct bench_memory *memory, size_t size) {
    if (!region_reserve(&memory->region, size, 0))
        return false;
    memory->books = calloc(1, arena_footprint(memory->region.size));
    if (!memory->books) {
        region_release(&memory->region);
        return false;
    }
    memory->arena = arena_init(memory->books, memory->region.base, memory->region.size, size);
    pool_init(&memory->pool, memory->arena);
    return true;
}

static inline void bench_memory_close(struct bench_memory *memory) {
    region_release(&memory->region);
    free(memory->books);
}

/* xorshift64*: cheap enough not to be what is measured. */
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

/* A random number below n. */
static inline uint32_t bench_below(uint64_t *state, uint32_t n) {
    return (uint32_t)((bench_random(state) >> 32) * n >> 32);
}

/* CPU time of the thread, so that a busy machine does not count. */
uint64_t bench_nanoseconds(void);

#endif
