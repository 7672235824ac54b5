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

enum { FLUSH_MAX = 256 }; /* frames in one call */

int tx_init(struct tx *tx) {
    *tx = (struct tx){.frames = calloc(TX_BACKLOG, sizeof *tx->frames)};
    return tx->frames == NULL ? -1 : 0;
}

/* The first frames are gone. */
static void advance(struct tx *tx, unsigned frames) {
    tx->start = (uint16_t)(tx->start + frames);
    tx->count = (uint16_t)(tx->count - frames);
    tx->overdue = (uint16_t)(tx->overdue > frames ? tx->overdue - frames : 0);
    if (tx->count == 0)
        tx->start = 0;
}

static void discard(struct tx *tx, unsigned frames) {
    for (unsigned i = 0; i < frames; i++)
        rte_pktmbuf_free(tx->frames[tx->start + i]);
    advance(tx, frames);
}

void tx_close(struct tx *tx) {
    if (tx->frames == NULL)
        return;
    discard(tx, tx->count);
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
    if (frames == 0)
        return;
    advance(tx, frames);
    tx->taken = true;
    tx->dead = tx->shut = false;
}

/* Makes place for more at the end. */
static void compact(struct tx *tx) {
    if (tx->start > 0)
        memmove(tx->frames, tx->frames + tx->start, tx->count * sizeof *tx->frames);
    tx->start = 0;
}

/* Frames that workers without a queue left for us, as far as there is room; half of it while our
 * own TCP waits for room, too. */
static void tx_collect(struct tx *tx, struct rte_ring *ring) {
    if (rte_ring_empty(ring) || tx->count >= TX_FULL)
        return;
    unsigned room = TX_FULL - tx->count;
    if (tx->contended)
        room = (room + 1) / 2;
    compact(tx);
    tx->count = (uint16_t)(tx->count + rte_ring_sc_dequeue_burst(
                                           ring, (void **)(tx->frames + tx->count), room, NULL));
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

/* Ours first, then those of others into the room that this made: each gets its part of what the
 * port takes. */
static unsigned tx_send_all(struct ether *ether, const struct port *port, struct tx *tx) {
    struct rte_ring *others = port->shared_tx == NULL ? NULL : port->shared_tx[ether->self];
    tx_send(ether, port, tx);
    if (others == NULL)
        return 0;
    unsigned ours = tx->count;
    tx_collect(tx, others);
    if (tx->count > ours)
        tx_send(ether, port, tx);
    return rte_ring_count(others);
}

static void give_up(struct ether *ether, struct tx *tx, unsigned frames) {
    count_add(ether->counters, COUNTER_ETHER_TX_STUCK, frames);
    discard(tx, frames);
}

static void give_up_all(struct ether *ether, struct tx *tx, uint64_t now) {
    tx->dead = tx->shut = true;
    tx->open_at = now + TX_PROBE_US;
    give_up(ether, tx, tx->count);
}

/* How long what waits has been waiting. */
static void tx_age(struct ether *ether, struct tx *tx, uint64_t passed, uint64_t now) {
    if (tx->dead) {
        give_up_all(ether, tx, now);
        return;
    }
    if (tx->overdue == 0) {
        tx->overdue = tx->count;
        tx->waited = 0;
        tx->taken = false;
        return;
    }
    tx->waited += (uint32_t)(passed < TX_PATIENCE_STEP_US ? passed : TX_PATIENCE_STEP_US);
    if (tx->waited < TX_PATIENCE_US)
        return;
    if (tx->taken)
        give_up(ether, tx, tx->overdue);
    else
        give_up_all(ether, tx, now);
}

unsigned tx_flush(struct ether *ether, struct interface *interface, uint64_t now) {
    struct tx *tx = &interface->tx;
    const struct port *port = interface->port;
    unsigned elsewhere = 0;
    uint64_t passed = now - tx->flushed_at;
    tx->flushed_at = now;
    if (tx_owned(ether, port))
        elsewhere = tx_send_all(ether, port, tx);
    else if (tx->count > 0)
        tx_leave(ether, port, tx);
    count_add(ether->counters, COUNTER_ETHER_TX_WAITS, tx->contended);
    tx->contended = false;
    tx->shut = tx->shut && now < tx->open_at;
    if (tx->count > 0)
        tx_age(ether, tx, passed, now);
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
