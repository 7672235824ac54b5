/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proportional rate reduction (RFC 9937, before it RFC 6937): while fast recovery lasts, each ACK
 * lets out as much as brings the pipe to ssthresh at its end, neither in a burst nor after half a
 * round trip of silence. Bytes. Pure.
 */
#ifndef LINEMQ_TCP_PRR_H
#define LINEMQ_TCP_PRR_H

#include <stdbool.h>
#include <stdint.h>

struct prr {
    uint32_t delivered;  /* prr_delivered: since the recovery began */
    uint32_t out;        /* prr_out: sent since */
    uint32_t recover_fs; /* RecoverFS: what was in flight when it began */
};

/* An ACK delivered so much (0: a timer found a loss), after which `pipe` is in the network. `safe`:
 * it moved SND.UNA and showed no further loss. Returns the congestion window. */
uint32_t prr_window(struct prr *prr, uint32_t delivered, uint32_t pipe, uint32_t ssthresh,
                    uint32_t mss, bool safe);

#endif
