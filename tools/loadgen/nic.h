/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices' way to the broker: one of the project's ports, Ethernet, ARP and IPv4 around their
 * TCP segments. All devices stand behind one MAC address. Device d has the address first + d / K
 * and the port first + d % K, with K ports to an address.
 *
 * Thread: opened and closed by the main thread; the rest by the one that polls.
 */
#ifndef LINEMQ_LOADGEN_NIC_H
#define LINEMQ_LOADGEN_NIC_H

#include "drivers/port.h"
#include "tools/loadgen/fleet.h"

struct rte_mbuf;

enum { NIC_BURST = 64, NIC_BACKLOG = 512, NIC_QUEUES_MAX = 32 };

struct nic_stats {
    uint64_t frames_in, frames_out;
    uint64_t lost_in, lost_out; /* thrown away on purpose */
    uint64_t bad_checksum, foreign, no_buffer, backlog_full;
};

struct nic_queue {
    unsigned first, count;
    struct rte_mbuf *frames[NIC_BACKLOG];
};

struct nic {
    const struct scenario *scenario;
    struct config *config;
    struct port port;
    struct rte_mempool *mempool;
    struct devtcp *tcp;
    struct nic_stats stats;
    uint32_t broker, first, addresses; /* IPv4, host byte order */
    uint32_t devices, ports_per_address;
    uint16_t first_port, broker_port;
    uint8_t broker_mac[6];
    bool broker_known;
    unsigned down; /* times there was no link */
    uint64_t random;
    uint32_t drop_in, drop_out; /* of 2^32 */
    uint16_t ip_id;
    uint8_t head[34];         /* Ethernet and IPv4 header */
    uint64_t ip_sum, tcp_sum; /* of what is the same in all of them, and of pseudo headers */
    uint64_t asked_ns;        /* last ARP request */
    struct nic_queue queues[NIC_QUEUES_MAX];
};

/* Starts EAL and opens the port. False with a sentence in `error`. */
bool nic_open(struct nic *nic, const struct scenario *scenario, char *error, size_t error_size);
void nic_close(struct nic *nic);

/* Set before the devices' TCP begins. */
struct devtcp_link nic_link(struct nic *nic);

/* Whether the link is up and the broker's MAC address is known; asks for it. */
bool nic_ready(struct nic *nic, uint64_t now_ns);

/* Takes what has arrived; frames. */
unsigned nic_input(struct nic *nic);
/* Sends what is waiting; frames that the port did not take. */
unsigned nic_flush(struct nic *nic);

#endif
