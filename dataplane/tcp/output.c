/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/output.h"

#include "dataplane/base/min.h"
#include "dataplane/tcp/header.h"
#include "dataplane/tcp/loss.h"
#include "dataplane/tcp/receive.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/timeout.h"
#include "dataplane/tcp/timer.h"

enum {
    /* Connections in a row whose way is full: then it is taken to be the only one. */
    WAITING_MAX = 8,
};

enum outcome {
    OUTPUT_DONE,
    OUTPUT_MORE,     /* its share is used up */
    OUTPUT_NO_FRAME, /* nothing is lost: what is to be sent stands in the connection */
};

/* The receive window with nothing unread. More is promised than at first as far as a peer has sent
 * and the application has taken: twice that, so that the peer's slow start is not in the way. */
static uint32_t window_full(const struct tcp *tcp, const struct tcp_conn *conn, uint32_t unread) {
    uint32_t window = first_window(tcp);
    if (conn->flags & CONN_SCALED) {
        uint32_t taken = conn->rcv_nxt - conn->irs - unread;
        window = taken < tcp->config.window / 2 ? seq_max(window, 2 * taken) : tcp->config.window;
    }
    return window;
}

/* Where the right edge of the receive window may go now. Small steps wait (RFC 9293 3.8.6.2.2),
 * and what was promised stays. */
static uint32_t window_step(const struct tcp *tcp, const struct tcp_conn *conn) {
    if (tcp->pressure.level == PRESSURE_HOLD)
        return 0;
    const struct tcp_extension *extension = conn_extension(tcp, conn);
    uint32_t unread = extension ? extension->unread : 0;
    uint32_t full = window_full(tcp, conn, unread);
    uint32_t space = unread < full ? full - unread : 0;
    return space > conn->rcv_wnd ? space - conn->rcv_wnd : 0;
}

static uint32_t window_threshold(const struct tcp *tcp) {
    uint32_t half = tcp->config.window / 2;
    return half < tcp->config.mss ? half : tcp->config.mss;
}

static size_t put_options(const struct tcp *tcp, const struct tcp_conn *conn, uint8_t *options,
                          bool sack) {
    size_t len = 0;
    if (conn->flags & CONN_TIMESTAMPS)
        len = tcp_options_put_timestamp(options, timestamp_now(tcp, conn->ts_offset),
                                        conn->ts_recent);
    const struct tcp_extension *extension = conn_extension(tcp, conn);
    if (sack && conn->flags & CONN_SACK && extension) {
        struct tcp_sack_block blocks[TCP_SACK_BLOCKS_MAX];
        unsigned count = 0;
        if (extension->flags & EXTENSION_TWICE)
            blocks[count++] = extension->twice;
        if (extension->in.chunks)
            count += reassembly_blocks(&extension->in, tcp->pool, conn->rcv_nxt, extension->recent,
                                       blocks + count, TCP_SACK_BLOCKS_MAX - count);
        if (count)
            len += tcp_options_put_sack(options + len, blocks, count);
    }
    return len;
}

/* Sends one segment with `len` bytes from `seq` on. False: no frame. */
static bool emit(struct tcp *tcp, struct tcp_conn *conn, uint32_t seq, uint32_t len,
                 uint8_t flags) {
    uint8_t options[TCP_OPTIONS_MAX];
    size_t options_len = put_options(tcp, conn, options, flags == TCP_ACK && len == 0);
    size_t headers = TCP_HEADER_BYTES + options_len;
    void *frame;
    uint8_t *bytes = tcp->link.frame(tcp->link.link, headers + len, &frame);
    if (!bytes)
        return false;
    uint32_t step = window_step(tcp, conn);
    if (step >= window_threshold(tcp))
        conn->rcv_wnd += step;
    /* What does not fill a unit of the scale is not told, but taken all the same. */
    uint16_t window =
        (uint16_t)(conn->flags & CONN_SCALED ? conn->rcv_wnd >> tcp->rcv_shift : conn->rcv_wnd);
    struct tcp_tuple tuple;
    endpoint_tuple(tcp, conn_endpoint(conn), &tuple);
    header_write(bytes, &tuple, seq, conn->rcv_nxt, flags, window, options_len);
    memcpy(bytes + TCP_HEADER_BYTES, options, options_len);
    if (len)
        tcp->app.fetch(tcp->app.app, conn, seq - conn->snd_una, bytes + headers, len);
    trace_output(tcp, conn, seq, len, flags);
    count(tcp->counters, COUNTER_TCP_SEGMENTS_OUT);
    count_add(tcp->counters, COUNTER_TCP_BYTES_OUT, len);
    tcp->link.transmit(tcp->link.link, frame, headers + len, &tuple, conn->hop);
    conn->flags &= (uint16_t)~CONN_ACK_OWED;
    return true;
}

