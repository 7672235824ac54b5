/* SPDX-License-Identifier: Apache-2.0 */
/* Which worker owns a flow, and frames handed over. */
#include <arpa/inet.h>

#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "tests/unit/ether/world.h"

/* The verification suite of Microsoft's RSS specification. */
static const uint8_t known_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                      0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                      0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                      0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
    const char *source, *destination;
    uint16_t source_port, destination_port;
    uint32_t hash;
} known[] = {
    {"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178},
    {"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea},
    {"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a},
    {"38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f},
    {"153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2},
    {"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d},
    {"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf},
    {"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x02d1feef},
};

static void address_of(const char *text, uint8_t address[16]) {
    uint8_t ipv4[4];
    if (inet_pton(AF_INET, text, ipv4) == 1)
        ipv4_mapped(address, ipv4);
    else
        assert_int_equal(inet_pton(AF_INET6, text, address), 1);
}

static void hashing_port(struct world *world) {
    world->port.offloads |= PORT_RX_HASH;
    world->port.rss_key_size = sizeof known_key;
    world->port.reta_size = 128;
    memcpy(world->port.rss_key, known_key, sizeof known_key);
    world_reopen_ether(world, 1, 4);
}

static void the_software_hash_is_the_one_that_nics_use(void **state) {
    struct world *world = *state;
    hashing_port(world);
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        struct tcp_tuple tuple = {.remote_port = known[i].source_port,
                                  .local_port = known[i].destination_port};
        address_of(known[i].source, tuple.remote);
        address_of(known[i].destination, tuple.local);
        assert_int_equal(owner_toeplitz(&world->ether->owners[0], &tuple), known[i].hash);
    }
}

/* Where a frame ended up: the worker. */
static unsigned owner_of_last(const struct world *world) {
    assert_int_equal(world->batch.segments_count + world->batch.foreign_count, 1);
    return world->batch.segments_count == 1 ? 1 : world->batch.owners[0];
}

static void a_hash_from_the_device_and_one_in_software_name_the_same_owner(void **state) {
    struct world *world = *state;
    unsigned seen = 0;
    hashing_port(world);
    for (unsigned port = 1024; port < 1324; port++) {
        struct bytes frame;
        if (port % 2)
            tcp_ipv4_frame(&frame, port, 3);
        else
            tcp_ipv6_frame(&frame, port, 3);
        input(world, &frame);
        unsigned in_software = owner_of_last(world);
        struct tcp_tuple tuple = {.remote_port = (uint16_t)port, .local_port = 1883};
        if (port % 2) {
            ipv4_mapped(tuple.remote, peer_ipv4);
            ipv4_mapped(tuple.local, our_ipv4);
        } else {
            memcpy(tuple.remote, peer_ipv6, 16);
            memcpy(tuple.local, our_ipv6, 16);
        }
        struct rte_mbuf *mbuf = frame_of(world, &frame);
        mbuf->hash.rss = owner_toeplitz(&world->ether->owners[0], &tuple);
        mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
        batch_free(world);
        ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
        assert_int_equal(owner_of_last(world), in_software);
        seen |= 1u << in_software;
    }
    assert_int_equal(seen, 15);
}

static void the_indirection_table_names_workers_in_turn(void **state) {
    struct world *world = *state;
    struct bytes frame;
    hashing_port(world);
    tcp_ipv4_frame(&frame, 40000, 3);
    for (unsigned entry = 0; entry < 256; entry++) {
        struct rte_mbuf *mbuf = frame_of(world, &frame);
        mbuf->hash.rss = entry | 0x5a5a0000;
        mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
        batch_free(world);
        ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
        assert_int_equal(owner_of_last(world), entry % 128 % 4);
    }
}

static void a_port_that_does_not_hash_spreads_flows_evenly_whatever_the_mbuf_says(void **state) {
    struct world *world = *state;
    unsigned flows[4] = {0};
    for (unsigned port = 1024; port < 1024 + 4000; port++) {
        struct bytes frame;
        tcp_ipv4_frame(&frame, port, 0);
        struct rte_mbuf *mbuf = frame_of(world, &frame);
        mbuf->hash.rss = 7;
        mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
        batch_free(world);
        ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
        flows[owner_of_last(world)]++;
    }
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(flows[i], 850, 1150);
}

static void all_workers_agree_on_the_owner(void **state) {
    struct world *world = *state;
    for (unsigned port = 5000; port < 5020; port++) {
        struct bytes frame;
        unsigned owner[4];
        tcp_ipv4_frame(&frame, port, 0);
        for (unsigned self = 0; self < 4; self++) {
            world_reopen_ether(world, self, 4);
            input(world, &frame);
            owner[self] = world->batch.segments_count ? self : world->batch.owners[0];
            assert_int_equal(owner[self], owner[0]);
        }
    }
}

static void a_foreign_frame_reaches_its_owner_as_it_came(void **state) {
    struct world *world = *state;
    struct bytes frame;
    unsigned port = 5000;
    do
        tcp_ipv4_frame(&frame, port++, 33);
    while (input(world, &frame), world->batch.foreign_count == 0);
    struct rte_mbuf *mbuf = world->batch.foreign[0];
    unsigned owner = world->batch.owners[0];
    assert_int_equal(mbuf->pkt_len, frame.len);
    assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), frame.at, frame.len);
    world->batch.foreign_count = 0;
    world_reopen_ether(world, owner, 4);
    ether_input(world->ether, 0, &mbuf, 1, true, &world->batch);
    assert_int_equal(world->batch.foreign_count, 0);
    assert_int_equal(world->batch.segments_count, 1);
    assert_int_equal(world->batch.segments[0].len, 53);
    assert_int_equal(world->batch.segments[0].tuple.remote_port, port - 1);
    assert_true(world->batch.segments[0].hash ==
                tcp_tuple_hash(&world->batch.segments[0].tuple, test_flow_key));
}

static void what_is_handed_over_is_ours_but_still_verified(void **state) {
    struct world *world = *state;
    struct bytes frame;
    uint64_t received = counted(world, COUNTER_ETHER_RX_PACKETS);
    for (unsigned port = 5000; port < 5010; port++) {
        tcp_ipv4_frame(&frame, port, 5);
        input_handed_over(world, &frame);
        assert_int_equal(world->batch.segments_count, 1);
        frame.at[frame.len - 1] ^= 1;
        input_handed_over(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
    }
    assert_int_equal(counted(world, COUNTER_ETHER_TCP_CHECKSUM), 10);
    assert_int_equal(counted(world, COUNTER_ETHER_RX_PACKETS), received);
}

static void an_announcement_is_spread_to_the_other_workers_and_answered_once(void **state) {
    struct world *world = *state;
    struct bytes frame, reply;
    arp_frame(&frame, broadcast_mac, 1, peer_mac, peer_ipv4, our_ipv4);
    input(world, &frame);
    assert_int_equal(world->batch.foreign_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(world->batch.owners[i], i == 0 ? 0 : i + 1);
        const struct rte_mbuf *copy = world->batch.foreign[i];
        assert_int_equal(copy->port, world->port.id);
        assert_int_equal(copy->pkt_len, frame.len);
        assert_memory_equal(rte_pktmbuf_mtod(copy, void *), frame.at, frame.len);
    }
    assert_true(output(world, &reply));
    input_handed_over(world, &frame);
    assert_int_equal(world->batch.foreign_count, 0);
    assert_false(output(world, &reply));
}

static void news_beyond_one_a_burst_and_beyond_the_batch_are_counted_as_lost(void **state) {
    struct world *world = *state;
    struct rte_mbuf *mbufs[ETHER_BURST];
    struct bytes frame;
    for (unsigned i = 0; i < ETHER_BURST - 2; i++) {
        do
            tcp_ipv4_frame(&frame, 5000 + (unsigned)rand() % 10000, 0);
        while (input(world, &frame), world->batch.foreign_count == 0);
        mbufs[i] = frame_of(world, &frame);
    }
    arp_frame(&frame, broadcast_mac, 1, peer_mac, peer_ipv4, our_ipv4);
    mbufs[ETHER_BURST - 2] = frame_of(world, &frame);
    mbufs[ETHER_BURST - 1] = frame_of(world, &frame);
    batch_free(world);
    ether_input(world->ether, 0, mbufs, ETHER_BURST, false, &world->batch);
    assert_int_equal(world->batch.foreign_count, ETHER_BURST);
    assert_int_equal(counted(world, COUNTER_ETHER_NEWS_LOST), 1 + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open_of_four, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_software_hash_is_the_one_that_nics_use),
        TEST(a_hash_from_the_device_and_one_in_software_name_the_same_owner),
        TEST(the_indirection_table_names_workers_in_turn),
        TEST(a_port_that_does_not_hash_spreads_flows_evenly_whatever_the_mbuf_says),
        TEST(all_workers_agree_on_the_owner),
        TEST(a_foreign_frame_reaches_its_owner_as_it_came),
        TEST(what_is_handed_over_is_ours_but_still_verified),
        TEST(an_announcement_is_spread_to_the_other_workers_and_answered_once),
        TEST(news_beyond_one_a_burst_and_beyond_the_batch_are_counted_as_lost),
    };
    return cmocka_run_group_tests_name("owner", tests, eal_open, eal_close);
}
