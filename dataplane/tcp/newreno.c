/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/newreno.h"

enum { INITIAL_SEGMENTS = 10, INITIAL_BYTES = 14600 };

static uint32_t min(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t max(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

uint32_t newreno_initial_window(uint32_t mss) {
    return min(INITIAL_SEGMENTS * mss, max(2 * mss, INITIAL_BYTES));
}

struct congestion newreno_start(uint32_t mss) {
    return (struct congestion){.cwnd = newreno_initial_window(mss), .ssthresh = NEWRENO_CWND_MAX};
}

struct congestion newreno_acked(struct congestion now, uint32_t acked, uint32_t flight,
                                uint32_t mss) {
    /* Less than half of it was used: what the path takes beyond that is unknown. In slow start a
     * sender that is limited by the window sees half of it acknowledged at a time at most. */
    if (flight < now.cwnd / 2)
        return now;
    /* Two segments an ACK at most (RFC 3465 2.3), so that delayed ACKs do not halve the growth. */
    uint32_t counted = min(acked, 2 * mss);
    if (now.cwnd < now.ssthresh)
        now.cwnd += counted;
    else
        now.cwnd += max(1, (uint32_t)((uint64_t)mss * counted / now.cwnd));
    now.cwnd = min(now.cwnd, NEWRENO_CWND_MAX);
    return now;
}

struct congestion newreno_enter(struct congestion now, uint32_t flight, uint32_t mss) {
    now.ssthresh = max(flight / 2, 2 * mss);
    now.cwnd = now.ssthresh + NEWRENO_DUPLICATES * mss;
    return now;
}

struct congestion newreno_inflate(struct congestion now, uint32_t mss) {
    now.cwnd = min(now.cwnd + mss, NEWRENO_CWND_MAX);
    return now;
}

struct congestion newreno_partial(struct congestion now, uint32_t acked, uint32_t mss) {
    now.cwnd -= min(acked, now.cwnd);
    if (acked >= mss)
        now.cwnd += mss;
    now.cwnd = max(now.cwnd, mss);
    return now;
}

struct congestion newreno_leave(struct congestion now, uint32_t flight, uint32_t mss) {
    /* The first of the two choices of RFC 6582 3.2 step 3: no burst follows. */
    now.cwnd = min(now.ssthresh, max(flight, mss) + mss);
    return now;
}

struct congestion newreno_timeout(struct congestion now, uint32_t flight, uint32_t mss, int again) {
    if (!again)
        now.ssthresh = max(flight / 2, 2 * mss);
    now.cwnd = mss;
    return now;
}

struct congestion newreno_restart(struct congestion now, uint32_t mss) {
    now.cwnd = min(now.cwnd, newreno_initial_window(mss));
    return now;
}
