/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte stream from the broker cut into packets. A packet that is all in one segment is looked
 * at in place. Of one that is not, the beginning is kept in a chunk, as much as fits; the rest of a
 * longer one is only counted.
 */
#include "tools/loadgen/fleet.h"

struct partial {
    uint32_t len;  /* of the packet; 0: not known yet */
    uint32_t seen; /* bytes of it that came */
    uint8_t head[];
};

enum { HEAD_MAX = CHUNK_SMALL - CHUNK_HEADER - sizeof(struct partial), FIXED_HEADER_MAX = 5 };

/* The whole length of the packet that begins at `at`; 0: not known yet; -1: malformed. */
static int64_t packet_length(const uint8_t *at, uint32_t have, uint32_t *header) {
    uint32_t remaining;
    int bytes = have < 2 ? 0 : length_get(at + 1, have - 1, &remaining);
    if (bytes <= 0)
        return bytes;
    *header = 1 + (uint32_t)bytes;
    return (int64_t)*header + remaining;
}

static void partial_begin(struct fleet *fleet, uint32_t number, const uint8_t *data, uint32_t len,
                          uint32_t packet) {
    uint32_t ref = devtcp_partial_new(&fleet->tcp, number);
    if (ref == 0) { /* the stream cannot be followed any more */
        fleet->counts.no_buffer++;
        fleet_leave(fleet, number);
        return;
    }
    struct partial *partial = (struct partial *)chunk_at(&fleet->tcp.chunks, ref)->data;
    partial->len = packet;
    partial->seen = len;
    memcpy(partial->head, data, len < HEAD_MAX ? len : HEAD_MAX);
}

/* Adds bytes to the packet that is half there; returns how many it took. */
static uint32_t partial_continue(struct fleet *fleet, uint32_t number, uint32_t ref,
                                 const uint8_t *data, uint32_t len) {
    struct partial *partial = (struct partial *)chunk_at(&fleet->tcp.chunks, ref)->data;
    uint32_t used = 0, header = 0;
    while (partial->len == 0 && used < len) {
        partial->head[partial->seen++] = data[used++];
        int64_t packet = packet_length(partial->head, partial->seen, &header);
        if (packet < 0) {
            devtcp_partial_free(&fleet->tcp, number);
            fleet_malformed(fleet, number);
            return len;
        }
        partial->len = (uint32_t)packet;
    }
    if (partial->len == 0)
        return used;
    uint32_t take = partial->len - partial->seen;
    take = take < len - used ? take : len - used;
    if (partial->seen < HEAD_MAX) {
        uint32_t room = HEAD_MAX - partial->seen;
        memcpy(partial->head + partial->seen, data + used, take < room ? take : room);
    }
    partial->seen += take;
    if (partial->seen == partial->len) {
        uint8_t head[HEAD_MAX];
        uint32_t whole = partial->len, have = whole < HEAD_MAX ? whole : HEAD_MAX;
        memcpy(head, partial->head, have);
        devtcp_partial_free(&fleet->tcp, number);
        packet_length(head, have, &header);
        fleet_packet(fleet, number, head, header, have, whole);
    }
    return used + take;
}

void fleet_received(void *app, uint32_t number, const uint8_t *data, uint32_t len) {
    struct fleet *fleet = app;
    const struct device *device = &fleet->tcp.devices[number];
    uint32_t partial = device->held == 0 ? 0 : devtcp_partial(&fleet->tcp, number);
    if (partial != 0) {
        uint32_t used = partial_continue(fleet, number, partial, data, len);
        data += used;
        len -= used;
    }
    while (len > 0 && (device->mqtt & MQTT_STATE) != MQTT_CLOSING) {
        uint32_t header = 0;
        int64_t packet = packet_length(data, len, &header);
        if (packet < 0) {
            fleet_malformed(fleet, number);
            return;
        }
        if (packet == 0 || packet > len) {
            partial_begin(fleet, number, data, len, (uint32_t)packet);
            return;
        }
        fleet_packet(fleet, number, data, header, (uint32_t)packet, (uint32_t)packet);
        data += packet;
        len -= (uint32_t)packet;
    }
}
