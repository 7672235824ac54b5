/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/packet/segment.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/tcp/options.h"
#include "dataplane/tcp/tcp.h"

static const char flag_letters[] = "FSRP.UEW"; /* from bit 0 up */

void segment_flags_text(char *to, uint8_t flags) {
    static const char order[] = "SFRPUEW.";
    for (const char *letter = order; *letter; letter++)
        if (flags >> (strchr(flag_letters, *letter) - flag_letters) & 1)
            *to++ = *letter;
    if (!flags)
        *to++ = '-';
    *to = 0;
}

int segment_flags(const char *text, size_t len) {
    if (len == 1 && *text == '-')
        return 0;
    int flags = 0;
    for (size_t i = 0; i < len; i++) {
        const char *letter = strchr(flag_letters, text[i]);
        if (!letter || !*letter)
            return -1;
        flags |= 1 << (letter - flag_letters);
    }
    return flags;
}

/* --- options to the wire --------------------------------------------------------------------- */

static size_t put_option(uint8_t *to, const struct option *option,
                         const struct segment_base *base) {
    if (option->kind == OPTION_RAW) {
        memcpy(to, option->raw, option->raw_len);
        return option->raw_len;
    }
    to[0] = (uint8_t)option->kind;
    switch (option->kind) {
    case TCP_OPTION_END:
    case TCP_OPTION_NOP:
        return 1;
    case TCP_OPTION_MSS:
        to[1] = 4;
        store_be16(to + 2, (uint16_t)option->first);
        return 4;
    case TCP_OPTION_WSCALE:
        to[1] = 3;
        to[2] = (uint8_t)option->first;
        return 3;
    case TCP_OPTION_SACK_PERMITTED:
        to[1] = 2;
        return 2;
    case TCP_OPTION_SACK:
        to[1] = (uint8_t)(2 + 8 * option->blocks);
        for (unsigned i = 0; i < option->blocks; i++) {
            store_be32(to + 2 + 8 * i, option->left[i] + base->ack);
            store_be32(to + 6 + 8 * i, option->right[i] + base->ack);
        }
        return to[1];
    default: /* TCP_OPTION_TIMESTAMP */
        to[1] = 10;
        store_be32(to + 2, option->first + base->tsval);
        store_be32(to + 6, option->second + base->tsecr);
        return 10;
    }
}

size_t segment_write(uint8_t *to, const struct segment *segment, const struct segment_base *base) {
    uint8_t options[OPTIONS_MAX * 2] = {0};
    size_t len = 0;
    for (unsigned i = 0; i < segment->options_count; i++) {
        uint8_t one[OPTIONS_MAX];
        size_t size = put_option(one, &segment->options[i], base);
        if (len + size > OPTIONS_MAX)
            return 0;
        memcpy(options + len, one, size);
        len += size;
    }
    len = (len + 3) / 4 * 4; /* zeros: the end of the list */
    memset(to, 0, 20);
    store_be32(to + 4, segment->seq + base->seq);
    store_be32(to + 8, segment->flags & TCP_ACK ? segment->ack + base->ack : 0);
    to[12] = (uint8_t)((20 + len) / 4 << 4);
    if (segment->offset >= 0)
        to[12] = (uint8_t)(segment->offset << 4);
    to[13] = segment->flags;
    store_be16(to + 14, segment->wnd);
    store_be16(to + 18, segment->urgent);
    memcpy(to + 20, options, len);
    return 20 + len;
}

/* --- and back -------------------------------------------------------------------------------- */

/* Returns how many bytes it read; an option that is not whole is raw to the end. */
static size_t get_option(struct option *option, const uint8_t *bytes, size_t len,
                         const struct segment_base *base) {
    *option = (struct option){.kind = bytes[0]};
    if (bytes[0] == TCP_OPTION_NOP || bytes[0] == TCP_OPTION_END)
        return 1;
    size_t size = len < 2 ? 0 : bytes[1];
    if (size < 2 || size > len)
        size = 0;
    if (size == 4 && bytes[0] == TCP_OPTION_MSS) {
        option->has_first = true;
        option->first = load_be16(bytes + 2);
    } else if (size == 3 && bytes[0] == TCP_OPTION_WSCALE) {
        option->has_first = true;
        option->first = bytes[2];
    } else if (size == 10 && bytes[0] == TCP_OPTION_TIMESTAMP) {
        option->has_first = option->has_second = true;
        option->first = load_be32(bytes + 2) - base->tsval;
        option->second = load_be32(bytes + 6) - base->tsecr;
    } else if (size >= 10 && size % 8 == 2 && bytes[0] == TCP_OPTION_SACK) {
        option->blocks = (unsigned)(size - 2) / 8;
        for (unsigned i = 0; i < option->blocks; i++) {
            option->left[i] = load_be32(bytes + 2 + 8 * i) - base->ack;
            option->right[i] = load_be32(bytes + 6 + 8 * i) - base->ack;
        }
    } else if (size != 2 || bytes[0] != TCP_OPTION_SACK_PERMITTED) {
        option->kind = OPTION_RAW;
        option->raw_len = (unsigned)(size ? size : len);
        memcpy(option->raw, bytes, option->raw_len);
        return option->raw_len;
    }
    return size;
}

