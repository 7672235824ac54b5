/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/input.h"

#include "dataplane/tcp/accept.h"
#include "dataplane/tcp/ack.h"
#include "dataplane/tcp/receive.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"

enum {
    BURST_MAX = 64,
    CHALLENGES_MAX = 10,   /* challenge ACKs of a connection in ... */
    CHALLENGE_SHIFT = 20,  /* ... a period of about a second */
    CHALLENGE_PERIODS = 16 /* periods that are told apart */
};

/* TS.Recent counts for nothing after 24 days of silence (RFC 7323 5.5). */
#define PAWS_IDLE_MAX (UINT64_C(24) * 24 * 3600 * 1000000 >> TCP_IDLE_SHIFT)

static void count_dropped(struct tcp *tcp, struct tcp_conn *conn, enum counter counter,
                          const struct tcp_header *header) {
    conn_count_in(tcp, conn, counter, header->seq, header_segment_length(header));
}

/* They are limited for each connection by itself: a limit that connections share tells a stranger
 * how often others were challenged. The byte holds period and count. */
void conn_challenge(struct tcp *tcp, struct tcp_conn *conn) {
    uint8_t period = (uint8_t)(tcp->now >> CHALLENGE_SHIFT & (CHALLENGE_PERIODS - 1));
    uint8_t sent = conn->challenge >> 4 == period ? conn->challenge & 15 : 0;
    if (sent >= CHALLENGES_MAX) {
        conn_count(tcp, conn, COUNTER_TCP_DROP_CHALLENGE);
        return;
    }
    conn->challenge = (uint8_t)(period << 4 | (sent + 1));
    count(tcp->counters, COUNTER_TCP_CHALLENGE_ACKS);
    conn_owe_ack(tcp, conn);
}

/* What does not fit gets an ACK, so that a peer that lost the thread finds it again. One that
 * carries nothing is a challenge, lest two stacks answer each other for ever. */
static void unacceptable(struct tcp *tcp, struct tcp_conn *conn, uint32_t segment_length) {
    if (segment_length)
        conn_owe_ack(tcp, conn);
    else
        conn_challenge(tcp, conn);
}

/* RFC 9293 3.10.7.4, table 6, exactly. */
static bool acceptable(const struct tcp_conn *conn, uint32_t seq, uint32_t len) {
    if (len == 0)
        return conn->rcv_wnd == 0 ? seq == conn->rcv_nxt
                                  : seq_within(seq, conn->rcv_nxt, conn->rcv_wnd);
    return seq_within(seq, conn->rcv_nxt, conn->rcv_wnd) ||
           seq_within(seq + len - 1, conn->rcv_nxt, conn->rcv_wnd);
}

/* RFC 7323 5.3 R1. True: go on. */
static bool check_timestamp(struct tcp *tcp, struct tcp_conn *conn,
                            const struct tcp_header *header) {
    if (!(conn->flags & CONN_TIMESTAMPS) || header->flags & TCP_RST)
        return true;
    if (!header->options.has_timestamp) {
        count_dropped(tcp, conn, COUNTER_TCP_DROP_NO_TIMESTAMP, header);
        return false;
    }
    if (!seq_lt(header->options.tsval, conn->ts_recent) ||
        idle_tick(tcp->now) - conn->last_received > PAWS_IDLE_MAX)
        return true;
    count_dropped(tcp, conn, COUNTER_TCP_DROP_PAWS, header);
    unacceptable(tcp, conn, header_segment_length(header));
    return false;
}

/* Payload and FIN cut to what the window takes. */
static void take_text(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_header *header) {
    uint32_t seq = header->seq, len = header->len;
    const uint8_t *data = header->payload;
    bool fin = header->flags & TCP_FIN;
    if (len == 0 && !fin)
        return;
    if (seq_lt(seq, conn->rcv_nxt)) {
        uint32_t old = conn->rcv_nxt - seq;
        receive_twice(tcp, conn, seq, seq + (old < len ? old : len));
        if (old > len) {
            conn_owe_ack(tcp, conn);
            return;
        }
        seq += old;
        data += old;
        len -= old;
    }
    uint32_t room = conn->rcv_nxt + conn->rcv_wnd - seq;
    if (len + fin > room) {
        fin = false;
        if (len > room)
            len = room;
        conn_owe_ack(tcp, conn);
        if (room == 0) {
            count_dropped(tcp, conn, COUNTER_TCP_DROP_ZERO_WINDOW, header);
            return;
        }
    }
    receive_segment(tcp, conn, seq, data, len, fin);
}

