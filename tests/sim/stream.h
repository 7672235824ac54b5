/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of both streams, known to both sides by position. */
#ifndef LINEMQ_TESTS_SIM_STREAM_H
#define LINEMQ_TESTS_SIM_STREAM_H

#include <stdint.h>

static inline uint8_t stream_to_broker(uint32_t client, uint64_t position) {
    return (uint8_t)(position * 131 + (position >> 8) * 17 + client * 7 + 1);
}

static inline uint8_t stream_to_client(uint32_t client, uint64_t position) {
    return (uint8_t)(position * 151 + (position >> 8) * 29 + client * 5 + 9);
}

#endif
