/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein, 2012): the keyed hash of everything whose input a peer can
 * choose. Inline, so that a constant length costs no branch. Pure; any thread.
 */
#ifndef LINEMQ_BASE_SIPHASH_H
#define LINEMQ_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SIPHASH_ROTATE(x, bits) (((x) << (bits)) | ((x) >> (64 - (bits))))
#define SIPHASH_ROUND(v0, v1, v2, v3)                                                              \
    do {                                                                                           \
        v0 += v1;                                                                                  \
        v2 += v3;                                                                                  \
        v1 = SIPHASH_ROTATE(v1, 13) ^ v0;                                                          \
        v3 = SIPHASH_ROTATE(v3, 16) ^ v2;                                                          \
        v0 = SIPHASH_ROTATE(v0, 32);                                                               \
        v2 += v1;                                                                                  \
        v0 += v3;                                                                                  \
        v1 = SIPHASH_ROTATE(v1, 17) ^ v2;                                                          \
        v3 = SIPHASH_ROTATE(v3, 21) ^ v0;                                                          \
        v2 = SIPHASH_ROTATE(v2, 32);                                                               \
    } while (0)

/* Hash of `len` bytes under the key. */
static inline uint64_t siphash(const uint8_t key[16], const void *data, size_t len) {
    const uint8_t *bytes = data;
    uint64_t k0, k1, word;
    memcpy(&k0, key, 8);
    memcpy(&k1, key + 8, 8);
    uint64_t v0 = k0 ^ UINT64_C(0x736f6d6570736575);
    uint64_t v1 = k1 ^ UINT64_C(0x646f72616e646f6d);
    uint64_t v2 = k0 ^ UINT64_C(0x6c7967656e657261);
    uint64_t v3 = k1 ^ UINT64_C(0x7465646279746573);

    size_t left = len;
    for (; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        v3 ^= word;
        SIPHASH_ROUND(v0, v1, v2, v3);
        SIPHASH_ROUND(v0, v1, v2, v3);
        v0 ^= word;
    }
    word = (uint64_t)len << 56;
    unsigned shift = 0;
    if (left & 4) {
        uint32_t four;
        memcpy(&four, bytes, 4);
        word |= four;
        bytes += 4;
        shift = 32;
    }
    if (left & 2) {
        uint16_t two;
        memcpy(&two, bytes, 2);
        word |= (uint64_t)two << shift;
        bytes += 2;
        shift += 16;
    }
    if (left & 1)
        word |= (uint64_t)*bytes << shift;
    v3 ^= word;
    SIPHASH_ROUND(v0, v1, v2, v3);
    SIPHASH_ROUND(v0, v1, v2, v3);
    v0 ^= word;

    v2 ^= 0xff;
    SIPHASH_ROUND(v0, v1, v2, v3);
    SIPHASH_ROUND(v0, v1, v2, v3);
    SIPHASH_ROUND(v0, v1, v2, v3);
    SIPHASH_ROUND(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

#undef SIPHASH_ROUND
#undef SIPHASH_ROTATE

#endif
