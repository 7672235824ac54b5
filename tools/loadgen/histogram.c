/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/histogram.h"

#include <math.h>

static const uint64_t value_max = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

/* Octave 0 holds 0 to 127 in steps of 1, octave k what lies from 2^(k+6) on in steps of 2^k. */
static unsigned octave_of(uint64_t value) {
    return value < 2 * HISTOGRAM_STEPS
               ? 0
               : 63 - HISTOGRAM_STEP_BITS - (unsigned)__builtin_clzll(value);
}

void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
    if (value > value_max)
        value = value_max;
    unsigned octave = octave_of(value);
    histogram->buckets[octave * HISTOGRAM_STEPS + (value >> octave)]++;
}

/* The largest value of a bucket. */
static uint64_t bucket_end(unsigned bucket) {
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    unsigned octave = bucket / HISTOGRAM_STEPS - 1;
    return ((uint64_t)(bucket - octave * HISTOGRAM_STEPS) + 1) * (UINT64_C(1) << octave) - 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share) {
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count), seen = 0;
    if (histogram->count == 0)
        return 0;
    if (rank == 0)
        rank = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank)
            return bucket_end(i) < histogram->max ? bucket_end(i) : histogram->max;
    }
    return histogram->max;
}
