/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation of connection-sized objects: one hot object, and random ones among many. */
#include <string.h>

#include "bench/micro/bench.h"

enum { OBJECT = 256, BATCH = 16 };

static void hot(struct bench_run *run, int64_t argument) {
    struct bench_memory memory;
    if (!bench_memory_open(&memory, (size_t)64 << 20)) {
        bench_failed(run, "no memory");
        return;
    }
    struct slab slab;
    slab_init(&slab, memory.arena, "bench", OBJECT, 0);
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            void *object = slab_alloc(&slab);
            bench_use((uintptr_t)object);
            slab_free(&slab, object);
        }
    }
    bench_memory_close(&memory);
}

static void replace(struct bench_run *run, int64_t objects) {
    struct bench_memory memory;
    void **held = calloc((size_t)objects, sizeof *held);
    if (!held || !bench_memory_open(&memory, (size_t)objects * OBJECT * 2)) {
        bench_failed(run, "no memory");
        free(held);
        return;
    }
    struct slab slab;
    slab_init(&slab, memory.arena, "bench", OBJECT, 0);
    for (int64_t i = 0; i < objects; i++)
        held[i] = memset(slab_alloc(&slab), 0, OBJECT);
    uint64_t random = 1;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            void **one = &held[bench_below(&random, (uint32_t)objects)];
            slab_free(&slab, *one);
            *one = slab_alloc(&slab);
        }
    }
    bench_figure(
        run, "bytes/object",
        ((double)arena_used(memory.arena) + (double)arena_used(memory.arena) / 65536 * 32) /
            (double)objects);
    bench_memory_close(&memory);
    free(held);
}

/* Objects come and go at random around a mean, so that spans run empty and are refilled. */
static void swing(struct bench_run *run, int64_t objects) {
    struct bench_memory memory;
    void **held = calloc((size_t)objects * 2, sizeof *held);
    if (!held || !bench_memory_open(&memory, (size_t)objects * OBJECT * 4)) {
        bench_failed(run, "no memory");
        free(held);
        return;
    }
    struct slab slab;
    slab_init(&slab, memory.arena, "bench", OBJECT, 0);
    uint64_t random = 1;
    for (int64_t i = 0; i < objects * 2; i++)
        held[i] = memset(slab_alloc(&slab), 0, OBJECT);
    for (int64_t i = 0; i < objects * 2; i++) {
        if (bench_random(&random) & 1) {
            slab_free(&slab, held[i]);
            held[i] = NULL;
        }
    }
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            void **one = &held[bench_below(&random, (uint32_t)objects * 2)];
            if (*one) {
                slab_free(&slab, *one);
                *one = NULL;
            } else {
                *one = slab_alloc(&slab);
            }
        }
    }
    bench_memory_close(&memory);
    free(held);
}

static void span(struct bench_run *run, int64_t argument) {
    struct bench_memory memory;
    if (!bench_memory_open(&memory, (size_t)1 << 30)) {
        bench_failed(run, "no memory");
        return;
    }
    /* The small spans at the beginning of the range are taken, so that each allocation splits a
     * large one down to 64 KiB and each release merges it again. */
    for (unsigned order = 0; order < 13; order++)
        arena_span_alloc(memory.arena, order);
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            void *one = arena_span_alloc(memory.arena, 0);
            bench_use((uintptr_t)one);
            arena_span_free(memory.arena, one, 0);
        }
    }
    bench_memory_close(&memory);
}

void bench_slab(void) {
    bench_add("slab_alloc_free", hot, -1);
    bench_add("slab_replace", replace, 1000);
    bench_add("slab_replace", replace, 1000000);
    bench_add("slab_alloc_or_free", swing, 1000000);
    bench_add("arena_span_alloc_free", span, -1);
}
