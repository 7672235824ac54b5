/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payload on its way to the application (RFC 9293 3.10.7.4, seventh and eighth check): in order at
 * once, else through reassembly; FIN after the last byte. Calls `received` and `finished`.
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_RECEIVE_H
#define LINEMQ_TCP_RECEIVE_H

#include "dataplane/tcp/conn.h"

/* Payload and FIN of an acceptable segment, cut to the window; starts at or after rcv_nxt. */
void receive_segment(struct tcp *tcp, struct tcp_conn *conn, uint32_t seq, const uint8_t *data,
                     uint32_t len, bool fin);

/* [left, right) arrived, and had been here before: the peer is told (RFC 2883), if there is memory
 * to remember it until the next ACK. */
void receive_twice(struct tcp *tcp, struct tcp_conn *conn, uint32_t left, uint32_t right);

/* Offers what is unread, unless the application paused; discards it after tcp_close. */
void receive_deliver(struct tcp *tcp, struct tcp_conn *conn);

/* Drops what is out of order: the peer sends it again (RFC 2018 8). */
void receive_shed(struct tcp *tcp, struct tcp_conn *conn);

#endif
