/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4, ICMP, and TCP segments over it. */
#include <rte_mbuf.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether/icmp.h"
#include "tests/unit/ether/world.h"

enum { IP = 14 }; /* offset of the header in a frame */

static void ip_checksum_renew(struct bytes *frame) {
    memset(frame->at + IP + 10, 0, 2);
    store_be16(frame->at + IP + 10, plain_checksum(frame->at + IP, (frame->at[IP] & 15u) * 4, 0));
}

static void echo_frame(struct bytes *frame, unsigned len) {
    frame->len = 0;
    put_ethernet(frame, our_mac, peer_mac, 0x0800);
    put_ipv4(frame, peer_ipv4, our_ipv4, 1, 8 + len);
    unsigned start = frame->len;
    put_32(frame, 0x08000000);
    put_32(frame, 0x12340001);
    for (unsigned i = 0; i < len; i++)
        put_8(frame, i + 1);
    store_be16(frame->at + start + 2, plain_checksum(frame->at + start, 8 + len, 0));
}

static void a_segment_is_handed_up_with_its_tuple_payload_and_hop(void **state) {
    struct world *world = *state;
    struct bytes frame;
    struct tcp_tuple expected = {.remote_port = 40000, .local_port = 1883};
    ipv4_mapped(expected.remote, peer_ipv4);
    ipv4_mapped(expected.local, our_ipv4);
    tcp_ipv4_frame(&frame, 40000, 5);
    frame.len = 60; /* padded to the least length of a frame */
    memset(frame.at + 59, 0xee, 1);
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    const struct tcp_segment *segment = &world->batch.segments[0];
    assert_memory_equal(&segment->tuple, &expected, sizeof expected);
    assert_int_equal(segment->len, 25);
    assert_memory_equal(segment->header, frame.at + IP + 20, 25);
    assert_true(segment->hash == tcp_tuple_hash(&expected, test_flow_key));
    const struct station *station = neighbours_station(world->ether->neighbours, segment->hop);
    assert_memory_equal(station->mac, peer_mac, 6);
}

static void segments_of_every_length_have_their_checksums_verified(void **state) {
    struct world *world = *state;
    struct bytes frame;
    for (unsigned len = 0; len < 70; len++) {
        tcp_ipv4_frame(&frame, 40000, len);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 1);
        frame.at[frame.len - 1] ^= 0x10;
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
    }
    assert_int_equal(counted(world, COUNTER_ETHER_TCP_CHECKSUM), 70);
}

static void what_the_device_says_of_checksums_is_believed(void **state) {
    struct world *world = *state;
    struct bytes frame;
    const uint64_t flags[] = {RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_NONE,
                              RTE_MBUF_F_RX_L4_CKSUM_BAD};
    for (unsigned i = 0; i < 3; i++) {
        tcp_ipv4_frame(&frame, 40000, 5);
        frame.at[frame.len - 1] ^= i < 2; /* bad but said to be good, good but said to be bad */
        struct rte_mbuf *mbuf = frame_of(world, &frame);
        mbuf->ol_flags |= flags[i];
        batch_free(world);
        ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
        assert_int_equal(world->batch.segments_count, i < 2 ? 1 : 0);
    }
    tcp_ipv4_frame(&frame, 40000, 5);
    struct rte_mbuf *mbuf = frame_of(world, &frame);
    mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
    batch_free(world);
    ether_input(world->ether, 0, &mbuf, 1, false, &world->batch);
    assert_int_equal(world->batch.segments_count, 0);
    assert_int_equal(counted(world, COUNTER_IPV4_CHECKSUM), 1);
}

static void a_segment_cut_at_any_byte_is_dropped_and_counted_once(void **state) {
    struct world *world = *state;
    struct bytes frame;
    tcp_ipv4_frame(&frame, 40000, 10);
    unsigned whole = frame.len;
    for (unsigned len = 0; len < whole; len++) {
        frame.len = len;
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
    }
    assert_int_equal(counted(world, COUNTER_ETHER_TRUNCATED), 14);
    assert_int_equal(counted(world, COUNTER_IPV4_MALFORMED), whole - 14);
}

