/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/handover.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

struct handover_desk {
    void (*wake)(void *argument);
    void *argument;
    unsigned next; /* sender to begin with, so that none is starved */
    int sleeping;
} __rte_cache_aligned;

struct handover {
    unsigned workers;
    struct rte_ring **rings; /* [to * workers + from] */
    struct handover_desk desks[];
};

static struct rte_ring *ring(struct handover *handover, unsigned from, unsigned to) {
    return handover->rings[to * handover->workers + from];
}

struct handover *handover_create(unsigned workers, unsigned slots) {
    size_t size = sizeof(struct handover) + workers * sizeof(struct handover_desk);
    size_t align = RTE_CACHE_LINE_SIZE;
    struct handover *handover = aligned_alloc(align, (size + align - 1) / align * align);
    if (handover == NULL)
        return NULL;
    memset(handover, 0, size);
    handover->workers = workers;
    handover->rings = calloc((size_t)workers * workers, sizeof(*handover->rings));
    if (handover->rings == NULL) {
        free(handover);
        return NULL;
    }
    for (unsigned to = 0; to < workers; to++)
        for (unsigned from = 0; from < workers; from++) {
            if (to == from)
                continue;
            char name[RTE_RING_NAMESIZE];
            snprintf(name, sizeof name, "hand%hhu_%hhu", (uint8_t)from, (uint8_t)to);
            struct rte_ring *created =
                rte_ring_create(name, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
            if (created == NULL) {
                handover_destroy(handover);
                return NULL;
            }
            handover->rings[to * workers + from] = created;
        }
    return handover;
}

void handover_destroy(struct handover *handover) {
    if (handover == NULL)
        return;
    for (unsigned i = 0; i < handover->workers * handover->workers; i++) {
        struct rte_ring *old = handover->rings[i];
        void *frame;
        while (old != NULL && rte_ring_dequeue(old, &frame) == 0)
            rte_pktmbuf_free(frame);
        rte_ring_free(old);
    }
    free(handover->rings);
    free(handover);
}

void handover_set_wake(struct handover *handover, unsigned worker, void (*wake)(void *argument),
                       void *argument) {
    handover->desks[worker].wake = wake;
    handover->desks[worker].argument = argument;
}

void handover_wake(void *argument, unsigned worker) {
    struct handover *handover = argument;
    struct handover_desk *desk = &handover->desks[worker];
    /* Pairs with the fence in handover_may_sleep: either the sleeper sees what was left for it, or
     * its announcement is seen here. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&desk->sleeping, __ATOMIC_RELAXED) && desk->wake != NULL)
        desk->wake(desk->argument);
}

void handover_send(struct handover *handover, unsigned from, struct rte_mbuf *const *frames,
                   const uint8_t *owners, unsigned count_frames, struct counters *counters) {
    uint32_t reached = 0;
    for (unsigned i = 0; i < count_frames; i++) {
        unsigned to = owners[i];
        if (rte_ring_enqueue(ring(handover, from, to), frames[i]) == 0) {
            count(counters, COUNTER_WORKER_HANDED_OVER);
            reached |= 1u << to;
        } else {
            count(counters, COUNTER_WORKER_HANDOVER_FULL);
            rte_pktmbuf_free(frames[i]);
        }
    }
    if (reached == 0)
        return;
    for (; reached != 0; reached &= reached - 1)
        handover_wake(handover, (unsigned)__builtin_ctz(reached));
}

static unsigned after(const struct handover *handover, unsigned worker) {
    return worker + 1 < handover->workers ? worker + 1 : 0;
}

unsigned handover_receive(struct handover *handover, unsigned worker, struct rte_mbuf **frames,
                          unsigned max) {
    unsigned taken = 0;
    struct handover_desk *desk = &handover->desks[worker];
    unsigned from = desk->next;
    for (unsigned i = 0; i < handover->workers && taken < max; i++) {
        if (from != worker)
            taken += rte_ring_dequeue_burst(ring(handover, from, worker), (void **)&frames[taken],
                                            max - taken, NULL);
        from = after(handover, from);
    }
    desk->next = after(handover, desk->next);
    if (desk->next == worker)
        desk->next = after(handover, desk->next);
    return taken;
}

bool handover_may_sleep(struct handover *handover, unsigned worker) {
    __atomic_store_n(&handover->desks[worker].sleeping, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned from = 0; from < handover->workers; from++)
        if (from != worker && !rte_ring_empty(ring(handover, from, worker)))
            return false;
    return true;
}

void handover_awake(struct handover *handover, unsigned worker) {
    __atomic_store_n(&handover->desks[worker].sleeping, 0, __ATOMIC_RELAXED);
}
