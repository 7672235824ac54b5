/* SPDX-License-Identifier: Apache-2.0 */
/* Path MTU: what ICMP is believed, and what silence means (RFC 1191, RFC 8201, RFC 5927). */
#include "tests/unit/tcp/world_test.h"

#include "dataplane/tcp/pmtu.h"

enum { FULL = 1360 };

static struct tcp_icmp about(const struct peer *peer, uint32_t seq, uint32_t mtu) {
    return (struct tcp_icmp){.tuple = peer->tuple,
                             .hash = peer->hash,
                             .seq = seq,
                             .mtu = mtu,
                             .len = FULL + PMTU_IPV4_HEADERS,
                             .kind = TCP_ICMP_TOO_BIG};
}

/* A connection with three full segments in flight. */
static struct tcp_conn *in_flight(struct world *world, struct peer *peer, bool ipv6) {
    peer_init(world, peer, 1);
    if (ipv6)
        peer_ipv6(world, peer);
    struct tcp_conn *conn = peer_connect(world, peer, 10);
    assert_non_null(conn);
    put_in_flight(world, conn, 3 * FULL);
    return conn;
}

/*   | 1360 | 1360 | 1360 |   too big for 1000   | 960 | 960 | 960 | 960 | 240 | */
static void a_too_big_segment_is_cut_and_sent_again_without_slowing_down(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    uint32_t cwnd = conn->congestion.cwnd, ssthresh = conn->congestion.ssthresh;
    struct tcp_icmp icmp = about(&peer, peer.ack + FULL, 1000);
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(conn->mss, 960);
    assert_int_equal(world_count(world, COUNTER_TCP_PMTU_LOWERED), 1);
    world_output(world);
    for (uint32_t at = 0; at < 3 * FULL; at += 960)
        expect_data(world, &peer, at, 3 * FULL - at < 960 ? 3 * FULL - at : 960);
    expect_silence(world);
    assert_int_equal(conn->congestion.cwnd, cwnd);
    assert_int_equal(conn->congestion.ssthresh, ssthresh);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);

    /* The messages about the other two say nothing more. */
    icmp.seq = peer.ack;
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PMTU), 1);
    world_output(world);
    expect_silence(world);
    peer_ack(world, &peer, 3 * FULL);
    assert_int_equal(tcp_unacknowledged(conn), 0);
}

/* RFC 5927 7.2: who has not seen a segment does not know what is in flight. */
static void a_forged_message_changes_nothing(void **state) {
    struct world *world = *state;
    struct peer peer, stranger;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    const struct tcp_icmp forged[] = {
        about(&peer, peer.ack - 1, 600),
        about(&peer, peer.ack + 3 * FULL, 600),
        about(&peer, peer.ack + 0x40000000, 600),
    };
    for (unsigned i = 0; i < 3; i++)
        tcp_icmp(world->tcp, &forged[i], world->now);
    peer_init(world, &stranger, 2);
    struct tcp_icmp other = about(&stranger, peer.ack, 600);
    tcp_icmp(world->tcp, &other, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_ICMP), 4);
    assert_int_equal(conn->mss, FULL);

    /* Nothing in flight, nothing to complain of. */
    peer_ack(world, &peer, 3 * FULL);
    struct tcp_icmp late = about(&peer, peer.ack - FULL, 600);
    tcp_icmp(world->tcp, &late, world->now);
    late.seq = peer.ack;
    tcp_icmp(world->tcp, &late, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_ICMP), 6);
    assert_int_equal(conn->mss, FULL);
    world_output(world);
    expect_silence(world);
}

static void the_mtu_has_a_floor_and_must_be_less_than_what_was_sent(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    const uint32_t refused[] = {1400, 1401, 65535, UINT32_MAX};
    for (unsigned i = 0; i < 4; i++) {
        struct tcp_icmp icmp = about(&peer, peer.ack, refused[i]);
        tcp_icmp(world->tcp, &icmp, world->now);
    }
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PMTU), 4);
    assert_int_equal(conn->mss, FULL);
    struct tcp_icmp tiny = about(&peer, peer.ack, 68);
    tcp_icmp(world->tcp, &tiny, world->now);
    assert_int_equal(conn->mss, PMTU_IPV4_FLOOR - PMTU_IPV4_HEADERS);
}

/* RFC 1191 5: routers older than the field. */
static void a_router_that_names_no_mtu_is_taken_to_mean_the_next_usual_one(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    struct tcp_icmp icmp = about(&peer, peer.ack, 0);
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(conn->mss, 1006 - PMTU_IPV4_HEADERS);
    icmp.len = 1006;
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(conn->mss, PMTU_IPV4_FLOOR - PMTU_IPV4_HEADERS);
}

