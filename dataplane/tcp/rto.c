/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/rto.h"

void rto_sample(uint32_t *srtt, uint32_t *rttvar, uint32_t sample, uint32_t expected) {
    if (sample == 0)
        sample = 1;
    if (*srtt == 0) {
        *srtt = sample;
        *rttvar = sample / 2;
        return;
    }
    /* rttvar first, as it uses the old srtt (2.3): beta 1/4, alpha 1/8, over the samples. */
    uint32_t difference = *srtt > sample ? *srtt - sample : sample - *srtt;
    int64_t variation = (int64_t)difference - *rttvar;
    int64_t error = (int64_t)sample - *srtt;
    *rttvar = (uint32_t)(*rttvar + variation / (4 * (int64_t)expected));
    *srtt = (uint32_t)(*srtt + error / (8 * (int64_t)expected));
    if (*srtt == 0)
        *srtt = 1;
}

uint32_t rto_timeout(uint32_t srtt, uint32_t rttvar, unsigned backoff,
                     const struct rto_limits *limits) {
    uint64_t timeout = limits->initial;
    if (srtt) {
        uint64_t spread = 4 * (uint64_t)rttvar;
        timeout = srtt + (spread < RTO_GRANULARITY ? RTO_GRANULARITY : spread);
        if (timeout < limits->min)
            timeout = limits->min;
    }
    timeout <<= backoff < 16 ? backoff : 16;
    return timeout > limits->max ? limits->max : (uint32_t)timeout;
}
