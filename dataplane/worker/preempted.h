/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the kernel took the CPU away between two moments, without asking it: a thread that has
 * registered for restartable sequences (rseq(2), done by glibc 2.35 and newer) may announce one,
 * and the kernel clears the announcement when it takes the thread off its CPU outside of the
 * sequence. We announce one that no code belongs to: a store at the start, a load at the end.
 *
 * What interrupts and, in a virtual machine, the host take is not seen.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_WORKER_PREEMPTED_H
#define LINEMQ_WORKER_PREEMPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct preempted {
    /* Of the thread's struct rseq; NULL: the kernel or the C library has none. */
    volatile uint64_t *announced;
    uint64_t nowhere; /* the address of the sequence */
};

/* By the thread that is watched. */
void preempted_init(struct preempted *preempted);

static inline void preempted_watch(const struct preempted *preempted) {
    if (preempted->announced != NULL)
        *preempted->announced = preempted->nowhere;
}

/* Since preempted_watch. False when that can't be told. */
static inline bool preempted_was(const struct preempted *preempted) {
    return preempted->announced != NULL && *preempted->announced == 0;
}

#endif
