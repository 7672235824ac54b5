/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a connection ends (RFC 9293 3.6). */
#include "tests/unit/tcp/world_test.h"

enum { SECOND = 1000000 };

static void peer_fin(struct world *world, struct peer *peer) {
    peer_send(world, peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN});
    peer->seq++;
}

/* We close, the peer follows: it is in TIME-WAIT. */
static void close_first(struct world *world, struct peer *peer, struct tcp_conn *conn) {
    tcp_close(world->tcp, conn);
    world_output(world);
    peer_ack(world, peer, 1);
    peer_fin(world, peer);
    world_output(world);
}

/*  peer FIN -> finished -> close -> FIN -> ACK: closed, and no TIME-WAIT is ours */
static void the_peer_closes_and_we_follow(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_fin(world, &peer);
    assert_int_equal(world->finished, 1);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.ack, peer.seq);
    tcp_close(world->tcp, conn);
    world_output(world);
    expect(world, TCP_ACK | TCP_FIN);
    assert_int_equal(conn->state, TCP_STATE_LAST_ACK);
    peer_ack(world, &peer, 1);
    world_output(world);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->why, TCP_CLOSED_ORDERLY);
    assert_int_equal(world_count(world, COUNTER_TCP_TIME_WAITS), 0);
}

static void after_the_peers_fin_we_can_still_send(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_fin(world, &peer);
    put_in_flight(world, conn, 3000);
    peer_ack(world, &peer, 3000);
    assert_int_equal(client_of(conn)->acknowledged, 3000);
    announce(world, conn, 5);
    tcp_close(world->tcp, conn);
    world_output(world);
    const struct sent *sent = expect_data(world, &peer, 0, 5);
    assert_true(sent->header.flags & TCP_FIN);
    peer_ack(world, &peer, 6);
    world_output(world);
    assert_int_equal(world->why, TCP_CLOSED_ORDERLY);
}

/*  close -> FIN, ACK -> FIN-WAIT-2, peer FIN -> TIME-WAIT: a record, the connection is gone */
static void we_close_first_and_leave_a_record(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    tcp_close(world->tcp, conn);
    world_output(world);
    expect(world, TCP_ACK | TCP_FIN);
    peer_ack(world, &peer, 1);
    assert_int_equal(conn->state, TCP_STATE_FIN_WAIT_2);
    peer_fin(world, &peer);
    assert_int_equal(world->closed, 0);
    world_output(world);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->why, TCP_CLOSED_ORDERLY);
    assert_int_equal(expect(world, TCP_ACK)->header.ack, peer.seq);
    assert_int_equal(world->tcp->conns.used, 0);
    assert_int_equal(world->tcp->time_waits.count, 1);
    /* The FIN again: our ACK was lost. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .seq = -1});
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.ack, peer.seq);
    assert_int_equal(sent->header.seq, peer.ack);
    assert_true(sent->header.options.has_timestamp);
    /* A pure ACK and a RST are absorbed (RFC 1337). */
    peer_ack(world, &peer, 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    expect_silence(world);
    assert_int_equal(world->tcp->time_waits.count, 1);
    world_wait(world, 130 * SECOND);
    assert_int_equal(world->tcp->time_waits.count, 0);
}

/*  FIN and FIN cross: CLOSING, then TIME-WAIT */
static void both_close_at_once(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_close(world->tcp, conn);
    world_output(world);
    expect(world, TCP_ACK | TCP_FIN);
    peer_fin(world, &peer);
    assert_int_equal(conn->state, TCP_STATE_CLOSING);
    world_output(world);
    expect(world, TCP_ACK);
    peer_ack(world, &peer, 1);
    world_output(world);
    assert_int_equal(world->why, TCP_CLOSED_ORDERLY);
    assert_int_equal(world->tcp->time_waits.count, 1);
    assert_int_equal(world->finished, 0);
}

static void fin_and_its_ack_in_one_segment_go_to_time_wait(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_close(world->tcp, conn);
    world_output(world);
    world_forget(world);
    peer.ack++;
    peer_fin(world, &peer);
    world_output(world);
    expect(world, TCP_ACK);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->tcp->time_waits.count, 1);
}

static void after_close_input_is_acknowledged_and_discarded(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 5;
    peer_data(world, &peer, 100);
    tcp_close(world->tcp, conn);
    world->take = SIZE_MAX;
    for (unsigned i = 0; i < 40; i++) {
        peer_data(world, &peer, 1000);
        world_output(world);
    }
    assert_int_equal(client_of(conn)->received, 15);
    assert_int_equal(conn->rcv_nxt, peer.seq);
    assert_true(conn->rcv_wnd > 10000);
}

static void close_sends_what_was_announced_first(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 3000);
    tcp_close(world->tcp, conn);
    world_output(world);
    expect_data(world, &peer, 0, 1360);
    expect_data(world, &peer, 1360, 1360);
    const struct sent *sent = expect_data(world, &peer, 2720, 280);
    assert_true(sent->header.flags & TCP_FIN);
    peer_ack(world, &peer, 3001);
    assert_int_equal(client_of(conn)->acknowledged, 3000);
}

static void a_peer_that_never_finishes_is_reset_after_fin_wait(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_close(world->tcp, conn);
    world_output(world);
    peer_ack(world, &peer, 1);
    world_forget(world);
    world_wait(world, 29 * SECOND);
    assert_int_equal(world->closed, 0);
    world_wait(world, 2 * SECOND);
    expect(world, TCP_RST | TCP_ACK);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->why, TCP_CLOSED_TIMEOUT);
}

