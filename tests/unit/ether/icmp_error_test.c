/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP and ICMPv6 errors: which of them reach TCP, and on which worker. */
#include "dataplane/base/bytes.h"
#include "tests/unit/ether/world.h"

enum { IP = 14, IPV4_MESSAGE = IP + 20, IPV6_MESSAGE = IP + 40, PORT = 40000, SEQ = 0x01020304 };

static const uint8_t router_ipv4[4] = {192, 0, 2, 1};
static const uint8_t router_ipv6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};

/* What a router would quote of a segment that we sent: `len` bytes of TCP. */
static void put_quote(struct bytes *frame, bool ipv6, unsigned len) {
    if (ipv6)
        put_ipv6(frame, our_ipv6, peer_ipv6, 6, 1380);
    else
        put_ipv4(frame, our_ipv4, peer_ipv4, 6, 1380);
    struct bytes tcp = {.len = 0};
    put_16(&tcp, 1883);
    put_16(&tcp, PORT);
    put_32(&tcp, SEQ);
    while (tcp.len < len)
        put_8(&tcp, tcp.len);
    put(frame, tcp.at, len);
}

static void finish(struct bytes *frame, bool ipv6) {
    unsigned message = ipv6 ? IPV6_MESSAGE : IPV4_MESSAGE;
    if (ipv6) {
        store_be16(frame->at + IP + 4, frame->len - message);
        set_checksum(frame, message, 2, IP + 8, 16, 58);
        return;
    }
    store_be16(frame->at + IP + 2, frame->len - IP);
    memset(frame->at + IP + 10, 0, 2);
    store_be16(frame->at + IP + 10, plain_checksum(frame->at + IP, 20, 0));
    memset(frame->at + message + 2, 0, 2);
    store_be16(frame->at + message + 2,
               plain_checksum(frame->at + message, frame->len - message, 0));
}

static void error_frame(struct bytes *frame, bool ipv6, unsigned type, unsigned code, uint32_t mtu,
                        unsigned quoted) {
    frame->len = 0;
    put_ethernet(frame, our_mac, peer_mac, ipv6 ? 0x86dd : 0x0800);
    if (ipv6)
        put_ipv6(frame, router_ipv6, our_ipv6, 58, 0);
    else
        put_ipv4(frame, router_ipv4, our_ipv4, 1, 0);
    put_8(frame, type);
    put_8(frame, code);
    put_16(frame, 0);
    put_32(frame, mtu);
    put_quote(frame, ipv6, quoted);
    finish(frame, ipv6);
}

static void fragmentation_needed_reaches_tcp_with_tuple_number_and_mtu(void **state) {
    struct world *world = *state;
    struct bytes frame, flow;
    error_frame(&frame, false, 3, 4, 1300, 8);
    input(world, &frame);
    assert_int_equal(world->batch.errors_count, 1);
    struct tcp_icmp error = world->batch.errors[0];
    assert_int_equal(error.kind, TCP_ICMP_TOO_BIG);
    assert_int_equal(error.mtu, 1300);
    assert_int_equal(error.len, 1400);
    assert_int_equal(error.seq, SEQ);
    assert_int_equal(counted(world, COUNTER_ICMP_ERRORS), 1);
    /* The tuple is that of the flow's own segments. */
    tcp_ipv4_frame(&flow, PORT, 0);
    input(world, &flow);
    assert_memory_equal(&error.tuple, &world->batch.segments[0].tuple, sizeof error.tuple);
    assert_int_equal(error.hash, world->batch.segments[0].hash);
    assert_int_equal(world->batch.errors_count, 0);
}

static void packet_too_big_reaches_tcp_with_tuple_number_and_mtu(void **state) {
    struct world *world = *state;
    struct bytes frame, flow;
    error_frame(&frame, true, 2, 0, 1300, 8);
    input(world, &frame);
    assert_int_equal(world->batch.errors_count, 1);
    struct tcp_icmp error = world->batch.errors[0];
    assert_int_equal(error.kind, TCP_ICMP_TOO_BIG);
    assert_int_equal(error.mtu, 1300);
    assert_int_equal(error.len, 1420);
    assert_int_equal(error.seq, SEQ);
    tcp_ipv6_frame(&flow, PORT, 0);
    input(world, &flow);
    assert_memory_equal(&error.tuple, &world->batch.segments[0].tuple, sizeof error.tuple);
}

