/* SPDX-License-Identifier: Apache-2.0 */
/* Routers: what they advertise, and when a segment is sent through one. */
#include "dataplane/base/bytes.h"
#include "dataplane/ether/routers.h"
#include "tests/unit/ether/world.h"

enum { IP = 14, MESSAGE = IP + 40, PORT = 40000, HOUR = 3600 };

static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t router_mac[6] = {2, 0, 0, 0, 0, 0x11}, standby_mac[6] = {2, 0, 0, 0, 0, 0x12},
                     gateway_mac[6] = {2, 0, 0, 0, 0, 0x13};
static const uint8_t router[16] = {0xfe, 0x80, [15] = 0x11},
                     standby[16] = {0xfe, 0x80, [15] = 0x12};
static const uint8_t gateway_ipv4[4] = {10, 88, 0, 9}, gateway_ipv6[16] = {0xfd, 0x88, [15] = 9};
static const uint8_t far_ipv6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 7};
static const uint8_t far_ipv4[4] = {192, 0, 2, 7};

static int open_accepting(void **state) {
    world_open(state);
    struct world *world = *state;
    world->config.router_advertisements = true;
    world_reopen_ether(world, 0, 1);
    return 0;
}

static int open_with_gateways(void **state) {
    world_open(state);
    struct world *world = *state;
    world->config.gateway = "10.88.0.9";
    world->config.gateway6 = "fd88::9";
    world_reopen_ether(world, 0, 1);
    return 0;
}

/* Hop limit 60 and the lifetime in seconds; MTU 0: not told. */
static void advertisement(struct bytes *frame, const uint8_t mac[6], const uint8_t from[16],
                          unsigned lifetime, uint32_t mtu, bool with_mac) {
    frame->len = 0;
    put_ethernet(frame, all_nodes_mac, mac, 0x86dd);
    put_ipv6(frame, from, all_nodes, 58, 16 + (with_mac ? 8 : 0) + (mtu ? 8 : 0));
    put_32(frame, 134u << 24);
    put_8(frame, 60);
    put_8(frame, 0);
    put_16(frame, lifetime);
    put_32(frame, 0);
    put_32(frame, 0);
    if (with_mac) {
        put_16(frame, 0x0101);
        put(frame, mac, 6);
    }
    if (mtu) {
        put_16(frame, 0x0501);
        put_16(frame, 0);
        put_32(frame, mtu);
    }
    set_checksum(frame, MESSAGE, 2, IP + 8, 16, 58);
}

static void advertise(struct world *world, const uint8_t mac[6], const uint8_t from[16],
                      unsigned lifetime) {
    struct bytes frame;
    advertisement(&frame, mac, from, lifetime, 0, true);
    input(world, &frame);
}

static struct tcp_tuple far_tuple(bool ipv6) {
    struct tcp_tuple tuple = {.remote_port = PORT, .local_port = 1883};
    if (ipv6) {
        memcpy(tuple.remote, far_ipv6, 16);
        memcpy(tuple.local, our_ipv6, 16);
    } else {
        ipv4_mapped(tuple.remote, far_ipv4);
        ipv4_mapped(tuple.local, our_ipv4);
    }
    return tuple;
}

/* Where a segment for the far peer goes that came from a hop that is not known any more; NULL:
 * nowhere. */
static const uint8_t *way_of(struct world *world, uint32_t hop, bool ipv6) {
    static struct bytes sent;
    struct tcp_tuple tuple = far_tuple(ipv6);
    transmit(world, &tuple, hop, 10);
    return output(world, &sent) ? sent.at : NULL;
}

static void goes_to(struct world *world, const uint8_t mac[6]) {
    const uint8_t *to = way_of(world, 0, true);
    assert_non_null(to);
    assert_memory_equal(to, mac, 6);
}

