/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/pipe.h"

#include <stdlib.h>
#include <string.h>

uint32_t sim_random(struct sim_random *random) {
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = random->state;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32);
}

uint32_t sim_between(struct sim_random *random, uint32_t first, uint32_t last) {
    return first + (uint32_t)(((uint64_t)sim_random(random) * (last - first + 1)) >> 32);
}

bool sim_chance(struct sim_random *random, uint32_t per_mille) {
    return sim_between(random, 0, 999) < per_mille;
}

void pipe_trouble(struct pipe *pipe, uint64_t now, uint32_t stalls) {
    struct sim_random *random = pipe->random;
    pipe->duplicate = sim_chance(random, 300) ? 50 : 0;
    pipe->reorder = sim_chance(random, 400) ? 100 : 0;
    if (sim_chance(random, 200)) {
        pipe->blackout_from = now + sim_between(random, 0, 10000000);
        pipe->blackout_to = pipe->blackout_from + sim_between(random, 1, 30000000);
    }
    if (sim_chance(random, stalls)) {
        pipe->stall_from = now + sim_between(random, 0, 10000000);
        pipe->stall_to = pipe->stall_from + sim_between(random, 1, 30000000);
    }
    if (sim_chance(random, 300)) {
        pipe->rate = sim_between(random, 3000, 1000000);
        pipe->queue = sim_between(random, 3000, 100000);
    }
}

static bool before(const struct pipe_frame *a, const struct pipe_frame *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct pipe *pipe, struct pipe_frame *frame) {
    if (pipe->count == PIPE_FRAMES_MAX) {
        free(frame);
        pipe->lost++;
        return;
    }
    unsigned i = pipe->count++;
    while (i && before(frame, pipe->heap[(i - 1) / 2])) {
        pipe->heap[i] = pipe->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    pipe->heap[i] = frame;
}

static void send_one(struct pipe *pipe, enum pipe_end to, uint32_t client, const uint8_t *bytes,
                     uint32_t len, uint64_t now) {
    bool dark = now >= pipe->blackout_from && now < pipe->blackout_to;
    if (dark || sim_chance(pipe->random, pipe->loss)) {
        pipe->lost++;
        return;
    }
    uint64_t leaves = now;
    if (pipe->rate && to == PIPE_TO_CLIENT) {
        uint64_t start = pipe->busy_until > now ? pipe->busy_until : now;
        if ((start - now) * pipe->rate / 1000000 + len > pipe->queue) {
            pipe->lost++;
            return;
        }
        leaves = pipe->busy_until = start + (uint64_t)len * 1000000 / pipe->rate;
    }
    struct pipe_frame *frame = malloc(sizeof *frame);
    if (!frame || len > PIPE_FRAME_MAX)
        abort();
    uint32_t extra = pipe->jitter ? sim_between(pipe->random, 0, pipe->jitter) : 0;
    if (sim_chance(pipe->random, pipe->reorder))
        extra += sim_between(pipe->random, 0, 2 * pipe->delay + 1000);
    frame->due = leaves + pipe->delay + extra;
    if (frame->due >= pipe->stall_from && frame->due < pipe->stall_to)
        frame->due = pipe->stall_to;
    frame->order = pipe->order++;
    frame->to = (uint8_t)to;
    frame->client = client;
    frame->len = len;
    memcpy(frame->bytes, bytes, len);
    pipe->passed++;
    push(pipe, frame);
}

void pipe_send(struct pipe *pipe, enum pipe_end to, uint32_t client, const uint8_t *bytes,
               uint32_t len, uint64_t now) {
    send_one(pipe, to, client, bytes, len, now);
    if (sim_chance(pipe->random, pipe->duplicate))
        send_one(pipe, to, client, bytes, len, now);
}

uint64_t pipe_next(const struct pipe *pipe) {
    return pipe->count ? pipe->heap[0]->due : UINT64_MAX;
}

struct pipe_frame *pipe_take(struct pipe *pipe, uint64_t now) {
    if (pipe->count == 0 || pipe->heap[0]->due > now)
        return NULL;
    struct pipe_frame *first = pipe->heap[0];
    struct pipe_frame *last = pipe->heap[--pipe->count];
    unsigned i = 0;
    for (;;) {
        unsigned child = 2 * i + 1;
        if (child >= pipe->count)
            break;
        if (child + 1 < pipe->count && before(pipe->heap[child + 1], pipe->heap[child]))
            child++;
        if (!before(pipe->heap[child], last))
            break;
        pipe->heap[i] = pipe->heap[child];
        i = child;
    }
    pipe->heap[i] = last;
    return first;
}

void pipe_clear(struct pipe *pipe) {
    while (pipe->count)
        free(pipe->heap[--pipe->count]);
}
