/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/inspect.h"

#include "dataplane/mqtt/connection.h"

enum {
    ALIGNMENT = 8,
    VISITED = 256, /* connections looked at for one answer */
};

static uint32_t subscriptions_of(const struct mqtt *mqtt, const struct connection *connection) {
    ref_t position = connection->filters;
    struct filter filter;
    uint32_t n = 0;

    while (router_list(mqtt->router, &position, &filter))
        n++;
    return n;
}

static void inspect_client(struct mqtt *mqtt, struct connection *connection,
                           struct client_inspection *client) {
    struct tcp_conn *tcp = connection_tcp(connection);
    const struct attachment *attachment = connection_attachment(mqtt, connection);
    const struct traffic *traffic = connection_traffic(mqtt, connection);
    struct tcp_tuple tuple;

    tcp_conn_tuple(mqtt->tcp, tcp, &tuple);
    *client = (struct client_inspection){
        .clean_session = !connection_persistent(connection),
        .level = connection->level,
        .connected = connection->state == STATE_CONNECTED,
        .keep_alive = connection->keep_alive,
        .remote_port = tuple.remote_port,
        .local_port = tuple.local_port,
        .inflight = attachment != NULL ? attachment->window.inflight : 0,
        .queued = attachment != NULL ? window_queued(&attachment->window) : 0,
        .subscriptions = subscriptions_of(mqtt, connection),
        .dropped = traffic != NULL ? traffic->dropped : 0,
        .messages_in = traffic != NULL ? traffic->messages_in : 0,
        .messages_out = traffic != NULL ? traffic->messages_out : 0,
        .bytes_in = connection_bytes_in(mqtt, connection),
        .bytes_out = connection_bytes_out(mqtt, connection),
    };
    memcpy(client->remote, tuple.remote, sizeof client->remote);
    memcpy(client->local, tuple.local, sizeof client->local);
    tcp_conn_report(mqtt->tcp, tcp, &client->tcp, mqtt->now);
}

/* Appends one entry. False: no room. */
static bool add(struct inspection *inspection, struct subscriber who, uint32_t session,
                uint8_t shard, const struct filter *filter) {
    uint32_t size = (uint32_t)(offsetof(struct inspected_subscription, filter) + filter->len);
    uint32_t step = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    if (step > inspection->room - inspection->used)
        return false;
    struct inspected_subscription *entry =
        (struct inspected_subscription *)((uint8_t *)inspection->entries + inspection->used);
    entry->conn = who.ref;
    entry->generation = who.generation;
    entry->session = session;
    entry->filter_len = filter->len;
    entry->shard = shard;
    entry->qos = filter->qos;
    memcpy(entry->filter, filter->bytes, filter->len);
    inspection->used += step;
    return true;
}

/* Lists from the skip-th subscription on. False: no room for the next, inspection->skip says which
 * one that is. */
static bool list(struct mqtt *mqtt, struct connection *connection, struct inspection *inspection) {
    struct subscriber who = connection_name(mqtt, connection);
    ref_t position = connection->filters;
    struct filter filter;

    for (uint32_t i = 0; router_list(mqtt->router, &position, &filter); i++) {
        if (i < inspection->skip)
            continue;
        if (!add(inspection, who, connection->session, connection->shard, &filter)) {
            inspection->skip = i;
            return false;
        }
    }
    inspection->skip = 0;
    return true;
}

struct listing {
    struct mqtt *mqtt;
    struct inspection *inspection;
    bool full;
};

static void list_one(void *argument, struct tcp_conn *tcp) {
    struct listing *listing = argument;
    struct connection *connection = tcp_conn_app(tcp);

    if (connection->state == STATE_CONNECTED && connection->filters)
        listing->full = !list(listing->mqtt, connection, listing->inspection);
}

/* A position is that of tcp_each plus one; of a single connection it is 1. */
static void inspect_all(struct mqtt *mqtt, struct inspection *inspection) {
    struct listing listing = {.mqtt = mqtt, .inspection = inspection};
    uint32_t position = inspection->position ? inspection->position - 1 : 0;

    for (unsigned i = 0; i < VISITED; i++) {
        uint32_t before = position;

        tcp_each(mqtt->tcp, &position, 1, list_one, &listing);
        if (listing.full) {
            inspection->position = before + 1;
            return;
        }
        if (position == 0) {
            inspection->position = 0;
            return;
        }
    }
    inspection->position = position + 1;
}

