/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stations on our links, each with a name that connections keep (tcp_segment.hop). A name is learnt
 * from the frames of a station and stays valid until the table is full and it has not been used for
 * long; then it is unknown, never another station's. When a station announces its IP address from
 * another MAC address (a router's standby took over), its name is corrected in place, so that
 * everything sent under it follows.
 *
 * The VLAN is the interface's, so a station is (interface, MAC address). Thread: the worker.
 */
#ifndef LINEMQ_ETHER_NEIGHBOURS_H
#define LINEMQ_ETHER_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/counters.h"

struct neighbours;

enum { NEIGHBOURS_MAX = 16384 };

struct station {
    uint8_t mac[6];
    uint8_t interface;
    uint8_t used;  /* since the last time that a place was looked for */
    uint32_t name; /* 0: free */
    uint16_t next; /* in the bucket, index + 1, or 0 */
};

/* NULL: no memory. Set-up only. */
struct neighbours *neighbours_create(const uint8_t key[16], struct counters *counters);
void neighbours_destroy(struct neighbours *neighbours);

/* The name of the station; `*added` tells whether it was not known before. */
uint32_t neighbours_learn(struct neighbours *neighbours, unsigned interface, const uint8_t mac[6],
                          bool *added);

/* The station of a name, or NULL when it was forgotten. */
const struct station *neighbours_station(struct neighbours *neighbours, uint32_t name);

/* The name is not known any more; the next frame from the station gives it another. */
void neighbours_forget(struct neighbours *neighbours, uint32_t name);

/* The station has this IP address (IPv4 mapped). */
void neighbours_remember(struct neighbours *neighbours, unsigned interface,
                         const uint8_t address[16], uint32_t name);

/* ARP or neighbour discovery said that the address is at that MAC address: corrects the station
 * that had it (RFC 826, "merge"). If nobody had it, `is_news`, and the station is known, it is
 * remembered. */
void neighbours_announced(struct neighbours *neighbours, unsigned interface,
                          const uint8_t address[16], const uint8_t mac[6], bool is_news);

#endif
