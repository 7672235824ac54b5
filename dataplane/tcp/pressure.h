/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is given up, and in which order, when a worker's memory or the link's buffers run short:
 *
 *   used         level
 *   7/8          REFUSE   no new connections, SYNs included: a RST each
 *   15/16        SHED     out-of-order data goes, and none is kept: it was not acknowledged, and
 *                         what SACK said of it may be taken back (RFC 2018 8)
 *   31/32        HOLD     receive windows stop where they are; none is ever taken back (RFC 9293
 *                         3.8.6): senders wait, and those that are late find a closed window
 *
 * A level ends 1/64 below where it began. After a HOLD, connections whose windows have closed in
 * the meantime are told, some in each turn.
 *
 * Memory that only connections can use (their slab keeps it for ever) counts neither as used nor as
 * there: a worker that once had many connections is not short of memory for their sake.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_PRESSURE_H
#define LINEMQ_TCP_PRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp;

enum pressure_level { PRESSURE_NONE, PRESSURE_REFUSE, PRESSURE_SHED, PRESSURE_HOLD };

enum {
    PRESSURE_VISITS = 32,     /* connections looked at in one call when a level begins or ends */
    PRESSURE_LOOK_US = 10000, /* while windows are held, memory is looked at so often at least */
};

struct pressure {
    uint8_t level;     /* the higher one of the two */
    uint8_t memory;    /* enum pressure_level of the arena, ... */
    uint8_t frames;    /* ... and of the link's buffers, by tcp_frames */
    bool visiting;     /* connections are to be looked at, from `position` on */
    uint32_t position; /* see tcp_each */
};

/* The level of `used` out of `limit`, where it was at `before`. */
enum pressure_level pressure_level(size_t used, size_t limit, enum pressure_level before);

/* Looks at the memory. Cheap: once for each burst and turn. */
void pressure_update(struct tcp *tcp);

/* Some more connections after a change of level. True: not all yet. */
bool pressure_visit(struct tcp *tcp);

#endif
