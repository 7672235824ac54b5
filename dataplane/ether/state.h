/* SPDX-License-Identifier: Apache-2.0 */
/* struct ether from the inside, shared by the files of this folder. Thread: the worker. */
#ifndef LINEMQ_ETHER_STATE_H
#define LINEMQ_ETHER_STATE_H

#include "dataplane/ether/ether.h"
#include "dataplane/ether/interface.h"
#include "dataplane/ether/neighbours.h"
#include "dataplane/ether/owner.h"

struct ether {
    struct counters *counters;
    struct rte_mempool *mempool;
    struct neighbours *neighbours;
    unsigned self, workers;
    unsigned interfaces_count;
    unsigned echoes_left;  /* to be answered in this burst */
    struct rte_mbuf *news; /* copy of a frame of this burst that all workers should learn from */
    uint64_t defended_at;  /* microseconds */
    uint64_t now;          /* of the last routers_ask */
    uint64_t ask_at;       /* when it asks again */
    unsigned asks;         /* for routers, so far */
    bool too_big_found;
    struct tcp_icmp too_big; /* a segment of ours, for the link */
    struct capture *capture; /* NULL: nobody wants to see frames */
    void (*wake)(void *argument, unsigned worker);
    void *wake_argument;
    uint8_t flow_key[16];
    struct tcp_link link;
    struct owner owners[ETHER_PORTS_MAX]; /* by interface */
    struct interface interfaces[ETHER_PORTS_MAX];
};

#endif