static void inspect_subscriptions(struct mqtt *mqtt, const struct mail *mail,
                                  struct inspection *inspection) {
    if (inspection->position == 0)
        inspection->skip = 0;
    inspection->used = 0;
    inspection->found = 1;
    if (mail->conn == 0) {
        inspect_all(mqtt, inspection);
        return;
    }
    struct connection *connection = connection_find(mqtt, mail->conn, mail->generation);
    inspection->found = connection != NULL;
    inspection->position = connection != NULL && !list(mqtt, connection, inspection);
}

struct matching {
    struct mqtt *mqtt;
    struct inspection *inspection;
    uint32_t seen;
    bool full;
};

static void match_one(void *argument, struct subscriber who, const struct filter *filter) {
    struct matching *matching = argument;
    struct connection *connection = connection_find(matching->mqtt, who.ref, who.generation);

    if (connection == NULL || matching->full || matching->seen++ < matching->inspection->position)
        return;
    if (!add(matching->inspection, who, connection->session, connection->shard, filter)) {
        matching->full = true;
        matching->seen--;
    }
}

/* The answer overwrites the topic in `entries`, so it works on a copy. To go on, the asker puts the
 * topic there again; the position is the number of matches told. */
static void inspect_match(struct mqtt *mqtt, struct inspection *inspection) {
    uint16_t len = inspection->topic_len;
    uint8_t *topic = len > 0 && len <= inspection->room ? pool_alloc(mqtt->pool, len) : NULL;
    struct matching matching = {.mqtt = mqtt, .inspection = inspection};

    inspection->used = 0;
    inspection->found = 1;
    if (topic == NULL) {
        inspection->position = 0;
        return;
    }
    memcpy(topic, inspection->entries, len);
    if (topic_name_valid(topic, len, mqtt->config.limits.topic_levels))
        router_match(mqtt->router, topic, len, match_one, &matching);
    pool_free(mqtt->pool, topic, len);
    inspection->position = matching.full && inspection->used > 0 ? matching.seen : 0;
}

static void inspect_trace(struct mqtt *mqtt, const struct mail *mail,
                          struct inspection *inspection) {
    struct tcp_trace *trace = (struct tcp_trace *)inspection->entries;
    struct connection *connection = connection_find(mqtt, mail->conn, mail->generation);
    const struct tcp_conn *tcp = connection != NULL ? connection_tcp(connection) : NULL;

    inspection->found = 1;
    inspection->used = 0;
    if (inspection->room < sizeof *trace) {
        inspection->position = 0;
        return;
    }
    uint32_t records = (uint32_t)((inspection->room - sizeof *trace) / sizeof *trace->records);
    if (tcp_trace(mqtt->tcp, inspection->name, tcp, &inspection->position, trace, records,
                  mqtt->now))
        inspection->used = (uint32_t)(sizeof *trace + trace->count * sizeof *trace->records);
}

void inspect(struct mqtt *mqtt, const struct mail *mail) {
    struct inspection *inspection = (struct inspection *)mail->inspect.inspection;
    struct mail answer = *mail;

    if (inspection->kind == INSPECT_CLIENT) {
        struct connection *connection = connection_find(mqtt, mail->conn, mail->generation);
        inspection->found = connection != NULL;
        if (connection != NULL)
            inspect_client(mqtt, connection, &inspection->client);
    } else if (inspection->kind == INSPECT_SUBSCRIPTIONS) {
        inspect_subscriptions(mqtt, mail, inspection);
    } else if (inspection->kind == INSPECT_MATCH) {
        inspect_match(mqtt, inspection);
    } else if (inspection->kind == INSPECT_TRACE) {
        inspect_trace(mqtt, mail, inspection);
    } else {
        inspection->found = 0;
    }
    answer.type = MAIL_INSPECTED;
    if (!mail_send(mqtt->mailroom, mail->from, &answer))
        parcel_release(mqtt->parcels, inspection);
}
