/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MQTT 3.1.1 (and 3.1) server side of one worker: it is the application on top of tcp.h, has
 * the worker's clean sessions, and is the transport of persistent sessions that live with the
 * control shards (see mail/mail.h for who does what).
 *
 * Pure: no EAL, no clock. Thread: the worker.
 */
#ifndef LINEMQ_MQTT_MQTT_H
#define LINEMQ_MQTT_MQTT_H

#include "dataplane/mqtt/limits.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/topics/router.h"

struct mqtt;

struct mqtt_config {
    struct mqtt_limits limits;
    unsigned self;                /* this worker's thread number */
    unsigned first_shard, shards; /* control shards */
    uint8_t shard_key[16];        /* client_shard(): client id -> shard, equal on all threads */
    /* Filters answered with 0x80 in SUBACK, compared as they are written; the strings outlive the
     * struct mqtt. */
    const char *const *refuse_subscriptions;
    unsigned refuse_subscriptions_count;
    /* Told of each CONNECT that goes to a shard, or is about to. NULL: nobody. */
    void (*connecting)(void *argument, const struct connect_request *request);
    void *connecting_argument;
};

enum { MQTT_CONNECTION_SIZE = 64 }; /* bytes of MQTT's part of a TCP connection */

/* The shard that owns a client identifier, counted from the first shard. Any thread. */
unsigned client_shard(const uint8_t *client_id, size_t len, const uint8_t key[16], unsigned shards);

/* What a client identifier is called in traces (tcp_set_name); not 0. The few clients that are
 * traced hardly ever share one. Any thread. */
uint32_t client_name(const uint8_t *client_id, size_t len, const uint8_t key[16]);

/* Set-up only. NULL: no memory. Order of creation: mqtt_create; tcp_create with mqtt_tcp_app();
 * router_create with mqtt_router_owner(); mqtt_attach. */
struct mqtt *mqtt_create(const struct mqtt_config *config, struct parcels *parcels,
                         struct mailroom *mailroom, struct counters *counters);
void mqtt_attach(struct mqtt *mqtt, struct tcp *tcp, struct router *router);
void mqtt_destroy(struct mqtt *mqtt);

const struct tcp_app *mqtt_tcp_app(struct mqtt *mqtt);
const struct router_owner *mqtt_router_owner(struct mqtt *mqtt);

/* The times of this turn: `now` monotonic, `wall_clock` since the epoch, microseconds. First thing
 * in a turn. */
void mqtt_begin(struct mqtt *mqtt, uint64_t now, uint64_t wall_clock);

/* Mail for the MQTT side: MAIL_VERDICT, MAIL_KICK, MAIL_SUBACK, MAIL_UNSUBACK, MAIL_DELIVER,
 * MAIL_PUBREL_OUT, MAIL_INSPECT, MAIL_STOP. Parcels are consumed. */
void mqtt_mail(struct mqtt *mqtt, const struct mail *mail);

/* Bounded leftovers of a turn: connections that waited for memory or mailboxes, subscriptions of
 * closed connections, clients to close at MAIL_STOP. True when more is left. */
bool mqtt_turn(struct mqtt *mqtt);

/* After MAIL_STOP: every client has been closed. */
bool mqtt_stopped(const struct mqtt *mqtt);

struct mqtt_stats {
    uint64_t connections, connected, clean_sessions;
    uint64_t session_bytes, send_queue_bytes, partial_bytes;
};
void mqtt_stats(const struct mqtt *mqtt, struct mqtt_stats *stats);

#endif
