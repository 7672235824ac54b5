/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss recovery: what ACKs and timers say about what was lost, and what follows for the congestion
 * window. Decides what is sent again; output.c sends.
 *
 *                         loss seen                        timer
 *     RECOVERY_NONE ------------------> RECOVERY_FAST ---------------> RECOVERY_AGAIN
 *          ^                                 |                              |
 *          +---- SND.UNA at `recover`, ------+------------------------------+
 *                or it was no loss
 *
 * A loss is seen by RACK (RFC 8985), by counting what was sacked (RFC 6675), or, from a peer
 * without SACK, by three duplicate ACKs and by partial ones (RFC 6582). All three only mark records
 * of the scoreboard; everything behind that is common:
 *
 *  - pipe is what is thought to be in the network (RFC 6675 4). Nothing is sent that would lift it
 *    above cwnd, but for one segment: the first after a timeout (RFC 2018 8), the first of a fast
 *    recovery without PRR (RFC 5681 3.2), the one that a partial ACK asks for (RFC 6582 3.2),
 *    a tail loss probe (RFC 8985 7.3) and a window probe.
 *  - a reduction that turns out to be wrong is taken back (undo.h).
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_LOSS_H
#define LINEMQ_TCP_LOSS_H

#include "dataplane/tcp/header.h"
#include "dataplane/tcp/stack.h"

static inline uint32_t loss_pipe(const struct tcp *tcp, const struct tcp_conn *conn,
                                 const struct tcp_extension *extension) {
    const struct scoreboard *board = &extension->sent;
    uint32_t pipe = board->end - board->una;
    /* Without limited transmit what has left the network lets out nothing before it has lasted
     * until a loss is certain. */
    if (extension->recovery == RECOVERY_NONE && !tcp->config.limited_transmit)
        return pipe - board->lost;
    pipe -= board->sacked + board->lost;
    if (extension->duplicates == 0)
        return pipe;
    /* Each duplicate ACK stands for a segment that has left the network. */
    uint32_t left = extension->duplicates * conn_payload_max(conn);
    return pipe > left ? pipe - left : 0;
}

/* An ACK of `acked` sequence numbers, by which snd_una has moved already, or with SACK blocks, or a
 * `duplicate` as RFC 5681 2 defines it; takes the round trip sample, too. */
void loss_ack(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
              const struct tcp_header *header, uint32_t acked, bool duplicate);

/* The fast timer: the retransmission timer; the reordering timer (RFC 8985 6.3); the probe timer
 * (7.3). */
void loss_timeout(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);
void loss_reordering_over(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);
void loss_probe_due(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

/* What is in flight was dropped for another reason than congestion and is sent again: the peer
 * opened the window that it had closed, or the path takes smaller segments only (RFC 1191 6.4). */
void loss_resend(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

struct loss_range {
    uint32_t seq, end;
};
struct loss_range loss_next_lost(const struct tcp *tcp, const struct tcp_conn *conn,
                                 struct tcp_extension *extension);

/* The sequence numbers that output sends next: the first that are lost, or new ones; empty: there
 * is nothing to send. */
static inline struct loss_range loss_next(const struct tcp *tcp, const struct tcp_conn *conn,
                                          struct tcp_extension *extension) {
    if (extension->sent.lost && extension->undo.frto != FRTO_SECOND)
        return loss_next_lost(tcp, conn, extension);
    return (struct loss_range){conn->snd_nxt, conn_send_limit(conn)};
}

/* [seq, end) has left; snd_nxt was `before`. */
void loss_sent(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
               uint32_t seq, uint32_t end, uint32_t before);
/* Nothing more leaves in this turn. */
void loss_sent_all(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

#endif
