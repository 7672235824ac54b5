/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to a client: into the connection's send queue and to TCP's knowledge. The queue exists
 * while something is not acknowledged.
 */
#ifndef LINEMQ_MQTT_OUTPUT_H
#define LINEMQ_MQTT_OUTPUT_H

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/connection.h"
#include "dataplane/mqtt/send_queue.h"

/* Own bytes (acknowledgements) in the queue at which a client's input is held, and at which it is
 * taken again: who does not read is not listened to. */
enum { OUTPUT_HOLD_BYTES = 8192, OUTPUT_RESUME_BYTES = 2048 };

/* Retained messages may fill the queues to this many times their limits: a batch that was asked for
 * is not dropped because live messages came first. */
enum { RETAINED_ALLOWANCE = 4 };

static inline struct send_queue *output_queue(const struct mqtt *mqtt,
                                              const struct connection *connection) {
    return connection->queue ? arena_at(mqtt->pool->base, connection->queue) : NULL;
}

static inline uint32_t output_bytes_queued(const struct mqtt *mqtt,
                                           const struct connection *connection) {
    const struct send_queue *queue = output_queue(mqtt, connection);
    return queue != NULL ? queue->bytes : 0;
}

/* True while less than `times` send_queue_bytes are queued, and little when memory is short. An
 * empty queue always has room. */
bool output_has_room(const struct mqtt *mqtt, const struct connection *connection, unsigned times);

/* Makes sure that the next acknowledgement can be queued. False: no memory. */
bool output_reserve(struct mqtt *mqtt, struct connection *connection);

/* Queues one control packet. False: no memory, nothing was done. */
bool output_packet(struct mqtt *mqtt, struct connection *connection, const void *bytes, size_t len);
bool output_ack(struct mqtt *mqtt, struct connection *connection, enum packet_type type,
                uint16_t packet_id);
bool output_publish(struct mqtt *mqtt, struct connection *connection, struct message *message,
                    uint16_t packet_id, uint8_t qos, bool retain, bool dup);

void output_fetch(struct mqtt *mqtt, struct connection *connection, uint32_t offset, uint8_t *to,
                  size_t len);
void output_acknowledged(struct mqtt *mqtt, struct connection *connection, uint32_t len);
void output_free(struct mqtt *mqtt, struct connection *connection);

#endif
