/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of all gauges and counters, so that rates can be given without waiting: the sampler keeps
 * the last two, and a command compares what is there with the older one.
 *
 * Thread: the admin thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_SAMPLE_H
#define LINEMQ_CONTROL_ADMIN_SAMPLE_H

#include "control/registry.h"
#include "control/sessions/shard.h"

enum { SAMPLE_PORTS = 8 };

struct sample {
    uint64_t nanoseconds; /* monotonic */
    uint64_t cycles;      /* TSC */
    struct worker_gauges workers[THREADS_MAX];
    struct shard_gauges shards[THREADS_MAX];
    uint64_t counters[COUNTERS];
    struct {
        bool valid;
        uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
        uint64_t rx_missed, rx_errors, rx_no_buffer, tx_errors;
    } ports[SAMPLE_PORTS];
};

struct samples {
    struct sample older, newer;
    uint64_t first_nanoseconds, first_cycles; /* to know the TSC's speed */
};

void sample_take(const struct registry *registry, struct sample *sample);

/* Once a second: newer becomes older. The first call fills in both. */
void samples_update(struct samples *samples, const struct registry *registry);

/* Cycles in a microsecond, measured. */
double samples_cycles_per_us(const struct samples *samples, const struct sample *now);

/* (now - then) / seconds between; 0 if it went backwards. */
double sample_rate(uint64_t now, uint64_t then, const struct sample *a, const struct sample *b);

#endif
