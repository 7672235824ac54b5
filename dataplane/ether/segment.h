/* SPDX-License-Identifier: Apache-2.0 */
/* TCP segments between IP and tcp/: in, to the owner of their flow with a verified checksum; out,
 * with headers and checksums. Thread: the worker. */
#ifndef LINEMQ_ETHER_SEGMENT_H
#define LINEMQ_ETHER_SEGMENT_H

#include "dataplane/ether/frame.h"

enum frame_fate segment_input(struct ether *ether, struct frame *frame, struct ether_batch *batch);

/* The functions of struct tcp_link. */
uint8_t *segment_frame(void *ether, size_t len, void **frame);
void segment_transmit(void *ether, void *frame, size_t len, const struct tcp_tuple *tuple,
                      uint32_t hop);
bool segment_wait(void *ether, uint32_t hop);

#endif
