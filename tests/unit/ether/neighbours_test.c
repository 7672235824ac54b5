/* SPDX-License-Identifier: Apache-2.0 */
/* The table of neighbours by itself, and how frames teach it. */
#include <stdlib.h>

#include "dataplane/base/bytes.h"
#include "tests/unit/ether/world.h"

static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 9}, standby_mac[6] = {2, 0, 0, 0, 0, 8};
static const uint8_t remote_ipv4[4] = {192, 0, 2, 1};

static struct counters counters;

static int table_open(void **state) {
    memset(&counters, 0, sizeof counters);
    *state = neighbours_create(test_flow_key, &counters);
    return *state == NULL ? -1 : 0;
}

static int table_close(void **state) {
    neighbours_destroy(*state);
    return 0;
}

static void numbered_mac(uint8_t mac[6], uint32_t number) {
    mac[0] = 2;
    mac[1] = 7;
    store_be32(mac + 2, number);
}

static void a_station_keeps_its_name(void **state) {
    bool added;
    uint32_t name = neighbours_learn(*state, 0, peer_mac, &added);
    assert_true(added);
    assert_int_not_equal(name, 0);
    assert_int_equal(neighbours_learn(*state, 0, peer_mac, &added), name);
    assert_false(added);
    assert_int_not_equal(neighbours_learn(*state, 1, peer_mac, &added), name);
    assert_memory_equal(neighbours_station(*state, name)->mac, peer_mac, 6);
    assert_null(neighbours_station(*state, 0));
    assert_null(neighbours_station(*state, name + (1u << 14)));
}

static void a_full_table_forgets_stations_that_are_not_used_and_never_mixes_names(void **state) {
    static uint32_t names[3 * NEIGHBOURS_MAX];
    uint8_t mac[6];
    bool added;
    uint32_t busy = neighbours_learn(*state, 0, peer_mac, &added);
    for (uint32_t i = 0; i < 3 * NEIGHBOURS_MAX; i++) {
        numbered_mac(mac, i);
        names[i] = neighbours_learn(*state, 0, mac, &added);
        assert_true(added);
        if (i % 8 == 0)
            assert_non_null(neighbours_station(*state, busy));
    }
    assert_memory_equal(neighbours_station(*state, busy)->mac, peer_mac, 6);
    unsigned known = 0;
    for (uint32_t i = 0; i < 3 * NEIGHBOURS_MAX; i++) {
        const struct station *station = neighbours_station(*state, names[i]);
        numbered_mac(mac, i);
        if (station != NULL)
            assert_memory_equal(station->mac, mac, 6);
        known += station != NULL;
    }
    assert_int_equal(known, NEIGHBOURS_MAX - 1);
    assert_int_equal(counter_read(&counters, COUNTER_ETHER_HOP_EVICTED), 2 * NEIGHBOURS_MAX + 1);
    numbered_mac(mac, 3 * NEIGHBOURS_MAX - 1);
    assert_int_equal(neighbours_learn(*state, 0, mac, &added), names[3 * NEIGHBOURS_MAX - 1]);
    assert_false(added);
}

static void an_announced_address_takes_the_name_along_to_another_mac(void **state) {
    bool added;
    uint8_t ip[16];
    ipv4_mapped(ip, peer_ipv4);
    uint32_t name = neighbours_learn(*state, 0, peer_mac, &added);
    uint32_t standby = neighbours_learn(*state, 0, standby_mac, &added);
    neighbours_remember(*state, 0, ip, name);
    neighbours_announced(*state, 1, ip, standby_mac, true); /* another link */
    assert_memory_equal(neighbours_station(*state, name)->mac, peer_mac, 6);
    neighbours_announced(*state, 0, ip, standby_mac, false);
    assert_memory_equal(neighbours_station(*state, name)->mac, standby_mac, 6);
    assert_memory_equal(neighbours_station(*state, standby)->mac, standby_mac, 6);
    assert_int_equal(counter_read(&counters, COUNTER_ETHER_HOP_MOVED), 1);
    uint32_t again = neighbours_learn(*state, 0, peer_mac, &added);
    assert_true(added); /* whoever has that address is another station */
    assert_int_not_equal(again, name);
    neighbours_announced(*state, 0, ip, standby_mac, false);
    assert_int_equal(counter_read(&counters, COUNTER_ETHER_HOP_MOVED), 1);
}

static void an_announcement_of_a_stranger_is_not_remembered(void **state) {
    bool added;
    uint8_t ip[16];
    ipv4_mapped(ip, peer_ipv4);
    neighbours_announced(*state, 0, ip, peer_mac, true);
    neighbours_learn(*state, 0, peer_mac, &added);
    assert_true(added);
}

static void many_addresses_do_not_disturb_names(void **state) {
    bool added;
    uint8_t ip[16] = {0xfd};
    uint32_t name = neighbours_learn(*state, 0, peer_mac, &added);
    for (uint32_t i = 0; i < 20000; i++) {
        store_be32(ip + 12, i);
        neighbours_announced(*state, 0, ip, peer_mac, true);
    }
    assert_memory_equal(neighbours_station(*state, name)->mac, peer_mac, 6);
}

/* --- with frames --- */

