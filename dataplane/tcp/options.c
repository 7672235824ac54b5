/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/options.h"

#include "dataplane/base/bytes.h"

void tcp_options_parse(struct tcp_options *options, const uint8_t *bytes, size_t len, bool syn) {
    *options = (struct tcp_options){0};

    /* The layout that RFC 7323 appendix A recommends, which nearly every segment has. */
    if (len == TCP_TIMESTAMP_BYTES && load_be32(bytes) == 0x0101080a) {
        options->has_timestamp = true;
        options->tsval = load_be32(bytes + 4);
        options->tsecr = load_be32(bytes + 8);
        return;
    }

    for (size_t at = 0; at < len;) {
        uint8_t kind = bytes[at];
        if (kind == TCP_OPTION_END)
            return;
        if (kind == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        if (len - at < 2)
            return;
        uint8_t size = bytes[at + 1];
        if (size < 2 || size > len - at)
            return;
        const uint8_t *value = bytes + at + 2;
        if (kind == TCP_OPTION_TIMESTAMP && size == 10) {
            options->has_timestamp = true;
            options->tsval = load_be32(value);
            options->tsecr = load_be32(value + 4);
        } else if (syn && kind == TCP_OPTION_MSS && size == 4) {
            options->has_mss = true;
            options->mss = load_be16(value);
        } else if (syn && kind == TCP_OPTION_WSCALE && size == 3) {
            options->has_wscale = true;
            options->wscale = *value > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : *value;
        } else if (!syn && kind == TCP_OPTION_SACK && size >= 10 && size % 8 == 2) {
            options->sack = value;
            options->sack_count = (uint8_t)(size / 8);
        } else if (syn && kind == TCP_OPTION_SACK_PERMITTED && size == 2) {
            options->sack_permitted = true;
        }
        at += size;
    }
}

size_t tcp_options_put_timestamp(uint8_t *to, uint32_t tsval, uint32_t tsecr) {
    store_be32(to, 0x0101080a);
    store_be32(to + 4, tsval);
    store_be32(to + 8, tsecr);
    return TCP_TIMESTAMP_BYTES;
}

size_t tcp_options_put_sack(uint8_t *to, const struct tcp_sack_block *blocks, unsigned count) {
    to[0] = TCP_OPTION_NOP;
    to[1] = TCP_OPTION_NOP;
    to[2] = TCP_OPTION_SACK;
    to[3] = (uint8_t)(2 + 8 * count);
    for (unsigned i = 0; i < count; i++) {
        store_be32(to + 4 + 8 * i, blocks[i].left);
        store_be32(to + 8 + 8 * i, blocks[i].right);
    }
    return 4 + 8 * (size_t)count;
}

size_t tcp_options_put_syn(uint8_t *to, const struct tcp_options *options) {
    uint8_t *at = to;
    if (options->has_mss) {
        at[0] = TCP_OPTION_MSS;
        at[1] = 4;
        store_be16(at + 2, options->mss);
        at += 4;
    }
    if (options->has_timestamp) {
        /* SACK-permitted takes the place of the two NOPs. */
        at[0] = options->sack_permitted ? TCP_OPTION_SACK_PERMITTED : TCP_OPTION_NOP;
        at[1] = options->sack_permitted ? 2 : TCP_OPTION_NOP;
        at[2] = TCP_OPTION_TIMESTAMP;
        at[3] = 10;
        store_be32(at + 4, options->tsval);
        store_be32(at + 8, options->tsecr);
        at += 12;
    }
    if (options->has_wscale) {
        at[0] = TCP_OPTION_NOP;
        at[1] = TCP_OPTION_WSCALE;
        at[2] = 3;
        at[3] = options->wscale;
        at += 4;
    }
    return (size_t)(at - to);
}
