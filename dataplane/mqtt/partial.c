/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/partial.h"

#include "dataplane/mqtt/partials.h"

enum {
    CAPACITY_MIN = 64, /* bytes */
    MESSAGE_MIN = 512, /* a shorter PUBLISH is copied into its message by the router */
    MOVES = 4,         /* bytes moved for each that comes ... */
    MOVED_MIN = 4096,  /* ... and at least, with each call */
};

struct partial *partial_new(struct mqtt *mqtt, struct connection *connection) {
    size_t taken = pool_taken(sizeof(struct partial));
    struct partial *partial =
        partials_room(mqtt, NULL, taken) ? pool_alloc(mqtt->pool, sizeof *partial) : NULL;

    if (partial == NULL)
        return NULL;
    *partial = (struct partial){
        .started = mqtt->now_ms,
        .held = (uint32_t)taken,
        .connection = arena_ref(mqtt->pool->base, connection),
    };
    connection->partial = arena_ref(mqtt->pool->base, partial);
    mqtt->stats.partial_bytes += taken;
    partials_add(mqtt, partial);
    return partial;
}

/* A PUBLISH that is assembled in its message. */
static bool in_message(const struct partial *partial) {
    return partial->header.type == PACKET_PUBLISH && partial->header.remaining >= MESSAGE_MIN;
}

static uint32_t packet_id_len(const struct partial *partial) {
    return in_message(partial) && (partial->header.flags & 6) ? 2 : 0;
}

static size_t area_size(const struct partial *partial, uint32_t capacity) {
    return capacity + (in_message(partial) ? sizeof(struct message) : 0);
}

static void account(struct mqtt *mqtt, struct partial *partial, size_t taken, bool more) {
    partial->held = (uint32_t)(more ? partial->held + taken : partial->held - taken);
    mqtt->stats.partial_bytes += more ? taken : -(uint64_t)taken;
}

static void area_free(struct mqtt *mqtt, struct partial *partial, struct partial_area *area) {
    size_t size = area_size(partial, area->capacity);

    if (area->bytes == NULL)
        return;
    if (!in_message(partial))
        pool_free(mqtt->pool, area->bytes, size);
    else if (area->message != NULL) /* else the router has it */
        parcel_release(mqtt->parcels, area->message);
    account(mqtt, partial, pool_taken(size), false);
    *area = (struct partial_area){0};
}

