/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NewReno congestion control (RFC 5681, 6582, initial window of RFC 6928): how the congestion
 * window moves. Who is in recovery, and until when, is loss.c's business. All in bytes; `mss` is
 * the payload of a full segment. Pure.
 */
#ifndef LINEMQ_TCP_NEWRENO_H
#define LINEMQ_TCP_NEWRENO_H

#include <stdint.h>

struct congestion {
    uint32_t cwnd, ssthresh; /* bytes */
};

enum { NEWRENO_CWND_MAX = 1 << 28, NEWRENO_DUPLICATES = 3 };

uint32_t newreno_initial_window(uint32_t mss);
struct congestion newreno_start(uint32_t mss);

/* `acked` new bytes outside fast recovery; `flight` was in flight before. A window that the sender
 * does not use does not grow. */
struct congestion newreno_acked(struct congestion now, uint32_t acked, uint32_t flight,
                                uint32_t mss);

/* The third duplicate ACK (RFC 5681 3.2 steps 2 and 3). */
struct congestion newreno_enter(struct congestion now, uint32_t flight, uint32_t mss);
/* A further one (step 4). */
struct congestion newreno_inflate(struct congestion now, uint32_t mss);
/* An ACK of `acked` bytes that does not end the recovery (RFC 6582 3.2 step 3). */
struct congestion newreno_partial(struct congestion now, uint32_t acked, uint32_t mss);
/* The one that does; `flight` is what is still in flight. */
struct congestion newreno_leave(struct congestion now, uint32_t flight, uint32_t mss);

/* The retransmission timer (RFC 5681 3.1, equation 4). `again`: the same segment timed out before,
 * then ssthresh stays. */
struct congestion newreno_timeout(struct congestion now, uint32_t flight, uint32_t mss, int again);

/* Nothing was sent for longer than a retransmission timeout (RFC 5681 4.1). */
struct congestion newreno_restart(struct congestion now, uint32_t mss);

#endif
