/* SPDX-License-Identifier: Apache-2.0 */
/* NewReno (RFC 5681 3.1, RFC 6582): a segment a round trip more, half of it less for a loss. */
#include "dataplane/tcp/congestion.h"

#include "dataplane/base/min.h"

static void avoid(struct congestion *congestion, struct cubic *cubic,
                  const struct congestion_ack *ack) {
    uint32_t counted = min(ack->acked, 2 * ack->mss);
    uint32_t step = (uint32_t)((uint64_t)ack->mss * counted / congestion->cwnd);
    congestion->cwnd += max(step, 1);
}

static uint32_t reduce(const struct congestion *congestion, struct cubic *cubic, uint32_t flight,
                       uint32_t mss) {
    return max(flight / 2, 2 * mss);
}

static void restart(struct cubic *cubic, bool timed_out) {
}

const struct congestion_algorithm congestion_newreno = {"newreno", avoid, reduce, restart};
