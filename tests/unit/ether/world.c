/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ether/world.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/siphash.h"

const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 2}, peer_mac[6] = {2, 0, 0, 0, 0, 1},
              broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
const uint8_t our_ipv4[4] = {10, 88, 0, 2}, peer_ipv4[4] = {10, 88, 0, 1};
const uint8_t our_ipv6[16] = {0xfd, 0x88, [15] = 2}, peer_ipv6[16] = {0xfd, 0x88, [15] = 1};
const uint8_t our_link_local[16] = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 2};
const uint8_t our_solicited_node[16] = {0xff, 2, [11] = 1, 0xff, 0, 0, 2};
const uint8_t test_flow_key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* In place of tcp/: what a keyed hash of a tuple is does not matter here. */
uint64_t tcp_tuple_hash(const struct tcp_tuple *tuple, const uint8_t key[16]) {
    return siphash(key, tuple, sizeof *tuple);
}

void world_reopen_ether(struct world *world, unsigned self, unsigned workers) {
    struct ether_config config = {.ports = &world->port,
                                  .ports_count = 1,
                                  .self = self,
                                  .workers = workers,
                                  .mempool = mempool};
    memcpy(config.flow_key, test_flow_key, sizeof test_flow_key);
    if (world->ether != NULL)
        ether_destroy(world->ether);
    world->ether = ether_create(&config, &world->counters);
    assert_non_null(world->ether);
}

static int world_make(void **state, unsigned self, unsigned workers, uint16_t vlan) {
    char error[256];
    struct world *world = aligned_alloc(64, (sizeof *world + 63) / 64 * 64);
    assert_non_null(world);
    memset(world, 0, sizeof *world);
    world->config = (struct config_port){.kind = PORT_RING,
                                         .device = "unit",
                                         .address = "10.88.0.2/24",
                                         .address6 = "fd88::2/64",
                                         .mac = "02:00:00:00:00:02",
                                         .mtu = 1500,
                                         .vlan = vlan,
                                         .queue_size = 128};
    if (port_open(&world->port, &world->config, 0, workers, mempool, error, sizeof error) < 0)
        fail_msg("%s", error);
    *state = world;
    world_reopen_ether(world, self, workers);
    return 0;
}

int world_open(void **state) {
    return world_make(state, 0, 1, 0);
}

int world_open_vlan(void **state) {
    return world_make(state, 0, 1, 77);
}

int world_open_of_four(void **state) {
    return world_make(state, 1, 4, 0);
}

/* Every buffer must have come back. */
int world_close(void **state) {
    struct world *world = *state;
    struct bytes rest;
    while (output(world, &rest))
        ;
    batch_free(world);
    ether_destroy(world->ether);
    port_close(&world->port);
    free(world);
    return buffers_are_back(state);
}

uint64_t counted(const struct world *world, enum counter counter) {
    return counter_read(&world->counters, counter);
}

void put(struct bytes *bytes, const void *data, unsigned len) {
    assert_true(bytes->len + len <= sizeof bytes->at);
    memcpy(bytes->at + bytes->len, data, len);
    bytes->len += len;
}

void put_8(struct bytes *bytes, unsigned value) {
    put(bytes, &(uint8_t){(uint8_t)value}, 1);
}

void put_16(struct bytes *bytes, unsigned value) {
    put_8(bytes, value >> 8);
    put_8(bytes, value);
}

void put_32(struct bytes *bytes, uint32_t value) {
    put_16(bytes, value >> 16);
    put_16(bytes, value);
}

void put_ethernet(struct bytes *bytes, const uint8_t to[6], const uint8_t from[6], unsigned type) {
    put(bytes, to, 6);
    put(bytes, from, 6);
    put_16(bytes, type);
}

void put_vlan(struct bytes *bytes, unsigned tag, unsigned type) {
    put_16(bytes, tag);
    put_16(bytes, type);
}

