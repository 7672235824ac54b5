/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are in a frame, as far as a capture asks. Nothing in the frame is believed: lengths
 * are checked, checksums are not. Pure; any thread. */
#ifndef LINEMQ_CAPTURE_HEADERS_H
#define LINEMQ_CAPTURE_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

struct frame_headers {
    uint8_t family;                      /* 4, 6; 0: neither IP nor ARP */
    bool tcp;                            /* ports are valid */
    const uint8_t *source, *destination; /* addresses of the family; of ARP: sender and target */
    uint16_t source_port, destination_port;
    uint32_t headers_len; /* from the frame's begin to where payload begins */
};

/* Ethernet II with at most one VLAN tag. `len`: the bytes there are. */
void frame_headers(const uint8_t *frame, uint32_t len, struct frame_headers *headers);

#endif
