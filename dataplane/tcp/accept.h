/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that belong to no connection (RFC 9293 3.10.7.1 and 3.10.7.2): SYNs are answered with
 * cookies, the first data of a handshake makes a connection, all else is refused.
 *
 *     SYN                    -> SYN-ACK with a cookie, nothing is kept
 *     ACK, cookie valid      -> dropped: the peer speaks first
 *     ACK + data, valid      -> a connection
 *     ACK + FIN, valid       -> FIN-ACK, nothing is kept
 *     anything of a handshake whose first data is missing -> dropped, it will be sent again
 *     RST                    -> dropped
 *     anything else          -> RST
 *
 * All within the limits of admission.h: a SYN, or first data, that is too many is dropped, and so
 * is the RST.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_ACCEPT_H
#define LINEMQ_TCP_ACCEPT_H

#include "dataplane/tcp/header.h"

struct tcp;
struct tcp_conn;

/* The connection that the segment made, which is then to be handled as its first one; or NULL: the
 * segment has been dealt with. */
struct tcp_conn *accept_segment(struct tcp *tcp, const struct tcp_segment *segment,
                                const struct tcp_header *header);

#endif
