/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/congestion.h"

#include "dataplane/base/min.h"

enum { INITIAL_SEGMENTS = 10, INITIAL_BYTES = 14600 };

uint32_t congestion_initial_window(uint32_t mss) {
    return min(INITIAL_SEGMENTS * mss, max(2 * mss, INITIAL_BYTES));
}

struct congestion congestion_start(uint32_t mss) {
    return (struct congestion){.cwnd = congestion_initial_window(mss), .ssthresh = CWND_MAX};
}

void congestion_acked(const struct congestion_algorithm *algorithm, struct congestion *congestion,
                      struct cubic *cubic, uint32_t pipe, const struct congestion_ack *ack) {
    /* Less than half of it was used: what the path takes beyond that is unknown. In slow start a
     * sender that is limited by the window sees half of it acknowledged at a time at most. */
    if (pipe < congestion->cwnd / 2)
        return;
    if (congestion->cwnd < congestion->ssthresh)
        /* Two segments an ACK at most (RFC 3465 2.3), so that delayed ACKs do not halve the growth.
         */
        congestion->cwnd += min(ack->acked, 2 * ack->mss);
    else
        algorithm->avoid(congestion, cubic, ack);
    congestion->cwnd = min(congestion->cwnd, CWND_MAX);
}

void congestion_timeout(const struct congestion_algorithm *algorithm, struct congestion *congestion,
                        struct cubic *cubic, uint32_t flight, uint32_t mss, bool again) {
    if (!again)
        congestion->ssthresh = algorithm->reduce(congestion, cubic, flight, mss);
    congestion->cwnd = mss;
    algorithm->restart(cubic, true);
}

void congestion_idle(const struct congestion_algorithm *algorithm, struct congestion *congestion,
                     struct cubic *cubic, uint32_t mss) {
    congestion->cwnd = min(congestion->cwnd, congestion_initial_window(mss));
    algorithm->restart(cubic, false);
}
