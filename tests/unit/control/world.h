/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control shards without their threads, between desks that play two workers and the admin thread.
 * Threads: workers 0 and 1, shards from 2 on, then the admin thread.
 */
#ifndef LINEMQ_TESTS_CONTROL_WORLD_H
#define LINEMQ_TESTS_CONTROL_WORLD_H

#include "control/sessions/loop.h"
#include "control/sessions/session.h"
#include "dataplane/topics/routes.h"
#include "desk.h"

enum { WORKERS = 2, SHARDS_MAX = 2, FIRST_SHARD = WORKERS };

struct world {
    struct config *config; /* may be changed before world_open */
    struct registry registry;
    uv_loop_t loop;
    struct desk workers[WORKERS];
    struct desk admin;
    struct shard *shard[SHARDS_MAX];
    uint64_t now, wall_clock;
    bool worker_stuck[WORKERS]; /* does not report quiescent states */
};

/* Defaults without $SYS and with small memory. */
void world_prepare(struct world *world);
void world_open(struct world *world, unsigned shards);
/* Closes all clients, releases all mail and fails the test when memory is still in use. */
void world_close(struct world *world);

/* Turns of all threads until nobody has anything to do. */
void world_settle(struct world *world);
/* One turn of each shard. */
void world_turn(struct world *world);

struct client_at {
    unsigned worker, shard; /* threads */
    ref_t conn;
    uint32_t generation;
    uint32_t session; /* after the verdict */
};

enum { CLEAN = 1, PERSISTENT = 0 };

/* Sends CONNECT; does not settle. */
struct client_at world_ask(struct world *world, unsigned worker, const char *id, bool clean);
struct client_at world_login(struct world *world, unsigned worker, const char *id, bool clean,
                             const char *user, const char *password);
/* ... and expects to be let in. *present: the session present flag. */
struct client_at world_connect(struct world *world, unsigned worker, const char *id, bool clean,
                               bool *present);
/* The connection ends; settles. */
void world_disconnect(struct world *world, const struct client_at *client);

void world_send(struct world *world, const struct client_at *client, struct mail mail);

/* Subscribes and expects `code` in SUBACK. */
void world_subscribe(struct world *world, const struct client_at *client, const char *filter,
                     uint8_t qos, uint8_t code);
/* A request parcel of the client's worker. */
struct subscribe_request *world_request(struct world *world, const struct client_at *client,
                                        unsigned count, const char *const *filters, uint8_t qos);

/* Publishes from a worker to a shard, with the present epoch; settles. */
void world_publish(struct world *world, unsigned worker, const char *topic, const char *payload,
                   uint8_t qos, uint8_t flags);

void world_ack(struct world *world, const struct client_at *client, uint8_t packet,
               uint16_t packet_id);

/* Expects the next DELIVER at the client's worker to be that; returns its packet identifier. */
uint16_t world_delivered(struct world *world, const struct client_at *client, const char *payload,
                         uint8_t qos, bool dup);

uint64_t world_counter(const struct world *world, enum counter counter);

#define COUNT_OF(world, name) world_counter(world, COUNTER_CONTROL_##name)

#endif