static void a_segment_shorter_than_its_header_is_dropped(void **state) {
    struct world *world = *state;
    struct bytes frame;
    for (unsigned words = 0; words < 16; words++) {
        tcp_ipv4_frame(&frame, 40000, 12); /* 32 bytes: a header of 5 to 8 words fits */
        frame.at[IP + 20 + 12] = (uint8_t)(words << 4);
        set_checksum(&frame, IP + 20, 16, IP + 12, 4, 6);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, words >= 5 && words <= 8 ? 1 : 0);
    }
    for (unsigned len = 0; len < 20; len++) {
        tcp_ipv4_frame(&frame, 40000, 0);
        store_be16(frame.at + IP + 2, (uint16_t)(20 + len));
        ip_checksum_renew(&frame);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
    }
    assert_int_equal(counted(world, COUNTER_ETHER_TCP_MALFORMED), 12 + 20);
}

static void ipv4_options_are_passed_over(void **state) {
    struct world *world = *state;
    struct bytes frame = {.len = 0};
    put_ethernet(&frame, our_mac, peer_mac, 0x0800);
    put_ipv4(&frame, peer_ipv4, our_ipv4, 6, 8 + 20 + 3);
    put_32(&frame, 0x94040000); /* router alert */
    put_32(&frame, 0);
    frame.at[IP] = 0x47;
    ip_checksum_renew(&frame);
    put_tcp(&frame, IP + 12, 4, 40000, 3);
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    assert_int_equal(world->batch.segments[0].len, 23);
    assert_int_equal(load_be16(world->batch.segments[0].header), 40000);
}

static void bad_headers_are_dropped_each_by_its_name(void **state) {
    struct world *world = *state;
    static const struct {
        unsigned offset;
        uint16_t value;
        enum counter counter;
    } cases[] = {
        {0, 0x5500, COUNTER_IPV4_MALFORMED}, /* version 5 */
        {0, 0x4400, COUNTER_IPV4_MALFORMED}, /* header of 16 bytes */
        {2, 19, COUNTER_IPV4_MALFORMED},     /* shorter than its header */
        {2, 46, COUNTER_IPV4_MALFORMED},     /* longer than the frame */
        {2, 0, COUNTER_IPV4_MALFORMED},         {2, 0xffff, COUNTER_IPV4_MALFORMED},
        {6, 0x2000, COUNTER_IPV4_FRAGMENT},     /* first fragment */
        {6, 0x0001, COUNTER_IPV4_FRAGMENT},     /* last fragment */
        {8, 0x4011, COUNTER_IPV4_PROTOCOL},     /* UDP */
        {12, 0x7f00, COUNTER_IPV4_SOURCE},      /* 127.0.0.1 */
        {12, 0xe000, COUNTER_IPV4_SOURCE},      /* 224.0.0.1 */
        {12, 0xffff, COUNTER_IPV4_SOURCE},      /* 255.255.0.1 */
        {12, 0x0000, COUNTER_IPV4_SOURCE},      /* 0.0.0.1 */
        {14, 0x0002, COUNTER_IPV4_SOURCE},      /* ours */
        {14, 0x00ff, COUNTER_IPV4_SOURCE},      /* broadcast of our subnet */
        {18, 0x0003, COUNTER_IPV4_DESTINATION}, /* 10.88.0.3 */
        {18, 0x00ff, COUNTER_IPV4_DESTINATION}, /* broadcast */
        {16, 0xe058, COUNTER_IPV4_DESTINATION}, /* 224.88.0.2 */
    };
    struct bytes frame;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = counted(world, cases[i].counter);
        tcp_ipv4_frame(&frame, 40000, 5);
        store_be16(frame.at + IP + cases[i].offset, cases[i].value);
        ip_checksum_renew(&frame);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
        assert_int_equal(counted(world, cases[i].counter), before + 1);
    }
    tcp_ipv4_frame(&frame, 40000, 5);
    frame.at[IP + 8] ^= 1;
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV4_CHECKSUM), 1);
    tcp_ipv4_frame(&frame, 40000, 5);
    memcpy(frame.at, broadcast_mac, 6);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV4_LINK_BROADCAST), 1);
    assert_int_equal(world->batch.segments_count, 0);
}

