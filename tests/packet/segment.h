/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP segment as scripts write it: numbers count from the initial ones of both sides, so the
 * first byte of a stream is 1. To and from the wire, and to text.
 */
#ifndef LINEMQ_TESTS_PACKET_SEGMENT_H
#define LINEMQ_TESTS_PACKET_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OPTION_RAW = 256, /* bytes as they stand, instead of a kind */
    OPTIONS_MAX = 40, /* what a header has room for, so at most as many NOPs */
    OPTION_BLOCKS_MAX = 4,
    SEGMENT_TEXT_MAX = 512,
    SEGMENT_HEADER_MAX = 60,
};

struct option {
    unsigned kind; /* of the wire, or OPTION_RAW */
    bool has_first, has_second;
    /* MSS; window scale; time stamp and its echo */
    uint32_t first, second;
    unsigned blocks;
    uint32_t left[OPTION_BLOCKS_MAX], right[OPTION_BLOCKS_MAX];
    unsigned raw_len;
    uint8_t raw[OPTIONS_MAX];
};

struct segment {
    uint8_t flags; /* enum tcp_flag, and the two of ECN */
    uint32_t seq, len, ack;
    bool has_wnd;
    uint16_t wnd;
    uint16_t urgent;
    bool garbled;     /* the payload is not that of the stream */
    int offset;       /* data offset in words; -1: the one that fits */
    bool has_options; /* a list was written, if an empty one */
    unsigned options_count;
    struct option options[OPTIONS_MAX];
};

/* What numbers of one direction are counted from. */
struct segment_base {
    uint32_t seq, ack; /* the initial number of the sender, and of the other side */
    uint32_t tsval, tsecr;
};

/* Header and options at `to`, which has room for SEGMENT_HEADER_MAX bytes; the ports are left zero.
 * Returns their length, 0: the options do not fit. Time stamps must have both their values. */
size_t segment_write(uint8_t *to, const struct segment *segment, const struct segment_base *base);

/* And back, from a header that is whole. */
void segment_read(struct segment *segment, const uint8_t *bytes, size_t len,
                  const struct segment_base *base);

/* Does `seen` answer the description? What `wanted` leaves out is not looked at, but for the
 * options: without a list they must be the usual ones, i.e. a time stamp where `timestamps` were
 * agreed on, and nothing else. */
bool segment_matches(const struct segment *wanted, const struct segment *seen, bool timestamps);

/* At most SEGMENT_TEXT_MAX bytes with the terminating zero. */
void segment_text(char *to, const struct segment *segment);

/* The letters of flags, "." for ACK, "-" for none; 9 bytes. */
void segment_flags_text(char *to, uint8_t flags);
/* -1: a letter that is none. */
int segment_flags(const char *text, size_t len);

#endif
