/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6, ICMPv6, neighbour discovery, and TCP segments over it. */
#include "dataplane/base/bytes.h"
#include "tests/unit/ether/world.h"

enum { IP = 14, PAYLOAD = IP + 40, ADDRESSES = IP + 8 }; /* offsets in a frame */

static const uint8_t unspecified[16], all_nodes[16] = {0xff, 2, [15] = 1},
                                      peer_link_local[16] = {0xfe, 0x80, [15] = 1};
static const uint8_t solicited_mac[6] = {0x33, 0x33, 0xff, 0, 0, 2},
                     all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

/* An ICMPv6 message of type, code 0, `body` after the checksum. */
static void icmpv6_frame(struct bytes *frame, const uint8_t mac[6], const uint8_t from[16],
                         const uint8_t to[16], unsigned type, const struct bytes *body) {
    frame->len = 0;
    put_ethernet(frame, mac, peer_mac, 0x86dd);
    put_ipv6(frame, from, to, 58, 4 + body->len);
    put_8(frame, type);
    put_8(frame, 0);
    put_16(frame, 0);
    put(frame, body->at, body->len);
    set_checksum(frame, PAYLOAD, 2, ADDRESSES, 16, 58);
}

static void solicitation(struct bytes *frame, const uint8_t mac[6], const uint8_t from[16],
                         const uint8_t to[16], const uint8_t target[16], bool with_mac) {
    struct bytes body = {.len = 0};
    put_32(&body, 0);
    put(&body, target, 16);
    if (with_mac) {
        put_16(&body, 0x0101);
        put(&body, peer_mac, 6);
    }
    icmpv6_frame(frame, mac, from, to, 135, &body);
}

static bool checksum_is_good(const struct bytes *frame, unsigned protocol) {
    uint32_t sum = frame->len - PAYLOAD + protocol;
    for (unsigned i = 0; i < 32; i += 2)
        sum += load_be16(frame->at + ADDRESSES + i);
    return plain_checksum(frame->at + PAYLOAD, frame->len - PAYLOAD, sum) == 0;
}

static void assert_advertises(const struct bytes *frame, const uint8_t target[16],
                              const uint8_t to[16], const uint8_t mac[6], unsigned flags) {
    assert_int_equal(frame->len, PAYLOAD + 32);
    assert_memory_equal(frame->at, mac, 6);
    assert_memory_equal(frame->at + 6, our_mac, 6);
    assert_int_equal(frame->at[IP + 7], 255);
    assert_memory_equal(frame->at + IP + 8, target, 16);
    assert_memory_equal(frame->at + IP + 24, to, 16);
    assert_int_equal(frame->at[PAYLOAD], 136);
    assert_int_equal(frame->at[PAYLOAD + 4], flags);
    assert_memory_equal(frame->at + PAYLOAD + 8, target, 16);
    assert_int_equal(load_be16(frame->at + PAYLOAD + 24), 0x0201);
    assert_memory_equal(frame->at + PAYLOAD + 26, our_mac, 6);
    assert_true(checksum_is_good(frame, 58));
}

static void a_solicitation_of_either_address_is_answered(void **state) {
    struct world *world = *state;
    const uint8_t *targets[] = {our_ipv6, our_link_local};
    struct bytes frame, reply;
    for (unsigned i = 0; i < 2; i++) {
        solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, targets[i], true);
        input(world, &frame);
        assert_true(output(world, &reply));
        assert_advertises(&reply, targets[i], peer_ipv6, peer_mac, 0x60);
        solicitation(&frame, our_mac, peer_link_local, targets[i], targets[i], false);
        input(world, &frame);
        assert_true(output(world, &reply));
        assert_advertises(&reply, targets[i], peer_link_local, peer_mac, 0x60);
    }
    assert_int_equal(counted(world, COUNTER_ND_REPLIES), 4);
}

static void duplicate_address_detection_is_answered_to_all_nodes(void **state) {
    struct world *world = *state;
    struct bytes frame, reply;
    solicitation(&frame, solicited_mac, unspecified, our_solicited_node, our_ipv6, false);
    input(world, &frame);
    assert_true(output(world, &reply));
    assert_advertises(&reply, our_ipv6, all_nodes, all_nodes_mac, 0x20);
}