static void over_ipv6_less_than_1280_is_no_mtu(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, true);
    struct tcp_icmp icmp = about(&peer, peer.ack, 1279);
    icmp.len = FULL + PMTU_IPV6_HEADERS;
    tcp_icmp(world->tcp, &icmp, world->now);
    icmp.mtu = 0;
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PMTU), 2);
    icmp.mtu = 1280;
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(conn->mss, 1220);
    world_output(world);
    expect_data(world, &peer, 0, 1220);
}

/* RFC 5927 6: "hard" errors do not end a connection. */
static void unreachable_is_a_soft_error(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    struct tcp_icmp icmp = about(&peer, peer.ack, 0);
    icmp.kind = TCP_ICMP_UNREACHABLE;
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_ICMP_SOFT), 1);
    world_output(world);
    expect_silence(world);
    assert_int_equal(world->closed, 0);
    peer_ack(world, &peer, 3 * FULL);
    assert_int_equal(tcp_unacknowledged(conn), 0);
}

static void a_connection_about_to_be_reset_takes_no_message(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    tcp_abort(world->tcp, conn);
    struct tcp_icmp icmp = about(&peer, peer.ack, 1000);
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_ICMP), 1);
    world_output(world);
    expect(world, TCP_RST | TCP_ACK);
    tcp_icmp(world->tcp, &icmp, world->now);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_ICMP), 2);
}

/* The largest segment sent since the last look. */
static uint32_t largest(struct world *world) {
    uint32_t len = 0;
    for (const struct sent *sent; (sent = world_sent(world)) != NULL;)
        if (sent->header.len > len)
            len = sent->header.len;
    return len;
}

/* Lets `timeouts` retransmission timers run out; the peer is heard with a keep-alive of its own
 * (RFC 9293 3.8.4) in front of each if it is `alive`. */
static void timeouts(struct world *world, struct peer *peer, unsigned timeouts, bool alive) {
    uint64_t before = world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS);
    while (world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS) < before + timeouts) {
        assert_int_equal(world->closed, 0);
        world_wait(world, 100000);
        if (alive)
            peer_data(world, peer, 1);
    }
    world_output(world);
}

/* RFC 2923 2.1, RFC 4821 7.7 */
static void full_segments_that_vanish_while_the_peer_talks_are_made_smaller(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    timeouts(world, &peer, 2, true);
    assert_int_equal(largest(world), FULL);
    timeouts(world, &peer, 1, true);
    assert_int_equal(largest(world), PMTU_GUESS_FIRST);
    assert_int_equal(world_count(world, COUNTER_TCP_PMTU_BLACK_HOLES), 1);
    timeouts(world, &peer, 1, true);
    assert_int_equal(largest(world), PMTU_GUESS_FIRST);
    timeouts(world, &peer, 1, true);
    assert_int_equal(largest(world), PMTU_GUESS_LAST);
    timeouts(world, &peer, 1, true);
    assert_int_equal(largest(world), PMTU_GUESS_LAST);
    assert_int_equal(world_count(world, COUNTER_TCP_PMTU_BLACK_HOLES), 2);
    /* It gets through, and what follows is cut alike. */
    peer_ack(world, &peer, PMTU_GUESS_LAST);
    world_output(world);
    expect_data(world, &peer, 0, PMTU_GUESS_LAST);
    assert_int_equal(conn->mss, PMTU_GUESS_LAST);
}

static void a_path_that_is_down_for_a_while_is_no_black_hole(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, false);
    timeouts(world, &peer, 5, false);
    assert_int_equal(conn->mss, FULL);
    timeouts(world, &peer, 1, false);
    assert_int_equal(conn->mss, PMTU_GUESS_FIRST);
}

static void small_segments_that_vanish_prove_nothing(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 100);
    world_output(world);
    timeouts(world, &peer, 5, true);
    assert_int_equal(conn->mss, FULL);
}

static void over_ipv6_the_guess_is_its_least_mtu(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, true);
    timeouts(world, &peer, 6, true);
    assert_int_equal(conn->mss, 1220);
    assert_int_equal(world_count(world, COUNTER_TCP_PMTU_BLACK_HOLES), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(a_too_big_segment_is_cut_and_sent_again_without_slowing_down),
        in_world(a_forged_message_changes_nothing),
        in_world(the_mtu_has_a_floor_and_must_be_less_than_what_was_sent),
        in_world(a_router_that_names_no_mtu_is_taken_to_mean_the_next_usual_one),
        in_world(over_ipv6_less_than_1280_is_no_mtu),
        in_world(unreachable_is_a_soft_error),
        in_world(a_connection_about_to_be_reset_takes_no_message),
        in_world(full_segments_that_vanish_while_the_peer_talks_are_made_smaller),
        in_world(a_path_that_is_down_for_a_while_is_no_black_hole),
        in_world(small_segments_that_vanish_prove_nothing),
        in_world(over_ipv6_the_guess_is_its_least_mtu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
