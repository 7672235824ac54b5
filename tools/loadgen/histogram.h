/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of times, log-linear as HdrHistogram's: 64 steps an octave, so that a value read out
 * is at most 1.6 % above the one recorded. Exact below 128. One writer; pure.
 */
#ifndef LINEMQ_LOADGEN_HISTOGRAM_H
#define LINEMQ_LOADGEN_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 6,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_VALUE_BITS = 42, /* larger values count as the largest: 73 minutes of nanoseconds */
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

struct histogram {
    uint64_t count, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The least value that at least `share` (0 to 1) of all do not exceed, rounded up to its step and
 * never above the maximum; 0 if there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
