/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection sends and when: corking, piggy-backing, windows, shortages. */
#include "tests/unit/tcp/world_test.h"

enum { MSS = 1360 };

static void writes_of_a_turn_leave_in_one_segment_with_the_ack(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->reply = 4;
    peer_data(world, &peer, 10);
    announce(world, conn, 20);
    announce(world, conn, 30);
    expect_silence(world);
    world_output(world);
    const struct sent *sent = expect_data(world, &peer, 0, 54);
    assert_int_equal(sent->header.flags, TCP_ACK | TCP_PSH);
    assert_int_equal(sent->header.ack, peer.seq);
    assert_int_equal(sent->hop, 7);
    expect_silence(world);
    peer_ack(world, &peer, 54);
    assert_int_equal(client_of(conn)->acknowledged, 54);
    world->reply = 0;
}

static void a_partial_ack_forgets_a_part(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 1000);
    world_output(world);
    peer_ack(world, &peer, 400);
    assert_int_equal(client_of(conn)->acknowledged, 400);
    assert_int_equal(tcp_unacknowledged(conn), 600);
    announce(world, conn, 10);
    world_output(world);
    expect_data(world, &peer, -400u, 1000);
    expect_data(world, &peer, 600, 10);
}

static void an_idle_connection_holds_no_extension_and_no_timer(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    assert_int_equal(world->tcp->extensions.used, 0);
    assert_int_equal(tcp_next_timer(world->tcp), UINT64_MAX);
    announce(world, conn, 100);
    world_output(world);
    assert_int_equal(world->tcp->extensions.used, 1);
    peer_ack(world, &peer, 100);
    assert_int_equal(world->tcp->extensions.used, 0);
    assert_int_equal(conn->fast_at, 0);
}

static void the_initial_window_is_ten_segments(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 100000);
    world_output(world);
    uint32_t flight = 0;
    const struct sent *sent;
    while ((sent = world_sent(world)) != NULL) {
        assert_int_equal(sent->header.len, MSS);
        assert_true(sent_is_stream(&peer, sent));
        flight += sent->header.len;
    }
    assert_int_equal(flight, 10 * MSS);
    /* Slow start: each ACK lets out what it covered and as much again. */
    peer_ack(world, &peer, 2 * MSS);
    world_output(world);
    flight = 0;
    while ((sent = world_sent(world)) != NULL)
        flight += sent->header.len;
    assert_int_equal(flight, 4 * MSS);
}

static void segments_leave_room_for_the_time_stamp(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    announce(world, conn, 2000);
    world_output(world);
    const struct sent *sent = expect_data(world, &peer, 0, MSS - 12);
    assert_int_equal(sent->len, 20 + MSS);
    assert_true(sent->header.options.has_timestamp);
    assert_int_equal(sent->header.options.tsecr, 5000);
}

static void the_send_window_bounds_what_is_sent(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.wnd = 3000;
    struct tcp_conn *conn = peer_connect(world, &peer, 10);
    announce(world, conn, 10000);
    world_output(world);
    expect_data(world, &peer, 0, MSS);
    expect_data(world, &peer, MSS, MSS);
    /* 280 bytes of the window are left: no scraps while an ACK is to come. */
    expect_silence(world);
    peer_ack(world, &peer, MSS);
    world_output(world);
    expect_data(world, &peer, MSS, MSS);
    expect_silence(world);
}

static void a_window_smaller_than_a_segment_is_used(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.wnd = 500;
    struct tcp_conn *conn = peer_connect(world, &peer, 10);
    announce(world, conn, 1200);
    world_output(world);
    expect_data(world, &peer, 0, 500);
    expect_silence(world);
    peer_ack(world, &peer, 500);
    world_output(world);
    expect_data(world, &peer, 0, 500);
    peer_ack(world, &peer, 500);
    world_output(world);
    expect_data(world, &peer, 0, 200);
}

