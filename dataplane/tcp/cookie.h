/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN cookies (RFC 4987): the handshake's state travels in the SYN-ACK and comes back with the
 * peer's acknowledgement, so that a SYN costs no memory. Also the source of initial sequence
 * numbers (RFC 6528) and of the time stamp offset of a connection. Pure.
 *
 * Our initial sequence number is F(tuple) + the peer's + code, with F keyed and the code
 *
 *      31    27 26  24 23                          0
 *     +--------+------+-----------------------------+
 *     | slot   | MSS  | MAC over tuple and slot     |
 *     | mod 32 | step |                             |
 *     +--------+------+-----------------------------+
 *
 * The slot on top lets the numbers of one tuple advance with time, as RFC 6528 asks. As the peer's
 * number is added, the second segment of a handshake whose first was lost differs from a valid one
 * by just the bytes between: it is recognised and not answered with a RST, and never taken for the
 * first. Segments of a connection that is over agree with its cookie wherever both sides have sent
 * equally much; the record that it leaves stands before the cookie (time_wait.h).
 *
 * What does not fit goes into the low bits of the SYN-ACK's time stamp: the peer's window scale and
 * whether it permits SACK. A peer without time stamps gets neither.
 */
#ifndef LINEMQ_TCP_COOKIE_H
#define LINEMQ_TCP_COOKIE_H

#include "dataplane/tcp/tuple.h"

enum {
    COOKIE_SLOT_US = 64 * 1000 * 1000, /* a cookie is good in its slot and the one after it, ... */
    COOKIE_LIFE_US = 2 * COOKIE_SLOT_US, /* ... so at most this long */
    COOKIE_MSS_MIN = 64,                 /* a peer that asks for less gets this */
    COOKIE_WSCALE_NONE = 15,
    COOKIE_TIMESTAMP_BITS = 5,
};

/* What of a tuple all cookies need: hashed once. */
struct cookie_base {
    uint32_t f;         /* F(tuple) */
    uint32_t ts_offset; /* of the connection's time stamp clock */
};

struct cookie_base cookie_base(const uint8_t secret[16], const struct tcp_tuple *tuple);

/* The initial sequence number of the SYN-ACK for a SYN with number `irs` from a peer that takes
 * segments of `mss` bytes; `mss_max` is the largest that we send. */
uint32_t cookie_make(const uint8_t secret[16], const struct cookie_base *base, uint32_t irs,
                     uint16_t mss, uint16_t mss_max, uint64_t now);

enum cookie_verdict {
    COOKIE_FOREIGN,   /* never sent, or too long ago */
    COOKIE_HANDSHAKE, /* sent to this peer, but the segment is not its first */
    COOKIE_VALID,
};

/* Judges a segment whose acknowledgement - 1 is `isn` and whose number - 1 is `irs`.
 * COOKIE_HANDSHAKE reaches from one byte before the first (keep-alive) to a window behind it. *mss
 * is set with COOKIE_VALID: what the peer takes, rounded down to a step of the table. */
enum cookie_verdict cookie_check(const uint8_t secret[16], const struct cookie_base *base,
                                 uint32_t irs, uint32_t isn, uint16_t mss_max, uint64_t now,
                                 uint16_t *mss);

/* The SYN-ACK's time stamp: not after `tsval`, at most 32 ticks before it. */
uint32_t cookie_timestamp(uint32_t tsval, uint8_t wscale, bool sack);
/* And back. False: the window scale was not negotiated. */
bool cookie_timestamp_options(uint32_t tsecr, uint8_t *wscale, bool *sack);

#endif
