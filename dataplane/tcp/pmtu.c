/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/pmtu.h"

#include "dataplane/tcp/loss.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"

/* What an old router that names no MTU may have meant (RFC 1191 7.1): the largest below the length
 * of what it refused. */
static uint32_t plateau(uint32_t len) {
    static const uint16_t plateaus[] = {8166, 4352, 2002, 1492, 1006, PMTU_IPV4_FLOOR};
    unsigned last = sizeof plateaus / sizeof *plateaus - 1;
    for (unsigned i = 0; i < last; i++)
        if (plateaus[i] < len)
            return plateaus[i];
    return plateaus[last];
}

/* The largest segment for the MTU reported, or 0: the report is no good. */
static uint16_t reported_mss(const struct tcp_conn *conn, const struct tcp_icmp *icmp) {
    uint32_t mtu = icmp->mtu;
    if (conn->flags & CONN_IPV6)
        return mtu < PMTU_IPV6_FLOOR || mtu >= icmp->len ? 0 : (uint16_t)(mtu - PMTU_IPV6_HEADERS);
    if (mtu == 0)
        mtu = plateau(icmp->len);
    if (mtu >= icmp->len)
        return 0;
    return (uint16_t)((mtu < PMTU_IPV4_FLOOR ? PMTU_IPV4_FLOOR : mtu) - PMTU_IPV4_HEADERS);
}

static void too_big(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_icmp *icmp) {
    uint16_t mss = reported_mss(conn, icmp);
    if (mss == 0 || mss >= conn->mss) {
        conn_count(tcp, conn, COUNTER_TCP_DROP_PMTU);
        return;
    }
    conn->mss = mss;
    conn_count(tcp, conn, COUNTER_TCP_PMTU_LOWERED);
    struct tcp_extension *extension = conn_extension(tcp, conn);
    if (extension)
        loss_resend(tcp, conn, extension);
}

void tcp_icmp(struct tcp *tcp, const struct tcp_icmp *icmp, uint64_t now) {
    tcp->now = now;
    ref_t ref = flow_find(&tcp->flow, icmp->hash, endpoint_match, tcp, &icmp->tuple);
    struct tcp_conn *conn = ref ? conn_at(tcp, ref) : NULL;
    if (!conn || conn->state >= TCP_STATE_RECORD || conn->flags & CONN_ABORT ||
        !seq_within(icmp->seq, conn->snd_una, conn_flight(conn)))
        count(tcp->counters, COUNTER_TCP_DROP_ICMP);
    else if (icmp->kind == TCP_ICMP_TOO_BIG)
        too_big(tcp, conn, icmp);
    else
        conn_count(tcp, conn, COUNTER_TCP_ICMP_SOFT);
}

/* The peer was heard since it last acknowledged something. */
static bool heard(const struct tcp *tcp, const struct tcp_conn *conn,
                  const struct tcp_extension *extension) {
    uint64_t silent = (uint64_t)(idle_tick(tcp->now) - conn->last_received + 1) << TCP_IDLE_SHIFT;
    uint64_t stalled = (uint64_t)(fast_tick(tcp) - extension->stalled) << TCP_FAST_SHIFT;
    return silent < stalled;
}

void pmtu_timeout(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_extension *extension) {
    uint16_t least = conn->flags & CONN_IPV6 ? PMTU_GUESS_FIRST : PMTU_GUESS_LAST;
    if (conn->mss <= least || conn->snd_end - conn->snd_una < conn_payload_max(conn))
        return;
    /* Every second timeout, so that each guess is tried twice. */
    unsigned timeouts = conn->backoff;
    bool guess = timeouts >= PMTU_TIMEOUTS_SILENT;
    if (!guess && timeouts >= PMTU_TIMEOUTS_HEARD)
        guess = timeouts % 2 == 0 && heard(tcp, conn, extension);
    if (!guess)
        return;
    conn->mss = conn->mss > PMTU_GUESS_FIRST ? PMTU_GUESS_FIRST : least;
    conn_count(tcp, conn, COUNTER_TCP_PMTU_BLACK_HOLES);
}
