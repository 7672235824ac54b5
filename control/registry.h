/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is in this process: filled in by the main thread before any other thread starts, then
 * only read. Every control thread gets a pointer to it.
 */
#ifndef LINEMQ_CONTROL_REGISTRY_H
#define LINEMQ_CONTROL_REGISTRY_H

#include "control/config/config.h"
#include "dataplane/worker/worker.h"

struct shard;
struct admin;

struct registry {
    const struct config *config;
    struct mailboxes *mailboxes;
    struct routes *routes;
    struct port *ports;
    unsigned ports_count;
    unsigned workers, shards;    /* threads 0.., first_shard.. */
    unsigned first_shard, admin; /* thread numbers */
    struct worker *worker[THREADS_MAX];
    struct shard *shard[THREADS_MAX]; /* by index from 0 */
    uint8_t shard_key[16];            /* client_shard() */
    uint64_t started_at;              /* wall clock, microseconds */
    const char *version;
};

/* The sum of one counter over all threads. Any thread. */
uint64_t registry_counter(const struct registry *registry, enum counter counter);

#endif