void segment_read(struct segment *segment, const uint8_t *bytes, size_t len,
                  const struct segment_base *base) {
    size_t offset = (bytes[12] >> 4) * 4u;
    *segment = (struct segment){
        .flags = bytes[13],
        .seq = load_be32(bytes + 4) - base->seq,
        .len = (uint32_t)(len - offset),
        .ack = bytes[13] & TCP_ACK ? load_be32(bytes + 8) - base->ack : 0,
        .has_wnd = true,
        .wnd = load_be16(bytes + 14),
        .urgent = load_be16(bytes + 18),
        .offset = -1,
        .has_options = true,
    };
    for (size_t at = 20; at < offset;)
        at +=
            get_option(&segment->options[segment->options_count++], bytes + at, offset - at, base);
}

/* --- comparison ------------------------------------------------------------------------------ */

static bool option_matches(const struct option *wanted, const struct option *seen) {
    if (wanted->kind != seen->kind || wanted->blocks != seen->blocks ||
        (wanted->has_first && wanted->first != seen->first) ||
        (wanted->has_second && wanted->second != seen->second))
        return false;
    for (unsigned i = 0; i < wanted->blocks; i++)
        if (wanted->left[i] != seen->left[i] || wanted->right[i] != seen->right[i])
            return false;
    return wanted->kind != OPTION_RAW ||
           (wanted->raw_len == seen->raw_len && memcmp(wanted->raw, seen->raw, seen->raw_len) == 0);
}

bool segment_matches(const struct segment *wanted, const struct segment *seen, bool timestamps) {
    if (wanted->flags != seen->flags || wanted->seq != seen->seq || wanted->len != seen->len ||
        wanted->ack != seen->ack || wanted->urgent != seen->urgent ||
        (wanted->has_wnd && wanted->wnd != seen->wnd))
        return false;
    if (!wanted->has_options) {
        static const unsigned usual[] = {TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_TIMESTAMP};
        /* A RST of a connection carries a time stamp, one of nobody's does not. */
        if (seen->options_count == 0)
            return !timestamps || seen->flags & TCP_RST;
        for (unsigned i = 0; i < seen->options_count; i++)
            if (i >= 3 || seen->options[i].kind != usual[i])
                return false;
        return timestamps && seen->options_count == 3;
    }
    if (wanted->options_count != seen->options_count)
        return false;
    for (unsigned i = 0; i < seen->options_count; i++)
        if (!option_matches(&wanted->options[i], &seen->options[i]))
            return false;
    return true;
}

/* --- text ------------------------------------------------------------------------------------ */

static char *option_text(char *to, const struct option *option) {
    switch (option->kind) {
    case TCP_OPTION_END:
        return to + sprintf(to, "eol");
    case TCP_OPTION_NOP:
        return to + sprintf(to, "nop");
    case TCP_OPTION_MSS:
        return to + sprintf(to, "mss %u", option->first);
    case TCP_OPTION_WSCALE:
        return to + sprintf(to, "wscale %u", option->first);
    case TCP_OPTION_SACK_PERMITTED:
        return to + sprintf(to, "sackOK");
    case TCP_OPTION_TIMESTAMP:
        to += sprintf(to, "TS");
        if (option->has_first)
            to += sprintf(to, " val %d", (int32_t)option->first);
        if (option->has_second)
            to += sprintf(to, " ecr %d", (int32_t)option->second);
        return to;
    case TCP_OPTION_SACK:
        to += sprintf(to, "sack");
        for (unsigned i = 0; i < option->blocks; i++)
            to += sprintf(to, " %u:%u", option->left[i], option->right[i]);
        return to;
    default:
        to += sprintf(to, "raw");
        for (unsigned i = 0; i < option->raw_len; i++)
            to += sprintf(to, " %02x", option->raw[i]);
        return to;
    }
}

void segment_text(char *to, const struct segment *segment) {
    char flags[9];
    segment_flags_text(flags, segment->flags);
    to +=
        sprintf(to, "%s %u:%u(%u)", flags, segment->seq, segment->seq + segment->len, segment->len);
    if (segment->flags & TCP_ACK)
        to += sprintf(to, " ack %u", segment->ack);
    if (segment->has_wnd)
        to += sprintf(to, " win %u", segment->wnd);
    if (segment->urgent)
        to += sprintf(to, " urg %u", segment->urgent);
    if (segment->garbled)
        to += sprintf(to, " garbled");
    if (!segment->has_options)
        return;
    *to++ = ' ';
    *to++ = '<';
    for (unsigned i = 0; i < segment->options_count; i++) {
        if (i)
            *to++ = ',';
        to = option_text(to, &segment->options[i]);
    }
    *to++ = '>';
    *to = 0;
}
