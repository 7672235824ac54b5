/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which worker owns a flow. On a port whose device hashes (receive side scaling), what its hash and
 * indirection table say; where a frame comes without a hash, the same Toeplitz hash in software. On
 * other ports, the keyed hash of the flow table. Thread: the worker.
 */
#ifndef LINEMQ_ETHER_OWNER_H
#define LINEMQ_ETHER_OWNER_H

#include <stdint.h>

#include "dataplane/tcp/tcp.h"
#include "drivers/port.h"

struct rte_mbuf;

struct owner {
    unsigned workers;
    uint16_t reta_size;                                        /* 0: the port does not hash */
    uint8_t key[PORT_RSS_KEY_MAX] __attribute__((aligned(4))); /* in words of the CPU's order */
};

void owner_init(struct owner *owner, const struct port *port, unsigned workers);

/* `hash` is tcp_tuple_hash of the tuple; `mbuf` holds a segment of the flow. */
unsigned owner_of(const struct owner *owner, const struct rte_mbuf *mbuf,
                  const struct tcp_tuple *tuple, uint64_t hash);

/* The same without such a segment. */
unsigned owner_of_flow(const struct owner *owner, const struct tcp_tuple *tuple, uint64_t hash);

/* Toeplitz over source address, destination address, source port, destination port, with a key
 * prepared by owner_init. */
uint32_t owner_toeplitz(const struct owner *owner, const struct tcp_tuple *tuple);

#endif
