/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/ether/tx.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/capture/capture.h"
#include "dataplane/ether/state.h"

enum {
    FLUSH_MAX = 256, /* frames in one call */
    /* Refusals until a port counts as stuck. A NIC frees descriptors within a millisecond; turns
     * of the loop take 100 nanoseconds and more, so this is 6 milliseconds at least. */
    REFUSALS_MAX = 65536,
};

int tx_init(struct tx *tx) {
    *tx = (struct tx){.frames = calloc(TX_BACKLOG, sizeof *tx->frames)};
    return tx->frames == NULL ? -1 : 0;
}

static void tx_discard(struct tx *tx) {
    for (; tx->count > 0; tx->count--)
        rte_pktmbuf_free(tx->frames[tx->start++]);
    tx->start = 0;
}

void tx_close(struct tx *tx) {
    if (tx->frames == NULL)
        return;
    tx_discard(tx);
    free(tx->frames);
    tx->frames = NULL;
}

/* The queue this worker's frames go to, and whether it is the worker's own. */
static uint16_t tx_queue(const struct ether *ether, const struct port *port) {
    return (uint16_t)(ether->self % port->queues);
}

static bool tx_owned(const struct ether *ether, const struct port *port) {
    return ether->self < port->queues;
}

static void taken(struct tx *tx, unsigned frames) {
    tx->start = (uint16_t)(tx->start + frames);
    tx->count = (uint16_t)(tx->count - frames);
    if (tx->count == 0)
        tx->start = 0;
    if (frames > 0)
        tx->refusals = 0;
}

/* Makes place for more at the end. */
static void compact(struct tx *tx) {
    if (tx->start > 0)
        memmove(tx->frames, tx->frames + tx->start, tx->count * sizeof *tx->frames);
    tx->start = 0;
}

/* Frames that workers without a queue left for us, as far as there is room. */
static void tx_collect(struct tx *tx, struct rte_ring *ring) {
    if (rte_ring_empty(ring) || tx->count == TX_BACKLOG)
        return;
    compact(tx);
    tx->count =
        (uint16_t)(tx->count + rte_ring_sc_dequeue_burst(ring, (void **)(tx->frames + tx->count),
                                                         (unsigned)TX_BACKLOG - tx->count, NULL));
}

static void tx_leave(struct ether *ether, const struct port *port, struct tx *tx) {
    struct rte_ring *ring = port->shared_tx[tx_queue(ether, port)];
    unsigned left =
        rte_ring_mp_enqueue_burst(ring, (void **)(tx->frames + tx->start), tx->count, NULL);
    if (left == 0)
        return;
    taken(tx, left);
    if (ether->wake != NULL)
        ether->wake(ether->wake_argument, tx_queue(ether, port));
}

static void tx_send(struct ether *ether, const struct port *port, struct tx *tx) {
    for (unsigned total = 0; tx->count > 0 && total < FLUSH_MAX;) {
        uint16_t burst = tx->count < ETHER_BURST ? tx->count : ETHER_BURST;
        uint16_t sent =
            rte_eth_tx_burst(port->id, tx_queue(ether, port), tx->frames + tx->start, burst);
        count_add(ether->counters, COUNTER_ETHER_TX_PACKETS, sent);
        taken(tx, sent);
        total += sent;
        if (sent < burst)
            break;
    }
}

unsigned tx_flush(struct ether *ether, struct interface *interface) {
    struct tx *tx = &interface->tx;
    const struct port *port = interface->port;
    unsigned elsewhere = 0;
    if (tx_owned(ether, port) && port->shared_tx != NULL)
        tx_collect(tx, port->shared_tx[ether->self]);
    if (tx->count == 0)
        return 0;
    tx->refusals++;
    if (tx_owned(ether, port))
        tx_send(ether, port, tx);
    else
        tx_leave(ether, port, tx);
    if (tx->refusals > REFUSALS_MAX) {
        count_add(ether->counters, COUNTER_ETHER_TX_STUCK, tx->count);
        tx_discard(tx);
        tx->refusals = 0;
    }
    if (tx_owned(ether, port) && port->shared_tx != NULL)
        elsewhere = rte_ring_count(port->shared_tx[ether->self]);
    return tx->count + elsewhere;
}

static void show(struct ether *ether, const struct interface *interface,
                 const struct rte_mbuf *frame) {
    struct capture_frame shown = {.bytes = rte_pktmbuf_mtod(frame, const uint8_t *),
                                  .len = frame->data_len,
                                  .wire_len = frame->pkt_len,
                                  .port = interface->index};
    capture_sent(ether->capture, &shown);
}

void tx_push(struct ether *ether, struct interface *interface, struct rte_mbuf *frame) {
    struct tx *tx = &interface->tx;
    if (tx->count == TX_BACKLOG) {
        count(ether->counters, COUNTER_ETHER_TX_FULL);
        rte_pktmbuf_free(frame);
        return;
    }
    if (tx->start + tx->count == TX_BACKLOG)
        compact(tx);
    tx->frames[tx->start + tx->count++] = frame;
    if (__builtin_expect(ether->capture != NULL, 0))
        show(ether, interface, frame);
}
