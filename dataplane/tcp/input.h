/* SPDX-License-Identifier: Apache-2.0 */
/* Segments for a connection, in the order of checks of RFC 9293 3.10.7.4 with RFC 5961 and RFC
 * 7323. Thread: the worker. */
#ifndef LINEMQ_TCP_INPUT_H
#define LINEMQ_TCP_INPUT_H

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/header.h"

void conn_input(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_segment *segment,
                const struct tcp_header *header);

/* A challenge ACK (RFC 5961) is owed, unless there were enough of them. */
void conn_challenge(struct tcp *tcp, struct tcp_conn *conn);

#endif
