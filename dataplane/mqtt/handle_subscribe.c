/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SUBSCRIBE (3.8) and SUBACK (3.9): one return code a filter, in their order (MQTT-3.8.4-5). Clean
 * sessions subscribe in this worker's router, persistent ones in their shard's.
 */
#include "dataplane/mqtt/filters.h"
#include "dataplane/mqtt/shortage.h"

/* Subscriptions looked at to tell whether filters are among them, for one packet. */
enum { LOOKED_AT_MAX = 4000 };

/* The count is an upper bound: a filter subscribed to again is counted again. When it reaches the
 * limit the list is walked. */
static uint32_t recount(const struct mqtt *mqtt, const struct connection *connection) {
    ref_t position = connection->filters;
    struct filter filter;
    uint32_t n = 0;

    while (router_list(mqtt->router, &position, &filter))
        n++;
    return n;
}

static bool is_there(const struct mqtt *mqtt, const struct connection *connection,
                     const struct filter *wanted, unsigned *looked_at) {
    ref_t position = connection->filters;
    struct filter filter;

    while (*looked_at < LOOKED_AT_MAX && router_list(mqtt->router, &position, &filter)) {
        ++*looked_at;
        if (filter.len == wanted->len && memcmp(filter.bytes, wanted->bytes, filter.len) == 0)
            return true;
    }
    return false;
}

/* At the limit only filters that are there already may be subscribed to. */
static void limit_subscriptions(struct mqtt *mqtt, struct connection *connection,
                                struct filters *filters) {
    uint32_t limit = mqtt->config.limits.subscriptions;
    uint32_t max = shortage(mqtt) && limit > SHORT_SUBSCRIPTIONS ? SHORT_SUBSCRIPTIONS : limit;
    bool close = connection->subscriptions + filters->count > max;
    unsigned looked_at = 0;

    if (close)
        connection->subscriptions = recount(mqtt, connection);
    for (unsigned i = 0; i < filters->count; i++) {
        struct filter *filter = &filters->list[i];

        if (filter->code == SUBACK_FAILURE ||
            (close && is_there(mqtt, connection, filter, &looked_at)))
            continue;
        if (connection->subscriptions < max) {
            connection->subscriptions++;
        } else {
            count(mqtt->counters, connection->subscriptions < limit
                                      ? COUNTER_TOPICS_SUBSCRIBE_NO_MEMORY
                                      : COUNTER_MQTT_LIMIT_SUBSCRIPTIONS);
            filter->code = SUBACK_FAILURE;
        }
    }
}

static enum handled subscribe_here(struct mqtt *mqtt, struct connection *connection,
                                   struct filters *filters) {
    if (connection->subscriptions + filters->count > SUBSCRIPTIONS_WITHOUT_ATTACHMENT &&
        connection_attach(mqtt, connection) == NULL)
        return HANDLED_TRY_AGAIN;
    limit_subscriptions(mqtt, connection, filters);
    connection->flags |= CONNECTION_SUBSCRIBED;
    connection->subscribing = 1; /* the answer may come from within */
    router_subscribe(mqtt->router, connection_name(mqtt, connection), &connection->filters,
                     filters->packet_id, filters->list, filters->count);
    return HANDLED_DONE;
}

enum handled handle_subscribe(struct mqtt *mqtt, struct connection *connection,
                              const struct packet *packet) {
    struct filters filters;
    enum handled handled = filters_read(mqtt, connection, packet, &filters);

    if (handled != HANDLED_DONE)
        return handled;
    if (connection_persistent(connection))
        handled = filters_mail(mqtt, connection, MAIL_SUBSCRIBE, &filters);
    else
        handled = subscribe_here(mqtt, connection, &filters);
    if (connection_persistent(connection) && handled == HANDLED_DONE)
        connection->subscribing = 1;
    filters_free(mqtt, &filters);
    return handled;
}
