/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence numbers are compared modulo 2^32 (RFC 9293 3.4), and nowhere but here. Time stamps
 * (RFC 7323) and tick counters obey the same arithmetic. Pure. */
#ifndef LINEMQ_TCP_SEQ_H
#define LINEMQ_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_lt(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) <= 0;
}

static inline bool seq_gt(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) > 0;
}

static inline bool seq_geq(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) >= 0;
}

/* first <= seq < first + len */
static inline bool seq_within(uint32_t seq, uint32_t first, uint32_t len) {
    return seq - first < len;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b) {
    return seq_gt(a, b) ? a : b;
}

#endif
