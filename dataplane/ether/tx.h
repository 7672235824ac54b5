/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way to a port's transmit queue. A worker that has no queue of its own leaves them
 * in the ring of the worker that has (drivers/port.h, shared_tx). Thread: the worker.
 */
#ifndef LINEMQ_ETHER_TX_H
#define LINEMQ_ETHER_TX_H

#include <stdint.h>

struct ether;
struct interface;
struct rte_mbuf;

enum { TX_BACKLOG = 1024 };

struct tx {
    struct rte_mbuf **frames; /* [TX_BACKLOG], from `start` on `count` */
    uint16_t start, count;
    uint32_t refusals; /* flushes in a row in which the port took nothing */
};

/* False: no memory. Set-up only. */
int tx_init(struct tx *tx);
void tx_close(struct tx *tx);

/* Takes the frame: sent by the next flush, or dropped and counted when the backlog is full. */
void tx_push(struct ether *ether, struct interface *interface, struct rte_mbuf *frame);

/* Sends what the port takes, a bounded number of frames; how many still wait. */
unsigned tx_flush(struct ether *ether, struct interface *interface);

#endif
