/* SPDX-License-Identifier: Apache-2.0 */
/* The acknowledgement and the window that a segment carries: RFC 9293 3.10.7.4, fifth check, with
 * RFC 5961 5. What it says about loss is loss.h's. Thread: the worker. */
#ifndef LINEMQ_TCP_ACK_H
#define LINEMQ_TCP_ACK_H

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/header.h"

/* False: the segment ends here. */
bool ack_input(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_header *header,
               uint32_t segment_length);

#endif
