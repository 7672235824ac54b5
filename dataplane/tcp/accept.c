/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/accept.h"

#include "dataplane/tcp/cookie.h"
#include "dataplane/tcp/reply.h"
#include "dataplane/tcp/stack.h"

static bool listening(const struct tcp *tcp, uint16_t port) {
    const uint16_t *ports = tcp->config.ports;
    for (unsigned i = 0; i < sizeof tcp->config.ports / sizeof *ports && ports[i]; i++)
        if (ports[i] == port)
            return true;
    return false;
}

static struct tcp_conn *refuse(struct tcp *tcp, const struct tcp_segment *segment,
                               const struct tcp_header *header, enum counter reason) {
    count(tcp->counters, reason);
    reply_reset(tcp, segment, header);
    return NULL;
}

static struct tcp_conn *drop(struct tcp *tcp, enum counter reason) {
    count(tcp->counters, reason);
    return NULL;
}

/* Whether the peer's prefix and the worker have seen too many of this kind; then the segment is
 * dropped: the peer sends it again, and the more there are the later they come. */
static bool crowded(struct tcp *tcp, const struct tcp_segment *segment, enum admission_kind kind) {
    static const enum counter reasons[][2] = {
        [ADMISSION_SYN] = {COUNTER_TCP_DROP_PREFIX_SYNS, COUNTER_TCP_DROP_SYNS},
        [ADMISSION_CONNECT] = {COUNTER_TCP_DROP_PREFIX_CONNECTS, COUNTER_TCP_DROP_CONNECTS},
    };
    enum admission_verdict verdict =
        admission_ask(&tcp->admission, kind, segment->tuple.remote, tcp->now);
    if (verdict == ADMISSION_GRANTED)
        return false;
    count(tcp->counters, reasons[kind][verdict == ADMISSION_WORKER]);
    return true;
}

static struct tcp_conn *open_connection(struct tcp *tcp, const struct tcp_segment *segment,
                                        const struct tcp_header *header,
                                        const struct cookie_base *base, uint16_t mss) {
    if (tcp->conns.used >= tcp->config.connections_max)
        return refuse(tcp, segment, header, COUNTER_TCP_DROP_CONNECTIONS_MAX);
    if (tcp->pressure.level >= PRESSURE_REFUSE)
        return refuse(tcp, segment, header, COUNTER_TCP_DROP_PRESSURE);
    if (crowded(tcp, segment, ADMISSION_CONNECT))
        return NULL;

    struct conn_open open = {
        .segment = segment,
        .rcv_nxt = header->seq,
        .snd_una = header->ack,
        .mss = mss,
        .wnd = header->wnd,
        .ts_offset = base->ts_offset,
    };
    /* An echo that is not from within a cookie's life is not of our SYN-ACK, and its low bits mean
     * nothing: then the peer's time stamps are not used either. */
    uint32_t rtt = timestamp_now(tcp, base->ts_offset) - header->options.tsecr;
    if (header->options.has_timestamp && rtt <= (COOKIE_LIFE_US >> TCP_FAST_SHIFT) + 64) {
        open.timestamps = true;
        open.ts_recent = header->options.tsval;
        open.scaled = cookie_timestamp_options(header->options.tsecr, &open.snd_shift, &open.sack);
    }
    struct tcp_conn *conn = conn_create(tcp, &open);
    if (!conn)
        return drop(tcp, COUNTER_TCP_DROP_CONNECTION_MEMORY);
    if (open.timestamps) {
        uint64_t sample = (uint64_t)rtt << TCP_FAST_SHIFT;
        if (sample > RTO_FIRST_SAMPLE_MAX)
            sample = RTO_FIRST_SAMPLE_MAX;
        rto_sample(&conn->srtt, &conn->rttvar, (uint32_t)sample, 1);
    }
    if (!tcp->app.opened(tcp->app.app, conn)) {
        conn_die(tcp, conn, CONN_NEVER_OPENED);
        return refuse(tcp, segment, header, COUNTER_TCP_DROP_REFUSED);
    }
    count(tcp->counters, COUNTER_TCP_ACCEPTED);
    return conn;
}

struct tcp_conn *accept_segment(struct tcp *tcp, const struct tcp_segment *segment,
                                const struct tcp_header *header) {
    if (header->flags & TCP_RST)
        return drop(tcp, COUNTER_TCP_DROP_STRAY_RST);
    if (!listening(tcp, segment->tuple.local_port))
        return refuse(tcp, segment, header, COUNTER_TCP_DROP_PORT);

    uint8_t kind = header->flags & (TCP_SYN | TCP_ACK | TCP_FIN);
    if (kind == TCP_SYN) {
        if (tcp->stopped)
            return refuse(tcp, segment, header, COUNTER_TCP_DROP_STOPPED);
        if (crowded(tcp, segment, ADMISSION_SYN))
            return NULL;
        if (tcp->pressure.level >= PRESSURE_REFUSE)
            return refuse(tcp, segment, header, COUNTER_TCP_DROP_PRESSURE);
        if (tcp->conns.used >= tcp->config.connections_max)
            return refuse(tcp, segment, header, COUNTER_TCP_DROP_CONNECTIONS_MAX);
        reply_syn_ack(tcp, segment, header);
        return NULL;
    }
    if (!(kind & TCP_ACK) || kind & TCP_SYN) {
        if (kind == (TCP_SYN | TCP_ACK))
            return refuse(tcp, segment, header, COUNTER_TCP_DROP_NO_CONNECTION);
        return drop(tcp, COUNTER_TCP_DROP_FLAGS);
    }

    uint16_t mss;
    struct cookie_base base = cookie_base(tcp->config.secret, &segment->tuple);
    switch (cookie_check(tcp->config.secret, &base, header->seq - 1, header->ack - 1,
                         tcp->config.mss, tcp->now, &mss)) {
    case COOKIE_FOREIGN:
        return refuse(tcp, segment, header, COUNTER_TCP_DROP_NO_CONNECTION);
    case COOKIE_HANDSHAKE:
        return drop(tcp, COUNTER_TCP_DROP_FIRST_LOST);
    case COOKIE_VALID:
        break;
    }
    if (tcp->stopped)
        return refuse(tcp, segment, header, COUNTER_TCP_DROP_STOPPED);
    if (header->len > 0)
        return open_connection(tcp, segment, header, &base, mss);
    if (header->flags & TCP_FIN) {
        count(tcp->counters, COUNTER_TCP_CLOSED_EMPTY);
        reply_fin_ack(tcp, segment, header);
        return NULL;
    }
    return drop(tcp, COUNTER_TCP_DROP_BARE_ACK);
}
