/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/receive.h"

#include "dataplane/tcp/stack.h"

static void advance(struct tcp *tcp, struct tcp_conn *conn, uint32_t bytes) {
    conn->rcv_nxt += bytes;
    conn->rcv_wnd -= bytes < conn->rcv_wnd ? bytes : conn->rcv_wnd;
    count_add(tcp->counters, COUNTER_TCP_BYTES_IN, bytes);
}

/* Offers bytes; returns how many count as taken. The pause is set before the call, so that a
 * tcp_resume from within it holds. */
static uint32_t offer(struct tcp *tcp, struct tcp_conn *conn, const uint8_t *data, uint32_t len) {
    conn->flags |= CONN_PAUSED;
    size_t taken = tcp->app.received(tcp->app.app, conn, data, len);
    if (taken < len && !conn_closing(conn))
        return (uint32_t)taken;
    conn->flags &= (uint16_t)~CONN_PAUSED;
    return len;
}

static bool offerable(const struct tcp_conn *conn) {
    return !(conn->flags & (CONN_PAUSED | CONN_ABORT)) && !conn_closing(conn);
}

void receive_deliver(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    while (extension && extension->unread && offerable(conn)) {
        /* The peer's FIN has a number, but no byte. */
        uint32_t at = conn->rcv_nxt - !!(conn->flags & CONN_FIN_SEEN) - extension->unread;
        uint32_t len = 0;
        const uint8_t *data = reassembly_peek(&extension->in, tcp->pool, at, &len);
        if (len > extension->unread)
            len = extension->unread;
        uint32_t taken = offer(tcp, conn, data, len);
        extension->unread -= taken;
        reassembly_consume(&extension->in, tcp->pool, at + taken);
        if (taken < len)
            break;
    }
    if (conn_closing(conn) && extension && extension->unread) {
        extension->unread = 0;
        reassembly_consume(&extension->in, tcp->pool, conn->rcv_nxt);
    }
    if ((conn->flags & (CONN_FIN_SEEN | CONN_FINISHED | CONN_ABORT)) == CONN_FIN_SEEN &&
        !conn_closing(conn) && !(extension && extension->unread)) {
        conn->flags |= CONN_FINISHED;
        tcp->app.finished(tcp->app.app, conn);
    }
}

/* The peer's FIN is next (3.10.7.4, eighth check). */
static void fin(struct tcp *tcp, struct tcp_conn *conn) {
    conn->rcv_nxt++;
    if (conn->rcv_wnd)
        conn->rcv_wnd--;
    conn->flags |= CONN_FIN_SEEN;
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (extension) {
        extension->flags &= (uint8_t)~EXTENSION_FIN;
        /* What came from behind the FIN is no part of the stream. */
        if (extension->unread == 0)
            reassembly_clear(&extension->in, tcp->pool);
    }
    switch (conn->state) {
    case TCP_STATE_ESTABLISHED:
        conn->state = TCP_STATE_CLOSE_WAIT;
        break;
    case TCP_STATE_FIN_WAIT_1:
        conn->state = TCP_STATE_CLOSING;
        break;
    case TCP_STATE_FIN_WAIT_2:
        conn->state = TCP_STATE_TIME_WAIT;
        break;
    default:
        break;
    }
}

void receive_twice(struct tcp *tcp, struct tcp_conn *conn, uint32_t left, uint32_t right) {
    struct tcp_extension *extension =
        conn->flags & CONN_SACK && left != right ? extension_attach(tcp, conn) : NULL;
    if (!extension)
        return;
    extension->twice = (struct tcp_sack_block){left, right};
    extension->flags |= EXTENSION_TWICE;
    conn_touch(tcp, conn);
}

