/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071). Sums are of native words in 64 bits, which cannot overflow
 * within a packet; the one's complement sum does not depend on byte order, so a folded sum is
 * stored and compared as it lies in memory. Pure; any thread.
 */
#ifndef LINEMQ_ETHER_CHECKSUM_H
#define LINEMQ_ETHER_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The sum of `len` bytes at any alignment; an odd last byte is padded with zero, so only the last
 * part of a message may have an odd length. */
uint64_t checksum_sum(const void *data, size_t len);

/* The sum of a pseudo header (RFC 793 3.1, RFC 8200 8.1): both addresses of `address_len` bytes,
 * the protocol and the length of what follows. */
uint64_t checksum_pseudo_header(const uint8_t *source, const uint8_t *destination,
                                size_t address_len, uint8_t protocol, uint32_t len);

/* To 16 bits. A message with its checksum in place is good when its sum folds to 0xffff. */
static inline uint16_t checksum_fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* What to store in the checksum field (in memory order, with memcpy). */
static inline uint16_t checksum_finish(uint64_t sum) {
    return (uint16_t)~checksum_fold(sum);
}

#endif