void conn_input(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_segment *segment,
                const struct tcp_header *header) {
    uint32_t segment_length = header_segment_length(header);
    trace_input(tcp, conn, header);
    if (conn->flags & CONN_ABORT) {
        count_dropped(tcp, conn, COUNTER_TCP_DROP_AFTER_ABORT, header);
        return;
    }

    /* A SYN never belongs here, wherever it lies (RFC 5961 4.2): a peer that restarted answers the
     * ACK with a RST that is exactly right. */
    if ((header->flags & (TCP_SYN | TCP_RST)) == TCP_SYN) {
        count_dropped(tcp, conn, COUNTER_TCP_DROP_SYN, header);
        conn_challenge(tcp, conn);
        return;
    }
    if (!check_timestamp(tcp, conn, header))
        return;

    /* First check: sequence number. A peer that has filled the window sends its ACKs from the right
     * edge, and while a hole is open in front of them they are just outside. They are ACKs of our
     * data all the same, as they are when the window is closed: only what they carry is not taken.
     */
    bool at_edge = header->seq == conn->rcv_nxt + conn->rcv_wnd &&
                   (conn->rcv_wnd == 0 || (segment_length == 0 && !(header->flags & TCP_RST)));
    if (!acceptable(conn, header->seq, segment_length) && !at_edge) {
        if (header->flags & TCP_RST) {
            count_dropped(tcp, conn, COUNTER_TCP_DROP_RST, header);
            return;
        }
        count_dropped(tcp, conn, COUNTER_TCP_DROP_OUT_OF_WINDOW, header);
        if (header->len && seq_leq(header->seq + header->len, conn->rcv_nxt))
            receive_twice(tcp, conn, header->seq, header->seq + header->len);
        unacceptable(tcp, conn, segment_length);
        return;
    }

    /* Second: RST (RFC 5961 3.2). */
    if (header->flags & TCP_RST) {
        if (header->seq != conn->rcv_nxt) {
            count_dropped(tcp, conn, COUNTER_TCP_DROP_RST, header);
            conn_challenge(tcp, conn);
            return;
        }
        count_dropped(tcp, conn, COUNTER_TCP_RESETS_IN, header);
        conn_die(tcp, conn, TCP_CLOSED_RESET);
        return;
    }

    /* Fifth: ACK. */
    if (!(header->flags & TCP_ACK)) {
        count_dropped(tcp, conn, COUNTER_TCP_DROP_NO_ACK, header);
        return;
    }
    if (!ack_input(tcp, conn, header, segment_length))
        return;
    /* TS.Recent is that of the earliest segment not yet acknowledged (RFC 7323 4.3): with an ACK
     * owed, that one has been here. A segment whose ACK is refused leaves nothing behind. */
    if (conn->flags & CONN_TIMESTAMPS && !(conn->flags & CONN_ACK_OWED) &&
        seq_leq(header->seq, conn->rcv_nxt))
        conn->ts_recent = header->options.tsval;
    conn->last_received = idle_tick(tcp->now);
    conn->hop = segment->hop;
    if (conn->flags & CONN_KEEPALIVE)
        conn->slow.user = 0;

    /* Seventh and eighth: text and FIN. Urgent data is ordinary data. */
    if (!(conn->flags & CONN_ABORT) && conn->state != TCP_STATE_TIME_WAIT)
        take_text(tcp, conn, header);
    else if (segment_length && conn->state == TCP_STATE_TIME_WAIT)
        conn_owe_ack(tcp, conn);
}

static void input_one(struct tcp *tcp, const struct tcp_segment *segment) {
    struct tcp_header header;
    if (!header_parse(&header, segment)) {
        count(tcp->counters, COUNTER_TCP_DROP_MALFORMED);
        return;
    }
    ref_t ref = flow_find(&tcp->flow, segment->hash, endpoint_match, tcp, &segment->tuple);
    struct tcp_conn *conn = ref ? conn_at(tcp, ref) : NULL;
    if (conn && conn->state >= TCP_STATE_RECORD) {
        if (!time_wait_input(tcp, arena_at(tcp->base, ref), segment, &header))
            return;
        conn = NULL;
    }
    if (!conn)
        conn = accept_segment(tcp, segment, &header);
    if (conn)
        conn_input(tcp, conn, segment, &header);
}

void tcp_input(struct tcp *tcp, const struct tcp_segment *segments, unsigned count, uint64_t now) {
    uint64_t hashes[BURST_MAX];
    tcp->now = now;
    pressure_update(tcp);
    while (count) {
        unsigned burst = count < BURST_MAX ? count : BURST_MAX;
        for (unsigned i = 0; i < burst; i++)
            hashes[i] = segments[i].hash;
        flow_batch(&tcp->flow, hashes, burst, tcp->base, ARENA_UNIT_SHIFT, 2);
        count_add(tcp->counters, COUNTER_TCP_SEGMENTS_IN, burst);
        for (unsigned i = 0; i < burst; i++)
            input_one(tcp, &segments[i]);
        segments += burst;
        count -= burst;
    }
}