static void out_of_order(struct tcp *tcp, struct tcp_conn *conn, uint32_t seq, const uint8_t *data,
                         uint32_t len, bool with_fin) {
    conn_count_in(tcp, conn, COUNTER_TCP_OUT_OF_ORDER, seq, len);
    if (conn->out_of_order < UINT16_MAX)
        conn->out_of_order++;
    struct tcp_extension *extension = extension_attach(tcp, conn);
    if (!extension) {
        conn_count_in(tcp, conn, COUNTER_TCP_DROP_MEMORY, seq, len);
        return;
    }
    if (tcp->pressure.level >= PRESSURE_SHED) {
        conn_count_in(tcp, conn, COUNTER_TCP_DROP_SHED, seq, len);
        extension_detach_idle(tcp, conn);
        return;
    }
    /* Each of them is worth a duplicate ACK (RFC 5681 4.2), which is how a peer without SACK counts
     * to three. */
    if (extension->acks_repeated < DUP_THRESH)
        extension->acks_repeated++;
    struct tcp_sack_block twice;
    if (reassembly_overlap(&extension->in, tcp->pool, seq, seq + len, &twice))
        receive_twice(tcp, conn, twice.left, twice.right);
    /* What is unread is bounded by the window; the limit is for the rest. */
    struct reassembly_limits limits = {
        .memory = tcp->config.out_of_order_max + 2 * extension->unread + REASSEMBLY_CHUNK_MAX,
        .chunks = REASSEMBLY_CHUNKS_MAX,
    };
    uint32_t kept = reassembly_insert(&extension->in, tcp->pool, seq, data, len, &limits);
    extension->recent = seq;
    if (kept < len) {
        conn_count_in(tcp, conn, COUNTER_TCP_DROP_OUT_OF_ORDER, seq, len);
    } else if (with_fin) {
        extension->fin = seq + len;
        extension->flags |= EXTENSION_FIN;
    }
    extension_detach_idle(tcp, conn);
}

/* In-order bytes that the application has not taken. Returns how many found room. */
static uint32_t keep(struct tcp *tcp, struct tcp_conn *conn, uint32_t seq, const uint8_t *data,
                     uint32_t len) {
    static const struct reassembly_limits unlimited = {UINT32_MAX, UINT16_MAX};
    struct tcp_extension *extension = extension_attach(tcp, conn);
    uint32_t kept = 0;
    if (extension) {
        kept = reassembly_insert(&extension->in, tcp->pool, seq, data, len, &unlimited);
        extension->unread += kept;
    }
    if (kept < len)
        conn_count_in(tcp, conn, COUNTER_TCP_DROP_MEMORY, seq, len);
    return kept;
}

/* A hole was filled: what lay behind it is in order. */
static void close_holes(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (!extension || !extension->in.first)
        return;
    if (extension->unread == 0)
        reassembly_consume(&extension->in, tcp->pool, conn->rcv_nxt);
    uint32_t more = reassembly_reach(&extension->in, tcp->pool, conn->rcv_nxt) - conn->rcv_nxt;
    if (more == 0)
        return;
    advance(tcp, conn, more);
    extension->unread += more;
}

void receive_segment(struct tcp *tcp, struct tcp_conn *conn, uint32_t seq, const uint8_t *data,
                     uint32_t len, bool with_fin) {
    if (len == 0 && !with_fin)
        return;
    conn_owe_ack(tcp, conn);
    if (conn->flags & CONN_FIN_SEEN) {
        conn_count_in(tcp, conn, COUNTER_TCP_DROP_AFTER_FIN, seq, len);
        return;
    }
    if (seq != conn->rcv_nxt) {
        out_of_order(tcp, conn, seq, data, len, with_fin);
        return;
    }

    struct tcp_extension *extension = conn_extension(tcp, conn);
    uint32_t taken = 0;
    if (conn_closing(conn)) {
        if (len)
            conn_count_in(tcp, conn, COUNTER_TCP_DROP_AFTER_CLOSE, seq, len);
        taken = len;
    } else if (len && offerable(conn) && !(extension && extension->unread)) {
        taken = offer(tcp, conn, data, len);
        if (conn->flags & CONN_ABORT)
            return;
    }
    uint32_t kept = taken < len ? keep(tcp, conn, seq + taken, data + taken, len - taken) : 0;
    advance(tcp, conn, taken + kept);
    close_holes(tcp, conn);

    extension = conn_extension(tcp, conn);
    bool fin_here = with_fin && conn->rcv_nxt == seq + len;
    bool fin_kept =
        extension && extension->flags & EXTENSION_FIN && extension->fin == conn->rcv_nxt;
    if (fin_here || fin_kept)
        fin(tcp, conn);
    /* What was refused is not offered again before output. */
    if (taken == len)
        receive_deliver(tcp, conn);
}

void receive_shed(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (!extension)
        return;
    /* A FIN behind a hole goes with what lies before it. */
    extension->flags &= (uint8_t)~EXTENSION_FIN;
    count_add(tcp->counters, COUNTER_TCP_DROP_SHED,
              reassembly_cut(&extension->in, tcp->pool, conn->rcv_nxt));
    extension_detach_idle(tcp, conn);
}