static void solicitations_that_break_a_rule_are_dropped(void **state) {
    struct world *world = *state;
    static const uint8_t group[16] = {0xff, 2, [15] = 9};
    struct bytes frame;
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    frame.at[IP + 7] = 254; /* came through a router */
    input(world, &frame);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    frame.at[PAYLOAD + 25] = 0; /* an option of no length */
    set_checksum(&frame, PAYLOAD, 2, ADDRESSES, 16, 58);
    input(world, &frame);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    frame.at[PAYLOAD + 25] = 2; /* an option past the end */
    set_checksum(&frame, PAYLOAD, 2, ADDRESSES, 16, 58);
    input(world, &frame);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    frame.at[PAYLOAD + 1] = 1; /* code */
    set_checksum(&frame, PAYLOAD, 2, ADDRESSES, 16, 58);
    input(world, &frame);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, group, true);
    input(world, &frame);
    solicitation(&frame, solicited_mac, unspecified, our_solicited_node, our_ipv6, true);
    input(world, &frame); /* the unspecified address has no MAC address */
    solicitation(&frame, our_mac, unspecified, our_ipv6, our_ipv6, false);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ND_MALFORMED), 7);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, peer_ipv6, true);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ND_OTHERS), 1);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    frame.at[PAYLOAD + 30] ^= 1;
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ICMP_MALFORMED), 1);
    assert_false(output(world, &frame));
}

static void a_solicitation_cut_at_any_byte_is_not_answered(void **state) {
    struct world *world = *state;
    struct bytes whole, frame;
    solicitation(&whole, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    for (unsigned len = 0; len < whole.len; len++) {
        frame = whole;
        frame.len = len;
        input(world, &frame);
        if (len <= PAYLOAD)
            continue;
        store_be16(frame.at + IP + 4, (uint16_t)(len - PAYLOAD)); /* and with a length that fits */
        if (len >= PAYLOAD + 4)
            set_checksum(&frame, PAYLOAD, 2, ADDRESSES, 16, 58);
        if (len != PAYLOAD + 24) /* that is a good one without its option */
            input(world, &frame);
        assert_false(output(world, &frame));
    }
}

static void an_advertisement_of_our_address_by_another_is_a_conflict(void **state) {
    struct world *world = *state;
    struct bytes frame, body = {.len = 0};
    put_32(&body, 0x20000000);
    put(&body, our_ipv6, 16);
    put_16(&body, 0x0201);
    put(&body, peer_mac, 6);
    icmpv6_frame(&frame, all_nodes_mac, peer_ipv6, all_nodes, 136, &body);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_ADDRESS_CONFLICT), 1);
    ether_defend(world->ether, 20000000);
    assert_true(output(world, &frame));
}

static void echo_requests_are_answered_from_the_address_they_went_to(void **state) {
    struct world *world = *state;
    const uint8_t *to[] = {our_ipv6, our_link_local, all_nodes};
    const uint8_t *from[] = {peer_ipv6, peer_link_local, peer_link_local};
    const uint8_t *answers_from[] = {our_ipv6, our_link_local, our_link_local};
    for (unsigned len = 0; len < 40; len++) {
        for (unsigned i = 0; i < 3; i++) {
            struct bytes frame, reply, body = {.len = 0};
            put_32(&body, 0x00070001);
            for (unsigned j = 0; j < len; j++)
                put_8(&body, 200 + j);
            icmpv6_frame(&frame, i == 2 ? all_nodes_mac : our_mac, from[i], to[i], 128, &body);
            input(world, &frame);
            assert_true(output(world, &reply));
            assert_int_equal(reply.len, frame.len);
            assert_int_equal(reply.at[PAYLOAD], 129);
            assert_memory_equal(reply.at + IP + 8, answers_from[i], 16);
            assert_memory_equal(reply.at + IP + 24, from[i], 16);
            assert_memory_equal(reply.at + PAYLOAD + 4, body.at, body.len);
            assert_true(checksum_is_good(&reply, 58));
        }
    }
}

static void router_and_listener_messages_are_ignored(void **state) {
    struct world *world = *state;
    struct bytes frame, body = {.len = 20};
    memset(body.at, 0, 20);
    const uint8_t types[] = {5, 100, 130, 133, 137};
    for (unsigned i = 0; i < sizeof types; i++) {
        icmpv6_frame(&frame, all_nodes_mac, peer_link_local, all_nodes, types[i], &body);
        input(world, &frame);
    }
    assert_int_equal(counted(world, COUNTER_ICMP_IGNORED), sizeof types);
    assert_false(output(world, &frame));
}

