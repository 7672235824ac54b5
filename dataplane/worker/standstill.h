/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time in which we ran. A process that was stopped, or a virtual machine that was suspended,
 * goes on with a clock that is minutes ahead, and every keep alive and time-out would be over
 * although nobody could have talked to us. A worker that notices such a gap takes it out of the
 * time of all workers: timers, round trips and our TCP time stamps go on where they were.
 *
 * It is one time for all workers, because what one sends another checks (SYN cookies), and because
 * time stamps of a peer's connections, old and new, must not run backwards whichever worker has
 * them. So a single worker that stood still while others ran gets nothing back.
 *
 * Not for what is a matter of real time: wall clocks, lifetimes of routers.
 *
 * Pure: the clock is an argument, monotonic, microseconds. Thread: struct standstill is shared by
 * all workers, struct running is a worker's own.
 */
#ifndef LINEMQ_WORKER_STANDSTILL_H
#define LINEMQ_WORKER_STANDSTILL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* A worker has a turn each second even with nothing to do (idle.c). */
    STANDSTILL_MIN_US = 2000000,
    /* What is left of the gap: `alive_at` is not older than this when all stop. */
    STANDSTILL_LEFT_US = 1000000,
    /* Clocks of two CPUs may differ by a little; one that is back by more was set back, as in a
     * virtual machine that goes on elsewhere. That is a gap, too. */
    STANDSTILL_BACK_US = 1000000,
    STANDSTILL_ALIVE_US = 100000, /* `alive_at` is renewed so often */
};

struct standstill {
    uint64_t total;    /* microseconds taken out so far; modulo 2^64 */
    uint64_t alive_at; /* when some worker had a turn, by the clock */
    uint64_t times;
};

struct running {
    uint64_t turn_at; /* by the clock */
    uint64_t total;   /* of struct standstill, as this worker saw it then */
    uint64_t now;     /* the last result */
};

/* Time that passed until now was set-up and no gap. Returns what standstill_now does. */
uint64_t standstill_begin(struct standstill *all, struct running *own, uint64_t clock);

/* A gap before this turn: takes it out if nobody ran in it and nobody else did so already. */
void standstill_gap(struct standstill *all, const struct running *own, uint64_t clock);

/* Once a turn. Never less than before. */
static inline uint64_t standstill_now(struct standstill *all, struct running *own, uint64_t clock) {
    int64_t gap = (int64_t)(clock - own->turn_at);
    if (__builtin_expect(gap >= STANDSTILL_MIN_US || gap <= -STANDSTILL_BACK_US, 0))
        standstill_gap(all, own, clock);
    own->turn_at = clock;
    uint64_t alive_at = __atomic_load_n(&all->alive_at, __ATOMIC_RELAXED);
    if ((int64_t)(clock - alive_at) >= STANDSTILL_ALIVE_US)
        __atomic_store_n(&all->alive_at, clock, __ATOMIC_RELAXED);
    own->total = __atomic_load_n(&all->total, __ATOMIC_ACQUIRE);
    uint64_t now = clock - own->total;
    if (now > own->now)
        own->now = now;
    return own->now;
}

/* Any thread: how often, and for how long in all (if the clock never went back). */
static inline uint64_t standstill_times(const struct standstill *all) {
    return __atomic_load_n(&all->times, __ATOMIC_ACQUIRE);
}

static inline uint64_t standstill_total(const struct standstill *all) {
    return __atomic_load_n(&all->total, __ATOMIC_RELAXED);
}

#endif