static void an_echo_request_of_any_length_is_answered_with_the_same_data(void **state) {
    struct world *world = *state;
    const unsigned lengths[] = {0, 1, 2, 3, 17, 56, 1471, 1472};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bytes frame, reply;
        echo_frame(&frame, lengths[i]);
        unsigned len = frame.len;
        if (frame.len < 60)
            frame.len = 60; /* padding is not echoed */
        input(world, &frame);
        assert_true(output(world, &reply));
        assert_int_equal(reply.len, len);
        assert_memory_equal(reply.at, peer_mac, 6);
        assert_memory_equal(reply.at + 6, our_mac, 6);
        assert_memory_equal(reply.at + IP + 12, our_ipv4, 4);
        assert_memory_equal(reply.at + IP + 16, peer_ipv4, 4);
        assert_int_equal(plain_checksum(reply.at + IP, 20, 0), 0);
        assert_int_equal(reply.at[IP + 20], 0);
        assert_int_equal(plain_checksum(reply.at + IP + 20, len - IP - 20, 0), 0);
        assert_memory_equal(reply.at + IP + 24, frame.at + IP + 24, len - IP - 24);
    }
}

static void only_so_many_echoes_of_a_burst_are_answered(void **state) {
    struct world *world = *state;
    struct rte_mbuf *mbufs[ETHER_BURST];
    struct bytes frame;
    echo_frame(&frame, 10);
    for (unsigned i = 0; i < ETHER_BURST; i++)
        mbufs[i] = frame_of(world, &frame);
    ether_input(world->ether, 0, mbufs, ETHER_BURST, false, &world->batch);
    assert_int_equal(counted(world, COUNTER_ICMP_ECHOES), ICMP_ECHOES_PER_BURST);
    assert_int_equal(counted(world, COUNTER_ICMP_LIMITED), ETHER_BURST - ICMP_ECHOES_PER_BURST);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ICMP_ECHOES), ICMP_ECHOES_PER_BURST + 1);
}

static void icmp_that_is_bad_or_of_no_use_is_not_answered(void **state) {
    struct world *world = *state;
    struct bytes frame;
    echo_frame(&frame, 9);
    frame.at[frame.len - 1] ^= 1;
    input(world, &frame);
    echo_frame(&frame, 0);
    store_be16(frame.at + IP + 2, 27);
    ip_checksum_renew(&frame);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ICMP_MALFORMED), 2);
    const uint8_t types[] = {0, 4, 5, 13}; /* 4: source quench, RFC 6633 */
    for (unsigned i = 0; i < 4; i++) {
        echo_frame(&frame, 9);
        frame.at[IP + 20] = types[i];
        memset(frame.at + IP + 22, 0, 2);
        store_be16(frame.at + IP + 22, plain_checksum(frame.at + IP + 20, 17, 0));
        input(world, &frame);
    }
    assert_int_equal(counted(world, COUNTER_ICMP_IGNORED), 4);
    assert_false(output(world, &frame));
}

static void a_segment_sent_is_a_good_frame_byte_by_byte(void **state) {
    struct world *world = *state;
    struct bytes frame, sent;
    tcp_ipv4_frame(&frame, 40000, 1);
    input(world, &frame);
    struct tcp_segment segment = world->batch.segments[0];
    for (unsigned len = 0; len < 5; len++) {
        transmit(world, &segment.tuple, segment.hop, len);
        assert_true(output(world, &sent));
        assert_int_equal(sent.len, 14 + 20 + 20 + len);
        assert_memory_equal(sent.at, peer_mac, 6);
        assert_memory_equal(sent.at + 6, our_mac, 6);
        assert_int_equal(load_be16(sent.at + 12), 0x0800);
        assert_int_equal(load_be32(sent.at + IP), 0x45000000 | (40 + len));
        assert_int_equal(load_be32(sent.at + IP + 4), 0x00004000);
        assert_int_equal(load_be16(sent.at + IP + 8), 0x4006);
        assert_memory_equal(sent.at + IP + 12, our_ipv4, 4);
        assert_memory_equal(sent.at + IP + 16, peer_ipv4, 4);
        assert_int_equal(plain_checksum(sent.at + IP, 20, 0), 0);
        assert_int_equal(load_be16(sent.at + IP + 20), 1883);
        uint32_t pseudo = 6 + 20 + len + 0x0a58 + 2 + 0x0a58 + 1;
        assert_int_equal(plain_checksum(sent.at + IP + 20, 20 + len, pseudo), 0);
    }
}