static uint32_t hop_of_segment(struct world *world, const uint8_t mac[6], const uint8_t ip[4]) {
    struct bytes frame = {.len = 0};
    put_ethernet(&frame, our_mac, mac, 0x0800);
    put_ipv4(&frame, ip, our_ipv4, 6, 20);
    put_tcp(&frame, 14 + 12, 4, 40000, 0);
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    return world->batch.segments[0].hop;
}

static void assert_goes_to(struct world *world, uint32_t hop, const uint8_t mac[6]) {
    struct bytes sent;
    struct tcp_tuple tuple = {.remote_port = 40000, .local_port = 1883};
    ipv4_mapped(tuple.remote, remote_ipv4);
    ipv4_mapped(tuple.local, our_ipv4);
    transmit(world, &tuple, hop, 0);
    assert_true(output(world, &sent));
    assert_memory_equal(sent.at, mac, 6);
}

static void answers_go_to_the_station_that_the_frame_came_from(void **state) {
    struct world *world = *state;
    uint32_t hop = hop_of_segment(world, peer_mac, remote_ipv4);
    uint32_t other = hop_of_segment(world, other_mac, remote_ipv4);
    assert_goes_to(world, hop, peer_mac);
    assert_goes_to(world, other, other_mac);
}

static void a_gratuitous_arp_of_a_neighbour_moves_its_connections(void **state) {
    struct world *world = *state;
    struct bytes frame;
    uint32_t hop = hop_of_segment(world, peer_mac, peer_ipv4);
    arp_frame(&frame, broadcast_mac, 1, standby_mac, peer_ipv4, peer_ipv4);
    input(world, &frame);
    assert_goes_to(world, hop, standby_mac);
}

static void a_router_whose_standby_takes_over_moves_the_connections_behind_it(void **state) {
    struct world *world = *state;
    struct bytes frame;
    uint32_t hop = hop_of_segment(world, peer_mac, remote_ipv4);
    arp_frame(&frame, broadcast_mac, 1, peer_mac, peer_ipv4, our_ipv4); /* it asks for us */
    input(world, &frame);
    assert_true(output(world, &frame)); /* the answer */
    arp_frame(&frame, broadcast_mac, 2, standby_mac, peer_ipv4, peer_ipv4);
    input_handed_over(world, &frame); /* told by another worker */
    assert_goes_to(world, hop, standby_mac);
}

static void an_override_advertisement_moves_an_ipv6_neighbour(void **state) {
    struct world *world = *state;
    struct bytes frame;
    tcp_ipv6_frame(&frame, 40000, 0);
    input(world, &frame);
    struct tcp_segment segment = world->batch.segments[0];
    for (unsigned override = 0; override < 2; override++) {
        frame.len = 0;
        put_ethernet(&frame, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, standby_mac, 0x86dd);
        put_ipv6(&frame, peer_ipv6, ipv6_all_nodes, 58, 32);
        put_32(&frame, 0x88000000);
        put_32(&frame, override ? 0x20000000 : 0);
        put(&frame, peer_ipv6, 16);
        put_16(&frame, 0x0201);
        put(&frame, standby_mac, 6);
        set_checksum(&frame, 54, 2, 22, 16, 58);
        input(world, &frame);
        assert_goes_to(world, segment.hop, override ? standby_mac : peer_mac);
    }
}

static void a_forgotten_hop_drops_the_segment_by_name(void **state) {
    struct world *world = *state;
    struct bytes sent;
    struct tcp_tuple tuple = {.remote_port = 40000, .local_port = 1883};
    ipv4_mapped(tuple.remote, peer_ipv4);
    ipv4_mapped(tuple.local, our_ipv4);
    transmit(world, &tuple, 0x12345678, 0);
    transmit(world, &tuple, 0, 0);
    assert_false(output(world, &sent));
    assert_int_equal(counted(world, COUNTER_ETHER_HOP_GONE), 2);
}

static void a_segment_with_a_bad_checksum_teaches_nothing(void **state) {
    struct world *world = *state;
    struct bytes frame;
    bool added;
    tcp_ipv4_frame(&frame, 40000, 4);
    frame.at[frame.len - 1] ^= 1;
    input(world, &frame);
    neighbours_learn(world->ether->neighbours, 0, peer_mac, &added);
    assert_true(added);
}

#define TABLE(name) cmocka_unit_test_setup_teardown(name, table_open, table_close)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TABLE(a_station_keeps_its_name),
        TABLE(a_full_table_forgets_stations_that_are_not_used_and_never_mixes_names),
        TABLE(an_announced_address_takes_the_name_along_to_another_mac),
        TABLE(an_announcement_of_a_stranger_is_not_remembered),
        TABLE(many_addresses_do_not_disturb_names),
        TEST(answers_go_to_the_station_that_the_frame_came_from),
        TEST(a_gratuitous_arp_of_a_neighbour_moves_its_connections),
        TEST(a_router_whose_standby_takes_over_moves_the_connections_behind_it),
        TEST(an_override_advertisement_moves_an_ipv6_neighbour),
        TEST(a_forgotten_hop_drops_the_segment_by_name),
        TEST(a_segment_with_a_bad_checksum_teaches_nothing),
    };
    return cmocka_run_group_tests_name("neighbours", tests, eal_open, eal_close);
}
