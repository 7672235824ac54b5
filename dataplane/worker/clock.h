/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time for workers without a system call: the TSC scaled to microseconds, and an offset to wall
 * clock time that the main thread renews once a second (so that it follows NTP).
 *
 * Thread: clock_init and clock_set_wall by the main thread; reading by all.
 */
#ifndef LINEMQ_WORKER_CLOCK_H
#define LINEMQ_WORKER_CLOCK_H

#include <stdint.h>

#include <rte_cycles.h>

struct clock {
    uint64_t hz;          /* TSC cycles in a second */
    uint64_t scale;       /* microseconds for each 2^32 cycles */
    uint64_t wall_offset; /* wall clock minus monotonic, microseconds; relaxed */
};

static inline void clock_init(struct clock *clock) {
    clock->hz = rte_get_tsc_hz();
    clock->scale = (uint64_t)(((__uint128_t)1000000 << 32) / clock->hz);
}

static inline uint64_t clock_microseconds(const struct clock *clock, uint64_t cycles) {
    return (uint64_t)(((__uint128_t)cycles * clock->scale) >> 32);
}

/* Cycles in so many microseconds. */
static inline uint64_t clock_cycles(const struct clock *clock, unsigned microseconds) {
    return clock->hz / 1000000 * microseconds;
}

static inline uint64_t clock_wall(const struct clock *clock, uint64_t now) {
    return now + __atomic_load_n(&clock->wall_offset, __ATOMIC_RELAXED);
}

static inline void clock_set_wall(struct clock *clock, uint64_t wall_clock) {
    uint64_t now = clock_microseconds(clock, rte_rdtsc());
    __atomic_store_n(&clock->wall_offset, wall_clock - now, __ATOMIC_RELAXED);
}

#endif
