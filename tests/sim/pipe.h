/* SPDX-License-Identifier: Apache-2.0 */
/* A path between two hosts, both directions: delay, jitter, loss, duplication, reordering and
 * blackouts, all drawn from one seeded generator. Time is virtual, microseconds. */
#ifndef LINEMQ_TESTS_SIM_PIPE_H
#define LINEMQ_TESTS_SIM_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

uint32_t sim_random(struct sim_random *random);
/* first .. last */
uint32_t sim_between(struct sim_random *random, uint32_t first, uint32_t last);
/* True in `per_mille` of 1000 cases. */
bool sim_chance(struct sim_random *random, uint32_t per_mille);

enum { PIPE_FRAME_MAX = 1600, PIPE_FRAMES_MAX = 8192 };

enum pipe_end { PIPE_TO_SERVER, PIPE_TO_CLIENT };

struct pipe_frame {
    uint64_t due, order;
    uint8_t to; /* enum pipe_end */
    uint32_t client;
    uint32_t len;
    uint8_t bytes[PIPE_FRAME_MAX];
};

struct pipe {
    struct sim_random *random;
    uint32_t delay, jitter;              /* microseconds one way */
    uint32_t loss, duplicate, reorder;   /* per mille */
    uint64_t blackout_from, blackout_to; /* nothing passes */
    uint64_t stall_from, stall_to;       /* nothing arrives before the end of it */
    /* To the client: a bottleneck of `rate` bytes a second, 0 = none, behind a queue of `queue`
     * bytes that drops what does not fit. */
    uint32_t rate, queue;
    uint64_t busy_until;
    uint64_t lost, passed, order;
    unsigned count;
    struct pipe_frame *heap[PIPE_FRAMES_MAX];
};

/* Draws what may befall frames besides delay and loss: copies, another order, a blackout, a stall
 * (on `stalls` per mille of the paths), a bottleneck. */
void pipe_trouble(struct pipe *pipe, uint64_t now, uint32_t stalls);

void pipe_send(struct pipe *pipe, enum pipe_end to, uint32_t client, const uint8_t *bytes,
               uint32_t len, uint64_t now);
/* When the next frame arrives, or UINT64_MAX. */
uint64_t pipe_next(const struct pipe *pipe);
/* The frame that is due, to be freed by the caller, or NULL. */
struct pipe_frame *pipe_take(struct pipe *pipe, uint64_t now);
void pipe_clear(struct pipe *pipe);

#endif
