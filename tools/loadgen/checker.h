/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a subscriber has received of one topic, in eight bytes: the next sequence number and which
 * of the 32 before it came. From it follow loss, duplicates and disorder, exactly, as long as a
 * message is not more than 32 late. Pure.
 */
#ifndef LINEMQ_LOADGEN_CHECKER_H
#define LINEMQ_LOADGEN_CHECKER_H

#include <stdint.h>

struct slot {
    uint32_t next;
    uint32_t missing; /* bit i: number next - 1 - i has not come */
};

struct verdicts {
    uint64_t received;   /* each number once */
    uint64_t gaps;       /* numbers passed over; those that come late are taken off again */
    uint64_t misordered; /* came after a later one */
    uint64_t duplicates; /* came again; also what is more than 32 late */
};

/* Returns how many messages this one settles: itself and what was passed over; 0 if it was counted
 * already (late or a duplicate). */
static inline uint32_t slot_take(struct slot *slot, uint32_t seq, struct verdicts *verdicts) {
    uint32_t ahead = seq - slot->next;
    if (ahead == 0) {
        slot->next++;
        slot->missing <<= 1;
        verdicts->received++;
        return 1;
    }
    if (ahead < UINT32_C(1) << 31) {
        slot->missing = ahead >= 31 ? UINT32_MAX - 1
                                    : (slot->missing << ahead | ((UINT32_C(1) << ahead) - 1)) << 1;
        slot->next = seq + 1;
        verdicts->gaps += ahead;
        verdicts->received++;
        return ahead + 1;
    }
    uint32_t back = slot->next - 1 - seq;
    if (back < 32 && slot->missing & UINT32_C(1) << back) {
        slot->missing &= ~(UINT32_C(1) << back);
        verdicts->misordered++;
        verdicts->gaps--;
        verdicts->received++;
    } else {
        verdicts->duplicates++;
    }
    return 0;
}

#endif
