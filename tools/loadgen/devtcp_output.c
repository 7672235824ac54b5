/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dataplane/base/bytes.h"
#include "tools/loadgen/devtcp_state.h"

/* The header but for ports and checksum; returns its length. */
static uint32_t header_put(struct devtcp *tcp, const struct device *device, uint8_t *to,
                           uint32_t seq, uint32_t ack, uint8_t flags) {
    uint32_t len = HEADER;
    store_be32(to + 4, seq);
    store_be32(to + 8, ack);
    to[13] = flags;
    store_be16(to + 14, (uint16_t)(tcp->config.window >> tcp->shift));
    store_be32(to + 16, 0);
    if (device->flags & DEVICE_TIMESTAMPS) {
        tcp_options_put_timestamp(to + HEADER, tcp->tsval, device->ts_recent);
        len = TIMESTAMP_HEADER;
    }
    to[12] = (uint8_t)(len / 4 << 4);
    return len;
}

static void transmit(struct devtcp *tcp, void *frame, uint32_t len, uint32_t number) {
    tcp->stats.segments_out++;
    tcp->link.transmit(tcp->link.link, frame, len, number);
}

bool devtcp_send_control(struct devtcp *tcp, uint32_t number, uint32_t seq, uint32_t ack,
                         uint8_t flags) {
    void *frame;
    uint8_t *to = tcp->link.frame(tcp->link.link, TIMESTAMP_HEADER, &frame);
    if (to == NULL)
        return false;
    transmit(tcp, frame, header_put(tcp, &tcp->devices[number], to, seq, ack, flags), number);
    return true;
}

bool devtcp_send_syn(struct devtcp *tcp, uint32_t number) {
    const struct device *device = &tcp->devices[number];
    void *frame;
    uint8_t *to = tcp->link.frame(tcp->link.link, DEVTCP_HEADER_MAX, &frame);
    if (to == NULL)
        return false;
    uint32_t window = tcp->config.window < UINT16_MAX ? tcp->config.window : UINT16_MAX;
    store_be32(to + 4, device->snd_una);
    store_be32(to + 8, 0);
    to[13] = TCP_SYN;
    store_be16(to + 14, (uint16_t)window); /* not scaled (RFC 7323 2.2) */
    store_be32(to + 16, 0);
    uint8_t *option = to + HEADER;
    *option++ = TCP_OPTION_MSS;
    *option++ = 4;
    store_be16(option, tcp->config.mss);
    option += 2;
    *option++ = TCP_OPTION_NOP;
    *option++ = TCP_OPTION_WSCALE;
    *option++ = 3;
    *option++ = tcp->shift;
    if (tcp->config.timestamps)
        option += tcp_options_put_timestamp(option, tcp->tsval, 0);
    to[12] = (uint8_t)((option - to) / 4 << 4);
    transmit(tcp, frame, (uint32_t)(option - to), number);
    return true;
}

/* `len` bytes of a chunk from `offset` on. */
static bool data_send(struct devtcp *tcp, uint32_t number, struct chunk *chunk, uint32_t offset,
                      uint32_t len) {
    struct device *device = &tcp->devices[number];
    void *frame;
    uint8_t *to = tcp->link.frame(tcp->link.link, TIMESTAMP_HEADER + len, &frame);
    if (to == NULL)
        return false;
    bool last = offset + len == chunk->len && chunk->next == 0;
    uint32_t header = header_put(tcp, device, to, chunk->seq + offset, device->rcv_nxt,
                                 (uint8_t)(TCP_ACK | (last ? TCP_PSH : 0)));
    memcpy(to + header, chunk->data + offset, len);
    tcp->stats.retransmitted += (chunk->flags & CHUNK_SENT) != 0;
    tcp->stats.bytes_out += len;
    chunk->flags |= CHUNK_SENT;
    device->flags &= (uint8_t)~DEVICE_ACK;
    device->unacked = 0;
    transmit(tcp, frame, header + len, number);
    return true;
}

bool devtcp_send_oldest(struct devtcp *tcp, uint32_t number) {
    const struct device *device = &tcp->devices[number];
    if (device->head == 0)
        return true;
    struct chunk *chunk = chunk_at(&tcp->chunks, device->head);
    uint32_t offset = device->snd_una - chunk->seq;
    return data_send(tcp, number, chunk, offset, chunk->len - offset);
}

/* What the windows allow of the segment that begins at snd_nxt: all of it, or, with nothing in
 * flight, as much as there is window (RFC 9293 3.8.6.2.1). */
static uint32_t allowed(const struct devtcp *tcp, const struct device *device, uint32_t left) {
    uint32_t flight = device_in_flight(device), window = device_window(device);
    uint32_t congestion = (uint32_t)device->node.user * devtcp_segment(tcp);
    uint32_t room = window > flight ? window - flight : 0;
    if (flight == 0)
        return left < room ? left : room;
    return left <= room && flight + left <= congestion ? left : 0;
}

