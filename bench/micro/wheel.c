/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of many connections. The argument is the number of timers running: keep-alive deadlines 90
 * seconds off, spread evenly.
 */
#include "bench/micro/connections.h"

enum { BUDGET = 64, SLICE = 16, KEEP_ALIVE = 90 * 1000000 };

static struct wheel wheel;
static uint32_t running; /* timers in the wheel; it is kept between calls like the connections */
static uint64_t now, random_state = 1;

static bool start(struct bench_run *run, int64_t count) {
    struct connections *connections = connections_get((uint32_t)count);
    if (!connections) {
        bench_failed(run, "no memory");
        return false;
    }
    if (running == count && wheel.base == connections->region.base)
        return true;
    now = 0;
    wheel_init(&wheel, connections->region.base, offsetof(struct tcp_conn, slow), TCP_SLOW_SHIFT,
               now);
    for (uint32_t i = 0; i < count; i++) {
        struct tcp_conn *conn = arena_at(connections->region.base, connection_ref(i));
        wheel_node_init(&conn->slow);
        wheel_insert(&wheel, connection_ref(i), bench_below(&random_state, KEEP_ALIVE));
    }
    running = (uint32_t)count;
    return true;
}

static void visit(void *argument, uint32_t ref) {
    wheel_insert(&wheel, ref, now + KEEP_ALIVE);
}

/* A timer comes due, is looked at, and is set again. */
static void due(struct bench_run *run, int64_t count) {
    if (!start(run, count))
        return;
    while (bench_running(run, BUDGET)) {
        unsigned budget = BUDGET;
        while (wheel_advance(&wheel, now, &budget, visit, NULL), budget != 0)
            now += UINT64_C(1) << TCP_SLOW_SHIFT;
    }
}

/* A random timer is stopped and started, as RTO is by data and its acknowledgement. */
static void again(struct bench_run *run, int64_t count) {
    if (!start(run, count))
        return;
    while (bench_running(run, BUDGET)) {
        for (unsigned i = 0; i < BUDGET; i++) {
            uint32_t ref = connection_ref(bench_below(&random_state, (uint32_t)count));
            wheel_remove(&wheel, ref);
            wheel_insert(&wheel, ref, now + bench_below(&random_state, KEEP_ALIVE));
        }
    }
}

/* A turn in which nothing is due. */
static void idle(struct bench_run *run, int64_t count) {
    if (!start(run, count))
        return;
    while (bench_running(run, BUDGET)) {
        for (unsigned i = 0; i < BUDGET; i++) {
            unsigned budget = BUDGET;
            bench_use(wheel_advance(&wheel, now, &budget, visit, NULL));
        }
    }
}

/* The machine was paused, and all timers are due at once: slices as a turn takes them until the
 * last one is done. Between two slices a turn can end. */
static void all_due(struct bench_run *run, int64_t count) {
    if (!start(run, count))
        return;
    uint64_t longest = 0, slices = 0, over = 0;
    while (bench_running(run, count)) {
        now += UINT64_C(10) * KEEP_ALIVE;
        for (bool more = true; more; slices++) {
            unsigned budget = SLICE;
            uint64_t begin = bench_nanoseconds();
            more = wheel_advance(&wheel, now, &budget, visit, NULL);
            uint64_t took = bench_nanoseconds() - begin;
            over += took > 50000;
            if (took > longest)
                longest = took;
        }
    }
    bench_figure(run, "longest_us", (double)longest / 1000);
    bench_figure(run, "slices", (double)slices);
    bench_figure(run, "over_50us", (double)over);
}

void bench_wheel(int64_t count) {
    bench_add("wheel_due_again", due, count);
    bench_add("wheel_stop_start", again, count);
    bench_add("wheel_nothing_due", idle, count);
    bench_add("wheel_all_due", all_due, count);
}
