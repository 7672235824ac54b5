/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route table: which threads may have subscribers for a topic. The argument is the number of
 * keys; keys are random, one at a time. `routes_clear_set` is the writer's part.
 */
#include "dataplane/topics/routes.h"

#include "bench/micro/bench.h"
#include "bench/micro/connections.h"
#include "dataplane/mail/mail.h"

enum { BATCH = 16, THREADS = 8 };

static struct routes *routes;
static int64_t keys;

static bool add(uint32_t index) {
    return routes_change(routes, ROUTE_EXACT, connection_hash(index), index % THREADS, true);
}

static bool prepare(struct bench_run *run, int64_t count) {
    if (routes && keys == count)
        return true;
    routes_destroy(routes);
    connections_drop();
    routes = routes_create(THREADS);
    bool good = routes != NULL;
    for (uint32_t i = 0; good && i < count; i++) {
        good = add(i);
        routes_reclaim(routes);
    }
    keys = count;
    if (!good) {
        routes_destroy(routes);
        routes = NULL;
        bench_failed(run, "no memory");
    }
    return good;
}

static void lookup(struct bench_run *run, int64_t count) {
    if (!prepare(run, count))
        return;
    uint64_t random = 1, prefix = connection_hash(UINT32_MAX - 1);
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            uint64_t key = connection_hash(bench_below(&random, (uint32_t)count));
            /* Always 0: the next look-up waits for this one. */
            random += routes_lookup(routes, key, prefix, false) >> THREADS;
        }
    }
    bench_figure(run, "bytes/key", (double)routes_bytes(routes) / (double)count);
}

static void set_clear(struct bench_run *run, int64_t count) {
    if (!prepare(run, count))
        return;
    uint64_t random = 1;
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            uint32_t index = bench_below(&random, (uint32_t)count);
            routes_change(routes, ROUTE_EXACT, connection_hash(index), index % THREADS, false);
            add(index);
        }
    }
}

void bench_routes(int64_t count) {
    bench_add("routes_lookup", lookup, count);
    bench_add("routes_clear_set", set_clear, count);
}