void partial_free(struct mqtt *mqtt, struct connection *connection) {
    struct partial *partial = partial_of(mqtt, connection);

    if (partial == NULL)
        return;
    partials_remove(mqtt, partial);
    area_free(mqtt, partial, &partial->old);
    area_free(mqtt, partial, &partial->area);
    mqtt->stats.partial_bytes -= partial->held;
    pool_free(mqtt->pool, partial, sizeof *partial);
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

/* Where in the area the byte at `offset` of the body belongs; the packet identifier stands between
 * topic and payload on the wire and not in a message. */
static uint32_t place_of(const struct partial *partial, uint32_t topic_len, uint32_t offset) {
    uint32_t topic_end = 2u + topic_len, id = packet_id_len(partial);

    if (id == 0 || offset <= topic_end)
        return offset;
    return offset < topic_end + id ? topic_end : offset - id;
}

/* Bytes of a body at `offset` go to where they belong, in the area or in packet_id. */
static void place(struct partial *partial, uint32_t offset, const uint8_t *data, size_t len) {
    uint8_t *bytes = partial->area.bytes;
    uint32_t id = packet_id_len(partial);
    uint32_t topic_end = UINT32_MAX;

    if (id > 0)
        topic_end = 2u + partial->area.message->topic_len;
    while (len > 0) {
        uint8_t *to;
        size_t room = len;

        if (offset < topic_end) {
            to = bytes + offset;
            room = topic_end - offset;
        } else if (offset < topic_end + id) {
            to = partial->packet_id + (offset - topic_end);
            room = topic_end + id - offset;
        } else {
            to = bytes + (offset - id);
        }
        if (room > len)
            room = len;
        memcpy(to, data, room);
        data += room;
        offset += (uint32_t)room;
        len -= room;
    }
}

static void move(struct mqtt *mqtt, struct partial *partial, uint64_t most) {
    uint32_t left = partial->old_end - partial->moved;
    uint32_t n = left < most ? left : (uint32_t)most;

    if (partial->old.bytes == NULL || partial->area.bytes == NULL)
        return;
    memcpy(partial->area.bytes + partial->moved, partial->old.bytes + partial->moved, n);
    partial->moved += n;
    if (partial->moved == partial->old_end)
        area_free(mqtt, partial, &partial->old);
}

static bool area_new(struct mqtt *mqtt, struct partial *partial, uint16_t topic_len,
                     struct partial_area *area) {
    if (in_message(partial)) {
        area->message = message_begin(mqtt->parcels, topic_len, area->capacity);
        area->bytes = area->message != NULL ? area->message->bytes : NULL;
    } else {
        area->bytes = pool_alloc(mqtt->pool, area->capacity);
    }
    return area->bytes != NULL;
}

/* Room for `needed` bytes, of which `filled` are there. Of what is still to be moved there are no
 * more than have come since. */
static bool grow(struct mqtt *mqtt, struct partial *partial, uint16_t topic_len, uint32_t filled,
                 uint32_t needed) {
    uint32_t capacity = partial->header.remaining - packet_id_len(partial);

    move(mqtt, partial, UINT32_MAX);
    for (uint32_t half = (capacity + 1) / 2; half >= needed && half >= CAPACITY_MIN;
         half = (capacity + 1) / 2)
        capacity = half;
    struct partial_area area = {.capacity = capacity};
    size_t taken = pool_taken(area_size(partial, capacity));
    if (!partials_room(mqtt, partial, taken) || !area_new(mqtt, partial, topic_len, &area))
        return false;
    account(mqtt, partial, taken, true);
    partial->old = partial->area;
    partial->old_end = filled;
    partial->moved = 0;
    partial->area = area;
    return true;
}

/* The first two bytes of the body, some of which are in `data`. */
static uint16_t topic_len_of(const struct partial *partial, const uint8_t *data) {
    if (partial->area.message != NULL)
        return partial->area.message->topic_len;
    return (uint16_t)(partial->have > 0 ? partial->first << 8 | data[0] : data[0] << 8 | data[1]);
}

/* Room for the next `n` bytes. */
static enum partial_result prepare(struct mqtt *mqtt, struct partial *partial, const uint8_t *data,
                                   uint32_t n) {
    uint32_t have = partial->have, topic = 0;

    if (in_message(partial)) {
        topic = topic_len_of(partial, data);
        if (partial->header.remaining < 2u + topic + packet_id_len(partial))
            return PARTIAL_TRUNCATED;
    }
    uint32_t needed = place_of(partial, topic, have + n);
    if (needed > partial->area.capacity) {
        bool first = partial->area.bytes == NULL;
        uint32_t filled = place_of(partial, topic, have);

        if (!grow(mqtt, partial, (uint16_t)topic, filled, needed))
            return PARTIAL_NO_MEMORY;
        if (first && have > 0)
            place(partial, 0, &partial->first, 1);
    }
    return PARTIAL_TAKEN;
}

enum partial_result partial_body(struct mqtt *mqtt, struct partial *partial, const uint8_t *data,
                                 size_t len, size_t *taken) {
    uint32_t left = partial->header.remaining - partial->have;
    uint32_t n = len < left ? (uint32_t)len : left;

    *taken = 0;
    if (n == 0) {
        if (left == 0)
            partials_remove(mqtt, partial);
        return PARTIAL_TAKEN;
    }
    if (in_message(partial) && partial->have + n < 2) {
        partial->first = data[0];
    } else {
        enum partial_result result = prepare(mqtt, partial, data, n);
        if (result != PARTIAL_TAKEN)
            return result;
        place(partial, partial->have, data, n);
    }
    partial->have += n;
    *taken = n;
    if (!partial_whole(partial)) {
        move(mqtt, partial, (uint64_t)n * MOVES + MOVED_MIN);
        partials_grown(mqtt, partial);
        return PARTIAL_TAKEN;
    }
    move(mqtt, partial, UINT32_MAX);
    partials_remove(mqtt, partial);
    if (in_message(partial)) {
        struct message *message = partial->area.message;
        message->payload_len = partial->area.capacity - 2 - message->topic_len;
    }
    return PARTIAL_TAKEN;
}
