/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 (RFC 791, RFC 1122): one address, no fragments, no forwarding. Thread: the worker. */
#ifndef LINEMQ_ETHER_IPV4_H
#define LINEMQ_ETHER_IPV4_H

#include "dataplane/ether/frame.h"

enum { IPV4_HEADER = 20, IP_PROTOCOL_ICMP = 1, IP_PROTOCOL_TCP = 6, IP_HOP_LIMIT = 64 };

/* Fills in the IP part of `frame`; false: dropped. */
bool ipv4_parse(struct ether *ether, struct frame *frame);

/* Puts IPv4 and Ethernet headers before a payload and sends it. */
void ipv4_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
               const uint8_t source[4], const uint8_t destination[4], uint8_t protocol,
               const uint8_t mac[6]);

#endif