static void replies_go_where_segments_came_from_whatever_routers_say(void **state) {
    struct world *world = *state;
    struct bytes frame, sent;
    advertise(world, router_mac, router, HOUR);
    tcp_ipv6_frame(&frame, PORT, 3);
    memcpy(frame.at + IP + 8, far_ipv6, 16);
    set_checksum(&frame, MESSAGE, 16, IP + 8, 16, 6);
    input(world, &frame);
    assert_int_equal(world->batch.segments_count, 1);
    struct tcp_segment segment = world->batch.segments[0];
    transmit(world, &segment.tuple, segment.hop, 3);
    assert_true(output(world, &sent));
    assert_memory_equal(sent.at, peer_mac, 6);
    assert_int_equal(counted(world, COUNTER_ETHER_ROUTED), 0);
}

static void a_forgotten_way_is_replaced_by_a_router_that_advertised_itself(void **state) {
    struct world *world = *state;
    assert_null(way_of(world, 0, true));
    assert_int_equal(counted(world, COUNTER_ETHER_HOP_GONE), 1);
    advertise(world, router_mac, router, HOUR);
    goes_to(world, router_mac);
    assert_int_equal(counted(world, COUNTER_ETHER_ROUTED), 1);
    assert_int_equal(counted(world, COUNTER_ND_ROUTERS), 1);
    /* Not for peers on the link, and not for IPv4. */
    struct tcp_tuple near_tuple = far_tuple(true);
    memcpy(near_tuple.remote, peer_ipv6, 16);
    transmit(world, &near_tuple, 0, 1);
    assert_null(way_of(world, 0, false));
    assert_int_equal(counted(world, COUNTER_ETHER_HOP_GONE), 3);
}

static void without_its_option_a_router_is_where_its_frame_came_from(void **state) {
    struct world *world = *state;
    struct bytes frame;
    advertisement(&frame, router_mac, router, HOUR, 0, false);
    input(world, &frame);
    goes_to(world, router_mac);
}

/* Segments sent through a router; solicitations that are sent meanwhile do not count. */
static bool routed(struct world *world) {
    uint64_t before = counted(world, COUNTER_ETHER_ROUTED);
    way_of(world, 0, true);
    return counted(world, COUNTER_ETHER_ROUTED) > before;
}

static void a_lifetime_ends_and_is_renewed(void **state) {
    struct world *world = *state;
    advertise(world, router_mac, router, 10);
    ether_ask(world->ether, 9999999);
    assert_true(routed(world));
    advertise(world, router_mac, router, 10);
    ether_ask(world->ether, 19999998);
    assert_true(routed(world));
    ether_ask(world->ether, 19999999);
    assert_false(routed(world));
}

/* RFC 4861 6.3.4, 6.3.6: its connections move to the other. */
static void a_router_that_resigns_hands_its_connections_over(void **state) {
    struct world *world = *state;
    struct bytes frame;
    advertise(world, router_mac, router, HOUR);
    tcp_ipv6_frame(&frame, PORT, 3);
    memcpy(frame.at + 6, router_mac, 6);
    input(world, &frame);
    uint32_t hop = world->batch.segments[0].hop;
    /* Alone, it stays the way. */
    advertise(world, router_mac, router, 0);
    assert_memory_equal(way_of(world, hop, true), router_mac, 6);
    advertise(world, router_mac, router, HOUR);
    advertise(world, standby_mac, standby, HOUR);
    assert_memory_equal(way_of(world, hop, true), router_mac, 6);
    advertise(world, router_mac, router, 0);
    assert_memory_equal(way_of(world, hop, true), standby_mac, 6);
    /* What comes from it after all is answered there. */
    input(world, &frame);
    assert_int_not_equal(world->batch.segments[0].hop, hop);
    assert_memory_equal(way_of(world, world->batch.segments[0].hop, true), router_mac, 6);
}

static void more_routers_than_places_replace_the_one_that_ends_first(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < INTERFACE_ROUTERS_MAX + 1; i++) {
        uint8_t mac[6] = {2, 0, 0, 0, 1, (uint8_t)i}, address[16] = {0xfe, 0x80, [15] = (uint8_t)i};
        advertise(world, mac, address, i == 2 ? 10 : HOUR);
    }
    const struct interface *interface = &world->ether->interfaces[0];
    for (unsigned i = 0; i < INTERFACE_ROUTERS_MAX; i++)
        assert_int_not_equal(interface->routers[i].address[15], 2);
}

