/* SPDX-License-Identifier: Apache-2.0 */
/* Which segments a connection takes (RFC 9293 3.10.7.4, RFC 5961, RFC 7323 PAWS). */
#include "tests/unit/tcp/world_test.h"

#include "dataplane/base/bytes.h"

enum { WINDOW = 16384 - 10 /* after the first ten bytes, which are too few to reopen it for */ };

/* An unacceptable segment is answered with an ACK of what is expected, and changes nothing. */
static void expect_refused(struct world *world, struct peer *peer, struct tcp_conn *conn) {
    uint64_t received = client_of(conn)->received;
    world_output(world);
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.ack, peer->seq);
    assert_int_equal(sent->header.seq, conn->snd_nxt);
    expect_silence(world);
    assert_int_equal(client_of(conn)->received, received);
}

/*        rcv_nxt                       rcv_nxt + wnd
 *           |------------ window ------------|
 *   refused  .                               .  refused        (segments of length 0 and 1) */
static void the_acceptability_test_is_exact_at_the_edges(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    const struct {
        bool from_edge; /* counted from the right edge, else from rcv_nxt */
        int32_t seq;
        uint32_t len;
        bool taken;
    } cases[] = {
        {false, -1, 0, false}, {false, 0, 0, true},     {true, -1, 0, true}, {true, 1, 0, false},
        {false, -1, 1, false}, {false, -1, 2, true},    {true, -1, 1, true}, {true, 0, 1, false},
        {true, -1, 2, true},   {false, -10, 10, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = world_count(world, COUNTER_TCP_DROP_OUT_OF_WINDOW);
        peer.seq = conn->rcv_nxt + (cases[i].from_edge ? conn->rcv_wnd : 0);
        peer_send(world, &peer,
                  (struct by_hand){.flags = TCP_ACK, .seq = cases[i].seq, .len = cases[i].len});
        bool taken = world_count(world, COUNTER_TCP_DROP_OUT_OF_WINDOW) == before;
        assert_int_equal(taken, cases[i].taken);
        world_output(world);
        world_forget(world);
    }
}

/*  rcv_nxt       right edge
 *     | lost | 2 | 3 |  ACK      the peer has filled the window and acknowledges our data */
static void an_ack_from_the_right_edge_counts(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 100);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = WINDOW, .ack = 100});
    assert_int_equal(tcp_unacknowledged(conn), 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST, .seq = WINDOW});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .seq = WINDOW});
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_RST), 1);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_OUT_OF_WINDOW), 1);
}

static void data_beyond_the_window_is_cut_off(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 0;
    while (conn->rcv_wnd > 1000)
        peer_data(world, &peer, 1000);
    uint32_t left = conn->rcv_wnd;
    peer_data(world, &peer, 1360);
    assert_int_equal(conn->rcv_wnd, 0);
    assert_int_equal(conn->rcv_nxt, peer.seq - 1360 + left);
}

static void a_closed_window_takes_acks_and_resets_but_no_data(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 0;
    fill_window(world, &peer, conn);
    put_in_flight(world, conn, 100);
    /* A probe whose ACK counts and whose byte does not. */
    peer.ack += 100;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 1});
    assert_int_equal(tcp_unacknowledged(conn), 0);
    assert_int_equal(conn->rcv_nxt, peer.seq);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.wnd, 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    assert_int_equal(world->closed, 1);
}

/* RFC 5961 3.2 */
static void only_the_exact_rst_resets(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST, .seq = 1});
    expect_refused(world, &peer, conn);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST | TCP_ACK, .seq = WINDOW - 1});
    expect_refused(world, &peer, conn);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST, .seq = -1});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST, .seq = 20000});
    world_output(world);
    expect_silence(world);
    assert_int_equal(world->closed, 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    expect_silence(world);
    assert_int_equal(world->why, TCP_CLOSED_RESET);
}

/* RFC 5961 4.2; a peer that restarted answers with the exact RST and tries again. */
static void a_syn_inside_a_connection_is_challenged_wherever_it_lies(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    const int32_t places[] = {0, 5, -100, 1000000};
    for (unsigned i = 0; i < 4; i++) {
        peer_send(world, &peer, (struct by_hand){.flags = TCP_SYN, .seq = places[i]});
        expect_refused(world, &peer, conn);
    }
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    assert_int_equal(world->closed, 1);
    peer.iss += 5000;
    assert_non_null(peer_connect(world, &peer, 5));
}