uint16_t plain_checksum(const uint8_t *data, unsigned len, uint32_t sum) {
    for (unsigned i = 0; i < len; i++)
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void set_checksum(struct bytes *bytes, unsigned start, unsigned offset, unsigned addresses,
                  unsigned address_len, unsigned protocol) {
    unsigned len = bytes->len - start;
    uint32_t sum = len + protocol;
    for (unsigned i = 0; i < 2 * address_len; i += 2)
        sum += load_be16(bytes->at + addresses + i);
    memset(bytes->at + start + offset, 0, 2);
    store_be16(bytes->at + start + offset, plain_checksum(bytes->at + start, len, sum));
}

void put_ipv4(struct bytes *bytes, const uint8_t from[4], const uint8_t to[4], unsigned protocol,
              unsigned len) {
    unsigned start = bytes->len;
    put_16(bytes, 0x4500);
    put_16(bytes, 20 + len);
    put_32(bytes, 0x12340000);
    put_8(bytes, 3);
    put_8(bytes, protocol);
    put_16(bytes, 0);
    put(bytes, from, 4);
    put(bytes, to, 4);
    store_be16(bytes->at + start + 10, plain_checksum(bytes->at + start, 20, 0));
}

void put_ipv6(struct bytes *bytes, const uint8_t from[16], const uint8_t to[16], unsigned protocol,
              unsigned len) {
    put_32(bytes, 0x60012345);
    put_16(bytes, len);
    put_8(bytes, protocol);
    put_8(bytes, 255);
    put(bytes, from, 16);
    put(bytes, to, 16);
}

void put_tcp(struct bytes *bytes, unsigned addresses, unsigned address_len, unsigned port,
             unsigned len) {
    unsigned start = bytes->len;
    put_16(bytes, port);
    put_16(bytes, 1883);
    put_32(bytes, 0x01020304);
    put_32(bytes, 0x05060708);
    put_16(bytes, 0x5018);
    put_16(bytes, 1000);
    put_32(bytes, 0);
    for (unsigned i = 0; i < len; i++)
        put_8(bytes, i * 7 + port);
    set_checksum(bytes, start, 16, addresses, address_len, 6);
}

void tcp_ipv4_frame(struct bytes *bytes, unsigned port, unsigned len) {
    bytes->len = 0;
    put_ethernet(bytes, our_mac, peer_mac, 0x0800);
    put_ipv4(bytes, peer_ipv4, our_ipv4, 6, 20 + len);
    put_tcp(bytes, 14 + 12, 4, port, len);
}

void tcp_ipv6_frame(struct bytes *bytes, unsigned port, unsigned len) {
    bytes->len = 0;
    put_ethernet(bytes, our_mac, peer_mac, 0x86dd);
    put_ipv6(bytes, peer_ipv6, our_ipv6, 6, 20 + len);
    put_tcp(bytes, 14 + 8, 16, port, len);
}

void arp_frame(struct bytes *bytes, const uint8_t to[6], unsigned operation, const uint8_t mac[6],
               const uint8_t sender[4], const uint8_t target[4]) {
    static const uint8_t nobody[6];
    bytes->len = 0;
    put_ethernet(bytes, to, mac, 0x0806);
    put_16(bytes, 1);
    put_16(bytes, 0x0800);
    put_16(bytes, 0x0604);
    put_16(bytes, operation);
    put(bytes, mac, 6);
    put(bytes, sender, 4);
    put(bytes, nobody, 6);
    put(bytes, target, 4);
}

struct rte_mbuf *frame_of(struct world *world, const struct bytes *bytes) {
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(mempool);
    assert_non_null(mbuf);
    char *to = rte_pktmbuf_append(mbuf, (uint16_t)bytes->len);
    assert_non_null(to);
    memcpy(to, bytes->at, bytes->len);
    mbuf->port = world->port.id;
    return mbuf;
}

void batch_free(struct world *world) {
    struct ether_batch *batch = &world->batch;
    for (unsigned i = 0; i < batch->segments_count; i++)
        rte_pktmbuf_free(batch->frames[i]);
    for (unsigned i = 0; i < batch->foreign_count; i++)
        rte_pktmbuf_free(batch->foreign[i]);
    batch->segments_count = batch->foreign_count = 0;
}

void input(struct world *world, const struct bytes *bytes) {
    struct rte_mbuf *mbuf = frame_of(world, bytes);
    batch_free(world);
    ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
}

void input_handed_over(struct world *world, const struct bytes *bytes) {
    struct rte_mbuf *mbuf = frame_of(world, bytes);
    batch_free(world);
    ether_input(world->ether, 0, &mbuf, 1, true, &world->batch);
}

bool output(struct world *world, struct bytes *bytes) {
    void *frame;
    ether_flush(world->ether, world->now);
    for (unsigned queue = 0; queue < world->port.queues; queue++) {
        char name[32];
        snprintf(name, sizeof name, "unit_tx%u", queue);
        if (rte_ring_dequeue(rte_ring_lookup(name), &frame) == 0) {
            struct rte_mbuf *mbuf = frame;
            bytes->len = 0;
            put(bytes, rte_pktmbuf_mtod(mbuf, void *), mbuf->pkt_len);
            rte_pktmbuf_free(mbuf);
            return true;
        }
    }
    return false;
}

void transmit(struct world *world, const struct tcp_tuple *tuple, uint32_t hop, unsigned len) {
    const struct tcp_link *link = ether_tcp_link(world->ether);
    void *frame;
    uint8_t *header = link->frame(link->link, 20 + len, &frame);
    assert_non_null(header);
    memset(header, 0, 20);
    store_be16(header, tuple->local_port);
    store_be16(header + 2, tuple->remote_port);
    header[12] = 0x50;
    for (unsigned i = 0; i < len; i++)
        header[20 + i] = (uint8_t)i;
    link->transmit(link->link, frame, 20 + len, tuple, hop);
}
