/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over subscriptions, for `sub list` and `topic match`. Those of persistent sessions come
 * from the shards with their client's name; those of clean sessions come from the workers with a
 * handle, which the shards are then asked to resolve, a page at a time.
 *
 * Thread: the admin thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_SUBSCRIPTIONS_H
#define LINEMQ_CONTROL_ADMIN_SUBSCRIPTIONS_H

#include "control/admin/question.h"

struct walk {
    const char *topic; /* only what matches it; NULL: all */
    size_t topic_len;
    unsigned shard, shards_end;   /* still to be asked */
    unsigned worker, workers_end; /* after those */
    uint32_t session;             /* on the shards: of this session; 0: of all */
    ref_t conn;                   /* on the workers: of this connection; 0: of all */
    uint32_t generation;
    uint32_t position, skip, room;

    struct admin *admin;
    struct inspection *page; /* a worker's answer whose clients are looked up */
    json_t **clients;        /* of its entries; NULL: gone meanwhile */
    unsigned count;
};

/* Over everything; the caller may narrow it down. */
void walk_init(struct walk *walk, struct job *job);

/* One step of the walk: as job->step. */
void walk_step(struct walk *walk, struct job *job);

void walk_dispose(void *walk);

#endif