static void a_segment_over_ipv6_goes_up_and_its_answer_down(void **state) {
    struct world *world = *state;
    struct bytes frame, sent;
    for (unsigned len = 0; len < 20; len++) {
        tcp_ipv6_frame(&frame, 40000, len);
        frame.len += 3; /* padding */
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 1);
        struct tcp_segment segment = world->batch.segments[0];
        assert_memory_equal(segment.tuple.remote, peer_ipv6, 16);
        assert_memory_equal(segment.tuple.local, our_ipv6, 16);
        assert_int_equal(segment.tuple.remote_port, 40000);
        assert_int_equal(segment.len, 20 + len);
        transmit(world, &segment.tuple, segment.hop, len);
        assert_true(output(world, &sent));
        assert_int_equal(sent.len, PAYLOAD + 20 + len);
        assert_int_equal(load_be16(sent.at + 12), 0x86dd);
        assert_int_equal(load_be32(sent.at + IP), 0x60000000);
        assert_int_equal(load_be16(sent.at + IP + 4), 20 + len);
        assert_int_equal(load_be16(sent.at + IP + 6), 0x0640);
        assert_memory_equal(sent.at + IP + 8, our_ipv6, 16);
        assert_memory_equal(sent.at + IP + 24, peer_ipv6, 16);
        assert_true(checksum_is_good(&sent, 6));
    }
    tcp_ipv6_frame(&frame, 40000, 9);
    frame.at[IP + 8] ^= 1;
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_ETHER_TCP_CHECKSUM), 1);
}

static void a_segment_cut_at_any_byte_is_dropped(void **state) {
    struct world *world = *state;
    struct bytes frame;
    tcp_ipv6_frame(&frame, 40000, 10);
    unsigned whole = frame.len;
    for (unsigned len = 0; len < whole; len++) {
        frame.len = len;
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
    }
    assert_int_equal(counted(world, COUNTER_IPV6_MALFORMED), whole - 14);
}

static void bad_addresses_are_dropped_each_by_its_name(void **state) {
    struct world *world = *state;
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 88, 0, 1};
    const uint8_t *sources[] = {loopback, mapped, all_nodes, our_ipv6, our_link_local, unspecified};
    struct bytes frame;
    for (unsigned i = 0; i < 6; i++) {
        tcp_ipv6_frame(&frame, 40000, 4);
        memcpy(frame.at + IP + 8, sources[i], 16);
        set_checksum(&frame, PAYLOAD, 16, ADDRESSES, 16, 6);
        input(world, &frame);
    }
    assert_int_equal(counted(world, COUNTER_IPV6_SOURCE), 6);
    const uint8_t *destinations[] = {peer_ipv6, all_nodes, our_solicited_node};
    for (unsigned i = 0; i < 3; i++) {
        tcp_ipv6_frame(&frame, 40000, 4);
        memcpy(frame.at + IP + 24, destinations[i], 16);
        set_checksum(&frame, PAYLOAD, 16, ADDRESSES, 16, 6);
        input(world, &frame);
    }
    assert_int_equal(counted(world, COUNTER_IPV6_DESTINATION), 3);
    tcp_ipv6_frame(&frame, 40000, 4);
    memcpy(frame.at, all_nodes_mac, 6);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV6_LINK_MULTICAST), 1);
    tcp_ipv6_frame(&frame, 40000, 4);
    frame.at[IP] = 0x40;
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV6_MALFORMED), 1);
    tcp_ipv6_frame(&frame, 40000, 4);
    frame.at[IP + 6] = 17;
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV6_PROTOCOL), 1);
}

/* A segment behind extension headers: pairs of type and length in units of 8 bytes less one, of
 * which the first fills one PadN option. */
static void extended_frame(struct bytes *frame, const uint8_t *chain, unsigned headers) {
    unsigned total = 0;
    for (unsigned i = 0; i < headers; i++)
        total += 8u * chain[2 * i + 1] + 8;
    frame->len = 0;
    put_ethernet(frame, our_mac, peer_mac, 0x86dd);
    put_ipv6(frame, peer_ipv6, our_ipv6, chain[0], total + 20);
    for (unsigned i = 0; i < headers; i++) {
        unsigned len = 8u * chain[2 * i + 1] + 8;
        put_8(frame, i + 1 < headers ? chain[2 * i + 2] : 6);
        put_8(frame, chain[2 * i + 1]);
        for (unsigned left = len - 2; left > 0;) { /* PadN options */
            unsigned option = left > 200 ? 200 : left;
            put_8(frame, option == 1 ? 0 : 1);
            if (option > 1)
                put_8(frame, option - 2);
            for (unsigned j = 2; j < option; j++)
                put_8(frame, 0);
            left -= option;
        }
    }
    put_tcp(frame, ADDRESSES, 16, 40000, 0);
    set_checksum(frame, frame->len - 20, 16, ADDRESSES, 16, 6);
}

static void hop_by_hop_and_destination_options_are_passed_over(void **state) {
    struct world *world = *state;
    const uint8_t chains[][6] = {{0, 0}, {60, 0}, {0, 1, 60, 0}, {0, 2, 60, 3, 60, 0}, {60, 31}};
    const unsigned headers[] = {1, 1, 2, 3, 1};
    struct bytes frame;
    for (unsigned i = 0; i < 5; i++) {
        extended_frame(&frame, chains[i], headers[i]);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 1);
        assert_int_equal(world->batch.segments[0].len, 20);
    }
}

