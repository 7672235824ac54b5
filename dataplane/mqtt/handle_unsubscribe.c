/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UNSUBSCRIBE (3.10): filters are compared as they are written (MQTT-3.10.4-1); UNSUBACK comes also
 * when none was there (MQTT-3.10.4-5). What is in flight is still delivered (MQTT-3.10.4-3).
 */
#include "dataplane/mqtt/filters.h"
#include "dataplane/mqtt/output.h"

static enum handled unsubscribe_here(struct mqtt *mqtt, struct connection *connection,
                                     const struct filters *filters) {
    struct subscriber name = connection_name(mqtt, connection);

    if (!output_reserve(mqtt, connection))
        return HANDLED_TRY_AGAIN;
    for (unsigned i = 0; i < filters->count; i++) {
        const struct filter *filter = &filters->list[i];

        if (filter->code != SUBACK_FAILURE &&
            router_unsubscribe(mqtt->router, name, &connection->filters, filter->bytes,
                               filter->len) &&
            connection->subscriptions > 0)
            connection->subscriptions--;
    }
    connection_detach_idle(mqtt, connection);
    if (!output_ack(mqtt, connection, PACKET_UNSUBACK, filters->packet_id)) {
        connection_end(mqtt, connection, CLOSE_RESOURCES, ENDING_ABORT);
        return HANDLED_CLOSED;
    }
    return HANDLED_DONE;
}

enum handled handle_unsubscribe(struct mqtt *mqtt, struct connection *connection,
                                const struct packet *packet) {
    struct filters filters;
    enum handled handled = filters_read(mqtt, connection, packet, &filters);

    if (handled != HANDLED_DONE)
        return handled;
    if (connection_persistent(connection))
        handled = filters_mail(mqtt, connection, MAIL_UNSUBSCRIBE, &filters);
    else
        handled = unsubscribe_here(mqtt, connection, &filters);
    filters_free(mqtt, &filters);
    return handled;
}
