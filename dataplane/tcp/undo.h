/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Was it a loss at all? What reduced the congestion window is taken back when it turns out that
 * what was sent again had arrived, only late:
 *
 *  - Eifel (RFC 3522): the first ACK after the first retransmission echoes a time stamp from before
 *    it.
 *  - D-SACK (RFC 2883, 3708): everything that was sent again arrived twice.
 *  - F-RTO (RFC 5682 2), for peers without time stamps: after a timeout and one retransmission, two
 *    ACKs in a row move on.
 *
 * Pure.
 */
#ifndef LINEMQ_TCP_UNDO_H
#define LINEMQ_TCP_UNDO_H

#include "dataplane/tcp/congestion.h"

enum undo_state {
    UNDO_OFF,
    UNDO_ARMED, /* the window was reduced, nothing was sent again yet */
    UNDO_SENT,  /* something was; its first ACK tells */
    UNDO_COUNT, /* that ACK came and told nothing; D-SACK may */
};

enum undo_frto {
    FRTO_OFF,
    FRTO_FIRST,  /* the first segment was sent again after a timeout */
    FRTO_SECOND, /* its ACK moved on: new data goes out, and the next ACK tells */
};

struct undo {
    uint32_t cwnd, ssthresh, w_max; /* before */
    uint32_t una;                   /* nothing before it was sent again in this episode */
    uint32_t until;                 /* recovery is over, and D-SACKs have come by this SND.UNA */
    uint32_t timestamp;             /* of the first retransmission */
    uint16_t again;                 /* segments sent again that did not arrive twice so far */
    uint8_t state;                  /* enum undo_state */
    uint8_t frto;                   /* enum undo_frto */
    bool timeout;                   /* a timer did it, not ACKs */
};

/* The window is about to be reduced. */
void undo_arm(struct undo *undo, const struct congestion *congestion, const struct cubic *cubic,
              uint32_t snd_una, bool timeout);
/* A segment was sent again, with this time stamp. */
void undo_sent(struct undo *undo, uint32_t timestamp);
/* An ACK moved SND.UNA and echoed this time stamp. True: spurious. */
bool undo_acked(struct undo *undo, uint32_t tsecr);
/* `segments` at `left` arrived twice. True: spurious. */
bool undo_dsack(struct undo *undo, uint32_t left, unsigned segments);

#endif
