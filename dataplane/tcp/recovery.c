/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/recovery.h"

#include "dataplane/base/min.h"
#include "dataplane/tcp/loss.h"

/* What counts against ssthresh: data beyond cwnd was let out by limited transmit (RFC 5681 3.2). */
uint32_t recovery_flight_size(const struct tcp_conn *conn) {
    return min(conn_flight(conn), conn->congestion.cwnd);
}

void recovery_reduce(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                     uint32_t delivered) {
    const struct scoreboard *board = &extension->sent;
    uint32_t mss = conn_payload_max(conn);
    conn->congestion.ssthresh = tcp->congestion->reduce(&conn->congestion, &extension->cubic,
                                                        recovery_flight_size(conn), mss);
    extension->reduced_at = (uint32_t)tcp->now;
    extension->prr =
        (struct prr){.recover_fs = board->end - board->una - board->sacked + delivered};
    if (!tcp->config.prr) {
        conn->congestion.cwnd = conn->congestion.ssthresh;
        extension->flags |= EXTENSION_FORCE;
    }
}

void recovery_enter_fast(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                         uint32_t delivered) {
    conn_count(tcp, conn, COUNTER_TCP_FAST_RETRANSMITS);
    if (tcp->config.undo)
        undo_arm(&extension->undo, &conn->congestion, &extension->cubic, conn->snd_una, false);
    extension->recovery = RECOVERY_FAST;
    extension->recover = conn->snd_nxt;
    extension->probe.out = false;
    extension->flags &= (uint8_t)~EXTENSION_PARTIAL;
    recovery_reduce(tcp, conn, extension, delivered);
    conn_touch(tcp, conn);
}

void recovery_govern(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                     uint32_t delivered, bool safe) {
    if (tcp->config.prr)
        conn->congestion.cwnd =
            prr_window(&extension->prr, delivered, loss_pipe(tcp, conn, extension),
                       conn->congestion.ssthresh, conn_payload_max(conn), safe);
    conn_touch(tcp, conn);
}

void recovery_leave(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    /* A sender that could not use what it was let out, because the peer's window was full or the
     * application had no more, must not send all of ssthresh at once now (RFC 6582 3.2 step 3). */
    if (extension->recovery == RECOVERY_FAST) {
        uint32_t burst = congestion_initial_window(conn_payload_max(conn));
        conn->congestion.cwnd =
            min(conn->congestion.ssthresh, loss_pipe(tcp, conn, extension) + burst);
    }
    extension->recovery = RECOVERY_NONE;
    extension->duplicates = 0;
    extension->undo.frto = FRTO_OFF;
    extension->undo.until = conn->snd_nxt;
    rack_recovered(&extension->rack);
}

/* What is sent from now on follows the ACKs, as after any pause (RFC 4015 3.2): the old window is
 * had back by slow start, not by a burst. SRTT is left to ordinary samples, which have seen the
 * delay: set to one delay of half a minute, it would make the next real loss wait as long. */
void recovery_take_back(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                        uint32_t acked) {
    const struct undo *undo = &extension->undo;
    uint32_t mss = conn_payload_max(conn);
    bool timeout = undo->timeout;
    conn_count(tcp, conn,
               timeout ? COUNTER_TCP_SPURIOUS_TIMEOUTS : COUNTER_TCP_SPURIOUS_RECOVERIES);
    scoreboard_find(&extension->sent, tcp->base);
    extension->recovery = RECOVERY_NONE;
    extension->duplicates = 0;
    extension->flags &= (uint8_t)~EXTENSION_FORCE;
    if (!timeout)
        conn->flags |= CONN_REORDERED;

    struct congestion *congestion = &conn->congestion;
    uint32_t pipe = loss_pipe(tcp, conn, extension);
    uint32_t window = pipe + min(max(acked, mss), congestion_initial_window(mss));
    window = min(window, undo->cwnd);
    if (window > congestion->cwnd)
        congestion->cwnd = window;
    congestion->ssthresh = max(undo->ssthresh, undo->cwnd);
    tcp->congestion->restart(&extension->cubic, false);
    extension->cubic.w_max = undo->w_max;
    extension->undo.state = UNDO_OFF;
    extension->undo.frto = FRTO_OFF;
    conn_touch(tcp, conn);
}

void recovery_enter_again(struct tcp_conn *conn, struct tcp_extension *extension) {
    extension->recovery = RECOVERY_AGAIN;
    extension->recover = conn->snd_nxt;
    extension->duplicates = 0;
    extension->probe.out = false;
    extension->flags &= (uint8_t) ~(EXTENSION_PARTIAL | EXTENSION_SHORT | EXTENSION_TAIL_PROBE);
    extension->flags |= EXTENSION_FORCE;
    extension->undo.frto = FRTO_OFF;
}
