/* SPDX-License-Identifier: Apache-2.0 */
/* The MQTT side of a worker from the inside: what its files share. */
#ifndef LINEMQ_MQTT_STATE_H
#define LINEMQ_MQTT_STATE_H

#include "dataplane/mqtt/mqtt.h"
#include "dataplane/mqtt/remains.h"

struct connection;

struct refused_filter {
    const uint8_t *bytes;
    size_t len;
};

enum mqtt_stopping {
    RUNNING,
    STOP_CLOSING,  /* clients are being closed, a slice a turn */
    STOP_WAITING,  /* for their TCP sides to finish */
    STOP_ABORTING, /* those that have not finished in time get RST */
};

struct mqtt {
    struct mqtt_config config;
    struct parcels *parcels;
    struct pool *pool;
    struct mailroom *mailroom;
    struct counters *counters;
    struct tcp *tcp;
    struct router *router;
    struct tcp_app app;
    struct router_owner owner;
    struct refused_filter *refused; /* config.refuse_subscriptions_count of them */

    uint64_t now, wall_clock; /* microseconds */
    uint32_t now_ms;          /* low bits of `now` in milliseconds */
    uint32_t generation;      /* the last one given out */

    unsigned input_spent; /* of INPUT_BUDGET, in the present call of input_received */

    ref_t waiting_first, waiting_last; /* struct connection */
    struct remains_list remains;
    ref_t partials_first, partials_last; /* struct partial, see partials.h */
    uint64_t connection_memory;          /* that only connections can use; see shortage.h */

    enum mqtt_stopping stopping;
    uint32_t stop_position;
    uint64_t stop_deadline;

    struct mqtt_stats stats;
};

#endif
