/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port: how a NIC is opened and what it can do. One file a kind (tap.c, af_packet.c, ...); each
 * says how the device is named to DPDK and what must be done around it, and port.c does the rest.
 *
 * Queues: worker i receives from queue i if i < queues, else from none (its frames are handed over
 * by the others). It transmits on queue i, or, if there are fewer queues, leaves its frames in
 * shared_tx[i % queues] for the worker that owns the queue. ether/ does the transmitting.
 *
 * Thread: set-up and link state by the main thread; a queue by the worker that owns it.
 */
#ifndef LINEMQ_DRIVERS_PORT_H
#define LINEMQ_DRIVERS_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config/config.h"

struct rte_mempool;
struct rte_ring;

/* What the device does itself; the rest is done in software (ether/). */
enum port_offload {
    PORT_RX_CHECKSUM = 1, /* marks good and bad IP and TCP checksums of received frames */
    PORT_TX_IPV4_CHECKSUM = 2,
    PORT_TX_TCP_CHECKSUM = 4,
    PORT_RX_HASH = 8, /* delivers the RSS hash in the mbuf (proved by its flag, frame by frame) */
    PORT_RX_INTERRUPT = 16, /* rte_eth_dev_rx_intr_ctl_q_get_fd gives a descriptor to sleep on */
};

enum { PORT_RSS_KEY_MAX = 64, PORT_SHARED_TX_SLOTS = 1024 };

struct port {
    uint16_t id; /* DPDK's */
    uint16_t queues;
    uint16_t mtu;
    uint8_t mac[6];
    uint32_t offloads; /* enum port_offload */
    const struct config_port *config;

    /* With PORT_RX_HASH: the key of the Toeplitz hash, and the indirection table, whose entry i
     * means worker i % workers. */
    uint8_t rss_key[PORT_RSS_KEY_MAX];
    uint8_t rss_key_size;
    uint16_t reta_size;

    /* [queues]: frames from workers without a transmit queue; many producers, one consumer. NULL
     * when each worker has its own queue. */
    struct rte_ring **shared_tx;

    uint32_t link; /* atomic: what port_link_look saw */
};

/* One kind of port. */
struct port_kind {
    const char *name;
    const char *package;     /* Debian's, that has the driver */
    uint16_t queues_max;     /* of the driver; 0 = the device says */
    uint16_t queues_unasked; /* how many when the configuration says 0; 0 = one a worker */
    /* Offloads and RSS are done by the device: what it offers is used. (Software drivers offer
     * them too, but do no better than ether/, and deliver no hash.) */
    bool hardware;
    bool interrupts; /* a worker can sleep on its queues */
    bool interface;  /* its device is an interface of the kernel, which one process at a time drives
                      */
    /* The MAC address is the device's, which others know already; else it is made from the name. */
    bool device_mac;
    bool promiscuous; /* the device would filter multicast and foreign addresses */
    bool sets_mtu;    /* the device takes the MTU from us */
    /* Keys that config_port.options may have, separated by blanks; NULL: whatever the driver takes.
     * (Some drivers fall back to defaults, silently, when they meet another.) */
    const char *options;
    /* Writes the EAL argument that creates or allows the device ("--vdev=..." or "--allow=...") for
     * `queues` queues; an empty one if none is needed. Negative and a sentence in `error` when the
     * configuration makes no sense or the machine lacks something. */
    int (*eal_argument)(const struct config_port *config, unsigned index, unsigned queues,
                        char *argument, unsigned size, char *error, unsigned error_size);
    /* After rte_eal_init, before the port is configured: finds its DPDK id. Negative: it is not
     * there. */
    int (*find)(const struct config_port *config, unsigned index, unsigned queues, uint16_t *id);
    /* Why it was not found, as a sentence in `error`; returns -1. NULL: what EAL logged last. */
    int (*refused)(const struct config_port *config, char *error, unsigned error_size);
    /* The most queues that work with this driver of DPDK, where it offers more; may be NULL. */
    unsigned (*device_queues)(const char *driver);
    /* After it is started (checksum settings of a peer, ...); may be NULL. */
    int (*started)(const struct config_port *config, const struct port *port, char *error,
                   unsigned error_size);
    /* Around its closing; may be NULL. */
    void (*closing)(const struct config_port *config, const struct port *port);
    void (*closed)(const struct config_port *config);
};

const struct port_kind *port_kind(enum config_port_kind kind);

/* Queues to ask the driver for: what is configured, else as many as suit the kind; no more than
 * workers. */
unsigned port_queues(const struct config_port *config, unsigned workers);

/* What EAL is told about the port; see eal_argument. Checks what all kinds have in common. */
int port_eal_argument(const struct config_port *config, unsigned index, unsigned workers,
                      char *argument, unsigned size, char *error, unsigned error_size);

/* Opens and starts the port with one receive and one transmit queue a worker, or as many as it has.
 * `mempool` gives the buffers of received frames. 0, or negative with a sentence in `error`, and
 * then nothing is left open. */
int port_open(struct port *port, const struct config_port *config, unsigned index, unsigned workers,
              struct rte_mempool *mempool, char *error, unsigned error_size);
void port_close(struct port *port);

/* Asks the device, without waiting, whether the port has a link, and keeps the answer for
 * port_link. Main thread: a driver may talk to the device for it. */
bool port_link_look(struct port *port);

/* What port_link_look saw last. Any thread. `mbit` is the speed, 0 if it is unknown. */
bool port_link(const struct port *port, uint32_t *mbit);

#endif
