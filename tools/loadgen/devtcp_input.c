/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dataplane/base/bytes.h"
#include "tools/loadgen/devtcp_state.h"

struct incoming {
    uint32_t seq, ack, len;
    uint32_t tsval;
    uint16_t wnd;
    uint8_t flags;
    bool has_timestamp;
    const uint8_t *data;
};

static void parse(struct incoming *in, const uint8_t *header, uint32_t len) {
    uint32_t offset = (header[12] >> 4) * 4u;
    *in = (struct incoming){.seq = load_be32(header + 4),
                            .ack = load_be32(header + 8),
                            .flags = header[13],
                            .wnd = load_be16(header + 14),
                            .data = header + offset,
                            .len = len - offset};
    if (offset == TIMESTAMP_HEADER && load_be32(header + HEADER) == UINT32_C(0x0101080a)) {
        in->has_timestamp = true;
        in->tsval = load_be32(header + 24);
    } else if (offset > HEADER) {
        struct tcp_options options;
        tcp_options_parse(&options, header + HEADER, offset - HEADER, false);
        in->has_timestamp = options.has_timestamp;
        in->tsval = options.tsval;
    }
}

static void ack_owed(struct devtcp *tcp, uint32_t number) {
    tcp->devices[number].flags |= DEVICE_ACK;
    devtcp_touch(tcp, number);
}

/* A connection that is over, or never was (RFC 9293 3.10.7.1). A FIN sent again gets its ACK: the
 * last one was lost. */
static void stray(struct devtcp *tcp, uint32_t number, const struct incoming *in) {
    struct device *device = &tcp->devices[number];
    uint32_t end = in->seq + in->len + !!(in->flags & TCP_SYN) + !!(in->flags & TCP_FIN);
    if (in->flags & TCP_RST)
        return;
    if (device->state == DEVICE_ENDED && in->flags & TCP_FIN) {
        devtcp_send_control(tcp, number, in->ack, end, TCP_ACK);
        return;
    }
    tcp->stats.stray++;
    if (in->flags & TCP_ACK)
        devtcp_send_control(tcp, number, in->ack, 0, TCP_RST);
    else
        devtcp_send_control(tcp, number, 0, end, TCP_RST | TCP_ACK);
}

static void syn_sent_input(struct devtcp *tcp, uint32_t number, const struct incoming *in,
                           const uint8_t *header) {
    struct device *device = &tcp->devices[number];
    bool ours = in->flags & TCP_ACK && in->ack == device->snd_una + 1;
    if (in->flags & TCP_RST) {
        if (ours)
            devtcp_end(tcp, number, DEVTCP_REFUSED);
        return;
    }
    if (!ours || !(in->flags & TCP_SYN)) {
        tcp->stats.stray++;
        if (in->flags & TCP_ACK)
            devtcp_send_control(tcp, number, in->ack, 0, TCP_RST);
        return;
    }
    struct tcp_options options;
    tcp_options_parse(&options, header + HEADER, (header[12] >> 4) * 4u - HEADER, true);
    /* A broker has one MSS for all; without the option it is 536 (RFC 9293 3.7.1). */
    uint16_t mss = options.has_mss ? options.mss : 536;
    if (mss < tcp->mss)
        tcp->mss = mss;
    device->shift = options.has_wscale ? options.wscale & 15 : 0;
    if (options.has_timestamp && tcp->config.timestamps) {
        device->flags |= DEVICE_TIMESTAMPS;
        device->ts_recent = options.tsval;
    }
    device->state = DEVICE_OPEN;
    device->flags &= (uint8_t)~DEVICE_ACK;
    device->snd_una = device->snd_nxt = device->snd_end = in->ack;
    device->rcv_nxt = in->seq + 1;
    device->snd_wnd = (uint16_t)(in->wnd >> device->shift); /* not scaled yet (RFC 7323 2.2) */
    device->retries = 0;
    device->rto_at = 0;
    tcp->stats.opened++;
    ack_owed(tcp, number);
    tcp->app.opened(tcp->app.app, number);
}

/* Frees the segments that end before snd_una. */
static void acknowledged(struct devtcp *tcp, struct device *device) {
    while (device->head != 0) {
        uint32_t ref = device->head;
        struct chunk *chunk = chunk_at(&tcp->chunks, ref);
        if (chunk->len == 0 || seq_gt(chunk->seq + chunk->len, device->snd_una))
            break;
        device->head = chunk->next;
        if (device->next == ref)
            device->next = chunk->next;
        if (device->tail == ref)
            device->tail = 0;
        chunk_free(&tcp->chunks, ref);
    }
}

