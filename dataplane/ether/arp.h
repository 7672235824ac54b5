/* SPDX-License-Identifier: Apache-2.0 */
/* ARP (RFC 826) for our own address, with announcements and their defence (RFC 5227). We never ask:
 * answers go where the question came from. Thread: the worker. */
#ifndef LINEMQ_ETHER_ARP_H
#define LINEMQ_ETHER_ARP_H

#include "dataplane/ether/frame.h"

enum frame_fate arp_input(struct ether *ether, struct frame *frame);

/* Broadcasts that our address is ours. */
void arp_announce(struct ether *ether, struct interface *interface);

/* Asks who has an address. */
void arp_ask(struct ether *ether, struct interface *interface, const uint8_t target[4]);

#endif
