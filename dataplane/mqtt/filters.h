/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topic filters of a SUBSCRIBE or UNSUBSCRIBE: read, checked against the rules (a malformed one
 * ends the connection) and against the limits (a filter beyond them is refused alone).
 */
#ifndef LINEMQ_MQTT_FILTERS_H
#define LINEMQ_MQTT_FILTERS_H

#include "dataplane/mqtt/handlers.h"

enum { FILTERS_MAX = 65535 }; /* in one packet, whatever limits.filters says */

struct filters {
    struct filter *list; /* from the pool; `code` is SUBACK_FAILURE where refused, else the QoS */
    unsigned count;
    uint16_t packet_id;
};

/* HANDLED_DONE: filters_free when done with them. They point into the packet. */
enum handled filters_read(struct mqtt *mqtt, struct connection *connection,
                          const struct packet *packet, struct filters *filters);
void filters_free(struct mqtt *mqtt, struct filters *filters);

/* To the shard of a persistent session, as MAIL_SUBSCRIBE or MAIL_UNSUBSCRIBE. */
enum handled filters_mail(struct mqtt *mqtt, struct connection *connection, enum mail_type type,
                          const struct filters *filters);

#endif
