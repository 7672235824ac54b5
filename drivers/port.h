/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port: how a NIC is opened and what it can do. One file a kind (tap.c, af_packet.c, ...); each
 * says how the device is named to DPDK and what must be done around it, and port.c does the rest.
 *
 * Thread: set-up and link state by the main thread; port_rx and port_tx by the worker that owns the
 * queue.
 */
#ifndef LINEMQ_DRIVERS_PORT_H
#define LINEMQ_DRIVERS_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config/config.h"

struct rte_mempool;

/* What the device does itself; the rest is done in software (ether/). */
enum port_offload {
    PORT_RX_CHECKSUM = 1, /* marks good and bad IP and TCP checksums of received frames */
    PORT_TX_IPV4_CHECKSUM = 2,
    PORT_TX_TCP_CHECKSUM = 4,
    PORT_RX_HASH = 8, /* delivers the RSS hash in the mbuf (proved by its flag, frame by frame) */
    PORT_RX_INTERRUPT = 16, /* a worker can sleep on it */
};

struct port {
    uint16_t id; /* DPDK's */
    uint16_t queues;
    uint16_t mtu;
    uint8_t mac[6];
    uint32_t offloads; /* enum port_offload */
    const struct config_port *config;
};

/* One kind of port. */
struct port_kind {
    const char *name;
    /* Writes the EAL argument that creates or allows the device ("--vdev=..." or "--allow=...") for
     * `queues` queues. Negative and a line in `error` when the configuration makes no sense or the
     * machine lacks something. */
    int (*eal_argument)(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size);
    /* After rte_eal_init, before the port is configured: finds its DPDK id. */
    int (*find)(const struct config_port *config, unsigned index, uint16_t *id);
    /* After it is started (addresses on the host side, checksum settings of a peer, ...); may be
     * NULL. */
    int (*started)(const struct config_port *config, const struct port *port, char *error,
                   unsigned error_size);
    /* Before it is closed; may be NULL. */
    void (*closing)(const struct config_port *config, const struct port *port);
};

const struct port_kind *port_kind(enum config_port_kind kind);

/* Opens and starts the port with one receive and one transmit queue a worker, or as many as it has.
 * 0, or negative with a sentence in `error`. */
int port_open(struct port *port, const struct config_port *config, unsigned index, unsigned workers,
              struct rte_mempool *mempool, char *error, unsigned error_size);
void port_close(struct port *port);

#endif
