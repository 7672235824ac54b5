/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The path MTU of a connection, as its `mss`. It starts as what the peer takes, bounded by our
 * setting, and only goes down:
 *
 *  - by ICMP (RFC 1191, RFC 8201), if the segment quoted is in flight (RFC 5927 7.2), it was longer
 *    than the MTU reported, and that lies above the floor: 552 bytes for IPv4, to which less is
 *    raised; 1280 for IPv6, below which a message is no good (RFC 8201 4);
 *  - by guess, when full-sized segments die in silence (a black hole, RFC 2923 2.1).
 *
 * It never goes up again: probing for a larger MTU is optional (RFC 1191 6.3, RFC 8201 5.3), costs
 * a lost segment at a time, and gains little where messages are small. The next connection starts
 * anew.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_PMTU_H
#define LINEMQ_TCP_PMTU_H

#include "dataplane/tcp/extension.h"

enum {
    PMTU_IPV4_HEADERS = 40, /* IP and TCP without options */
    PMTU_IPV6_HEADERS = 60,
    PMTU_IPV4_FLOOR = 552, /* bytes of an IP packet */
    PMTU_IPV6_FLOOR = 1280,
    /* Segments that pass where larger ones vanish: all tunnels, and all of IPv4 (RFC 9293 3.7.1).
     */
    PMTU_GUESS_FIRST = 1220,
    PMTU_GUESS_LAST = 536,
    /* Timeouts in a row before a guess: when the peer was heard in the meantime, so that only our
     * long segments seem to be lost, and when it was not, so that the path may just be down. */
    PMTU_TIMEOUTS_HEARD = 2,
    PMTU_TIMEOUTS_SILENT = 5,
};

/* The retransmission timer ran out for data in flight: before it is sent again. */
void pmtu_timeout(struct tcp *tcp, struct tcp_conn *conn, const struct tcp_extension *extension);

#endif
