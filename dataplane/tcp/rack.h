/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recent acknowledgment (RFC 8985 6): a segment is lost when one that was sent later, by more than
 * what the path may reorder, has arrived. It works on time, so it needs no three segments from
 * behind a hole and finds lost retransmissions, too. Times are microseconds modulo 2^32. Pure.
 *
 * It knows a path for as long as something is in flight without a pause: min_rtt is a minimum over
 * that time, beginning with SRTT, and reo_wnd_mult begins at 1 each time. That the path reorders at
 * all outlives it, in the connection (CONN_REORDERED).
 */
#ifndef LINEMQ_TCP_RACK_H
#define LINEMQ_TCP_RACK_H

#include "dataplane/tcp/scoreboard.h"

struct rack {
    uint32_t at, end;     /* RACK.xmit_ts and RACK.end_seq: of all delivered the one sent last */
    uint32_t rtt;         /* RACK.rtt: its round trip; 0 = nothing was delivered */
    uint32_t min_rtt;     /* 0 = not known */
    uint32_t dsack_round; /* meaningful with `dsacked` */
    uint8_t mult;         /* RACK.reo_wnd_mult */
    uint8_t persist;      /* RACK.reo_wnd_persist */
    bool dsacked;         /* this round has seen a D-SACK */
};

enum { RACK_PERSIST = 16, RACK_MULT_MAX = 255 };

static inline void rack_init(struct rack *rack, uint32_t srtt) {
    *rack = (struct rack){.min_rtt = srtt, .mult = 1};
}

/* 6.2, steps 1 and 2. `again`: what was sent more than once may be believed to be acknowledged for
 * its last transmission. */
void rack_delivered(struct rack *rack, const struct delivery *delivery, uint32_t now, bool again);

/* 6.2, step 4: the reordering window adapts. An ACK with a D-SACK came; a recovery is over. */
void rack_dsack(struct rack *rack, uint32_t snd_una, uint32_t snd_nxt);
void rack_recovered(struct rack *rack);

struct rack_view {
    uint32_t now, srtt;
    bool reordered;  /* the path has reordered before */
    bool recovering; /* fast or timeout recovery */
};

struct rack_loss {
    unsigned segments; /* newly lost */
    uint32_t again_at; /* when the last one was sent of those lost again; meaningful with `again` */
    bool again;
    uint32_t timeout; /* microseconds until more is lost if nothing arrives; 0 = nothing would be */
};

uint32_t rack_window(const struct rack *rack, const struct scoreboard *board,
                     const struct rack_view *view);

/* 6.2, step 5. */
struct rack_loss rack_detect(const struct rack *rack, struct scoreboard *board, void *base,
                             const struct rack_view *view);

#endif
