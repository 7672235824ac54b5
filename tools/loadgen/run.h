/* SPDX-License-Identifier: Apache-2.0 */
/* A run: the polling thread, and what the main thread gathers beside it. */
#ifndef LINEMQ_LOADGEN_RUN_H
#define LINEMQ_LOADGEN_RUN_H

#include "tools/loadgen/broker.h"
#include "tools/loadgen/nic.h"

struct run_usage {
    uint64_t busy_cycles, idle_cycles, cpu_ns;
};

/* Of the broker: before connecting, after, at the measurement's begin and end. */
enum run_sample { SAMPLE_CONNECT, SAMPLE_CONNECTED, SAMPLE_MEASURE, SAMPLE_STOP, SAMPLES };

struct run {
    const struct scenario *scenario;
    struct fleet *fleet;
    struct nic nic;
    double hz; /* of the TSC */
    bool stop; /* set by the main thread: end now; relaxed */

    /* The polling thread's; others read them relaxed. */
    struct run_usage usage, at_measure, at_stop;

    /* The main thread's. */
    const char *ctl; /* the broker's socket, or NULL */
    struct broker_sample sample[SAMPLES];
    bool sampled[SAMPLES];
    uint64_t delivered[SAMPLES], published[SAMPLES]; /* at the samples */
    json_t *memory;                                  /* with all devices connected, or NULL */
    bool interrupted;
};

/* Monotonic, from the TSC's cycles: whole microseconds (worker/clock.h) are too coarse here. */
static inline uint64_t run_nanoseconds(const struct run *run, uint64_t cycles) {
    return (uint64_t)((double)cycles * (1e9 / run->hz));
}

/* The loop; on an lcore, as DPDK starts it. Ends in FLEET_DONE. */
int run_loop(void *run);

/* Waits for its end; prints a line each second to standard error. */
void run_watch(struct run *run, const volatile int *interrupt);

/* The result as JSON, and whether the run was as the scenario allows. */
json_t *report_json(const struct run *run, bool *good);
void report_table(const json_t *report, FILE *out);

#endif