static void checksums_are_left_to_a_device_that_makes_them(void **state) {
    struct world *world = *state;
    struct bytes frame, sent;
    tcp_ipv4_frame(&frame, 40000, 1);
    input(world, &frame);
    struct tcp_segment segment = world->batch.segments[0];
    world->port.offloads |= PORT_TX_IPV4_CHECKSUM | PORT_TX_TCP_CHECKSUM;
    transmit(world, &segment.tuple, segment.hop, 3);
    struct tx *tx = &world->ether->interfaces[0].tx;
    const struct rte_mbuf *mbuf = tx->frames[tx->start];
    assert_true(mbuf->ol_flags & RTE_MBUF_F_TX_IPV4);
    assert_true(mbuf->ol_flags & RTE_MBUF_F_TX_IP_CKSUM);
    assert_true((mbuf->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM);
    assert_int_equal(mbuf->l2_len, 14);
    assert_int_equal(mbuf->l3_len, 20);
    assert_int_equal(mbuf->l4_len, 20);
    assert_true(output(world, &sent));
    assert_int_equal(load_be16(sent.at + IP + 10), 0);
    assert_int_equal(load_be16(sent.at + IP + 20 + 16), 6 + 23 + 0x0a58 + 2 + 0x0a58 + 1);
}

static void a_segment_longer_than_the_mtu_is_not_sent(void **state) {
    struct world *world = *state;
    struct bytes frame, sent;
    tcp_ipv4_frame(&frame, 40000, 1);
    input(world, &frame);
    struct tcp_segment segment = world->batch.segments[0];
    transmit(world, &segment.tuple, segment.hop, 1460);
    assert_true(output(world, &sent));
    transmit(world, &segment.tuple, segment.hop, 1461);
    assert_false(output(world, &sent));
    void *none;
    const struct tcp_link *link = ether_tcp_link(world->ether);
    assert_null(link->frame(link->link, 2500, &none));
    assert_int_equal(counted(world, COUNTER_ETHER_TOO_LONG), 2);
}

static void without_buffers_nothing_is_sent_and_all_of_it_counted(void **state) {
    struct world *world = *state;
    struct rte_mbuf *all[4096];
    struct bytes frame;
    unsigned taken = 0;
    void *none;
    while (taken < 4096 && (all[taken] = rte_pktmbuf_alloc(mempool)) != NULL)
        taken++;
    const struct tcp_link *link = ether_tcp_link(world->ether);
    assert_null(link->frame(link->link, 20, &none));
    ether_announce(world->ether);
    assert_int_equal(counted(world, COUNTER_ETHER_NO_BUFFER), 4);
    while (taken > 0)
        rte_pktmbuf_free(all[--taken]);
    assert_false(output(world, &frame));
    assert_non_null(link->frame(link->link, 20, &none));
    rte_pktmbuf_free(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_segment_is_handed_up_with_its_tuple_payload_and_hop),
        TEST(segments_of_every_length_have_their_checksums_verified),
        TEST(what_the_device_says_of_checksums_is_believed),
        TEST(a_segment_cut_at_any_byte_is_dropped_and_counted_once),
        TEST(a_segment_shorter_than_its_header_is_dropped),
        TEST(ipv4_options_are_passed_over),
        TEST(bad_headers_are_dropped_each_by_its_name),
        TEST(an_echo_request_of_any_length_is_answered_with_the_same_data),
        TEST(only_so_many_echoes_of_a_burst_are_answered),
        TEST(icmp_that_is_bad_or_of_no_use_is_not_answered),
        TEST(a_segment_sent_is_a_good_frame_byte_by_byte),
        TEST(checksums_are_left_to_a_device_that_makes_them),
        TEST(a_segment_longer_than_the_mtu_is_not_sent),
        TEST(without_buffers_nothing_is_sent_and_all_of_it_counted),
    };
    return cmocka_run_group_tests_name("ipv4", tests, eal_open, eal_close);
}
