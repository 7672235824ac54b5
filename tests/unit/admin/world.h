/* SPDX-License-Identifier: Apache-2.0 */
/* A broker as the admin thread sees it: threads that play two workers and two control shards, with
 * made-up clients, a port, and the real mail between them. */
#ifndef LINEMQ_TESTS_ADMIN_WORLD_H
#define LINEMQ_TESTS_ADMIN_WORLD_H

#include <semaphore.h>

#include "control/admin/private.h"
#include "control/sessions/shard.h"
#include "drivers/port.h"

enum { WORLD_WORKERS = 2, WORLD_SHARDS = 2 };

struct fake_client {
    char id[64];
    bool connected, clean;
    unsigned worker; /* of its connection */
    char filter[64]; /* its subscription, or empty */
};

/* Any of the threads. */
struct fake_thread {
    struct world *world;
    unsigned self;
    struct mailroom *mailroom;
    struct region region;
    void *arena_state;
    struct pool pool;
    struct parcels parcels;
    pthread_t thread;
    sem_t wake;
    bool mute; /* atomic: takes mail and does not answer */
    bool stop; /* atomic */
};

struct shard {
    struct fake_thread thread;
    unsigned index;
    struct counters counters;
    struct shard_gauges gauges;
    struct fake_client *clients;
    unsigned clients_count, clients_size;
    unsigned calls;       /* MAIL_CALLs carried out */
    unsigned most_visits; /* of one call of shard_clients */
    char kicked[64];
    char topic[128];
    uint8_t payload[256];
    size_t payload_len;
    uint8_t qos;
    bool retain;
};

struct worker {
    struct fake_thread thread;
    unsigned index;
    struct counters counters;
    struct worker_gauges gauges;
    bool greedy;     /* atomic: keeps its capture points when it is to stop */
    unsigned frames; /* left in the ring of each capture point that it gets */
};

struct world {
    struct config config;
    struct config_port port_config;
    struct registry registry;
    struct port port;
    struct shard shards[WORLD_SHARDS];
    struct worker workers[WORLD_WORKERS];
    struct admin *admin;
    char directory[64], socket[108];
};

/* With some clients; the admin thread is created and not started. */
struct world *world_create(void);
void world_start(struct world *world);
void world_destroy(struct world *world);

struct fake_client *world_client(struct world *world, const char *id, bool connected, bool clean,
                                 unsigned worker, const char *filter);

/* world_create with the ordinary clients, started. */
struct world *world_running(void);

#endif
