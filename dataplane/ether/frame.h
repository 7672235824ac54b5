/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A received frame while it is looked at: each layer fills in what it found. Nothing in the frame
 * itself is changed before its fate is decided, so that it can be handed over to another worker
 * whole. Thread: the worker.
 */
#ifndef LINEMQ_ETHER_FRAME_H
#define LINEMQ_ETHER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/ether/state.h"

enum frame_fate {
    FRAME_FREE, /* dropped (and counted), or done with */
    FRAME_KEPT, /* the mbuf went elsewhere: into the batch, or out again as an answer */
};

struct frame {
    struct rte_mbuf *mbuf;
    struct interface *interface;
    bool handed_over;
    bool group; /* sent to a broadcast or multicast MAC address */

    /* Ethernet */
    uint16_t type;
    const uint8_t *source_mac;
    const uint8_t *packet; /* after the Ethernet header and VLAN tag */
    uint32_t packet_len;   /* to the end of the frame, padding included */

    /* IPv4, IPv6 */
    const uint8_t *source, *destination;
    uint8_t protocol;
    uint8_t hop_limit;
    const uint8_t *payload;
    uint32_t payload_len; /* without padding */
};

/* Counts a drop. */
static inline enum frame_fate frame_drop(struct ether *ether, enum counter why) {
    count(ether->counters, why);
    return FRAME_FREE;
}

/* Makes a new packet of the frame's mbuf, to answer in the same buffer: what is left are `len`
 * bytes from `from` on (inside the frame). */
uint8_t *frame_reuse(struct frame *frame, const uint8_t *from, uint32_t len);

/* Keeps a copy of the frame for the other workers' neighbour tables: one a burst. */
void frame_is_news(struct ether *ether, const struct frame *frame);

#endif
