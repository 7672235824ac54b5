/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/partial.h"

enum {
    STEP = 4,            /* memory for what is announced, once a fourth of it has arrived */
    FIRST_CAPACITY = 64, /* bytes */
    MESSAGE_MIN = 512,   /* a shorter PUBLISH is copied into its message by the router */
};

struct partial *partial_new(struct mqtt *mqtt, struct connection *connection) {
    struct partial *partial = pool_alloc(mqtt->pool, sizeof *partial);

    if (partial == NULL)
        return NULL;
    *partial = (struct partial){.started = mqtt->now_ms};
    connection->partial = arena_ref(mqtt->pool->base, partial);
    mqtt->stats.session_bytes += sizeof *partial;
    return partial;
}

static void free_bytes(struct mqtt *mqtt, struct partial *partial) {
    if (partial->bytes == NULL)
        return;
    pool_free(mqtt->pool, partial->bytes, partial->capacity);
    mqtt->stats.session_bytes -= partial->capacity;
    partial->bytes = NULL;
    partial->capacity = 0;
}

void partial_free(struct mqtt *mqtt, struct connection *connection) {
    struct partial *partial = partial_of(mqtt, connection);

    if (partial == NULL)
        return;
    free_bytes(mqtt, partial);
    if (partial->message != NULL)
        parcel_release(mqtt->parcels, partial->message);
    pool_free(mqtt->pool, partial, sizeof *partial);
    mqtt->stats.session_bytes -= sizeof *partial;
    connection->partial = 0;
}

enum codec_result partial_header(struct partial *partial, const uint8_t *data, size_t len,
                                 uint8_t level, size_t *taken) {
    enum codec_result result = CODEC_MORE;

    for (*taken = 0; *taken < len && result == CODEC_MORE; ++*taken) {
        struct fixed_header header;

        partial->header_bytes[partial->header_have++] = data[*taken];
        result = decode_fixed_header(partial->header_bytes, partial->header_have, level, &header);
        if (result == CODEC_OK)
            partial->header = header;
    }
    return result;
}

/* Bytes of a body at `offset` go to where they belong in the message, or in packet_id, which stands
 * between topic and payload on the wire and not in a message. */
static void place(struct partial *partial, uint32_t offset, const uint8_t *data, size_t len) {
    struct message *message = partial->message;
    uint32_t topic_end = 2u + message->topic_len;
    uint32_t id_end = topic_end + (partial->header.flags & 6 ? 2 : 0);

    while (len > 0) {
        uint8_t *to;
        size_t room;

        if (offset < topic_end) {
            to = message->bytes + offset;
            room = topic_end - offset;
        } else if (offset < id_end) {
            to = partial->packet_id + (offset - topic_end);
            room = id_end - offset;
        } else {
            to = message->bytes + topic_end + (offset - id_end);
            room = len;
        }
        if (room > len)
            room = len;
        memcpy(to, data, room);
        data += room;
        offset += (uint32_t)room;
        len -= room;
    }
}

/* The first two bytes of the body, some of which are in `data`. */
static uint16_t topic_len(const struct partial *partial, const uint8_t *data) {
    uint8_t bytes[2];

    for (unsigned i = 0; i < 2; i++)
        bytes[i] = i < partial->have ? partial->bytes[i] : data[i - partial->have];
    return load_be16(bytes);
}

static enum partial_result begin_message(struct mqtt *mqtt, struct partial *partial,
                                         const uint8_t *data) {
    uint16_t topic = topic_len(partial, data);
    uint32_t around = 2u + topic + (partial->header.flags & 6 ? 2 : 0);

    if (partial->header.remaining < around)
        return PARTIAL_TRUNCATED;
    partial->message = message_new(mqtt->parcels, topic, partial->header.remaining - around);
    if (partial->message == NULL)
        return PARTIAL_NO_MEMORY;
    place(partial, 0, partial->bytes, partial->have);
    free_bytes(mqtt, partial);
    return PARTIAL_TAKEN;
}

static bool grow(struct mqtt *mqtt, struct partial *partial, uint64_t needed) {
    uint32_t total = partial->header.remaining;
    uint64_t capacity = needed * STEP < FIRST_CAPACITY ? FIRST_CAPACITY : needed * STEP;

    if (capacity > total)
        capacity = total;
    uint8_t *bytes = pool_alloc(mqtt->pool, capacity);
    if (bytes == NULL)
        return false;
    if (partial->bytes != NULL)
        memcpy(bytes, partial->bytes, partial->have);
    free_bytes(mqtt, partial);
    partial->bytes = bytes;
    partial->capacity = (uint32_t)capacity;
    mqtt->stats.session_bytes += capacity;
    return true;
}

enum partial_result partial_body(struct mqtt *mqtt, struct partial *partial, const uint8_t *data,
                                 size_t len, size_t *taken) {
    uint32_t total = partial->header.remaining;
    uint32_t n = len < total - partial->have ? (uint32_t)len : total - partial->have;
    uint64_t needed = (uint64_t)partial->have + n;

    *taken = 0;
    if (n == 0)
        return PARTIAL_TAKEN;
    if (partial->message == NULL && partial->header.type == PACKET_PUBLISH &&
        total >= MESSAGE_MIN && needed >= 2 && needed * STEP >= total) {
        enum partial_result result = begin_message(mqtt, partial, data);
        if (result != PARTIAL_TAKEN)
            return result;
    }
    if (partial->message != NULL) {
        place(partial, partial->have, data, n);
    } else {
        if (needed > partial->capacity && !grow(mqtt, partial, needed))
            return PARTIAL_NO_MEMORY;
        memcpy(partial->bytes + partial->have, data, n);
    }
    partial->have += n;
    *taken = n;
    return PARTIAL_TAKEN;
}
