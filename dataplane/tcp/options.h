/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP options: maximum segment size (RFC 9293 3.7.1), window scale and time stamps (RFC 7323),
 * SACK-permitted and SACK (RFC 2018). Pure.
 */
#ifndef LINEMQ_TCP_OPTIONS_H
#define LINEMQ_TCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/bytes.h"

enum {
    TCP_OPTION_END = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2,
    TCP_OPTION_WSCALE = 3,
    TCP_OPTION_SACK_PERMITTED = 4,
    TCP_OPTION_SACK = 5,
    TCP_OPTION_TIMESTAMP = 8,
};

enum {
    TCP_OPTIONS_MAX = 40,
    TCP_TIMESTAMP_BYTES = 12, /* as we send it, with its two NOPs */
    TCP_WSCALE_MAX = 14,      /* RFC 7323 2.3: larger ones mean 14 */
    TCP_SACK_BLOCKS_MAX = 3,  /* what fits beside time stamps; a peer's may be four without */
};

struct tcp_options {
    bool has_mss, has_wscale, has_timestamp, sack_permitted;
    uint8_t wscale; /* at most TCP_WSCALE_MAX */
    uint16_t mss;
    uint32_t tsval, tsecr;
    uint8_t sack_count;  /* blocks of the SACK option */
    const uint8_t *sack; /* the first of them, where it stands in the segment */
};

struct tcp_sack_block {
    uint32_t left, right; /* right is the first sequence number not in the block */
};

/* Block i of options->sack_count. */
static inline struct tcp_sack_block tcp_options_sack(const struct tcp_options *options,
                                                     unsigned i) {
    const uint8_t *at = options->sack + 8 * i;
    return (struct tcp_sack_block){.left = load_be32(at), .right = load_be32(at + 4)};
}

/* Reads `len` bytes of options. An option that does not fit ends the list: what stood before it
 * counts, as it does elsewhere. Options that belong on a SYN are read only with `syn`. */
void tcp_options_parse(struct tcp_options *options, const uint8_t *bytes, size_t len, bool syn);

/* These write at `to`, padded to a multiple of four bytes, and return how many they wrote. */
size_t tcp_options_put_timestamp(uint8_t *to, uint32_t tsval, uint32_t tsecr);
size_t tcp_options_put_sack(uint8_t *to, const struct tcp_sack_block *blocks, unsigned count);
/* For the SYN-ACK. At most 20 bytes. */
size_t tcp_options_put_syn(uint8_t *to, const struct tcp_options *options);

#endif