static bool fin_send(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    if (!devtcp_send_control(tcp, number, device->snd_end, device->rcv_nxt, TCP_FIN | TCP_ACK))
        return false;
    device->flags |= DEVICE_FIN_SENT;
    device->flags &= (uint8_t)~DEVICE_ACK;
    device->unacked = 0;
    device->snd_nxt = device->snd_end + 1;
    return true;
}

/* False: no frame. */
static bool device_output(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    while (device->next != 0) {
        struct chunk *chunk = chunk_at(&tcp->chunks, device->next);
        uint32_t offset = device->snd_nxt - chunk->seq, left = chunk->len - offset;
        uint32_t len = allowed(tcp, device, left);
        if (len == 0)
            break;
        if (!(chunk->flags & CHUNK_SENT))
            device->flags &= (uint8_t)~DEVICE_LOST;
        if (!data_send(tcp, number, chunk, offset, len))
            return false;
        device->snd_nxt += len;
        if (len == left)
            device->next = chunk->next;
    }
    if (device->flags & DEVICE_FIN_QUEUED && device->next == 0 &&
        !(device->flags & DEVICE_FIN_SENT) && !fin_send(tcp, number))
        return false;
    if (device->flags & DEVICE_ACK) {
        if (!devtcp_send_control(tcp, number, device->snd_nxt, device->rcv_nxt, TCP_ACK))
            return false;
        device->flags &= (uint8_t)~DEVICE_ACK;
        device->unacked = 0;
        tcp->stats.acks_out++;
    }
    /* A closed window is probed by the same timer. */
    if (device->rto_at == 0 && (device_in_flight(device) > 0 || device->next != 0))
        rto_set(tcp, number, device);
    return true;
}

bool devtcp_output(struct devtcp *tcp, unsigned budget) {
    for (; tcp->touched_count > 0 && budget > 0; budget--) {
        uint32_t number = tcp->touched[tcp->touched_first];
        struct device *device = &tcp->devices[number];
        if (tcp->touched_count > 1)
            __builtin_prefetch(
                &tcp->devices[tcp->touched[(tcp->touched_first + 1) & tcp->touched_mask]]);
        if (device->state == DEVICE_SYN_SENT && device->flags & DEVICE_ACK &&
            !devtcp_send_syn(tcp, number))
            return true;
        if (device->state == DEVICE_OPEN) {
            tcp->app.sending(tcp->app.app, number);
            if (device->state == DEVICE_OPEN && !device_output(tcp, number))
                return true;
        }
        device->flags &= (uint8_t) ~(DEVICE_TOUCHED | DEVICE_ACK);
        tcp->touched_first = (tcp->touched_first + 1) & tcp->touched_mask;
        if (--tcp->touched_count == 0)
            tcp->touched_first = 0;
    }
    return tcp->touched_count > 0;
}

/* Retransmission time-out (RFC 6298 5.4 to 5.6): go back to what is not acknowledged. */
static void timed_out(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    device->rto_at = 0;
    tcp->stats.timeouts++;
    if (device->retries >= tcp->config.retries) {
        devtcp_end(tcp, number, DEVTCP_TIMEOUT);
        return;
    }
    device->retries++;
    rto_set(tcp, number, device);
    if (device->state == DEVICE_SYN_SENT) {
        device->flags |= DEVICE_ACK;
        devtcp_touch(tcp, number);
        return;
    }
    device->dup_acks = 0;
    device->node.user = 1;
    device->flags |= DEVICE_LOST;
    device->flags &= (uint8_t)~DEVICE_FIN_SENT;
    device->snd_nxt = device->snd_una;
    device->next = device->head;
    if (device_window(device) == 0 && device->head != 0) { /* RFC 9293 3.8.6.1 */
        struct chunk *chunk = chunk_at(&tcp->chunks, device->head);
        data_send(tcp, number, chunk, device->snd_una - chunk->seq, 1);
    }
    devtcp_touch(tcp, number);
}

static void visit(void *argument, uint32_t ref) {
    struct devtcp *tcp = argument;
    uint32_t number = wheel_number(ref);
    struct device *device = &tcp->devices[number];
    if (device->rto_at != 0 && seq_geq(tcp->tick, device->rto_at))
        timed_out(tcp, number);
    if (device->app_at != 0 && seq_geq(tcp->tick, device->app_at)) {
        device->app_at = 0;
        tcp->app.timer(tcp->app.app, number);
    }
    if (device->unacked > 0) {
        device->flags |= DEVICE_ACK;
        devtcp_touch(tcp, number);
    }
    /* Whichever comes next: deadlines may have moved on since the node was put here. */
    if (device->rto_at != 0)
        device_due(tcp, number, device->rto_at);
    if (device->app_at != 0)
        device_due(tcp, number, device->app_at);
}

bool devtcp_timers(struct devtcp *tcp, unsigned budget) {
    return wheel_advance(&tcp->wheel, tcp->now, &budget, visit, tcp);
}
