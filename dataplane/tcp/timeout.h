/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fast timer waits for while something is in flight: the retransmission timer, or before
 * it a tail loss probe or the end of the reordering window. One of them is wanted at a time (RFC
 * 8985 8), and the retransmission timer's own time is kept in rto_at meanwhile. Thread: the worker.
 */
#ifndef LINEMQ_TCP_TIMEOUT_H
#define LINEMQ_TCP_TIMEOUT_H

#include "dataplane/tcp/stack.h"

enum {
    TIMEOUT_PROBE_INITIAL_US = 1000000, /* RFC 8985 7.2: without a round trip sample */
    /* TLP.max_ack_delay: by which the peer delays its ACKs at most beyond what RTTVAR knows. Linux
     * does so by 40 ms. A peer that was probed in vain is given what RFC 8985 7.2 advises, until an
     * ACK gives a sample, which tells how much it takes. */
    TIMEOUT_ACK_DELAY_US = 50000,
    TIMEOUT_ACK_DELAY_PATIENT_US = 200000,
    /* A probe that repeats something is acknowledged without delay (RFC 5681 4.2): the timeout
     * after it has no minimum, but so much over SRTT at least. */
    TIMEOUT_PROBED_SPREAD_US = 200000,
};

/* The retransmission timer begins anew (RFC 6298 5.1 and 5.3); takes effect with timeout_arm. */
void timeout_restart(const struct tcp *tcp, const struct tcp_conn *conn,
                     struct tcp_extension *extension);

/* That, after a probe that repeats something. */
void timeout_restart_probed(const struct tcp *tcp, const struct tcp_conn *conn,
                            struct tcp_extension *extension);

/* Sets the fast timer, or stops it with nothing in flight. `reordering`: microseconds until more is
 * lost if nothing arrives, 0 = nothing would be. */
void timeout_arm(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension,
                 uint32_t reordering);

#endif