/* Sends data, FIN or both at `seq`, new or again, and keeps the books. False: no frame. */
static bool emit_data(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                      uint32_t seq, uint32_t len, bool fin) {
    uint8_t flags =
        TCP_ACK | (fin ? TCP_FIN : 0) | (len && seq + len == conn->snd_end ? TCP_PSH : 0);
    uint32_t end = seq + len + fin;
    /* SND.NXT moves first, so that whoever looks on from the link sees the segment in flight. */
    uint32_t before = conn->snd_nxt;
    conn->snd_nxt = seq_max(before, end);
    if (!emit(tcp, conn, seq, len, flags)) {
        conn->snd_nxt = before;
        return false;
    }
    loss_sent(tcp, conn, extension, seq, end, before);
    return true;
}

/* FIN goes with the byte before it. */
static bool fin_at(const struct tcp_conn *conn, uint32_t seq) {
    return conn_fin_pending(conn) && seq == conn->snd_end;
}

/* One byte into the closed window, new or again (RFC 9293 3.8.6.1). False: no frame. */
static bool probe_window(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    uint32_t seq = conn->snd_una;
    bool fin = fin_at(conn, seq);
    if (conn_send_window(conn) == 0 && seq != conn_send_limit(conn)) {
        if (!emit_data(tcp, conn, extension, seq, !fin, fin))
            return false;
        conn_count(tcp, conn, COUNTER_TCP_WINDOW_PROBES);
    }
    extension->flags &= (uint8_t)~EXTENSION_WINDOW_PROBE;
    return true;
}

/* Where the peer's window ends, in bytes from `seq` on. */
static uint32_t window_room(const struct tcp_conn *conn, uint32_t seq) {
    uint32_t used = seq - conn->snd_una;
    return conn_send_window(conn) > used ? conn_send_window(conn) - used : 0;
}

/* Sends of `range` what fits into a segment and into `room`. *sent: it went. False: no frame. */
static bool send_range(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                       struct loss_range range, uint32_t room, bool scraps, bool *sent) {
    uint32_t mss = conn_payload_max(conn);
    uint32_t left = range.end - range.seq;
    uint32_t data = conn->snd_end + 1 == range.seq ? 0 : min(left, conn->snd_end - range.seq);
    uint32_t len = min(min(data, mss), room);
    *sent = false;
    /* A window that is nearly used up is not filled with scraps (3.8.6.2.1). */
    if (len < data && len < mss && !scraps)
        return true;
    bool fin = fin_at(conn, range.seq + len) && len < left && len < room;
    if (len == 0 && !fin)
        return true;
    if (seq_gt(range.seq + len + fin, conn->snd_nxt) &&
        !scoreboard_ready(&extension->sent, &tcp->sent_memory)) {
        /* What has been sent before has its place already. */
        conn_count(tcp, conn, COUNTER_TCP_MEMORY_SHORTAGES);
        len = conn->snd_nxt - range.seq;
        fin = false;
        if (len == 0)
            return true;
    }
    *sent = emit_data(tcp, conn, extension, range.seq, len, fin);
    return *sent;
}

