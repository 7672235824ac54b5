/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/ack.h"

#include "dataplane/tcp/input.h"
#include "dataplane/tcp/loss.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/timer.h"

/* SND.WND and its kin. */
static void update_window(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                          const struct tcp_header *header) {
    if (seq_lt(header->seq, conn->snd_wl1))
        return;
    uint16_t before = conn->snd_wnd;
    conn->snd_wl1 = header->seq;
    conn->snd_wnd = header->wnd;
    conn_window_seen(conn, header->wnd);
    if (before && !header->wnd) {
        conn_count(tcp, conn, COUNTER_TCP_ZERO_WINDOWS);
        if (conn->zero_windows < UINT8_MAX)
            conn->zero_windows++;
    } else if (!before && header->wnd) {
        conn->backoff = 0;
        if (extension && conn_flight(conn))
            loss_resend(tcp, conn, extension);
        else
            timer_fast_stop(conn);
    }
    if (header->wnd > before && conn->snd_nxt != conn_send_limit(conn))
        conn_touch(tcp, conn);
    /* A peer that answers with a closed window is alive (RFC 9293 3.8.6.1). */
    if (!header->wnd && extension)
        extension->stalled = fast_tick(tcp);
}

/* The ACK covers something new. */
static void acknowledged(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                         const struct tcp_header *header) {
    uint32_t acked = header->ack - conn->snd_una;
    bool fin = conn_fin_pending(conn) && header->ack == conn->snd_end + 1;
    conn->snd_una = header->ack;
    loss_ack(tcp, conn, extension, header, acked, false);
    if (fin) {
        /* 3.10.7.4, fifth check: our FIN is acknowledged. */
        conn->snd_end = conn->snd_una;
        if (conn->state == TCP_STATE_FIN_WAIT_1)
            conn->state = TCP_STATE_FIN_WAIT_2;
        else if (conn->state == TCP_STATE_CLOSING)
            conn->state = TCP_STATE_TIME_WAIT;
    }
    if (acked > fin)
        tcp->app.acknowledged(tcp->app.app, conn, acked - fin);
    if (fin && conn->state == TCP_STATE_LAST_ACK) {
        conn_die(tcp, conn, TCP_CLOSED_ORDERLY);
        return;
    }
    if (conn->state == TCP_STATE_TIME_WAIT || conn->snd_nxt != conn_send_limit(conn) ||
        (extension->recovery != RECOVERY_NONE && conn_flight(conn)))
        conn_touch(tcp, conn);
    extension_detach_idle(tcp, conn);
}

bool ack_input(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_header *header,
               uint32_t segment_length) {
    /* RFC 5961 5: nothing that was never sent, and nothing older than a window. */
    uint32_t oldest = conn->snd_una - conn_send_window_max(conn);
    if (seq_gt(header->ack, conn->snd_nxt) || seq_lt(header->ack, oldest)) {
        conn_count_in(tcp, conn, COUNTER_TCP_DROP_BAD_ACK, header->seq, segment_length);
        conn_challenge(tcp, conn);
        return false;
    }
    if (seq_lt(header->ack, conn->snd_una))
        return true;
    struct tcp_extension *extension = conn_extension(tcp, conn);
    uint16_t window_before = conn->snd_wnd;
    update_window(tcp, conn, extension, header);
    if (header->ack != conn->snd_una) {
        acknowledged(tcp, conn, extension, header);
    } else if (conn_flight(conn)) {
        bool duplicate = segment_length == 0 && header->wnd == window_before && header->wnd;
        if (duplicate) {
            count(tcp->counters, COUNTER_TCP_DUPLICATE_ACKS);
            if (conn->duplicate_acks < UINT16_MAX)
                conn->duplicate_acks++;
        }
        if (duplicate || header->options.sack_count)
            loss_ack(tcp, conn, extension, header, 0, duplicate);
    }
    return conn->state != TCP_STATE_CLOSED;
}
