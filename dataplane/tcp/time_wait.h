/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a connection that is over, in a record of 32 bytes.
 *
 * TIME-WAIT (RFC 9293 3.6.1): we closed first. The peer's last FIN finds its ACK and old segments
 * find no new connection. A SYN that is certainly new takes the record's place (RFC 6191).
 *
 * ENDED: any other end, while the cookie that the connection began with is still good. Without the
 * record a late duplicate of its first data segment would make it again, and an MQTT client that
 * has long been back would be thrown out by its own old CONNECT. All but a SYN is answered with a
 * RST, as if there was no record.
 *
 * Records lie in one queue and leave it in order, some of them later than they might.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_TIME_WAIT_H
#define LINEMQ_TCP_TIME_WAIT_H

#include "dataplane/tcp/conn.h"

struct tcp_header;

struct time_wait {
    struct tcp_endpoint endpoint; /* state: RECORD, ENDED, or CLOSED when replaced; spare: the
                                     wait was started again */
    uint32_t rcv_nxt, snd_nxt;
    uint32_t ts_recent;
    uint32_t expires; /* fast ticks */
    ref_t next;
};
_Static_assert(sizeof(struct time_wait) == 32, "half a cache line");

struct time_waits {
    ref_t first, last;
    uint32_t count;
};

/* Leaves a record for a connection that dies, which is no longer in the flow table. */
void time_wait_remember(struct tcp *tcp, const struct tcp_conn *conn);

/* A segment for a record. True: it is to be handled as one of no connection. */
bool time_wait_input(struct tcp *tcp, struct time_wait *record, const struct tcp_segment *segment,
                     const struct tcp_header *header);

/* Frees what has waited long enough, at most *budget, which is decremented. True: more is due. */
bool time_wait_expire(struct tcp *tcp, unsigned *budget);

/* When the next is due, or UINT64_MAX. */
uint64_t time_wait_next(const struct tcp *tcp);

#endif
