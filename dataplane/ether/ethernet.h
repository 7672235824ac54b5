/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet II with at most one VLAN tag (IEEE 802.1Q). Thread: the worker. */
#ifndef LINEMQ_ETHER_ETHERNET_H
#define LINEMQ_ETHER_ETHERNET_H

#include "dataplane/ether/frame.h"

enum {
    ETHERNET_HEADER = 14,
    ETHERNET_TAG = 4,
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_IPV6 = 0x86dd,
};

extern const uint8_t ethernet_broadcast[6];

/* Fills in the Ethernet part of `frame` (mbuf and interface are set); false: dropped. */
bool ethernet_parse(struct ether *ether, struct frame *frame);

/* Puts an Ethernet header before a packet and sends it. */
void ethernet_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
                   const uint8_t destination[6], uint16_t type);

/* The MAC address of an IPv6 group (RFC 2464, section 7). */
void ethernet_ipv6_group(uint8_t mac[6], const uint8_t group[16]);

#endif
