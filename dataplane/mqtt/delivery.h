/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to a client.
 *
 * QoS 0 goes into the send queue, or is dropped when that is full. QoS 1 and 2 of a clean session
 * go through its window and wait there while the send queue is full; what finds no room there is
 * dropped, the newest first. Those of a persistent session come from its shard's window, already
 * bounded by it, and are never dropped here: without memory the connection ends, and the shard
 * sends them again on the next.
 */
#ifndef LINEMQ_MQTT_DELIVERY_H
#define LINEMQ_MQTT_DELIVERY_H

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/connection.h"

/* The router's callbacks; `owner` is the struct mqtt. */
void delivery_deliver(void *owner, struct subscriber to, struct message *message, uint8_t qos,
                      bool retain);
bool delivery_retained_ready(void *owner, struct subscriber who);

/* MAIL_DELIVER: takes over the reference. */
void delivery_from_shard(struct mqtt *mqtt, const struct mail *mail);

/* PUBACK, PUBREC, PUBCOMP for a clean session. False: of the wrong type for its message; nothing
 * has changed. */
bool delivery_acked(struct mqtt *mqtt, struct connection *connection, enum packet_type type,
                    uint16_t packet_id);

/* Sends what the window holds, as far as the send queue has room. */
void delivery_send(struct mqtt *mqtt, struct connection *connection);

/* The send queue has become shorter. */
void delivery_drained(struct mqtt *mqtt, struct connection *connection);

#endif
