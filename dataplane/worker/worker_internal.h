/* SPDX-License-Identifier: Apache-2.0 */
/* A worker from the inside: shared by set-up (worker.c), the loop (loop.c), inspect.c and tests. */
#ifndef LINEMQ_WORKER_WORKER_INTERNAL_H
#define LINEMQ_WORKER_WORKER_INTERNAL_H

#include "dataplane/capture/capture.h"
#include "dataplane/message/region.h"
#include "dataplane/worker/clock.h"
#include "dataplane/worker/handover.h"
#include "dataplane/worker/idle.h"
#include "dataplane/worker/preempted.h"
#include "dataplane/worker/standstill.h"
#include "dataplane/worker/worker.h"

struct worker {
    /* read-only after set-up */
    struct worker_config config;
    struct ether *ether;
    struct tcp *tcp;
    struct mqtt *mqtt;
    struct router *router;
    struct mailroom *mailroom;
    struct parcels parcels;

    /* the worker's own */
    struct counters counters;
    struct idle idle;
    struct running running;
    struct preempted preempted;
    struct pool pool;
    struct arena *arena;
    struct region region;
    void *arena_state;
    struct capture capture;
    bool stopping;
    uint64_t window_end;                    /* of longest_lately, TSC cycles */
    uint64_t window_longest, window_before; /* in this window, and in the one before it */
    uint64_t trim_at;                       /* TSC cycles: the pool's empty spans are given back */
    unsigned frames_free;                   /* of the packet buffers, when the loop began */

    /* others write, rarely */
    int stop __attribute__((aligned(64))); /* enum worker_stop */
    bool announce;

    /* others read */
    struct worker_gauges gauges __attribute__((aligned(64)));
};

enum worker_stop { WORKER_STOP_NO, WORKER_STOP_ORDERLY, WORKER_STOP_AT_ONCE };

/* What worker_run consists of: the begin, one turn (with the sleep after it, if there is nothing to
 * do; false: the loop ends), the end. */
void worker_begin(struct worker *worker);
bool worker_turn(struct worker *worker);
void worker_end(struct worker *worker);

/* frames.c: what a worker shows to captures. MAIL_CAPTURE; frames as they arrive from a queue or
 * another worker; segments of a burst before and after TCP handles them; CONNECT requests. */
void worker_capture_mail(struct worker *worker, const struct mail *mail);
void worker_capture_arrivals(struct worker *worker, unsigned port, struct rte_mbuf **frames,
                             unsigned count, bool handed_over);
void worker_capture_segments(struct worker *worker, unsigned port, const struct ether_batch *batch);
void worker_capture_connect(void *worker, const struct connect_request *request);

/* Fills in INSPECT_MEMORY. */
void worker_inspect_memory(struct worker *worker, struct memory_inspection *memory);

#endif
