/* SPDX-License-Identifier: Apache-2.0 */
/* Big-endian loads and stores at any alignment, and comparing bits. Pure; any thread. */
#ifndef LINEMQ_BASE_BYTES_H
#define LINEMQ_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_be16(const void *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}

static inline uint32_t load_be32(const void *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}

static inline void store_be16(void *p, uint16_t v) {
    v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof v);
}

static inline void store_be32(void *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

/* Whether the first `bits` bits are the same. */
static inline bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned bytes = bits / 8, rest = bits % 8;
    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0;
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "LineMQ is built for little-endian machines"
#endif

#endif
