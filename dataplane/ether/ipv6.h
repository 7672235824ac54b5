/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 (RFC 8200): a global address and the link-local one, no fragments, no forwarding. Thread:
 * the worker. */
#ifndef LINEMQ_ETHER_IPV6_H
#define LINEMQ_ETHER_IPV6_H

#include "dataplane/ether/frame.h"

enum { IPV6_HEADER = 40, IP_PROTOCOL_ICMPV6 = 58, IPV6_MTU_MIN = 1280 };

/* Fills in the IP part of `frame`, extension headers passed over; false: dropped. */
bool ipv6_parse(struct ether *ether, struct frame *frame);

/* Puts IPv6 and Ethernet headers before a payload and sends it. */
void ipv6_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
               const uint8_t source[16], const uint8_t destination[16], uint8_t protocol,
               uint8_t hop_limit, const uint8_t mac[6]);

static inline bool ipv6_is_group(const uint8_t address[16]) {
    return address[0] == 0xff;
}

/* fe80::/10 */
static inline bool ipv6_is_link_local(const uint8_t address[16]) {
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

bool ipv6_is_unspecified(const uint8_t address[16]);

#endif