/* One segment as far as the windows allow, what is lost first; *sent: it went. False: no frame. */
static bool send_next(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                      bool *sent) {
    *sent = false;
    struct loss_range range = loss_next(tcp, conn, extension);
    if (range.seq == range.end)
        return true;
    uint32_t pipe = loss_pipe(tcp, conn, extension);
    uint32_t cwnd = conn->congestion.cwnd;
    uint32_t room = cwnd > pipe ? cwnd - pipe : 0;
    if (extension->flags & EXTENSION_FORCE)
        room = max(room, conn_payload_max(conn));
    room = min(room, window_room(conn, range.seq));
    if (room == 0)
        return true;
    return send_range(tcp, conn, extension, range, room, pipe == 0, sent);
}

/* RFC 8985 7.3: new data if there is some and the peer takes it, else the last segment again.
 * False: no frame. */
static bool probe_tail(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                       bool *sent) {
    struct tail_probe *probe = &extension->probe;
    struct loss_range range = {conn->snd_nxt, conn_send_limit(conn)};
    *sent = false;
    if (conn_flight(conn) == 0) {
        extension->flags &= (uint8_t)~EXTENSION_TAIL_PROBE;
        probe->out = false;
        return true;
    }
    bool again = range.seq == range.end || window_room(conn, range.seq) == 0;
    if (again) {
        range.seq = seq_max(conn->snd_una, conn->snd_nxt - conn_payload_max(conn));
        range.end = conn->snd_nxt;
    }
    if (!send_range(tcp, conn, extension, range, window_room(conn, range.seq), true, sent))
        return false;
    extension->flags &= (uint8_t)~EXTENSION_TAIL_PROBE;
    probe->end = conn->snd_nxt;
    probe->again = again;
    probe->timestamp = timestamp_now(tcp, conn->ts_offset);
    probe->out = *sent;
    if (*sent) {
        count(tcp->counters, COUNTER_TCP_TAIL_PROBES);
        if (probe->again)
            timeout_restart_probed(tcp, conn, extension);
    }
    return true;
}

/* What is due before anything else; *sent counts. False: no frame. */
static bool send_probes(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                        unsigned *sent) {
    bool went = false;
    if (extension->flags & EXTENSION_WINDOW_PROBE) {
        if (!probe_window(tcp, conn, extension))
            return false;
        (*sent)++;
    }
    if (extension->flags & EXTENSION_TAIL_PROBE) {
        if (!probe_tail(tcp, conn, extension, &went))
            return false;
        *sent += went;
    }
    return true;
}

static enum outcome send_segments(struct tcp *tcp, struct tcp_conn *conn,
                                  struct tcp_extension *extension, unsigned share, unsigned *sent) {
    if (extension->flags & (EXTENSION_WINDOW_PROBE | EXTENSION_TAIL_PROBE) &&
        !send_probes(tcp, conn, extension, sent))
        return OUTPUT_NO_FRAME;
    for (bool more = true; more; *sent += more) {
        if (*sent >= share)
            return OUTPUT_MORE;
        if (!send_next(tcp, conn, extension, &more))
            return OUTPUT_NO_FRAME;
    }
    return OUTPUT_DONE;
}

static enum outcome send_data(struct tcp *tcp, struct tcp_conn *conn, unsigned *budget) {
    if (conn->snd_una == conn_send_limit(conn))
        return OUTPUT_DONE;
    struct tcp_extension *extension = extension_attach(tcp, conn);
    if (!extension) {
        conn_count(tcp, conn, COUNTER_TCP_MEMORY_SHORTAGES);
        if (!timer_fast_running(conn))
            timer_fast_set(tcp, conn, TIMER_MEMORY_RETRY_US);
        return OUTPUT_DONE;
    }
    /* RFC 5681 4.1: after a pause the path is unknown again. */
    if (conn_flight(conn) == 0 && (uint64_t)(fast_tick(tcp) - conn->last_sent) << TCP_FAST_SHIFT >
                                      rto_timeout(conn->srtt, conn->rttvar, 0, &tcp->rto_limits))
        congestion_idle(tcp->congestion, &conn->congestion, &extension->cubic,
                        conn_payload_max(conn));

