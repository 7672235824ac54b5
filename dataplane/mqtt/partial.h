/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet of which a part has arrived. The bytes are copied out of TCP's hands, so half a packet
 * holds no network buffer; memory grows with what has arrived, not with what was announced. A large
 * PUBLISH is assembled where it will stay: in its message.
 *
 * The capacity is the packet's size halved again and again, so each step doubles it and the last
 * one fits. What stood in the old memory moves over while bytes come, a few for each that comes:
 * the work of a call is bounded by what it brings. See partials.h for the budget.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_PARTIAL_H
#define LINEMQ_MQTT_PARTIAL_H

#include "dataplane/mqtt/codec.h"
#include "dataplane/mqtt/connection.h"

/* Memory for what follows the fixed header; of a message without its packet identifier. */
struct partial_area {
    struct message *message; /* that `bytes` are in, or NULL */
    uint8_t *bytes;          /* `capacity` of them, or NULL */
    uint32_t capacity;
};

struct partial {
    struct partial_area area;
    struct partial_area old; /* what `area` has replaced; its first `old_end` bytes count ... */
    uint32_t old_end, moved; /* ... and the first `moved` of them stand in `area` */
    uint32_t have;           /* of what follows the fixed header */
    uint32_t grown_at;       /* `have` when it was listed last */
    uint32_t held;           /* bytes of memory, this struct included */
    uint32_t started;        /* milliseconds */
    ref_t connection;
    ref_t previous, next;       /* see partials.h */
    struct fixed_header header; /* header.len is 0 until it is whole */
    uint8_t header_bytes[FIXED_HEADER_MAX];
    uint8_t header_have;
    uint8_t packet_id[2]; /* of a message with QoS 1 or 2 */
    uint8_t first;        /* byte of a message's topic length, until the second comes */
    bool listed;
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
 * PARTIAL_TAKEN. PARTIAL_TRUNCATED: a topic longer than its packet. May give up others'. */
enum partial_result partial_body(struct mqtt *mqtt, struct partial *partial, const uint8_t *data,
                                 size_t len, size_t *taken);

/* Releases it and what it holds, if there is one. */
void partial_free(struct mqtt *mqtt, struct connection *connection);

#endif
