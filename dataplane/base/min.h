/* SPDX-License-Identifier: Apache-2.0 */
/* The smaller and the larger of two amounts. For sequence numbers see tcp/seq.h. Pure. */
#ifndef LINEMQ_BASE_MIN_H
#define LINEMQ_BASE_MIN_H

#include <stdint.h>

static inline uint32_t min(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static inline uint32_t max(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

#endif
