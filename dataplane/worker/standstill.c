/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/standstill.h"

uint64_t standstill_begin(struct standstill *all, struct running *own, uint64_t clock) {
    own->turn_at = clock;
    return standstill_now(all, own, clock);
}

void standstill_gap(struct standstill *all, const struct running *own, uint64_t clock) {
    uint64_t alive_at = __atomic_load_n(&all->alive_at, __ATOMIC_ACQUIRE);
    int64_t gap = (int64_t)(clock - alive_at);
    if (gap < STANDSTILL_MIN_US && gap > -STANDSTILL_BACK_US)
        return; /* others ran */
    /* All workers come back at once, and one of them shall do this: the one that finds the sum as
     * it left it before the gap. The others read it afterwards. */
    uint64_t total = own->total;
    uint64_t with_gap = total + (uint64_t)gap - STANDSTILL_LEFT_US;
    if (!__atomic_compare_exchange_n(&all->total, &total, with_gap, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&all->alive_at, clock, __ATOMIC_RELEASE);
    __atomic_add_fetch(&all->times, 1, __ATOMIC_RELEASE);
}
