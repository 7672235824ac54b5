/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss recovery: what an ACK, a duplicate ACK and the retransmission timer say about what was lost
 * (RFC 5681 3.2, RFC 6582, RFC 6298 5). Decides what is to be sent again and moves the congestion
 * window; output.c sends. RFC 6675 and 8985 join here.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_LOSS_H
#define LINEMQ_TCP_LOSS_H

#include "dataplane/tcp/extension.h"

/* `acked` sequence numbers were acknowledged, snd_una has moved. */
void loss_acked(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                uint32_t acked);

/* A duplicate ACK as RFC 5681 2 defines it. */
void loss_duplicate(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

/* The retransmission timer ran out. */
void loss_timeout(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

/* The peer opened its closed window while something was in flight: what the closed window made it
 * drop is sent again, which says nothing about congestion. */
void loss_window_opened(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

/* The sequence number that output sends next: new data, or what is sent again. */
uint32_t loss_next(const struct tcp_conn *conn, const struct tcp_extension *extension);

/* The path takes smaller segments than those in flight: all of them are sent again, cut anew. What
 * was too big is no sign of congestion (RFC 1191 6.4). */
void loss_too_big(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension);

#endif
