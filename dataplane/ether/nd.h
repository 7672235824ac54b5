/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbour discovery (RFC 4861), the part of a station that only answers: solicitations for our
 * addresses are answered (those of duplicate address detection too, RFC 4862), advertisements of
 * others correct the neighbour table. We solicit only routers: answers go where frames came from.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_ETHER_ND_H
#define LINEMQ_ETHER_ND_H

#include "dataplane/ether/frame.h"

enum { ND_HOP_LIMIT = 255 };

enum nd_option { ND_SOURCE_MAC = 1, ND_TARGET_MAC = 2, ND_MTU = 5 };

/* What options tell. */
struct nd_told {
    const uint8_t *mac; /* or NULL */
    uint32_t mtu;       /* 0: not told */
};

/* What all messages must be (RFC 4861, 6.1 and 7.1), from icmpv6_input: from the link itself, and
 * from `options` on, which is also the least length, options of proper length. Fills in the MAC
 * address of option `wanted`, which must be a station's, and the MTU. */
bool nd_valid(const struct frame *frame, uint32_t options, enum nd_option wanted,
              struct nd_told *told);

/* From icmpv6_input, checksum verified, at least ICMP_HEADER bytes. */
enum frame_fate nd_solicitation(struct ether *ether, struct frame *frame);
enum frame_fate nd_advertisement(struct ether *ether, struct frame *frame);

/* Tells all nodes that our addresses are ours (RFC 4861, 7.2.6). */
void nd_announce(struct ether *ether, struct interface *interface);

/* Asks who has an address (RFC 4861, 4.3), and which routers there are (4.1). */
void nd_ask(struct ether *ether, struct interface *interface, const uint8_t target[16]);
void nd_ask_routers(struct ether *ether, struct interface *interface);

#endif