static void an_advertisement_that_breaks_a_rule_is_dropped(void **state) {
    struct world *world = *state;
    struct bytes frame;
    const struct {
        unsigned at;
        uint8_t value;
    } cases[] = {
        {IP + 7, 254},     /* came through a router */
        {IP + 8, 0x20},    /* not from a link-local address */
        {MESSAGE + 1, 1},  /* code */
        {MESSAGE + 17, 0}, /* an option without length */
        {MESSAGE + 17, 3}, /* and one beyond the end */
        {MESSAGE + 18, 3}, /* a group's MAC address */
    };
    unsigned count = sizeof cases / sizeof *cases;
    for (unsigned i = 0; i < count; i++) {
        advertisement(&frame, router_mac, router, HOUR, 0, true);
        frame.at[cases[i].at] = cases[i].value;
        set_checksum(&frame, MESSAGE, 2, IP + 8, 16, 58);
        input(world, &frame);
    }
    for (unsigned len = 8; len < 24; len++) {
        advertisement(&frame, router_mac, router, HOUR, 0, true);
        if (len == 16)
            continue; /* it ends before the option */
        frame.len = MESSAGE + len;
        store_be16(frame.at + IP + 4, len);
        set_checksum(&frame, MESSAGE, 2, IP + 8, 16, 58);
        input(world, &frame);
    }
    assert_int_equal(counted(world, COUNTER_ND_MALFORMED), count + 15);
    assert_null(way_of(world, 0, true));
}

static void advertisements_are_not_taken_when_the_configuration_says_so(void **state) {
    struct world *world = *state;
    advertise(world, router_mac, router, HOUR);
    assert_int_equal(counted(world, COUNTER_ND_ROUTER_IGNORED), 1);
    assert_null(way_of(world, 0, true));
}

static void the_hop_limit_is_taken_unless_it_would_cut_us_off(void **state) {
    struct world *world = *state;
    struct bytes frame, sent;
    advertise(world, router_mac, router, HOUR);
    struct tcp_tuple tuple = far_tuple(true);
    transmit(world, &tuple, 0, 1);
    assert_true(output(world, &sent));
    assert_int_equal(sent.at[IP + 7], 60);
    const uint8_t ignored[] = {0, 1, 31};
    for (unsigned i = 0; i < 3; i++) {
        advertisement(&frame, router_mac, router, HOUR, 0, true);
        frame.at[MESSAGE + 4] = ignored[i];
        set_checksum(&frame, MESSAGE, 2, IP + 8, 16, 58);
        input(world, &frame);
        transmit(world, &tuple, 0, 1);
        assert_true(output(world, &sent));
        assert_int_equal(sent.at[IP + 7], 60);
    }
}

static void a_smaller_mtu_of_the_link_is_told_to_tcp_like_a_router_s(void **state) {
    struct world *world = *state;
    struct bytes frame;
    struct tcp_icmp error;
    struct tcp_tuple tuple = far_tuple(true);
    const uint32_t refused[] = {1279, 1501, 68};
    for (unsigned i = 0; i < 3; i++) {
        advertisement(&frame, router_mac, router, HOUR, refused[i], true);
        input(world, &frame);
        assert_int_equal(world->ether->interfaces[0].mtu6, 1500);
    }
    advertisement(&frame, router_mac, router, HOUR, 1400, true);
    input(world, &frame);
    transmit(world, &tuple, 0, 1340);
    assert_true(output(world, &frame));
    assert_false(ether_too_big(world->ether, &error));
    transmit(world, &tuple, 0, 1341);
    assert_false(output(world, &frame));
    assert_true(ether_too_big(world->ether, &error));
    assert_int_equal(error.kind, TCP_ICMP_TOO_BIG);
    assert_int_equal(error.mtu, 1400);
    assert_int_equal(error.len, 1401);
    assert_int_equal(error.hash, tcp_tuple_hash(&tuple, test_flow_key));
    assert_false(ether_too_big(world->ether, &error));
}