/* How far ACKs may reach. After a timeout snd_nxt went back, and ACKs of what was sent before it
 * are on the way. */
static uint32_t sent_once(const struct devtcp *tcp, const struct device *device) {
    if (!(device->flags & DEVICE_LOST))
        return device_in_flight(device);
    uint32_t end = device->snd_nxt;
    for (uint32_t ref = device->head; ref != 0;) {
        const struct chunk *chunk = chunk_at(&tcp->chunks, ref);
        if (!(chunk->flags & CHUNK_SENT))
            return end - device->snd_una;
        end = chunk->seq + chunk->len;
        ref = chunk->next;
    }
    return device->snd_end - device->snd_una + !!(device->flags & DEVICE_FIN_QUEUED);
}

/* False: the connection ended, or the segment is to be ignored. */
static bool ack_input(struct devtcp *tcp, uint32_t number, const struct incoming *in) {
    struct device *device = &tcp->devices[number];
    uint32_t flight = device_in_flight(device), acked = in->ack - device->snd_una;
    if (seq_lt(in->ack, device->snd_una))
        return true;
    if (acked > flight && acked > sent_once(tcp, device)) {
        tcp->stats.bad_acks++;
        ack_owed(tcp, number);
        return false;
    }
    bool same_window = in->wnd == device->snd_wnd;
    device->snd_wnd = in->wnd;
    if (acked == 0) {
        if (in->len == 0 && same_window && flight > 0 && !(in->flags & TCP_FIN) &&
            ++device->dup_acks == DUP_ACKS) {
            tcp->stats.fast_retransmits++;
            device->node.user = device->node.user > 4 ? device->node.user / 2 : 2;
            devtcp_send_oldest(tcp, number);
        }
        if (!same_window)
            devtcp_touch(tcp, number);
        return true;
    }
    device->snd_una = in->ack;
    if (seq_lt(device->snd_nxt, in->ack))
        device->snd_nxt = in->ack;
    acknowledged(tcp, device);
    device->retries = 0;
    device->dup_acks = 0;
    if (device->node.user < CWND_MAX)
        device->node.user++;
    if (in->ack == device->snd_end + 1)
        device->flags |= DEVICE_FIN_SENT | DEVICE_FIN_ACKED;
    if (device_in_flight(device) == 0)
        device->rto_at = 0;
    else
        rto_set(tcp, number, device);
    if (device->flags & DEVICE_FIN_ACKED && device->flags & DEVICE_PEER_FIN) {
        devtcp_end(tcp, number, DEVTCP_ORDERLY);
        return false;
    }
    devtcp_touch(tcp, number);
    return true;
}

/* Keeps a segment that came too early, in the order of the sequence. */
static void hold(struct devtcp *tcp, struct device *device, const struct incoming *in) {
    uint32_t *link = &device->held;
    if (in->len > CHUNK_ROOM_MAX)
        return;
    while (*link != 0) {
        struct chunk *chunk = chunk_at(&tcp->chunks, *link);
        if (!(chunk->flags & CHUNK_PARTIAL)) {
            if (chunk->seq == in->seq && chunk->len >= in->len)
                return;
            if (seq_gt(chunk->seq, in->seq))
                break;
        }
        link = &chunk->next;
    }
    uint32_t ref = chunk_new(&tcp->chunks, in->len);
    if (ref == 0) {
        tcp->stats.no_chunk++;
        return;
    }
    struct chunk *chunk = chunk_at(&tcp->chunks, ref);
    chunk->seq = in->seq;
    chunk->len = (uint16_t)in->len;
    memcpy(chunk->data, in->data, in->len);
    chunk->next = *link;
    *link = ref;
}

static void deliver(struct devtcp *tcp, uint32_t number, const uint8_t *data, uint32_t len) {
    tcp->devices[number].rcv_nxt += len;
    tcp->stats.bytes_in += len;
    tcp->app.received(tcp->app.app, number, data, len);
}

