/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hashed timer wheel for millions of timers. Nodes lie inside the objects they wake and are
 * linked by 32-bit refs, so a timer costs twelve bytes and no allocation.
 *
 *  - A visit means "look at your deadlines": the wheel does not keep them. Whoever is visited too
 *    early inserts itself again (lazy re-arm), so that a deadline that moves later with each
 *    segment costs one store, not a move in the wheel.
 *  - A deadline further off than one turn of the wheel is visited at the end of that turn.
 *  - wheel_advance visits at most its budget. A slot can be left half done; the rest is due at the
 *    next call. A wheel that fell behind (the machine was paused) catches up slice by slice.
 *
 * Times are microseconds; a tick is 2^shift of them. Thread: the owner. Pure.
 */
#ifndef LINEMQ_TCP_WHEEL_H
#define LINEMQ_TCP_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 4096, WHEEL_IDLE = UINT16_MAX };

struct wheel_node {
    uint32_t next, prev; /* refs; 0 = none */
    uint16_t slot;       /* WHEEL_IDLE: not in the wheel */
    uint16_t user;       /* the owner's; the wheel does not touch it */
};

struct wheel {
    uint8_t *base;   /* objects lie at base + ref * 16 ... */
    size_t offset;   /* ... and their node this far into them */
    unsigned shift;  /* of a tick */
    uint64_t tick;   /* the first that may still have nodes to visit */
    uint64_t linked; /* nodes in the wheel */
    uint64_t words;  /* bit i: bits[i] is not zero */
    uint64_t bits[WHEEL_SLOTS / 64];
    uint32_t head[WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, void *base, size_t offset, unsigned shift, uint64_t now);

static inline void wheel_node_init(struct wheel_node *node) {
    node->slot = WHEEL_IDLE;
}

static inline bool wheel_linked(const struct wheel_node *node) {
    return node->slot != WHEEL_IDLE;
}

/* To be visited at `when`, rounded up to a tick, or earlier. Not linked before. */
void wheel_insert(struct wheel *wheel, uint32_t ref, uint64_t when);
void wheel_remove(struct wheel *wheel, uint32_t ref);

/* Moves a node forward if it would be visited after `when` or never; leaves it where it is if it is
 * visited before. */
void wheel_hasten(struct wheel *wheel, uint32_t ref, uint64_t when);

/* Visits what is due, at most *budget nodes, which is decremented. A node is out of the wheel when
 * `visit` is called, which may insert and remove any. True: more is due. */
bool wheel_advance(struct wheel *wheel, uint64_t now, unsigned *budget,
                   void (*visit)(void *argument, uint32_t ref), void *argument);

/* When the next visit is due, or UINT64_MAX. */
uint64_t wheel_next(const struct wheel *wheel);

#endif
