/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet of which a part has arrived. The bytes are copied out of TCP's hands, so half a packet
 * holds no network buffer; memory grows with what has arrived, not with what was announced. A large
 * PUBLISH is assembled where it will stay: in its message.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_PARTIAL_H
#define LINEMQ_MQTT_PARTIAL_H

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/connection.h"

struct partial {
    struct message *message; /* what is assembled, or NULL: in `bytes` */
    uint8_t *bytes;          /* `capacity` of them, or NULL */
    uint32_t capacity;
    uint32_t have;              /* of what follows the fixed header */
    uint32_t started;           /* milliseconds */
    struct fixed_header header; /* header.len is 0 until it is whole */
    uint8_t header_bytes[FIXED_HEADER_MAX];
    uint8_t header_have;
    uint8_t packet_id[2]; /* of a message with QoS 1 or 2 */
};

static inline struct partial *partial_of(const struct mqtt *mqtt,
                                         const struct connection *connection) {
    return connection->partial ? arena_at(mqtt->pool->base, connection->partial) : NULL;
}

static inline bool partial_whole(const struct partial *partial) {
    return partial->header.len && partial->have == partial->header.remaining;
}

/* A new one on the connection, which has none. NULL: no memory. */
struct partial *partial_new(struct mqtt *mqtt, struct connection *connection);

/* Takes bytes of the fixed header until it is whole or `len` are used up; *taken says how many.
 * CODEC_OK: whole; CODEC_MORE; or what is wrong. */
enum codec_result partial_header(struct partial *partial, const uint8_t *data, size_t len,
                                 uint8_t level, size_t *taken);

enum partial_result { PARTIAL_TAKEN, PARTIAL_NO_MEMORY, PARTIAL_TRUNCATED };

/* Takes as much of `data` as belongs to the packet; *taken says how much. Nothing is taken unless
 * PARTIAL_TAKEN. PARTIAL_TRUNCATED: a topic longer than its packet. */
enum partial_result partial_body(struct mqtt *mqtt, struct partial *partial, const uint8_t *data,
                                 size_t len, size_t *taken);

/* Releases it and what it holds, if there is one. */
void partial_free(struct mqtt *mqtt, struct connection *connection);

#endif
