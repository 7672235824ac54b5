/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet, VLAN and ARP. */
#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "tests/unit/ether/world.h"

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };
static const uint8_t other_ipv4[4] = {10, 88, 0, 9}, other_mac[6] = {2, 0, 0, 0, 0, 9};

static void an_arp_request_for_our_address_is_answered(void **state) {
    struct world *world = *state;
    struct bytes frame, reply, expected = {.len = 0};
    arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, peer_ipv4, our_ipv4);
    frame.len = 60; /* padded, as it comes from a wire */
    input(world, &frame);
    assert_true(output(world, &reply));
    put_ethernet(&expected, peer_mac, our_mac, 0x0806);
    put(&expected, (const uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2}, 8);
    put(&expected, our_mac, 6);
    put(&expected, our_ipv4, 4);
    put(&expected, peer_mac, 6);
    put(&expected, peer_ipv4, 4);
    assert_int_equal(reply.len, expected.len);
    assert_memory_equal(reply.at, expected.at, expected.len);
    assert_int_equal(counted(world, COUNTER_ARP_REPLIES), 1);
}

static void an_arp_request_for_another_address_is_ignored(void **state) {
    struct world *world = *state;
    struct bytes frame;
    arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, peer_ipv4, other_ipv4);
    input(world, &frame);
    assert_false(output(world, &frame));
    assert_int_equal(counted(world, COUNTER_ARP_OTHERS), 1);
}

static void an_arp_probe_of_our_address_is_answered(void **state) {
    struct world *world = *state;
    static const uint8_t none[4];
    struct bytes frame, reply;
    arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, none, our_ipv4);
    input(world, &frame);
    assert_true(output(world, &reply));
    assert_memory_equal(reply.at + 38, none, 4);
}

static void an_arp_reply_is_not_answered(void **state) {
    struct world *world = *state;
    struct bytes frame;
    arp_frame(&frame, our_mac, ARP_REPLY, peer_mac, peer_ipv4, our_ipv4);
    input(world, &frame);
    assert_false(output(world, &frame));
}

static void arp_that_is_truncated_at_any_byte_is_dropped(void **state) {
    struct world *world = *state;
    struct bytes frame, reply;
    for (unsigned len = 0; len < 42; len++) {
        arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, peer_ipv4, our_ipv4);
        frame.len = len;
        input(world, &frame);
        assert_false(output(world, &reply));
    }
    assert_int_equal(counted(world, COUNTER_ETHER_TRUNCATED), 14);
    assert_int_equal(counted(world, COUNTER_ARP_MALFORMED), 28);
}

static void arp_from_no_station_is_dropped(void **state) {
    struct world *world = *state;
    const uint8_t senders[][4] = {
        {224, 0, 0, 1}, {255, 255, 255, 255}, {127, 0, 0, 1}, {10, 88, 0, 255}};
    struct bytes frame;
    for (unsigned i = 0; i < 4; i++) {
        arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, senders[i], our_ipv4);
        input(world, &frame);
    }
    arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, peer_ipv4, our_ipv4);
    frame.at[22] = 1; /* sender is a group */
    input(world, &frame);
    assert_false(output(world, &frame));
    assert_int_equal(counted(world, COUNTER_ARP_MALFORMED), 5);
}

static void
another_station_with_our_address_is_counted_and_answered_once_in_ten_seconds(void **state) {
    struct world *world = *state;
    struct bytes frame, announcement;
    uint64_t now = 50000000;
    ether_defend(world->ether, now);
    assert_false(output(world, &announcement));
    for (unsigned i = 0; i < 3; i++) {
        arp_frame(&frame, broadcast_mac, ARP_REQUEST, other_mac, our_ipv4, our_ipv4);
        input(world, &frame);
        ether_defend(world->ether, now + i);
    }
    assert_int_equal(counted(world, COUNTER_ETHER_ADDRESS_CONFLICT), 3);
    assert_true(output(world, &announcement)); /* ARP */
    assert_memory_equal(announcement.at, broadcast_mac, 6);
    assert_memory_equal(announcement.at + 28, our_ipv4, 4);
    assert_true(output(world, &announcement)); /* link-local address */
    assert_true(output(world, &announcement)); /* global address */
    assert_false(output(world, &announcement));
    ether_defend(world->ether, now + 10000000);
    assert_true(output(world, &announcement));
}

static void our_addresses_are_announced_to_all(void **state) {
    struct world *world = *state;
    struct bytes frame;
    ether_announce(world->ether);
    assert_true(output(world, &frame));
    assert_int_equal(frame.len, 42);
    assert_memory_equal(frame.at, broadcast_mac, 6);
    assert_memory_equal(frame.at + 28, our_ipv4, 4);
    assert_memory_equal(frame.at + 38, our_ipv4, 4);
    const uint8_t *addresses[] = {our_link_local, our_ipv6};
    for (unsigned i = 0; i < 2; i++) {
        assert_true(output(world, &frame));
        assert_int_equal(frame.len, 14 + 40 + 32);
        assert_memory_equal(frame.at, ((const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
        assert_int_equal(frame.at[54], 136);
        assert_int_equal(frame.at[58], 0x20); /* override, not solicited */
        assert_memory_equal(frame.at + 62, addresses[i], 16);
        assert_memory_equal(frame.at + 80, our_mac, 6);
    }
    assert_false(output(world, &frame));
}

static void frames_of_others_of_groups_and_our_own_are_dropped_by_name(void **state) {
    struct world *world = *state;
    struct bytes frame;
    tcp_ipv4_frame(&frame, 5000, 4);
    memcpy(frame.at, other_mac, 6);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_OTHER_STATION), 1);
    tcp_ipv4_frame(&frame, 5000, 4);
    frame.at[6] |= 1;
    input(world, &frame);
    memset(frame.at + 6, 0, 6);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_SOURCE_MAC), 2);
    tcp_ipv4_frame(&frame, 5000, 4);
    memcpy(frame.at + 6, our_mac, 6);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_OWN_FRAME), 1);
    tcp_ipv4_frame(&frame, 5000, 4);
    store_be16(frame.at + 12, 0x88cc);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_TYPE), 1);
    assert_int_equal(world->batch.segments_count, 0);
    assert_int_equal(counted(world, COUNTER_ETHER_RX_PACKETS), 5);
}