/* Delivers what was held and fits now. */
static void release_held(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    for (;;) {
        uint32_t *link = &device->held;
        if (*link != 0 && chunk_at(&tcp->chunks, *link)->flags & CHUNK_PARTIAL)
            link = &chunk_at(&tcp->chunks, *link)->next;
        if (*link == 0 || device->state != DEVICE_OPEN)
            return;
        uint32_t ref = *link;
        struct chunk *chunk = chunk_at(&tcp->chunks, ref);
        int32_t old = (int32_t)(device->rcv_nxt - chunk->seq);
        if (old < 0)
            return;
        *link = chunk->next;
        if (old < chunk->len)
            deliver(tcp, number, chunk->data + old, (uint32_t)(chunk->len - old));
        chunk_free(&tcp->chunks, ref);
    }
}

static void data_input(struct devtcp *tcp, uint32_t number, const struct incoming *in) {
    struct device *device = &tcp->devices[number];
    int32_t early = (int32_t)(in->seq - device->rcv_nxt);
    if (early > 0) {
        ack_owed(tcp, number);
        if ((uint32_t)early + in->len > tcp->config.window) {
            tcp->stats.bad_segments++;
            return;
        }
        tcp->stats.out_of_order++;
        hold(tcp, device, in);
        return;
    }
    uint32_t old = (uint32_t)-early;
    if (old >= in->len) {
        tcp->stats.duplicates++;
        ack_owed(tcp, number);
        return;
    }
    /* With a gap in the sequence nothing is delayed (RFC 5681 4.2). */
    bool gap = device->held != 0 && devtcp_partial(tcp, number) == 0;
    if (++device->unacked >= tcp->config.ack_segments || gap)
        ack_owed(tcp, number);
    else if (device->unacked == 1)
        device_due(tcp, number, tcp->tick + ACK_DELAY);
    deliver(tcp, number, in->data + old, in->len - old);
    if (device->held != 0)
        release_held(tcp, number);
}

static void fin_input(struct devtcp *tcp, uint32_t number) {
    struct device *device = &tcp->devices[number];
    device->rcv_nxt++;
    device->flags |= DEVICE_PEER_FIN;
    ack_owed(tcp, number);
    if (device->flags & DEVICE_FIN_ACKED) {
        devtcp_send_control(tcp, number, device->snd_nxt, device->rcv_nxt, TCP_ACK);
        devtcp_end(tcp, number, DEVTCP_ORDERLY);
        return;
    }
    tcp->app.finished(tcp->app.app, number);
    devtcp_close(tcp, number);
}

static void open_input(struct devtcp *tcp, uint32_t number, const struct incoming *in) {
    struct device *device = &tcp->devices[number];
    if (in->flags & TCP_RST) { /* RFC 5961 3.2 */
        if (in->seq == device->rcv_nxt)
            devtcp_end(tcp, number, DEVTCP_RESET);
        else
            ack_owed(tcp, number);
        return;
    }
    if (in->flags & TCP_SYN) { /* the SYN-ACK once more: our ACK was lost */
        ack_owed(tcp, number);
        return;
    }
    if (!(in->flags & TCP_ACK)) {
        tcp->stats.bad_segments++;
        return;
    }
    if (device->flags & DEVICE_TIMESTAMPS && in->has_timestamp) {
        if (seq_lt(in->tsval, device->ts_recent)) { /* RFC 7323 5.3, R1 */
            ack_owed(tcp, number);
            return;
        }
        if (!seq_gt(in->seq, device->rcv_nxt))
            device->ts_recent = in->tsval;
    }
    if (!ack_input(tcp, number, in))
        return;
    uint32_t end = in->seq + in->len;
    if (in->len > 0) {
        if (device->flags & DEVICE_PEER_FIN) {
            ack_owed(tcp, number);
            return;
        }
        data_input(tcp, number, in);
    } else if (in->seq == device->rcv_nxt - 1 && !(in->flags & TCP_FIN)) {
        ack_owed(tcp, number); /* a keep-alive probe */
    }
    if (in->flags & TCP_FIN && device->state == DEVICE_OPEN) {
        if (device->flags & DEVICE_PEER_FIN)
            ack_owed(tcp, number);
        else if (end == device->rcv_nxt)
            fin_input(tcp, number);
    }
}

void devtcp_input(struct devtcp *tcp, uint32_t number, const uint8_t *header, uint32_t len) {
    struct incoming in;
    parse(&in, header, len);
    tcp->stats.segments_in++;
    switch ((enum device_state)tcp->devices[number].state) {
    case DEVICE_SYN_SENT:
        syn_sent_input(tcp, number, &in, header);
        break;
    case DEVICE_OPEN:
        open_input(tcp, number, &in);
        break;
    case DEVICE_NEW:
    case DEVICE_ENDED:
        stray(tcp, number, &in);
        break;
    }
}
