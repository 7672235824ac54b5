/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that answer a segment outside a connection. They leave at once; when the link has no
 * frame they are dropped and counted, the peer asks again. Thread: the worker.
 */
#ifndef LINEMQ_TCP_REPLY_H
#define LINEMQ_TCP_REPLY_H

#include "dataplane/tcp/header.h"

struct time_wait;

/* RFC 9293 3.10.7.1. The segment is not a RST. So many a second for each prefix; the limit is not
 * shared, or a stranger could find out by it which segments, sent in another's name, get a RST and
 * which meet a connection. */
void reply_reset(struct tcp *tcp, const struct tcp_segment *segment,
                 const struct tcp_header *header);

/* What the sender of a SYN takes, or must if it does not say (RFC 9293 3.7.1). */
uint16_t reply_mss(const struct tcp_segment *segment, const struct tcp_header *header);

/* SYN-ACK with a cookie. */
void reply_syn_ack(struct tcp *tcp, const struct tcp_segment *segment,
                   const struct tcp_header *header);

/* FIN and the ACK of a FIN that came without data, instead of a connection. */
void reply_fin_ack(struct tcp *tcp, const struct tcp_segment *segment,
                   const struct tcp_header *header);

void reply_time_wait(struct tcp *tcp, const struct time_wait *record,
                     const struct tcp_segment *segment);

#endif
