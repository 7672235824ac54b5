/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/reply.h"

#include "dataplane/tcp/cookie.h"
#include "dataplane/tcp/stack.h"

struct reply {
    uint32_t seq, ack;
    uint16_t wnd;
    uint8_t flags;
    size_t options_len;
    uint8_t options[TCP_OPTIONS_MAX];
};

static bool send(struct tcp *tcp, const struct tcp_segment *segment, const struct reply *reply) {
    void *frame;
    size_t len = TCP_HEADER_BYTES + reply->options_len;
    uint8_t *bytes = tcp->link.frame(tcp->link.link, len, &frame);
    if (!bytes) {
        count(tcp->counters, COUNTER_TCP_DROP_REPLY);
        return false;
    }
    header_write(bytes, &segment->tuple, reply->seq, reply->ack, reply->flags, reply->wnd,
                 reply->options_len);
    memcpy(bytes + TCP_HEADER_BYTES, reply->options, reply->options_len);
    count(tcp->counters, COUNTER_TCP_SEGMENTS_OUT);
    tcp->link.transmit(tcp->link.link, frame, len, &segment->tuple, segment->hop);
    return true;
}

void reply_reset(struct tcp *tcp, const struct tcp_segment *segment,
                 const struct tcp_header *header) {
    struct reply reply = {.flags = TCP_RST};
    if (header->flags & TCP_ACK) {
        reply.seq = header->ack;
    } else {
        reply.flags |= TCP_ACK;
        reply.ack = header->seq + header_segment_length(header);
    }
    if (admission_ask(&tcp->admission, ADMISSION_RESET, segment->tuple.remote, tcp->now) !=
        ADMISSION_GRANTED)
        count(tcp->counters, COUNTER_TCP_DROP_RESETS);
    else if (send(tcp, segment, &reply))
        count(tcp->counters, COUNTER_TCP_RESETS_OUT);
}

uint16_t reply_mss(const struct tcp_segment *segment, const struct tcp_header *header) {
    if (header->options.has_mss)
        return header->options.mss;
    return tuple_is_mapped(segment->tuple.remote) ? 536 : 1220;
}

void reply_syn_ack(struct tcp *tcp, const struct tcp_segment *segment,
                   const struct tcp_header *header) {
    const struct tcp_options *theirs = &header->options;
    uint16_t mss = reply_mss(segment, header);
    struct cookie_base base = cookie_base(tcp->config.secret, &segment->tuple);
    struct tcp_options ours = {.has_mss = true, .mss = tcp->config.mss};
    /* Without time stamps a cookie can't carry the other options. */
    if (theirs->has_timestamp) {
        ours.has_timestamp = true;
        ours.has_wscale = theirs->has_wscale;
        ours.wscale = tcp->rcv_shift;
        ours.sack_permitted = theirs->sack_permitted && tcp->config.sack;
        ours.tsval = cookie_timestamp(timestamp_now(tcp, base.ts_offset),
                                      theirs->has_wscale ? theirs->wscale : COOKIE_WSCALE_NONE,
                                      ours.sack_permitted);
        ours.tsecr = theirs->tsval;
    }
    struct reply reply = {
        .seq = cookie_make(tcp->config.secret, &base, header->seq, mss, tcp->config.mss, tcp->now),
        .ack = header->seq + 1,
        .wnd = first_window(tcp),
        .flags = TCP_SYN | TCP_ACK,
    };
    reply.options_len = tcp_options_put_syn(reply.options, &ours);
    if (send(tcp, segment, &reply))
        count(tcp->counters, COUNTER_TCP_SYNS);
}

/* An ACK as of a connection whose time stamp clock is that of the tuple. */
static void send_ack(struct tcp *tcp, const struct tcp_segment *segment, uint8_t flags,
                     uint32_t seq, uint32_t ack, bool timestamps, uint32_t tsecr) {
    struct reply reply = {.seq = seq, .ack = ack, .wnd = first_window(tcp), .flags = flags};
    if (timestamps) {
        struct cookie_base base = cookie_base(tcp->config.secret, &segment->tuple);
        reply.options_len =
            tcp_options_put_timestamp(reply.options, timestamp_now(tcp, base.ts_offset), tsecr);
    }
    send(tcp, segment, &reply);
}

void reply_fin_ack(struct tcp *tcp, const struct tcp_segment *segment,
                   const struct tcp_header *header) {
    send_ack(tcp, segment, TCP_FIN | TCP_ACK, header->ack, header->seq + 1,
             header->options.has_timestamp, header->options.tsval);
}

void reply_time_wait(struct tcp *tcp, const struct time_wait *record,
                     const struct tcp_segment *segment) {
    send_ack(tcp, segment, TCP_ACK, record->snd_nxt, record->rcv_nxt,
             record->endpoint.flags & CONN_TIMESTAMPS, record->ts_recent);
}
