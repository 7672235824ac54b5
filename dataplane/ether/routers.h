/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routers of a link. Replies go where segments came from, so a router is needed only when that is
 * not known any more: the station was forgotten, or was a router that has resigned. Then segments
 * for peers beyond the link go to the gateway that the configuration names, or (IPv6) to a router
 * that has advertised itself (RFC 4861 6.3.4), if those are accepted. Advertisements also tell the
 * hop limit and, if it is smaller than the port's, the MTU of the link for IPv6. Prefixes are not
 * taken: our address is configured.
 *
 * Thread: the worker; each has heard the same.
 */
#ifndef LINEMQ_ETHER_ROUTERS_H
#define LINEMQ_ETHER_ROUTERS_H

#include "dataplane/ether/frame.h"

enum { ROUTERS_ASK_US = 4000000, ROUTERS_ASKS = 3, ROUTERS_AGAIN_US = 30000000 };

/* A router advertisement, from icmpv6_input, checksum verified. */
enum frame_fate routers_advertisement(struct ether *ether, struct frame *frame);

/* ARP or neighbour discovery said that `address` (IPv4 mapped) is at `mac`. */
void routers_heard(struct ether *ether, struct interface *interface, const uint8_t address[16],
                   const uint8_t mac[6]);

/* The station for a segment of `tuple` whose own is not known, or NULL. */
const struct station *routers_station(struct ether *ether, const struct tcp_tuple *tuple);

/* Asks for what is not known: the MAC addresses of configured gateways (and again, now and then),
 * and three times for routers (RFC 4861 6.3.7). */
void routers_ask(struct ether *ether, uint64_t now);

#endif