static void other_errors_are_told_apart(void **state) {
    struct world *world = *state;
    struct bytes frame;
    const struct {
        bool ipv6;
        uint8_t type, code;
    } cases[] = {{false, 3, 0}, {false, 3, 1}, {false, 3, 3}, {false, 11, 0}, {false, 12, 0},
                 {true, 1, 0},  {true, 1, 4},  {true, 3, 0},  {true, 4, 1}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        error_frame(&frame, cases[i].ipv6, cases[i].type, cases[i].code, 700, 20);
        input(world, &frame);
        assert_int_equal(world->batch.errors_count, 1);
        assert_int_equal(world->batch.errors[0].kind, TCP_ICMP_UNREACHABLE);
        assert_int_equal(world->batch.errors[0].mtu, 0);
    }
}

static void a_message_cut_at_any_byte_reaches_nobody(void **state) {
    struct world *world = *state;
    struct bytes whole, cut;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        error_frame(&whole, ipv6, ipv6 ? 2 : 3, ipv6 ? 0 : 4, 1300, 8);
        unsigned message = ipv6 ? IPV6_MESSAGE : IPV4_MESSAGE;
        for (unsigned len = message; len < whole.len; len++) {
            cut = whole;
            cut.len = len;
            finish(&cut, ipv6);
            input(world, &cut);
            assert_int_equal(world->batch.errors_count, 0);
        }
    }
    assert_int_equal(counted(world, COUNTER_ICMP_QUOTE), 28 + 48);
    assert_int_equal(counted(world, COUNTER_ICMP_MALFORMED), 16);
}

static void what_quotes_no_segment_of_ours_is_dropped(void **state) {
    struct world *world = *state;
    struct bytes frame;
    const struct {
        bool ipv6;
        uint8_t at, value; /* in the packet quoted */
    } cases[] = {
        {false, 0, 0x65}, {false, 0, 0x44}, {false, 0, 0x4f}, {false, 7, 1}, {false, 9, 17},
        {false, 15, 9},   {true, 0, 0x45},  {true, 6, 17},    {true, 6, 44}, {true, 23, 9},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ipv6 = cases[i].ipv6;
        error_frame(&frame, ipv6, ipv6 ? 2 : 3, ipv6 ? 0 : 4, 1300, 8);
        frame.at[(ipv6 ? IPV6_MESSAGE : IPV4_MESSAGE) + 8 + cases[i].at] = cases[i].value;
        finish(&frame, ipv6);
        input(world, &frame);
        assert_int_equal(world->batch.errors_count, 0);
        assert_int_equal(counted(world, COUNTER_ICMP_QUOTE), i + 1);
    }
    assert_false(output(world, &frame));
}

static void the_owner_of_the_flow_is_told(void **state) {
    struct world *world = *state;
    struct bytes frame, flow;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        error_frame(&frame, ipv6, ipv6 ? 2 : 3, ipv6 ? 0 : 4, 1300, 8);
        if (ipv6)
            tcp_ipv6_frame(&flow, PORT, 0);
        else
            tcp_ipv4_frame(&flow, PORT, 0);
        unsigned told = 0;
        for (unsigned self = 0; self < 4; self++) {
            world_reopen_ether(world, self, 4);
            input(world, &flow);
            bool owns = world->batch.segments_count == 1;
            input(world, &frame);
            assert_int_equal(world->batch.errors_count, owns);
            assert_int_equal(world->batch.foreign_count, !owns);
            told += owns;
            /* Whatever the way there: who got it handed over is the owner. */
            input_handed_over(world, &frame);
            assert_int_equal(world->batch.errors_count, 1);
        }
        assert_int_equal(told, 1);
    }
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(fragmentation_needed_reaches_tcp_with_tuple_number_and_mtu),
        in_world(packet_too_big_reaches_tcp_with_tuple_number_and_mtu),
        in_world(other_errors_are_told_apart),
        in_world(a_message_cut_at_any_byte_reaches_nobody),
        in_world(what_quotes_no_segment_of_ours_is_dropped),
        cmocka_unit_test_setup_teardown(the_owner_of_the_flow_is_told, world_open_of_four,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, eal_open, eal_close);
}