static void the_window_is_scaled(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.timestamps = true;
    peer.wscale = 4;
    peer.wnd = 100;
    struct tcp_conn *conn = peer_connect(world, &peer, 10);
    assert_int_equal(conn_send_window(conn), 1600);
    announce(world, conn, 5000);
    world_output(world);
    expect_data(world, &peer, 0, MSS - 12);
    expect_silence(world);
}

/* RFC 9293 3.8.6: the window may shrink; what was sent stays sent. */
static void a_shrinking_window_stops_new_data_only(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 5000);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .wnd = 1000});
    announce(world, conn, 1000);
    world_output(world);
    expect_silence(world);
    peer_ack(world, &peer, 5000);
    world_output(world);
    expect_data(world, &peer, 0, 1000);
}

static void an_old_segment_does_not_set_the_window(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_data(world, &peer, 10);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = -15, .len = 20, .wnd = 7});
    assert_int_equal(conn->snd_wnd, 65535);
}

static void without_frames_all_waits_and_nothing_is_lost(void **state) {
    struct world *world = *state;
    struct peer peers[3];
    struct tcp_conn *conns[3];
    for (unsigned i = 0; i < 3; i++) {
        peer_init(world, &peers[i], i + 1);
        conns[i] = peer_connect(world, &peers[i], 10);
    }
    for (unsigned i = 0; i < 3; i++) {
        announce(world, conns[i], 3000);
        peer_data(world, &peers[i], 5);
    }
    world->frames = 4;
    assert_false(tcp_output(world->tcp, world->now, 64));
    assert_int_equal(world->sent_count, 4);
    /* The worker may sleep, but not for long. */
    uint64_t next = tcp_next_timer(world->tcp);
    assert_in_range(next, world->now + 1, world->now + 1000);
    world->frames = 0;
    assert_false(tcp_output(world->tcp, next, 64));
    world->frames = -1;
    world_output(world);
    uint32_t bytes = 0;
    const struct sent *sent;
    while ((sent = world_sent(world)) != NULL)
        bytes += sent->header.len;
    assert_int_equal(bytes, 9000);
    assert_true(world_count(world, COUNTER_TCP_FRAME_SHORTAGES) >= 2);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(conn_flight(conns[i]), 3000);
}

enum { FULL_HOP = 9 };

/* `count` connections with `bytes` to send; the way of all before `open` is full. */
static void connect_some(struct world *world, struct peer *peers, struct tcp_conn **conns,
                         unsigned count, unsigned open, uint32_t bytes) {
    for (unsigned i = 0; i < count; i++) {
        peer_init(world, &peers[i], i + 1);
        conns[i] = peer_connect(world, &peers[i], 10);
        if (i < open)
            conns[i]->hop = FULL_HOP;
    }
    for (unsigned i = 0; i < count; i++)
        announce(world, conns[i], bytes);
    world->full_hop = FULL_HOP;
}

static void a_connection_whose_way_is_full_waits_and_others_go_on(void **state) {
    struct world *world = *state;
    struct peer peers[3];
    struct tcp_conn *conns[3];
    connect_some(world, peers, conns, 3, 2, 3000);
    assert_true(tcp_output(world->tcp, world->now, 64));
    assert_int_equal(conn_flight(conns[0]), 0);
    assert_int_equal(conn_flight(conns[1]), 0);
    assert_int_equal(conn_flight(conns[2]), 3000);
    world->full_hop = 0;
    world_output(world);
    assert_int_equal(conn_flight(conns[0]), 3000);
    assert_int_equal(conn_flight(conns[1]), 3000);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSIONS), 0);
}

static void when_many_wait_output_stops_and_all_have_their_turn_later(void **state) {
    enum { MANY = 20 };
    struct world *world = *state;
    struct peer peers[MANY];
    struct tcp_conn *conns[MANY];
    connect_some(world, peers, conns, MANY, MANY - 1, 100);
    world->asked = 0;
    assert_false(tcp_output(world->tcp, world->now, 64));
    assert_in_range(world->asked, 1, MANY / 2);
    assert_in_range(tcp_next_timer(world->tcp), world->now + 1, world->now + 1000);
    /* Those who wait take turns, so the one with a free way is not behind them for ever. */
    for (unsigned i = 0; i < MANY; i++)
        tcp_output(world->tcp, world->now, 64);
    assert_int_equal(conn_flight(conns[MANY - 1]), 100);
    world->full_hop = 0;
    world_output(world);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(conn_flight(conns[i]), 100);
}

