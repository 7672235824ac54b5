/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP and ICMPv6 errors (RFC 792, RFC 4443): the segment quoted says whose connection it is about,
 * and so which worker is to be told. What the error is worth, TCP decides. Redirects are no errors,
 * and source quench is dead (RFC 6633): both are ignored.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_ETHER_ICMP_ERROR_H
#define LINEMQ_ETHER_ICMP_ERROR_H

#include "dataplane/ether/frame.h"

enum {
    ICMP_UNREACHABLE = 3,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
    ICMPV6_UNREACHABLE = 1,
    ICMPV6_TOO_BIG = 2,
    ICMPV6_TIME_EXCEEDED = 3,
    ICMPV6_PARAMETER_PROBLEM = 4,
};

static inline bool icmp_is_error(uint8_t type) {
    return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

static inline bool icmpv6_is_error(uint8_t type) {
    return type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM;
}

/* Checksum verified, at least ICMP_HEADER bytes. Into the batch: an error for this worker's TCP, or
 * the frame for the worker that owns the flow. */
enum frame_fate icmp_error(struct ether *ether, struct frame *frame, struct ether_batch *batch);
enum frame_fate icmpv6_error(struct ether *ether, struct frame *frame, struct ether_batch *batch);

#endif
