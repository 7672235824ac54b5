/* SPDX-License-Identifier: Apache-2.0 */
/* The MQTT side put together: set-up, and what TCP calls. */
#include "dataplane/mqtt/mqtt.h"

#include <stdlib.h>

#include "dataplane/mqtt/connection.h"
#include "dataplane/mqtt/delivery.h"
#include "dataplane/mqtt/input.h"
#include "dataplane/mqtt/output.h"
#include "dataplane/mqtt/shortage.h"
#include "dataplane/mqtt/suback.h"

static uint32_t new_generation(struct mqtt *mqtt) {
    if (++mqtt->generation == 0)
        mqtt->generation = 1;
    return mqtt->generation;
}

static bool opened(void *app, struct tcp_conn *tcp) {
    struct mqtt *mqtt = app;
    struct connection *connection = tcp_conn_app(tcp);

    if (mqtt->stopping != RUNNING) {
        count(mqtt->counters, COUNTER_MQTT_STOPPING);
        return false;
    }
    connection->generation = new_generation(mqtt);
    connection->state = STATE_AWAIT_CONNECT;
    connection->heard = mqtt->now_ms;
    mqtt->stats.connections++;
    count(mqtt->counters, COUNTER_MQTT_OPENED);
    connection_timer(mqtt, connection, mqtt->now_ms + mqtt->config.limits.connect_timeout_ms);
    return true;
}

static size_t received(void *app, struct tcp_conn *tcp, const uint8_t *data, size_t len) {
    return input_received(app, tcp_conn_app(tcp), data, len);
}

static void finished(void *app, struct tcp_conn *tcp) {
    struct connection *connection = tcp_conn_app(tcp);

    /* What was asked is answered first, and a will counts once CONNECT is accepted. */
    if (connection_undecided(connection))
        connection->finished = 1;
    else
        connection_end(app, connection, CLOSE_PEER, ENDING_ORDERLY);
}

static void fetch(void *app, struct tcp_conn *tcp, uint32_t offset, uint8_t *to, size_t len) {
    output_fetch(app, tcp_conn_app(tcp), offset, to, len);
}

static void acknowledged(void *app, struct tcp_conn *tcp, uint32_t len) {
    output_acknowledged(app, tcp_conn_app(tcp), len);
}

static enum mail_close_reason reason_of(enum tcp_close why) {
    switch (why) {
    case TCP_CLOSED_TIMEOUT:
        return CLOSE_TIMEOUT;
    case TCP_CLOSED_RESOURCES:
        return CLOSE_RESOURCES;
    case TCP_CLOSED_ORDERLY:
    case TCP_CLOSED_RESET:
    case TCP_CLOSED_ABORTED:
        break;
    }
    return CLOSE_PEER;
}

static void closed(void *app, struct tcp_conn *tcp, enum tcp_close why) {
    struct mqtt *mqtt = app;
    struct connection *connection = tcp_conn_app(tcp);

    if (why == TCP_CLOSED_TIMEOUT && connection->state == STATE_CONNECTED)
        count(mqtt->counters, COUNTER_MQTT_CLOSED_PEER);
    connection_end(mqtt, connection, reason_of(why), ENDING_GONE);
    output_free(mqtt, connection);
    mqtt->stats.connections--;
    memset(connection, 0, sizeof *connection);
}

static void timer(void *app, struct tcp_conn *tcp) {
    connection_timer_fired(app, tcp_conn_app(tcp));
}

static uint64_t name(void *app, struct tcp_conn *tcp) {
    const struct connection *connection = tcp_conn_app(tcp);

    return connection->client_name;
}

static bool copy_refused(struct mqtt *mqtt) {
    unsigned n = mqtt->config.refuse_subscriptions_count;

    if (n == 0)
        return true;
    mqtt->refused = calloc(n, sizeof *mqtt->refused);
    if (mqtt->refused == NULL)
        return false;
    for (unsigned i = 0; i < n; i++) {
        const char *filter = mqtt->config.refuse_subscriptions[i];
        mqtt->refused[i] = (struct refused_filter){(const uint8_t *)filter, strlen(filter)};
    }
    return true;
}

struct mqtt *mqtt_create(const struct mqtt_config *config, struct parcels *parcels,
                         struct mailroom *mailroom, struct counters *counters) {
    struct mqtt *mqtt = calloc(1, sizeof *mqtt);

    if (mqtt == NULL)
        return NULL;
    mqtt->config = *config;
    mqtt->parcels = parcels;
    mqtt->pool = parcels->pool;
    mqtt->mailroom = mailroom;
    mqtt->counters = counters;
    mqtt->app = (struct tcp_app){.opened = opened,
                                 .received = received,
                                 .finished = finished,
                                 .fetch = fetch,
                                 .acknowledged = acknowledged,
                                 .closed = closed,
                                 .timer = timer,
                                 .app = mqtt};
    mqtt->owner = (struct router_owner){.deliver = delivery_deliver,
                                        .subscribed = suback_subscribed,
                                        .retained_ready = delivery_retained_ready,
                                        .owner = mqtt};
    if (!copy_refused(mqtt) || !remains_create(mqtt)) {
        mqtt_destroy(mqtt);
        return NULL;
    }
    return mqtt;
}

void mqtt_attach(struct mqtt *mqtt, struct tcp *tcp, struct router *router) {
    mqtt->tcp = tcp;
    mqtt->router = router;
    tcp_set_name(tcp, name);
}

void mqtt_destroy(struct mqtt *mqtt) {
    remains_destroy(mqtt);
    free(mqtt->refused);
    free(mqtt);
}

const struct tcp_app *mqtt_tcp_app(struct mqtt *mqtt) {
    return &mqtt->app;
}

const struct router_owner *mqtt_router_owner(struct mqtt *mqtt) {
    return &mqtt->owner;
}

void mqtt_begin(struct mqtt *mqtt, uint64_t now, uint64_t wall_clock) {
    mqtt->now = now;
    mqtt->now_ms = (uint32_t)(now / 1000);
    mqtt->wall_clock = wall_clock;
    shortage_begin(mqtt);
}

void mqtt_stats(const struct mqtt *mqtt, struct mqtt_stats *stats) {
    *stats = mqtt->stats;
}
