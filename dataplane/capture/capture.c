/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/capture/capture.h"

#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/capture/headers.h"
#include "dataplane/tcp/tuple.h"

enum { MACS = 12, TAG = 4 };

size_t capture_point_size(uint64_t ring) {
    return sizeof(struct capture_point) + ring;
}

void capture_point_init(struct capture_point *point, uint64_t ring) {
    capture_ring_init(&point->ring, ring);
}

bool capture_begin(struct capture *capture, struct capture_point *point) {
    if (capture->count == CAPTURE_POINTS)
        return false;
    capture->points[capture->count++] = point;
    return true;
}

bool capture_end(struct capture *capture, struct capture_point *point) {
    for (unsigned i = 0; i < capture->count; i++) {
        if (capture->points[i] != point)
            continue;
        capture->points[i] = capture->points[--capture->count];
        return true;
    }
    return false;
}

static bool wanted(const struct capture_filter *filter, const struct frame_headers *headers) {
    if (filter->family != 0 &&
        (headers->family != filter->family ||
         (!same_prefix(headers->source, filter->address, filter->prefix) &&
          !same_prefix(headers->destination, filter->address, filter->prefix))))
        return false;
    return filter->port == 0 || (headers->tcp && (headers->source_port == filter->port ||
                                                  headers->destination_port == filter->port));
}

/* Does an address of the frame's family lie in 16 bytes, mapped if it is IPv4? */
static bool same_address(const uint8_t mapped[16], const uint8_t *address, unsigned family) {
    if (family == 6)
        return memcmp(mapped, address, 16) == 0;
    return tuple_is_mapped(mapped) && memcmp(mapped + 12, address, 4) == 0;
}

static bool of_client(const struct capture_point *point, const struct frame_headers *headers,
                      bool sent) {
    if (!headers->tcp)
        return false;
    const uint8_t *address = sent ? headers->destination : headers->source;
    uint16_t remote = sent ? headers->destination_port : headers->source_port;
    uint16_t local = sent ? headers->source_port : headers->destination_port;
    for (unsigned i = 0; i < CAPTURE_ENDPOINTS; i++) {
        const struct capture_endpoint *endpoint = &point->endpoints[i];
        if (endpoint->remote_port == remote && endpoint->local_port == local &&
            same_address(endpoint->remote, address, headers->family))
            return true;
    }
    return false;
}

static void copy(struct capture_record *record, const struct capture_frame *frame, bool tagged) {
    uint32_t len = record->len;
    if (!tagged) {
        memcpy(record->bytes, frame->bytes, len);
        return;
    }
    /* The tag goes back to where it was on the wire. */
    uint8_t head[MACS + TAG];
    memcpy(head, frame->bytes, MACS);
    store_be16(head + MACS, 0x8100);
    store_be16(head + MACS + 2, frame->tag);
    uint32_t first = len < sizeof head ? len : (uint32_t)sizeof head;
    memcpy(record->bytes, head, first);
    memcpy(record->bytes + first, frame->bytes + MACS, len - first);
}

static void take(struct capture *capture, struct capture_point *point,
                 const struct capture_frame *frame, const struct frame_headers *headers,
                 bool sent) {
    uint32_t len = point->payload ? frame->len : headers->headers_len;
    uint32_t tag = frame->tagged && frame->len >= MACS ? TAG : 0;
    len += tag;
    if (len > point->snap)
        len = point->snap;
    struct capture_record *record = capture_ring_room(&point->ring, len);
    if (record == NULL) {
        count(capture->counters, COUNTER_WORKER_CAPTURE_MISSED);
        __atomic_store_n(&point->missed, point->missed + 1, __ATOMIC_RELAXED);
        return;
    }
    record->wire_len = frame->wire_len + tag;
    record->time = frame->time;
    record->len = len;
    record->port = frame->port;
    record->flags = sent ? CAPTURE_SENT : 0;
    record->spare = 0;
    copy(record, frame, tag > 0);
    capture_ring_write(&point->ring, record);
    count(capture->counters, COUNTER_WORKER_CAPTURED);
}

void capture_received(struct capture *capture, const struct capture_frame *frame,
                      bool handed_over) {
    struct frame_headers headers;
    frame_headers(frame->bytes, frame->len, &headers);
    for (unsigned i = 0; i < capture->count; i++) {
        struct capture_point *point = capture->points[i];
        if (point->filter.client_id_len == 0 && (!handed_over || point->handed_over) &&
            wanted(&point->filter, &headers))
            take(capture, point, frame, &headers, false);
    }
}

void capture_sent(struct capture *capture, struct capture_frame *frame) {
    struct frame_headers headers;
    frame->time = capture->wall_clock(capture->argument);
    frame_headers(frame->bytes, frame->len, &headers);
    for (unsigned i = 0; i < capture->count; i++) {
        struct capture_point *point = capture->points[i];
        if (wanted(&point->filter, &headers) &&
            (point->filter.client_id_len == 0 || of_client(point, &headers, true)))
            take(capture, point, frame, &headers, true);
    }
}

void capture_burst(struct capture *capture) {
    for (unsigned i = 0; i < capture->count; i++)
        capture->points[i]->taken = 0;
}

void capture_segment(struct capture *capture, const struct capture_frame *frame, unsigned i) {
    struct frame_headers headers;
    frame_headers(frame->bytes, frame->len, &headers);
    for (unsigned k = 0; k < capture->count; k++) {
        struct capture_point *point = capture->points[k];
        if (point->filter.client_id_len == 0 || (point->taken >> i & 1) ||
            !of_client(point, &headers, false) || !wanted(&point->filter, &headers))
            continue;
        point->taken |= UINT32_C(1) << i;
        take(capture, point, frame, &headers, false);
    }
}

void capture_connect(struct capture *capture, const uint8_t *client_id, size_t len,
                     const struct capture_endpoint *endpoint) {
    for (unsigned i = 0; i < capture->count; i++) {
        struct capture_point *point = capture->points[i];
        if (point->filter.client_id_len != len || len == 0 ||
            memcmp(point->filter.client_id, client_id, len) != 0)
            continue;
        /* CONNECT may be looked at again and again until there is memory for it. */
        uint32_t last = (point->endpoint_next + CAPTURE_ENDPOINTS - 1) % CAPTURE_ENDPOINTS;
        if (memcmp(&point->endpoints[last], endpoint, sizeof *endpoint) == 0)
            continue;
        point->endpoints[point->endpoint_next] = *endpoint;
        point->endpoint_next = (point->endpoint_next + 1) % CAPTURE_ENDPOINTS;
    }
}
