/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a segment's hash to its connection, both cache lines of it touched: one segment at a time,
 * and a burst of 32 with prefetch. The argument is the number of connections; which one is next is
 * random, so that at 10 M nothing is in cache.
 */
#include "bench/micro/connections.h"

enum { BURST = 32 };

static bool same(const void *base, const void *key, uint32_t ref) {
    const struct tcp_conn *conn = arena_at((void *)(uintptr_t)base, ref);
    return conn->remote == *(const uint32_t *)key && conn->remote_port == 0;
}

static uint32_t touch(struct tcp_conn *conn) {
    conn->rcv_nxt++;
    conn->slow.user++;
    return conn->zero_windows;
}

static void single(struct bench_run *run, int64_t count) {
    struct connections *connections = connections_get((uint32_t)count);
    if (!connections) {
        bench_failed(run, "no memory");
        return;
    }
    void *base = connections->region.base;
    uint64_t random = 1;
    while (bench_running(run, BURST)) {
        for (unsigned i = 0; i < BURST; i++) {
            uint32_t index = bench_below(&random, (uint32_t)count);
            uint32_t ref =
                flow_find(&connections->flow, connection_hash(index), same, base, &index);
            /* Always 0: but the next lookup cannot begin before this one has ended, as if the
             * segment were handled first. */
            random += touch(arena_at(base, ref));
        }
    }
    bench_figure(run, "bytes/flow", (double)flow_bytes(&connections->flow) / (double)count);
}

static void burst(struct bench_run *run, int64_t count) {
    struct connections *connections = connections_get((uint32_t)count);
    if (!connections) {
        bench_failed(run, "no memory");
        return;
    }
    void *base = connections->region.base;
    uint64_t random = 1;
    while (bench_running(run, BURST)) {
        uint32_t index[BURST];
        uint64_t hashes[BURST];
        for (unsigned i = 0; i < BURST; i++) {
            index[i] = bench_below(&random, (uint32_t)count);
            hashes[i] = connection_hash(index[i]);
        }
        flow_batch(&connections->flow, hashes, BURST, base, ARENA_UNIT_SHIFT, 2);
        for (unsigned i = 0; i < BURST; i++) {
            uint32_t ref = flow_find(&connections->flow, hashes[i], same, base, &index[i]);
            random += touch(arena_at(base, ref));
        }
    }
}

static void insert(struct bench_run *run, int64_t count) {
    struct connections *connections = connections_get((uint32_t)count);
    if (!connections) {
        bench_failed(run, "no memory");
        return;
    }
    uint64_t random = 1;
    while (bench_running(run, BURST)) {
        for (unsigned i = 0; i < BURST; i++) {
            uint32_t index = bench_below(&random, (uint32_t)count);
            uint64_t hash = connection_hash(index);
            flow_remove(&connections->flow, hash, connection_ref(index));
            flow_insert(&connections->flow, hash, connection_ref(index));
        }
    }
}

void bench_flow(int64_t count) {
    bench_add("flow_lookup", single, count);
    bench_add("flow_lookup_batch32", burst, count);
    bench_add("flow_remove_insert", insert, count);
}