static void abort_sends_a_rst_and_nothing_else_follows(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 1000);
    tcp_abort(world->tcp, conn);
    peer_data(world, &peer, 10);
    assert_int_equal(client_of(conn)->received, 10);
    world_output(world);
    const struct sent *sent = expect(world, TCP_RST | TCP_ACK);
    assert_int_equal(sent->header.seq, peer.ack);
    expect_silence(world);
    assert_int_equal(world->why, TCP_CLOSED_ABORTED);
    assert_int_equal(world->closed, 1);
}

static void closing_and_aborting_from_within_received_is_safe(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    world->take = 5;
    world->close_early = true;
    peer_data(world, &peer, 100);
    world->close_early = false;
    assert_int_equal(world->closed, 0);
    world_output(world);
    expect(world, TCP_ACK | TCP_FIN);
    world_forget(world);

    peer_init(world, &peer, 2);
    world->take = SIZE_MAX;
    assert_non_null(peer_connect(world, &peer, 1));
    world->abort_early = true;
    peer_data(world, &peer, 100);
    world->abort_early = false;
    assert_int_equal(world->closed, 0);
    world_output(world);
    expect(world, TCP_RST | TCP_ACK);
    assert_int_equal(world->closed, 1);
}

static void a_reset_connection_is_told_once(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_abort(world->tcp, conn);
    tcp_abort(world->tcp, conn);
    tcp_close(world->tcp, conn);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    world_output(world);
    assert_int_equal(world->closed, 1);
}

/* RFC 6191: a SYN on the tuple in TIME-WAIT is taken if it is certainly new. */
static void a_newer_syn_takes_the_place_of_the_record(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    close_first(world, &peer, conn);
    world_forget(world);
    struct peer old = peer, new = peer;
    old.tsval -= 10;
    old.iss = peer.seq + 1000;
    assert_false(peer_syn(world, &old));
    new.tsval += 10;
    new.iss = peer.seq - 1000; /* the time stamp decides */
    assert_true(peer_syn(world, &new));
    assert_int_equal(world_count(world, COUNTER_TCP_TIME_WAIT_REUSED), 1);
    peer_data(world, &new, 10);
    assert_int_equal(world->opened, 2);
}

static void without_time_stamps_the_sequence_number_decides(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    close_first(world, &peer, conn);
    struct peer again = peer;
    again.iss = peer.seq - 5;
    assert_false(peer_syn(world, &again));
    again.iss = peer.seq + 5;
    assert_true(peer_syn(world, &again));
}

/* The peer's number is newer, but ours would lie among those of the old connection, which has sent
 * much more than it has received (RFC 1122 4.2.2.13). */
static void without_time_stamps_our_number_must_be_new_too(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    for (unsigned i = 0; i < 10; i++) {
        announce(world, conn, 10000);
        world_output(world);
        peer_ack(world, &peer, 10000);
    }
    close_first(world, &peer, conn);
    struct peer again = peer;
    again.iss = peer.seq + 5;
    assert_false(peer_syn(world, &again));
    again.iss = peer.seq + 200000;
    assert_true(peer_syn(world, &again));
    assert_true((int32_t)(again.irs - peer.ack) > 0);
}

static void an_equal_time_stamp_leaves_it_to_the_sequence_number(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    close_first(world, &peer, conn);
    struct peer again = peer;
    again.iss = peer.seq - 5;
    assert_false(peer_syn(world, &again));
    again.iss = peer.seq + 200000;
    assert_true(peer_syn(world, &again));
}

static void records_are_bounded_and_the_oldest_goes_first(void **state) {
    struct world *world = *state;
    struct peer peer;
    for (unsigned i = 1; i <= 40; i++) {
        peer_init(world, &peer, i);
        struct tcp_conn *conn = peer_connect(world, &peer, 1);
        tcp_close(world->tcp, conn);
        world_output(world);
        peer.ack++;
        peer_fin(world, &peer);
        world_output(world);
    }
    assert_int_equal(world->tcp->time_waits.count, 16);
    assert_int_equal(world->tcp->flow.entries, 16);
    assert_int_equal(world_count(world, COUNTER_TCP_TIME_WAIT_EVICTED), 24);
}

static void without_memory_for_a_record_the_connection_still_ends(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer_ipv6(world, &peer);
    struct tcp_conn *conn = peer_connect(world, &peer, 1);
    tcp_close(world->tcp, conn);
    world_output(world);
    peer.ack++;
    peer_fin(world, &peer);
    arena_fail_after(world->arena, 2); /* the record, then its address */
    world_output(world);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->tcp->time_waits.count, 0);
    assert_int_equal(world->tcp->records.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(the_peer_closes_and_we_follow),
        in_world(after_the_peers_fin_we_can_still_send),
        in_world(we_close_first_and_leave_a_record),
        in_world(both_close_at_once),
        in_world(fin_and_its_ack_in_one_segment_go_to_time_wait),
        in_world(after_close_input_is_acknowledged_and_discarded),
        in_world(close_sends_what_was_announced_first),
        in_world(a_peer_that_never_finishes_is_reset_after_fin_wait),
        in_world(abort_sends_a_rst_and_nothing_else_follows),
        in_world(closing_and_aborting_from_within_received_is_safe),
        in_world(a_reset_connection_is_told_once),
        in_world(a_newer_syn_takes_the_place_of_the_record),
        in_world(without_time_stamps_the_sequence_number_decides),
        in_world(without_time_stamps_our_number_must_be_new_too),
        in_world(an_equal_time_stamp_leaves_it_to_the_sequence_number),
        in_world(records_are_bounded_and_the_oldest_goes_first),
        in_world(without_memory_for_a_record_the_connection_still_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
