/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/undo.h"

#include "dataplane/tcp/seq.h"

void undo_arm(struct undo *undo, const struct congestion *congestion, const struct cubic *cubic,
              uint32_t snd_una, bool timeout) {
    *undo = (struct undo){
        .cwnd = congestion->cwnd,
        .ssthresh = congestion->ssthresh,
        .w_max = cubic->w_max,
        .una = snd_una,
        .state = UNDO_ARMED,
        .timeout = timeout,
    };
}

void undo_sent(struct undo *undo, uint32_t timestamp) {
    if (undo->state == UNDO_ARMED) {
        undo->timestamp = timestamp;
        undo->state = UNDO_SENT;
    }
    if (undo->again < UINT16_MAX)
        undo->again++;
}

bool undo_acked(struct undo *undo, uint32_t tsecr) {
    if (undo->state != UNDO_SENT)
        return false;
    undo->state = UNDO_COUNT;
    return seq_lt(tsecr, undo->timestamp);
}

bool undo_dsack(struct undo *undo, uint32_t left, unsigned segments) {
    if ((undo->state != UNDO_SENT && undo->state != UNDO_COUNT) || seq_lt(left, undo->una) ||
        undo->again == 0)
        return false;
    undo->again = (uint16_t)(undo->again > segments ? undo->again - segments : 0);
    return undo->again == 0;
}