static void a_full_way_keeps_no_dead_connection(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    conn->hop = world->full_hop = FULL_HOP;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    tcp_output(world->tcp, world->now, 64);
    assert_int_equal(world->closed, 1);
}

static void a_reset_waits_for_a_frame_too(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_abort(world->tcp, conn);
    world->frames = 0;
    tcp_output(world->tcp, world->now, 64);
    assert_int_equal(world->closed, 0);
    world->frames = -1;
    world_output(world);
    expect(world, TCP_RST | TCP_ACK);
    assert_int_equal(world->closed, 1);
}

static void without_memory_data_waits_and_is_sent_later(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 100);
    arena_fail_after(world->arena, 1);
    world_output(world);
    expect_silence(world);
    world_wait(world, 50000);
    expect_data(world, &peer, 0, 100);
}

static void connections_share_the_budget(void **state) {
    struct world *world = *state;
    struct peer peers[2];
    struct tcp_conn *conns[2];
    for (unsigned i = 0; i < 2; i++) {
        peer_init(world, &peers[i], i + 1);
        conns[i] = peer_connect(world, &peers[i], 10);
    }
    for (unsigned i = 0; i < 2; i++) {
        conns[i]->congestion.cwnd = 60000;
        announce(world, conns[i], 60000);
    }
    assert_true(tcp_output(world->tcp, world->now, 32));
    unsigned segments[2] = {0, 0};
    const struct sent *sent;
    while ((sent = world_sent(world)) != NULL)
        segments[sent->tuple.remote_port == peers[1].tuple.remote_port]++;
    assert_int_equal(segments[0], 16);
    assert_int_equal(segments[1], 16);
    world_output(world);
}

/* RFC 5681 4.1 */
static void after_a_pause_the_window_starts_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    conn->congestion.cwnd = 60000;
    world_wait(world, 500000);
    announce(world, conn, 100);
    world_output(world);
    peer_ack(world, &peer, 100);
    assert_int_equal(conn->congestion.cwnd, 60000);
    world_wait(world, 5000000);
    announce(world, conn, 100);
    world_output(world);
    assert_int_equal(conn->congestion.cwnd, 10 * MSS);
}

/* RFC 9293 3.8.6: a peer that shrinks its window must not be sent ACKs from beyond it, which it
 * would not accept. */
static void acks_stay_within_a_window_that_shrank(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 5000);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 10, .wnd = 2000});
    peer.seq += 10;
    world_output(world);
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.seq, peer.ack + 2000);
    peer_ack(world, &peer, 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(acks_stay_within_a_window_that_shrank),
        in_world(writes_of_a_turn_leave_in_one_segment_with_the_ack),
        in_world(a_partial_ack_forgets_a_part),
        in_world(an_idle_connection_holds_no_extension_and_no_timer),
        in_world(the_initial_window_is_ten_segments),
        in_world(segments_leave_room_for_the_time_stamp),
        in_world(the_send_window_bounds_what_is_sent),
        in_world(a_window_smaller_than_a_segment_is_used),
        in_world(the_window_is_scaled),
        in_world(a_shrinking_window_stops_new_data_only),
        in_world(an_old_segment_does_not_set_the_window),
        in_world(without_frames_all_waits_and_nothing_is_lost),
        in_world(a_connection_whose_way_is_full_waits_and_others_go_on),
        in_world(when_many_wait_output_stops_and_all_have_their_turn_later),
        in_world(a_full_way_keeps_no_dead_connection),
        in_world(a_reset_waits_for_a_frame_too),
        in_world(without_memory_data_waits_and_is_sent_later),
        in_world(connections_share_the_budget),
        in_world(after_a_pause_the_window_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
