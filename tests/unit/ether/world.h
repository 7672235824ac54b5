/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of ether/ stand on: EAL started once in a process, one ring port, one struct ether
 * on it, frames written byte by byte, and the frames that come out.
 *
 * Addresses: we are 10.88.0.2/24 and fd88::2/64, MAC address 02:00:00:00:00:02; the peer is
 * 10.88.0.1, fd88::1 and 02:00:00:00:00:01.
 */
#ifndef LINEMQ_TESTS_ETHER_WORLD_H
#define LINEMQ_TESTS_ETHER_WORLD_H

#include "dataplane/ether/state.h"
#include "tests/unit/ether/eal.h"

extern const uint8_t our_mac[6], peer_mac[6], broadcast_mac[6];
extern const uint8_t our_ipv4[4], peer_ipv4[4];
extern const uint8_t our_ipv6[16], peer_ipv6[16], our_link_local[16], our_solicited_node[16];
extern const uint8_t test_flow_key[16];

struct world {
    struct config_port config;
    struct port port;
    struct counters counters;
    struct ether *ether;
    struct ether_batch batch; /* of the last input */
    uint64_t now;             /* microseconds; stands still unless the test moves it */
};

/* cmocka test set-up and tear-down: one worker, or worker 1 of 4. */
int world_open(void **state);
int world_open_vlan(void **state);
int world_open_of_four(void **state);
int world_close(void **state);

/* Our struct ether anew, after a change of world->port. */
void world_reopen_ether(struct world *world, unsigned self, unsigned workers);

uint64_t counted(const struct world *world, enum counter counter);

/* A frame being written. */
struct bytes {
    uint8_t at[2048];
    unsigned len;
};

void put(struct bytes *bytes, const void *data, unsigned len);
void put_8(struct bytes *bytes, unsigned value);
void put_16(struct bytes *bytes, unsigned value);
void put_32(struct bytes *bytes, uint32_t value);
void put_ethernet(struct bytes *bytes, const uint8_t to[6], const uint8_t from[6], unsigned type);
void put_vlan(struct bytes *bytes, unsigned tag, unsigned type);
/* Headers with good lengths and checksums for a payload of `len` bytes. */
void put_ipv4(struct bytes *bytes, const uint8_t from[4], const uint8_t to[4], unsigned protocol,
              unsigned len);
void put_ipv6(struct bytes *bytes, const uint8_t from[16], const uint8_t to[16], unsigned protocol,
              unsigned len);
/* A TCP segment from `port` to 1883 with `len` bytes of payload; `addresses` points to the source
 * address of its IP header, `address_len` bytes, the destination follows. */
void put_tcp(struct bytes *bytes, unsigned addresses, unsigned address_len, unsigned port,
             unsigned len);

/* Whole frames. */
void tcp_ipv4_frame(struct bytes *bytes, unsigned port, unsigned len);
void tcp_ipv6_frame(struct bytes *bytes, unsigned port, unsigned len);
void arp_frame(struct bytes *bytes, const uint8_t to[6], unsigned operation, const uint8_t mac[6],
               const uint8_t sender[4], const uint8_t target[4]);

/* One's complement sum, byte by byte: not the one under test. */
uint16_t plain_checksum(const uint8_t *data, unsigned len, uint32_t sum);
/* Sets the ICMPv6 or TCP checksum at `offset` of what starts at `start` and fills the rest. */
void set_checksum(struct bytes *bytes, unsigned start, unsigned offset, unsigned addresses,
                  unsigned address_len, unsigned protocol);

struct rte_mbuf *frame_of(struct world *world, const struct bytes *bytes);
/* Gives it to ether_input. */
void input(struct world *world, const struct bytes *bytes);
void input_handed_over(struct world *world, const struct bytes *bytes);
/* Frees what the last input left in the batch. */
void batch_free(struct world *world);

/* Flushes and takes the next frame that the port has sent; false: none. */
bool output(struct world *world, struct bytes *bytes);

/* Sends a segment with `len` bytes of payload through the link. */
void transmit(struct world *world, const struct tcp_tuple *tuple, uint32_t hop, unsigned len);

#endif