    unsigned sent = 0;
    enum outcome outcome = send_segments(tcp, conn, extension, min(*budget, OUTPUT_SHARE), &sent);
    if (sent)
        loss_sent_all(tcp, conn, extension);
    *budget -= min(sent, *budget);
    /* All is acknowledged, more is there and the window is closed: persist. */
    if (conn_flight(conn) == 0 && conn_send_window(conn) == 0 && !timer_fast_running(conn)) {
        extension->stalled = fast_tick(tcp);
        timer_fast_set(tcp, conn, conn_rto(tcp, conn));
    }
    return outcome;
}

/* What an ACK without data is numbered: where the next byte goes, but within the peer's window, or
 * it is not acceptable (RFC 9293 3.10.7.4). That makes a difference when the window shrank. A
 * probe's byte beyond a closed window may have been taken, so it counts. */
static uint32_t ack_number(const struct tcp_conn *conn) {
    uint32_t edge = conn->snd_una + conn_send_window(conn);
    return seq_lt(edge + 1, conn->snd_nxt) ? edge : conn->snd_nxt;
}

/* ACKs that nothing has carried. */
static enum outcome send_acks(struct tcp *tcp, struct tcp_conn *conn, unsigned *budget) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    unsigned acks = conn->flags & CONN_ACK_OWED ? 1 : 0;
    /* Duplicate ACKs carry no data, or they are none. With SACK one says all. */
    if (extension && extension->acks_repeated)
        acks = conn->flags & CONN_SACK ? 1 : extension->acks_repeated;
    /* The window opened by a good piece, and the peer may be waiting for it. */
    if (!acks && !(conn->flags & CONN_FIN_SEEN) &&
        window_step(tcp, conn) >= min(tcp->config.window / 2, 2u * tcp->config.mss))
        acks = 1;
    bool twice = extension && extension->flags & EXTENSION_TWICE;
    for (acks += twice && !acks; acks; acks--) {
        if (!emit(tcp, conn, ack_number(conn), 0, TCP_ACK))
            return OUTPUT_NO_FRAME;
        if (twice) {
            extension->flags &= (uint8_t)~EXTENSION_TWICE;
            conn_count(tcp, conn, COUNTER_TCP_DSACKS_OUT);
            twice = false;
        }
        *budget -= min(1, *budget);
        if (extension && extension->acks_repeated)
            extension->acks_repeated--;
    }
    if (extension)
        extension->acks_repeated = 0;
    if (conn->flags & CONN_PROBE) {
        /* RFC 9293 3.8.4: a number that the peer has acknowledged makes it answer. */
        if (conn_flight(conn) == 0 && !emit(tcp, conn, conn->snd_una - 1, 0, TCP_ACK))
            return OUTPUT_NO_FRAME;
        count(tcp->counters, COUNTER_TCP_KEEPALIVE_PROBES);
        conn->flags &= (uint16_t)~CONN_PROBE;
    }
    return OUTPUT_DONE;
}

static enum outcome send_reset(struct tcp *tcp, struct tcp_conn *conn) {
    unsigned why = conn->challenge;
    if (!emit(tcp, conn, conn->snd_nxt, 0, TCP_RST | TCP_ACK))
        return OUTPUT_NO_FRAME;
    conn_count(tcp, conn, COUNTER_TCP_RESETS_OUT);
    conn_end(tcp, conn, why);
    return OUTPUT_DONE;
}

/* The last word: `closed`, and the memory goes. */
static void bury(struct tcp *tcp, struct tcp_conn *conn) {
    if (conn->challenge != CONN_NEVER_OPENED) {
        count(tcp->counters, COUNTER_TCP_CLOSED);
        tcp->app.closed(tcp->app.app, conn, conn->challenge);
    }
    conn_free(tcp, conn);
}

