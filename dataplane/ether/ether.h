/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet, ARP, IPv4, IPv6 with neighbour discovery, ICMP: what lies between a worker's NIC queues
 * and TCP. One struct ether a worker serves all its ports.
 *
 * A server that only answers needs little of this: replies go back to the station a frame came from
 * (its `hop`: port, MAC address, VLAN, learnt per frame and corrected by ARP and neighbour
 * announcements), and only when it is not known to a router; our own addresses are announced and
 * defended, echo requests answered.
 *
 * Which worker owns a flow: what the NIC's receive side scaling says, worked out in software where
 * the frame carries no hash, so that both agree; on ports that cannot hash, tcp_tuple_hash says.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_ETHER_ETHER_H
#define LINEMQ_ETHER_ETHER_H

#include "dataplane/base/counters.h"
#include "dataplane/tcp/tcp.h"
#include "drivers/port.h"

struct rte_mbuf;
struct rte_mempool;
struct capture;

enum { ETHER_BURST = 32, ETHER_PORTS_MAX = 8 };

struct ether;

struct ether_config {
    struct port *ports; /* opened */
    unsigned ports_count;
    unsigned self, workers;
    uint8_t flow_key[16]; /* as tcp_config.flow_key */
    struct rte_mempool *mempool;
    /* Called by ether_flush when it left frames for `worker`, which owns the transmit queue of a
     * port with fewer queues than workers: if it sleeps, wake it. NULL when workers do not sleep.
     */
    void (*wake)(void *argument, unsigned worker);
    void *wake_argument;
};

/* Set-up only. NULL: no memory or an address that does not parse (config_load has checked them). */
struct ether *ether_create(const struct ether_config *config, struct counters *counters);
void ether_destroy(struct ether *ether);

/* What came of a burst. */
struct ether_batch {
    struct tcp_segment segments[ETHER_BURST]; /* for this worker's TCP */
    struct rte_mbuf *frames[ETHER_BURST];     /* their mbufs: free after tcp_input */
    unsigned segments_count;
    struct rte_mbuf *foreign[ETHER_BURST]; /* frames of flows that another worker owns ... */
    uint8_t owners[ETHER_BURST];           /* ... and which one */
    unsigned foreign_count;
    struct tcp_icmp errors[ETHER_BURST]; /* for this worker's TCP */
    unsigned errors_count;
};

/* Sorts a burst of frames from one port: answers ARP, neighbour solicitations and echo requests,
 * frees and counts what is not for us, leaves the rest in `batch`. `handed_over`: the frames were
 * sent here by another worker as their owner, all of them are ours (or announcements of neighbours,
 * which each worker learns from). At most ETHER_BURST frames. */
void ether_input(struct ether *ether, unsigned port, struct rte_mbuf **frames, unsigned count,
                 bool handed_over, struct ether_batch *batch);

/* TCP's way out: frames go into the port's transmit buffer. */
const struct tcp_link *ether_tcp_link(struct ether *ether);

/* Sends what is buffered, a bounded number of frames. Frames that the port does not take now stay
 * buffered, in order, and TCP keeps its segments back while many do. When a port does not take
 * them for long they are dropped and counted, and TCP sends again (tx.h). Returns frames still
 * waiting: call again soon. `now`: monotonic, microseconds. */
unsigned ether_flush(struct ether *ether, uint64_t now);

/* Frames that go out are shown to `capture` (dataplane/capture/capture.h); NULL: to nobody. */
void ether_capture(struct ether *ether, struct capture *capture);

/* Gratuitous ARP and unsolicited neighbour advertisements of our addresses. At start, and when a
 * link comes up. */
void ether_announce(struct ether *ether);

/* Announces again addresses that another station has claimed since the last call, at most once in
 * ten seconds (RFC 5227, 2.4c). Cheap; `now` in microseconds. */
void ether_defend(struct ether *ether, uint64_t now);

/* Asks for the routers of our links (RFC 4861), and for the gateways configured. Once a turn;
 * cheap; `now` in microseconds. */
void ether_ask(struct ether *ether, uint64_t now);

/* A segment that TCP gave was too long for its link, which has told a smaller MTU: for tcp_icmp.
 * False: there was none. Once a turn, after tcp_output. */
bool ether_too_big(struct ether *ether, struct tcp_icmp *error);

#endif
