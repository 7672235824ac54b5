/* SPDX-License-Identifier: Apache-2.0 */
/* The retransmission timeout (RFC 6298) from round trip samples. All times in microseconds. Pure.
 */
#ifndef LINEMQ_TCP_RTO_H
#define LINEMQ_TCP_RTO_H

#include <stdint.h>

enum {
    RTO_GRANULARITY = 1024,         /* G: a tick of the clock samples are taken with */
    RTO_FIRST_SAMPLE_MAX = 3000000, /* the first sample holds the peer's thinking time, too */
};

struct rto_limits {
    uint32_t min, max, initial;
};

/* Takes in a sample; srtt 0: it is the first. `expected` is the number of samples to expect in a
 * round trip (RFC 7323 appendix G), at least 1. */
void rto_sample(uint32_t *srtt, uint32_t *rttvar, uint32_t sample, uint32_t expected);

/* The timeout after `backoff` doublings (2.4, 2.5, 5.5), within the limits. */
uint32_t rto_timeout(uint32_t srtt, uint32_t rttvar, unsigned backoff,
                     const struct rto_limits *limits);

#endif