/* RFC 5961 5 */
static void acks_of_the_unsent_and_of_long_ago_are_challenged(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 100);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .ack = 101, .len = 5});
    expect_refused(world, &peer, conn);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .ack = -65536, .len = 5});
    expect_refused(world, &peer, conn);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_BAD_ACK), 2);
    assert_int_equal(tcp_unacknowledged(conn), 100);
    /* An old one within a window is harmless, and its data is good. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .ack = -1, .len = 5});
    assert_int_equal(client_of(conn)->received, 15);
}

static void challenge_acks_are_limited_for_each_connection_by_itself(void **state) {
    struct world *world = *state;
    struct peer peer, other;
    connected(world, &peer);
    peer_init(world, &other, 2);
    assert_non_null(peer_connect(world, &other, 1));
    unsigned answers = 0;
    for (unsigned i = 0; i < 100; i++) {
        peer_send(world, &peer, (struct by_hand){.flags = TCP_SYN});
        world_output(world);
        answers += world_sent(world) != NULL;
    }
    assert_in_range(answers, 1, 10);
    peer_send(world, &other, (struct by_hand){.flags = TCP_SYN});
    world_output(world);
    expect(world, TCP_ACK);
    world_wait(world, 2000000);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_SYN});
    world_output(world);
    expect(world, TCP_ACK);
}

static void a_segment_without_ack_is_dropped(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_PSH, .len = 5});
    world_output(world);
    expect_silence(world);
    assert_int_equal(client_of(conn)->received, 10);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_NO_ACK), 1);
}

static void urgent_data_is_ordinary_data(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_URG, .len = 5});
    assert_int_equal(client_of(conn)->received, 15);
}

/* RFC 7323 5.3 */
static void a_time_stamp_from_the_past_is_refused(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    peer.tsval = 4999;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 5});
    expect_refused(world, &peer, conn);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PAWS), 1);
    peer.tsval = 5000;
    peer_data(world, &peer, 5);
    assert_int_equal(client_of(conn)->received, 15);
    /* RST is exempt. */
    peer.tsval = 1;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    assert_int_equal(world->closed, 1);
}

static void after_24_days_of_silence_any_time_stamp_is_good(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    world_wait(world, UINT64_C(25) * 24 * 3600 * 1000000);
    peer.tsval -= 1000;
    peer_data(world, &peer, 5);
    assert_int_equal(client_of(conn)->received, 15);
}

static void a_missing_time_stamp_is_dropped_in_silence(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 5, .no_timestamp = true});
    world_output(world);
    expect_silence(world);
    assert_int_equal(client_of(conn)->received, 10);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_NO_TIMESTAMP), 1);
}

/* RFC 7323 4.3: of two segments acknowledged at once, the earlier one's. */
static void the_echo_is_that_of_the_earliest_segment_not_acknowledged(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected_with_timestamps(world, &peer);
    peer.tsval = 6000;
    peer_data(world, &peer, 5);
    peer.tsval = 6100;
    peer_data(world, &peer, 5);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.options.tsecr, 6000);
    /* One from behind a hole does not count. */
    peer.tsval = 6200;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 5});
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.options.tsecr, 6000);
}

static void a_burst_of_64_segments_for_several_connections_is_taken(void **state) {
    struct world *world = *state;
    enum { PEERS = 8, BURST = 64 };
    struct peer peers[PEERS];
    struct tcp_conn *conns[PEERS];
    static uint8_t bytes[BURST][30];
    struct tcp_segment segments[BURST];
    for (unsigned i = 0; i < PEERS; i++) {
        peer_init(world, &peers[i], i + 1);
        conns[i] = peer_connect(world, &peers[i], 10);
    }
    for (unsigned i = 0; i < BURST; i++) {
        struct peer *peer = &peers[i % PEERS];
        header_write(bytes[i], &peer->tuple, peer->seq, peer->ack, TCP_ACK, 1000, 0);
        for (unsigned k = 0; k < 10; k++)
            bytes[i][20 + k] = stream_byte(peer->seq + k - peer->iss - 1);
        peer->seq += 10;
        segments[i] = (struct tcp_segment){
            .tuple = peer->tuple, .header = bytes[i], .len = 30, .hash = peer->hash};
    }
    tcp_input(world->tcp, segments, BURST, world->now);
    for (unsigned i = 0; i < PEERS; i++)
        assert_int_equal(client_of(conns[i])->received, 10 + 10 * BURST / PEERS);
    world_output(world);
    /* One ACK a connection. */
    for (unsigned i = 0; i < PEERS; i++)
        expect(world, TCP_ACK);
    expect_silence(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(the_acceptability_test_is_exact_at_the_edges),
        in_world(an_ack_from_the_right_edge_counts),
        in_world(data_beyond_the_window_is_cut_off),
        in_world(a_closed_window_takes_acks_and_resets_but_no_data),
        in_world(only_the_exact_rst_resets),
        in_world(a_syn_inside_a_connection_is_challenged_wherever_it_lies),
        in_world(acks_of_the_unsent_and_of_long_ago_are_challenged),
        in_world(challenge_acks_are_limited_for_each_connection_by_itself),
        in_world(a_segment_without_ack_is_dropped),
        in_world(urgent_data_is_ordinary_data),
        in_world(a_time_stamp_from_the_past_is_refused),
        in_world(after_24_days_of_silence_any_time_stamp_is_good),
        in_world(a_missing_time_stamp_is_dropped_in_silence),
        in_world(the_echo_is_that_of_the_earliest_segment_not_acknowledged),
        in_world(a_burst_of_64_segments_for_several_connections_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
