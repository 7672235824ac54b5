/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The idle governor: what a worker does after a turn that found nothing to do. The spinning profile
 * pauses the CPU for a moment. The sleeping profile spins for a short ramp, then sleeps on the
 * receive descriptors of its ports and on an eventfd by which its mailboxes wake it; never past the
 * next timer. Ports that cannot interrupt, or do so no more because their interface is gone, are
 * polled between naps that grow from 50 microseconds to a millisecond.
 *
 * Thread: the worker; idle_wake any thread.
 */
#ifndef LINEMQ_WORKER_IDLE_H
#define LINEMQ_WORKER_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/port.h"

struct idle {
    bool sleep;      /* profile */
    bool interrupts; /* every queue of this worker can wake it */
    int epoll_fd, event_fd;
    unsigned empty_turns; /* in a row */
    uint32_t nap;         /* microseconds, of the last nap */
};

/* 0, or negative errno. Set-up only. */
int idle_init(struct idle *idle, bool sleep, const struct port *ports, unsigned ports_count,
              unsigned queue);
void idle_close(struct idle *idle);

/* Work was found. */
static inline void idle_busy(struct idle *idle) {
    idle->empty_turns = 0;
    idle->nap = 0;
}

/* Nothing was found: true when it is time to sleep (then announce it and call idle_sleep). */
bool idle_turn(struct idle *idle);

/* Sleeps at most `timeout` microseconds. */
void idle_sleep(struct idle *idle, uint64_t timeout);

/* Ends the sleep of the worker whose struct idle this is. */
void idle_wake(void *idle);

#endif
