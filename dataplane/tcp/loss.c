/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/loss.h"

#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/timer.h"

uint32_t loss_next(const struct tcp_conn *conn, const struct tcp_extension *extension) {
    if (extension && extension->recovery == RECOVERY_AGAIN &&
        seq_lt(extension->resend, conn->snd_nxt))
        return extension->resend;
    return conn->snd_nxt;
}

/* What counts as in flight: in RECOVERY_AGAIN nothing beyond `resend` does. */
static uint32_t flight(const struct tcp_conn *conn, const struct tcp_extension *extension) {
    return loss_next(conn, extension) - conn->snd_una;
}

static void send_again(struct tcp_conn *conn, struct tcp_extension *extension) {
    extension->recovery = RECOVERY_AGAIN;
    extension->resend = conn->snd_una;
    extension->recover = conn->snd_nxt;
    extension->duplicates = 0;
    /* Karn: what is sent twice gives no sample. */
    extension->flags &= (uint8_t) ~(EXTENSION_TIMED | EXTENSION_RESEND_FIRST | EXTENSION_PARTIAL);
}

void loss_acked(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                uint32_t acked) {
    uint32_t mss = conn_payload_max(conn);
    bool restart = true;
    bool done = seq_geq(conn->snd_una, extension->recover);
    extension->stalled = fast_tick(tcp);

    switch (extension->recovery) {
    case RECOVERY_FAST:
        if (done) {
            extension->recovery = RECOVERY_NONE;
            extension->duplicates = 0;
            conn->congestion = newreno_leave(conn->congestion, conn_flight(conn), mss);
            break;
        }
        conn->congestion = newreno_partial(conn->congestion, acked, mss);
        extension->flags |= EXTENSION_RESEND_FIRST;
        /* Only the first partial ACK restarts the timer (RFC 6582 3.2, the impatient variant). */
        restart = !(extension->flags & EXTENSION_PARTIAL);
        extension->flags |= EXTENSION_PARTIAL;
        break;
    case RECOVERY_AGAIN:
        if (seq_lt(extension->resend, conn->snd_una))
            extension->resend = conn->snd_una;
        if (done)
            extension->recovery = RECOVERY_NONE;
        /* fall through */
    default:
        extension->duplicates = 0;
        conn->congestion =
            newreno_acked(conn->congestion, acked, flight(conn, extension) + acked, mss);
        /* Kept near, lest it comes to lie ahead after 2^31 bytes. */
        if (seq_gt(conn->snd_una, extension->recover))
            extension->recover = conn->snd_una - 1;
    }
    if (conn_flight(conn) == 0)
        timer_fast_stop(conn);
    else if (restart)
        timer_fast_set(tcp, conn, conn_rto(tcp, conn));
}

void loss_duplicate(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    uint32_t mss = conn_payload_max(conn);
    if (extension->duplicates < UINT8_MAX)
        extension->duplicates++;
    if (extension->recovery == RECOVERY_FAST) {
        conn->congestion = newreno_inflate(conn->congestion, mss);
        conn_touch(tcp, conn);
        return;
    }
    /* Duplicates of what an earlier recovery sent again are not a new loss (RFC 6582 3.2 step 1,
     * 4). */
    if (extension->duplicates != NEWRENO_DUPLICATES || extension->recovery != RECOVERY_NONE ||
        !seq_gt(conn->snd_una, extension->recover))
        return;
    count(tcp->counters, COUNTER_TCP_FAST_RETRANSMITS);
    extension->recovery = RECOVERY_FAST;
    extension->recover = conn->snd_nxt;
    extension->flags &= (uint8_t) ~(EXTENSION_TIMED | EXTENSION_PARTIAL);
    extension->flags |= EXTENSION_RESEND_FIRST;
    conn->congestion = newreno_enter(conn->congestion, conn_flight(conn), mss);
    conn_touch(tcp, conn);
}

void loss_timeout(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    count(tcp->counters, COUNTER_TCP_RETRANSMISSION_TIMEOUTS);
    conn->congestion = newreno_timeout(conn->congestion, flight(conn, extension),
                                       conn_payload_max(conn), conn->backoff > 0);
    send_again(conn, extension);
}

void loss_window_opened(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    send_again(conn, extension);
    conn->backoff = 0;
    timer_fast_set(tcp, conn, conn_rto(tcp, conn));
    conn_touch(tcp, conn);
}

void loss_too_big(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    send_again(conn, extension);
    timer_fast_set(tcp, conn, conn_rto(tcp, conn));
    conn_touch(tcp, conn);
}