/* Inserts a tag after the MAC addresses. */
static void tag(struct bytes *frame, unsigned tci) {
    memmove(frame->at + 16, frame->at + 12, frame->len - 12);
    store_be16(frame->at + 12, 0x8100);
    store_be16(frame->at + 14, (uint16_t)tci);
    frame->len += 4;
}

static void only_frames_of_the_configured_vlan_are_taken_and_answers_are_tagged(void **state) {
    struct world *world = *state;
    struct bytes frame, reply;
    tcp_ipv4_frame(&frame, 5000, 4);
    input(world, &frame);
    tag(&frame, 78);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_VLAN), 2);
    assert_int_equal(world->batch.segments_count, 0);
    tcp_ipv4_frame(&frame, 5000, 4);
    tag(&frame, 0xe000 | 77); /* with a priority */
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    struct tcp_segment segment = world->batch.segments[0];
    transmit(world, &segment.tuple, segment.hop, 3);
    assert_true(output(world, &reply));
    assert_int_equal(reply.len, 18 + 20 + 23);
    assert_int_equal(load_be32(reply.at + 12), 0x8100004d);
    assert_int_equal(load_be16(reply.at + 16), 0x0800);
    arp_frame(&frame, broadcast_mac, ARP_REQUEST, peer_mac, peer_ipv4, our_ipv4);
    tag(&frame, 77);
    input(world, &frame);
    assert_true(output(world, &reply));
    assert_int_equal(load_be32(reply.at + 12), 0x8100004d);
    assert_int_equal(load_be16(reply.at + 16), 0x0806);
}

static void a_tag_that_the_device_took_off_counts_like_one_in_the_frame(void **state) {
    struct world *world = *state;
    struct bytes frame;
    for (unsigned vlan = 77; vlan < 79; vlan++) {
        tcp_ipv4_frame(&frame, 5000, 4);
        struct rte_mbuf *mbuf = frame_of(world, &frame);
        mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
        mbuf->vlan_tci = (uint16_t)(0x6000 | vlan);
        batch_free(world);
        ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
        assert_int_equal(world->batch.segments_count, vlan == 77 ? 1 : 0);
    }
    assert_int_equal(counted(world, COUNTER_ETHER_VLAN), 1);
}

static void a_priority_tag_is_no_vlan(void **state) {
    struct world *world = *state;
    struct bytes frame;
    tcp_ipv4_frame(&frame, 5000, 4);
    tag(&frame, 0xa000);
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    tcp_ipv4_frame(&frame, 5000, 4);
    tag(&frame, 5);
    input(world, &frame);
    frame.len = 16; /* in the middle of the tag */
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_VLAN), 1);
    assert_int_equal(counted(world, COUNTER_ETHER_TRUNCATED), 1);
}

static void a_frame_in_two_buffers_is_put_together_if_it_fits_in_one(void **state) {
    struct world *world = *state;
    struct bytes frame, tail = {.len = 0};
    tcp_ipv4_frame(&frame, 5000, 300);
    put(&tail, frame.at + 200, frame.len - 200);
    frame.len = 200;
    struct rte_mbuf *first = frame_of(world, &frame), *second = frame_of(world, &tail);
    assert_int_equal(rte_pktmbuf_chain(first, second), 0);
    ether_input(world->ether, 0, &first, 1, false, &world->batch);
    assert_int_equal(world->batch.segments_count, 1);
    assert_int_equal(world->batch.segments[0].len, 320);
    batch_free(world);

    frame.len = tail.len = 1500;
    first = frame_of(world, &frame);
    second = frame_of(world, &tail);
    assert_int_equal(rte_pktmbuf_chain(first, second), 0);
    ether_input(world->ether, 0, &first, 1, false, &world->batch);
    assert_int_equal(world->batch.segments_count, 0);
    assert_int_equal(counted(world, COUNTER_ETHER_SEGMENTED), 1);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, world_open, world_close)
#define TEST_VLAN(name) cmocka_unit_test_setup_teardown(name, world_open_vlan, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_arp_request_for_our_address_is_answered),
        TEST(an_arp_request_for_another_address_is_ignored),
        TEST(an_arp_probe_of_our_address_is_answered),
        TEST(an_arp_reply_is_not_answered),
        TEST(arp_that_is_truncated_at_any_byte_is_dropped),
        TEST(arp_from_no_station_is_dropped),
        TEST(another_station_with_our_address_is_counted_and_answered_once_in_ten_seconds),
        TEST(our_addresses_are_announced_to_all),
        TEST(frames_of_others_of_groups_and_our_own_are_dropped_by_name),
        TEST_VLAN(only_frames_of_the_configured_vlan_are_taken_and_answers_are_tagged),
        TEST_VLAN(a_tag_that_the_device_took_off_counts_like_one_in_the_frame),
        TEST(a_priority_tag_is_no_vlan),
        TEST(a_frame_in_two_buffers_is_put_together_if_it_fits_in_one),
    };
    return cmocka_run_group_tests_name("link", tests, eal_open, eal_close);
}
