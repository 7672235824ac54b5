/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way to a port's transmit queue. A worker that has no queue of its own leaves them
 * in the ring of the worker that has (drivers/port.h, shared_tx).
 *
 * What a port does not take at once waits in its backlog. TCP holds its segments back while that is
 * full (segment_wait), so none is lost because a port or its peer pauses. What has waited for long
 * is given up, a bounded time after it came. A port that took nothing in all that time is dead:
 * until it takes a frame it is offered a few now and then, which wait for nothing.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_ETHER_TX_H
#define LINEMQ_ETHER_TX_H

#include <stdbool.h>
#include <stdint.h>

struct ether;
struct interface;
struct rte_mbuf;

enum {
    TX_BACKLOG = 1024,
    /* TCP waits from here on. The rest is for ARP, ICMP, SYN-ACK and RST, which cannot wait, and
     * for what connections send that had begun. */
    TX_FULL = TX_BACKLOG - 128,
    /* Microseconds. Peers on the same machine pause for tens, on a crowded one for hundreds of
     * milliseconds when they share a CPU. A frame waits for twice as long at most. */
    TX_PATIENCE_US = 500000,
    /* The most that counts of the time between two flushes: a worker that did not run has not
     * asked the port either. */
    TX_PATIENCE_STEP_US = 1000,
    /* A dead port is offered so many of TCP's frames, so often. Each is lost if it still is dead,
     * and if it is not, the others are not. */
    TX_PROBE = 32,
    TX_PROBE_US = 10000,
};

struct tx {
    struct rte_mbuf **frames; /* [TX_BACKLOG], from `start` on `count` */
    uint16_t start, count;
    uint16_t overdue; /* so many of the first are given up when `waited` gets too long */
    bool taken;       /* the port took some in this time */
    bool dead;        /* it took nothing for long, */
    bool shut;        /* and it is not time yet to offer it some */
    bool contended;   /* our TCP waits, so workers without a queue get half of the room */
    uint32_t waited;  /* microseconds, by the first `overdue` */
    uint64_t flushed_at, open_at;
};

/* False: no memory. Set-up only. */
int tx_init(struct tx *tx);
void tx_close(struct tx *tx);

/* Takes the frame: sent by the next flush, or dropped and counted when there is no place at all. */
void tx_push(struct ether *ether, struct interface *interface, struct rte_mbuf *frame);

/* Whether who can wait should. */
static inline bool tx_full(struct tx *tx) {
    bool full = tx->shut || tx->count >= (tx->dead ? TX_PROBE : TX_FULL);
    tx->contended |= full;
    return full;
}

/* Sends what the port takes, a bounded number of frames; how many still wait. */
unsigned tx_flush(struct ether *ether, struct interface *interface, uint64_t now);

#endif