static void other_extension_chains_are_dropped_each_by_its_name(void **state) {
    struct world *world = *state;
    static const struct {
        uint8_t chain[10];
        unsigned headers;
        enum counter counter;
    } cases[] = {
        {{44, 0}, 1, COUNTER_IPV6_FRAGMENT},
        {{0, 0, 44, 0}, 2, COUNTER_IPV6_FRAGMENT},
        {{43, 0}, 1, COUNTER_IPV6_EXTENSION},       /* routing */
        {{51, 0}, 1, COUNTER_IPV6_EXTENSION},       /* authentication */
        {{60, 0, 0, 0}, 2, COUNTER_IPV6_EXTENSION}, /* hop-by-hop not first */
        {{60, 0, 60, 0, 60, 0, 60, 0, 60, 0}, 5, COUNTER_IPV6_EXTENSION},
        {{60, 32}, 1, COUNTER_IPV6_EXTENSION}, /* more than 256 bytes */
        {{0, 16, 60, 16}, 2, COUNTER_IPV6_EXTENSION},
        {{59, 0}, 1, COUNTER_IPV6_PROTOCOL}, /* nothing follows */
    };
    struct bytes frame;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = counted(world, cases[i].counter);
        extended_frame(&frame, cases[i].chain, cases[i].headers);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
        assert_int_equal(counted(world, cases[i].counter), before + 1);
    }
}

static void extension_headers_and_options_stay_inside_the_packet(void **state) {
    struct world *world = *state;
    struct bytes frame;
    const uint8_t chain[] = {60, 1};
    extended_frame(&frame, chain, 1);
    frame.at[PAYLOAD + 1] = 5; /* 48 bytes of 36 */
    input(world, &frame);
    extended_frame(&frame, chain, 1);
    frame.at[PAYLOAD + 3] = 13; /* an option past its header */
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV6_MALFORMED), 2);
    for (unsigned payload = 0; payload < 36; payload++) {
        extended_frame(&frame, chain, 1);
        store_be16(frame.at + IP + 4, (uint16_t)payload);
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, 0);
    }
}

static void an_unknown_option_is_skipped_or_drops_the_packet_as_it_says(void **state) {
    struct world *world = *state;
    struct bytes frame;
    const uint8_t chain[] = {60, 0}, options[] = {0x1e, 0x5e, 0x9e, 0xde};
    for (unsigned i = 0; i < 4; i++) {
        extended_frame(&frame, chain, 1);
        frame.at[PAYLOAD + 2] = options[i];
        input(world, &frame);
        assert_int_equal(world->batch.segments_count, i == 0 ? 1 : 0);
    }
    assert_int_equal(counted(world, COUNTER_IPV6_OPTION), 3);
}

static void a_port_without_an_ipv6_address_takes_no_ipv6(void **state) {
    struct world *world = *state;
    struct bytes frame;
    world->config.address6 = NULL;
    world_reopen_ether(world, 0, 1);
    tcp_ipv6_frame(&frame, 40000, 4);
    memset(frame.at + IP + 24, 0, 16);
    input(world, &frame);
    solicitation(&frame, solicited_mac, peer_ipv6, our_solicited_node, our_ipv6, true);
    input(world, &frame);
    assert_int_equal(counted(world, COUNTER_IPV6_DESTINATION), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_solicitation_of_either_address_is_answered),
        TEST(duplicate_address_detection_is_answered_to_all_nodes),
        TEST(solicitations_that_break_a_rule_are_dropped),
        TEST(a_solicitation_cut_at_any_byte_is_not_answered),
        TEST(an_advertisement_of_our_address_by_another_is_a_conflict),
        TEST(echo_requests_are_answered_from_the_address_they_went_to),
        TEST(router_and_listener_messages_are_ignored),
        TEST(a_segment_over_ipv6_goes_up_and_its_answer_down),
        TEST(a_segment_cut_at_any_byte_is_dropped),
        TEST(bad_addresses_are_dropped_each_by_its_name),
        TEST(hop_by_hop_and_destination_options_are_passed_over),
        TEST(other_extension_chains_are_dropped_each_by_its_name),
        TEST(extension_headers_and_options_stay_inside_the_packet),
        TEST(an_unknown_option_is_skipped_or_drops_the_packet_as_it_says),
        TEST(a_port_without_an_ipv6_address_takes_no_ipv6),
    };
    return cmocka_run_group_tests_name("ipv6", tests, eal_open, eal_close);
}
