/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP (RFC 792) and ICMPv6 (RFC 4443): echo is answered, a bounded number in a burst; ICMPv6 is
 * also the way in to neighbour discovery. Errors about our segments go on to TCP. Thread: the
 * worker. */
#ifndef LINEMQ_ETHER_ICMP_H
#define LINEMQ_ETHER_ICMP_H

#include "dataplane/ether/frame.h"

enum { ICMP_HEADER = 8, ICMP_ECHOES_PER_BURST = 8 };

enum frame_fate icmp_input(struct ether *ether, struct frame *frame, struct ether_batch *batch);
enum frame_fate icmpv6_input(struct ether *ether, struct frame *frame, struct ether_batch *batch);

/* Fills in the checksum of a message that starts at `message` and sends it in its mbuf. */
void icmpv6_send(struct ether *ether, struct interface *interface, struct rte_mbuf *mbuf,
                 const uint8_t source[16], const uint8_t destination[16], uint8_t hop_limit,
                 const uint8_t mac[6]);

#endif
