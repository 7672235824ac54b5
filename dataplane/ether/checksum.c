/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/checksum.h"

#include <string.h>

uint64_t checksum_sum(const void *data, size_t len) {
    const uint8_t *at = data;
    uint64_t sum = 0;
    uint32_t word;
    /* The compiler makes vector additions of this loop. */
    size_t words = len / 4;
    for (size_t i = 0; i < words; i++) {
        memcpy(&word, at + i * 4, 4);
        sum += word;
    }
    word = 0;
    memcpy(&word, at + words * 4, len % 4);
    return sum + word;
}

uint64_t checksum_pseudo_header(const uint8_t *source, const uint8_t *destination,
                                size_t address_len, uint8_t protocol, uint32_t len) {
    return checksum_sum(source, address_len) + checksum_sum(destination, address_len) +
           ((uint64_t)protocol << 8) + __builtin_bswap32(len);
}
