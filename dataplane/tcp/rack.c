/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/rack.h"

static void deliver(struct rack *rack, uint32_t at, uint32_t end, uint32_t now) {
    bool first = rack->rtt == 0;
    uint32_t rtt = now - at;
    rack->rtt = rtt ? rtt : 1;
    if (!first && !sent_after(at, end, rack->at, rack->end))
        return;
    rack->at = at;
    rack->end = end;
}

void rack_delivered(struct rack *rack, const struct delivery *delivery, uint32_t now, bool again) {
    if (delivery->once) {
        uint32_t rtt = now - delivery->once_at;
        if (rack->min_rtt == 0 || rtt < rack->min_rtt)
            rack->min_rtt = rtt ? rtt : 1;
        deliver(rack, delivery->once_at, delivery->once_end, now);
    }
    if (delivery->again && again)
        deliver(rack, delivery->again_at, delivery->again_end, now);
}

void rack_dsack(struct rack *rack, uint32_t snd_una, uint32_t snd_nxt) {
    if (rack->dsacked && seq_lt(snd_una, rack->dsack_round))
        return;
    rack->dsacked = true;
    rack->dsack_round = snd_nxt;
    if (rack->mult < RACK_MULT_MAX)
        rack->mult++;
    rack->persist = RACK_PERSIST;
}

void rack_recovered(struct rack *rack) {
    if (rack->persist && --rack->persist == 0)
        rack->mult = 1;
}

uint32_t rack_window(const struct rack *rack, const struct scoreboard *board,
                     const struct rack_view *view) {
    if (!view->reordered && (view->recovering || board->sacked_segments >= DUP_THRESH))
        return 0;
    uint64_t window = (uint64_t)rack->mult * rack->min_rtt / 4;
    return window < view->srtt ? (uint32_t)window : view->srtt;
}

struct rack_loss rack_detect(const struct rack *rack, struct scoreboard *board, void *base,
                             const struct rack_view *view) {
    struct rack_loss loss = {0};
    if (rack->rtt == 0)
        return loss;
    uint32_t patience = rack->rtt + rack_window(rack, board, view);
    for (unsigned i = 0; i < board->count; i++) {
        const struct sent_record *sent = scoreboard_record(board, base, i);
        if (sent->flags & (SENT_SACKED | SENT_LOST))
            continue;
        if (!sent_after(rack->at, rack->end, sent->at, sent->end))
            continue;
        uint32_t waited = view->now - sent->at;
        if (waited >= patience) {
            loss.segments += sent->segments;
            if (sent->flags & SENT_AGAIN) {
                loss.again_at = loss.again ? seq_max(loss.again_at, sent->at) : sent->at;
                loss.again = true;
            }
            scoreboard_lose(board, base, i);
        } else if (patience - waited > loss.timeout) {
            loss.timeout = patience - waited;
        }
    }
    return loss;
}
