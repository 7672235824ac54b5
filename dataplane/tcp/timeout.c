/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/timeout.h"

#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/timer.h"

void timeout_restart(const struct tcp *tcp, const struct tcp_conn *conn,
                     struct tcp_extension *extension) {
    extension->rto_at = timer_fast_tick(tcp, conn_rto(tcp, conn));
}

void timeout_restart_probed(const struct tcp *tcp, const struct tcp_conn *conn,
                            struct tcp_extension *extension) {
    uint32_t usual = conn_rto(tcp, conn), spread = 4 * conn->rttvar;
    if (spread < TIMEOUT_PROBED_SPREAD_US)
        spread = TIMEOUT_PROBED_SPREAD_US;
    bool sooner = conn->srtt && conn->backoff == 0 && conn->srtt + spread < usual;
    extension->rto_at = timer_fast_tick(tcp, sooner ? conn->srtt + spread : usual);
}

/* RFC 8985 7.2. */
static bool probe_wanted(const struct tcp *tcp, const struct tcp_conn *conn,
                         const struct tcp_extension *extension) {
    return tcp->config.tail_loss_probe && conn->flags & CONN_SACK &&
           extension->recovery == RECOVERY_NONE && extension->sent.sacked == 0 &&
           !extension->probe.out && conn_send_window(conn) > 0;
}

static uint32_t probe_delay(const struct tcp_conn *conn) {
    if (conn->srtt == 0)
        return TIMEOUT_PROBE_INITIAL_US;
    /* A receiver may wait with its ACK for the second full segment (RFC 9293 3.8.6.3). RFC 8985
     * counts segments; of small ones, which is all that most devices get, two may wait as well. */
    if (conn_flight(conn) >= 2 * conn_payload_max(conn))
        return 2 * conn->srtt;
    if (conn->flags & CONN_PATIENT)
        return 2 * conn->srtt + TIMEOUT_ACK_DELAY_PATIENT_US;
    uint32_t spread = 4 * conn->rttvar;
    return conn->srtt + (spread > conn->srtt ? spread : conn->srtt) + TIMEOUT_ACK_DELAY_US;
}

void timeout_arm(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                 uint32_t reordering) {
    uint32_t at = extension->rto_at;
    extension->timer = TIMER_RETRANSMISSION;
    if (conn_flight(conn) == 0) {
        timer_fast_stop(conn);
        return;
    }
    if (reordering) {
        uint32_t tick = timer_fast_tick(tcp, reordering);
        if (seq_lt(tick, at)) {
            at = tick;
            extension->timer = TIMER_REORDERING;
        }
    } else if (probe_wanted(tcp, conn, extension)) {
        uint32_t tick = timer_fast_tick(tcp, probe_delay(conn));
        at = seq_lt(tick, at) ? tick : at;
        extension->timer = TIMER_TAIL_PROBE;
    }
    timer_fast_at(tcp, conn, at);
}