static void routers_are_asked_for_three_times_and_no_more_when_one_is_known(void **state) {
    struct world *world = *state;
    struct bytes sent;
    unsigned asked = 0;
    for (uint64_t now = 0; now < 100000000; now += 1000000) {
        ether_ask(world->ether, now);
        while (output(world, &sent)) {
            asked++;
            assert_int_equal(sent.at[IP + 7], 255);
            assert_memory_equal(sent.at + IP + 8, our_link_local, 16);
            assert_int_equal(sent.at[IP + 24 + 15], 2);
            assert_int_equal(sent.at[MESSAGE], 133);
            assert_memory_equal(sent.at + MESSAGE + 10, our_mac, 6);
        }
    }
    assert_int_equal(asked, ROUTERS_ASKS);
    world_reopen_ether(world, 0, 1);
    advertise(world, router_mac, router, HOUR);
    ether_ask(world->ether, 1000000);
    assert_false(output(world, &sent));
}

/* Both are asked for, and known by their answer. */
static void a_gateway_of_the_configuration_is_asked_for_and_used(void **state) {
    struct world *world = *state;
    struct bytes sent, frame;
    unsigned arp = 0, nd = 0;
    ether_ask(world->ether, 1000000);
    while (output(world, &sent)) {
        if (load_be16(sent.at + 12) == 0x0806) {
            arp++;
            assert_memory_equal(sent.at + IP + 24, gateway_ipv4, 4);
        } else {
            nd++;
            assert_int_equal(sent.at[MESSAGE], 135);
            assert_memory_equal(sent.at + MESSAGE + 8, gateway_ipv6, 16);
        }
    }
    assert_int_equal(arp, 1);
    assert_int_equal(nd, 1);
    assert_null(way_of(world, 0, false));

    arp_frame(&frame, our_mac, 2, gateway_mac, gateway_ipv4, our_ipv4);
    input(world, &frame);
    assert_memory_equal(way_of(world, 0, false), gateway_mac, 6);
    assert_null(way_of(world, 0, true));

    frame.len = 0;
    put_ethernet(&frame, our_mac, gateway_mac, 0x86dd);
    put_ipv6(&frame, gateway_ipv6, our_link_local, 58, 32);
    put_32(&frame, 136u << 24);
    put_32(&frame, 0x40000000); /* solicited, without override */
    put(&frame, gateway_ipv6, 16);
    put_16(&frame, 0x0201);
    put(&frame, gateway_mac, 6);
    set_checksum(&frame, MESSAGE, 2, IP + 8, 16, 58);
    input(world, &frame);
    assert_memory_equal(way_of(world, 0, true), gateway_mac, 6);

    /* It moves, and its segments follow. */
    arp_frame(&frame, our_mac, 1, standby_mac, gateway_ipv4, our_ipv4);
    input(world, &frame);
    while (output(world, &sent))
        ;
    assert_memory_equal(way_of(world, 0, false), standby_mac, 6);
}

#define accepting(test) cmocka_unit_test_setup_teardown(test, open_accepting, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        accepting(replies_go_where_segments_came_from_whatever_routers_say),
        accepting(a_forgotten_way_is_replaced_by_a_router_that_advertised_itself),
        accepting(without_its_option_a_router_is_where_its_frame_came_from),
        accepting(a_lifetime_ends_and_is_renewed),
        accepting(a_router_that_resigns_hands_its_connections_over),
        accepting(more_routers_than_places_replace_the_one_that_ends_first),
        accepting(an_advertisement_that_breaks_a_rule_is_dropped),
        cmocka_unit_test_setup_teardown(advertisements_are_not_taken_when_the_configuration_says_so,
                                        world_open, world_close),
        accepting(the_hop_limit_is_taken_unless_it_would_cut_us_off),
        accepting(a_smaller_mtu_of_the_link_is_told_to_tcp_like_a_router_s),
        accepting(routers_are_asked_for_three_times_and_no_more_when_one_is_known),
        cmocka_unit_test_setup_teardown(a_gateway_of_the_configuration_is_asked_for_and_used,
                                        open_with_gateways, world_close),
    };
    return cmocka_run_group_tests(tests, eal_open, eal_close);
}