static enum outcome output_one(struct tcp *tcp, struct tcp_conn *conn, unsigned *budget) {
    if (conn->state == TCP_STATE_CLOSED)
        return OUTPUT_DONE;
    if (!(conn->flags & CONN_ABORT))
        receive_deliver(tcp, conn);
    if (conn->flags & CONN_ABORT)
        return send_reset(tcp, conn);
    if (conn->state == TCP_STATE_TIME_WAIT) {
        if (conn->flags & CONN_ACK_OWED && !emit(tcp, conn, conn->snd_nxt, 0, TCP_ACK))
            return OUTPUT_NO_FRAME;
        conn_end(tcp, conn, TCP_CLOSED_ORDERLY);
        return OUTPUT_DONE;
    }
    enum outcome outcome = send_data(tcp, conn, budget);
    if (outcome != OUTPUT_NO_FRAME && send_acks(tcp, conn, budget) == OUTPUT_NO_FRAME)
        outcome = OUTPUT_NO_FRAME;
    extension_detach_idle(tcp, conn);
    return outcome;
}

static struct tcp_conn *touched_at(const struct tcp *tcp, uint32_t i) {
    return conn_at(tcp, tcp->touched[(tcp->touched_head + i) & tcp->touched_mask]);
}

/* Back to the front of the list, unless it was touched on the way and stands there again. */
static void put_back(struct tcp *tcp, struct tcp_conn *conn) {
    if (conn->flags & CONN_TOUCHED)
        return;
    conn->flags |= CONN_TOUCHED;
    tcp->touched_head--;
    tcp->touched_count++;
    tcp->touched[tcp->touched_head & tcp->touched_mask] = conn_ref(tcp, conn);
}

/* Who is only to be buried needs no way. */
static bool must_wait(const struct tcp *tcp, const struct tcp_conn *conn) {
    return tcp->link.wait && conn->state != TCP_STATE_CLOSED &&
           tcp->link.wait(tcp->link.link, conn->hop);
}

bool tcp_output(struct tcp *tcp, uint64_t now, unsigned budget) {
    unsigned waiting = 0;
    tcp->now = now;
    tcp->retry_at = 0;
    /* Those that are touched on the way have their turn at the next call. */
    for (uint32_t visits = tcp->touched_count; visits && budget; visits--) {
        struct tcp_conn *conn = touched_at(tcp, 0);
        if (visits > 1) {
            const uint8_t *next = (const uint8_t *)touched_at(tcp, 1);
            __builtin_prefetch(next);
            __builtin_prefetch(next + 64);
        }
        tcp->touched_head++;
        tcp->touched_count--;
        conn->flags &= (uint16_t)~CONN_TOUCHED;

        if (must_wait(tcp, conn)) {
            /* Behind the others, which may go another way. */
            conn_touch(tcp, conn);
            budget--;
            if (++waiting < WAITING_MAX)
                continue;
            tcp->retry_at = now + TIMER_FRAME_RETRY_US;
            return false;
        }
        waiting = 0;
        unsigned before = budget;
        enum outcome outcome = output_one(tcp, conn, &budget);
        if (outcome == OUTPUT_NO_FRAME) {
            /* The others would fare no better: all wait on the list. */
            put_back(tcp, conn);
            count(tcp->counters, COUNTER_TCP_FRAME_SHORTAGES);
            tcp->retry_at = now + TIMER_FRAME_RETRY_US;
            return false;
        }
        if (budget == before)
            budget--;
        if (outcome == OUTPUT_MORE)
            conn_touch(tcp, conn);
        if (conn->state == TCP_STATE_CLOSED && !(conn->flags & CONN_TOUCHED))
            bury(tcp, conn);
    }
    if (tcp->touched_count == 0)
        tcp->touched_head = 0;
    return tcp->touched_count > 0;
}
