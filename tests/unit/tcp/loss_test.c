/* SPDX-License-Identifier: Apache-2.0 */
/* Loss recovery: RFC 6298, 5681 3.2, 6582; the persist timer, RFC 9293 3.8.6.1. */
#include "tests/unit/tcp/world_test.h"

enum { MSS = 1360, SECOND = 1000000 };

static void duplicate_ack(struct world *world, struct peer *peer) {
    peer_send(world, peer, (struct by_hand){.flags = TCP_ACK});
    world_output(world);
}

static void an_unanswered_segment_is_sent_again_with_doubling_timeouts(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 100);
    world_output(world);
    expect_data(world, &peer, 0, 100);
    /* Without a sample: 1 s, then 2, 4, 8. */
    uint64_t due = world->now;
    for (uint64_t timeout = SECOND; timeout <= 8 * SECOND; timeout *= 2) {
        due += timeout;
        world_wait(world, due - 10000 - world->now);
        expect_silence(world);
        world_wait(world, due + 20000 - world->now);
        expect_data(world, &peer, 0, 100);
        expect_silence(world);
    }
    peer_ack(world, &peer, 100);
    assert_int_equal(tcp_unacknowledged(conn), 0);
    world_wait(world, 100 * SECOND);
    expect_silence(world);
    assert_int_equal(conn->fast.user, 4);
}

/* Karn: no sample from what was sent twice, and the timeout stays backed off until there is one. */
static void what_was_sent_twice_gives_no_sample_without_time_stamps(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 100);
    world_output(world);
    world_wait(world, 1100000);
    peer_ack(world, &peer, 100);
    assert_int_equal(conn->srtt, 0);
    assert_int_equal(conn->backoff, 1);
    announce(world, conn, 100);
    world_output(world);
    world->now += 70000;
    peer_ack(world, &peer, 100);
    assert_int_equal(conn->srtt, 70000);
    assert_int_equal(conn->backoff, 0);
}

static void with_time_stamps_every_ack_gives_a_sample(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    conn->srtt = 0;
    announce(world, conn, 100);
    world_output(world);
    world_wait(world, 1600000);
    world_output(world);
    const struct sent *sent = world_sent(world);
    while (world->sent_count)
        sent = world_sent(world);
    peer.tsecr = sent->header.options.tsval; /* of the second transmission */
    world->now += 50 * 1024;
    peer_ack(world, &peer, 100);
    assert_true(conn->srtt > 0 && conn->srtt < SECOND);
    assert_int_equal(conn->backoff, 0);
}

static void an_absurd_echo_gives_no_sample(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    uint32_t before = conn->srtt;
    const int32_t echoes[] = {1000, -100000000, INT32_MIN};
    for (unsigned i = 0; i < 3; i++) {
        announce(world, conn, 100);
        world_output(world);
        peer.tsecr += (uint32_t)echoes[i];
        peer_ack(world, &peer, 100);
        assert_int_equal(conn->srtt, before);
        assert_int_equal(tcp_unacknowledged(conn), 0);
    }
}

static void the_connection_is_given_up_after_the_time_configured(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 100);
    world_output(world);
    world_wait(world, 118 * SECOND);
    assert_int_equal(world->closed, 0);
    world_wait(world, 120 * SECOND);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->why, TCP_CLOSED_TIMEOUT);
}

/*   1   2   3   4   5  |  6        2 is lost: three duplicates of the ACK of 1 */
static void three_duplicate_acks_send_the_first_segment_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 8 * MSS);
    peer_ack(world, &peer, MSS);
    duplicate_ack(world, &peer);
    duplicate_ack(world, &peer);
    expect_silence(world);
    duplicate_ack(world, &peer);
    expect_data(world, &peer, 0, MSS);
    expect_silence(world);
    assert_int_equal(conn->congestion.ssthresh, 7 * MSS / 2);
    assert_int_equal(conn->congestion.cwnd, 4 * MSS); /* three in the network and this one */
    /* The ACK of all ends it. */
    peer_ack(world, &peer, 7 * MSS);
    assert_true(conn->congestion.cwnd <= 7 * MSS / 2);
    assert_int_equal(conn->extension, 0);
    assert_int_equal(world_count(world, COUNTER_TCP_FAST_RETRANSMITS), 1);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

/* RFC 6582: two of a window are lost; the partial ACK shows the second. */
static void a_partial_ack_sends_the_next_hole_without_waiting(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 10 * MSS);
    for (unsigned i = 0; i < 3; i++)
        duplicate_ack(world, &peer);
    expect_data(world, &peer, 0, MSS);
    peer_ack(world, &peer, 4 * MSS);
    world_output(world);
    expect_data(world, &peer, 0, MSS);
    expect_silence(world);
    peer_ack(world, &peer, 6 * MSS);
    assert_int_equal(tcp_unacknowledged(conn), 0);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

/* RFC 3042: the first two let new data out, so that there are more of them. */
static void limited_transmit_answers_the_first_two_duplicates(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    announce(world, world->conn, 30 * MSS);
    world_output(world);
    world_forget(world);
    duplicate_ack(world, &peer);
    expect_data(world, &peer, 10 * MSS, MSS);
    duplicate_ack(world, &peer);
    expect_data(world, &peer, 11 * MSS, MSS);
    expect_silence(world);
}

/* RFC 9937: half of what is delivered is let out, from the first ACK of the recovery on. */
static void duplicates_beyond_the_third_let_new_data_out(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    announce(world, world->conn, 30 * MSS);
    world_output(world);
    duplicate_ack(world, &peer);
    duplicate_ack(world, &peer);
    world_forget(world);
    duplicate_ack(world, &peer);
    expect_data(world, &peer, 0, MSS);
    expect_silence(world);
    unsigned sent = 0;
    for (unsigned i = 0; i < 8; i++) {
        duplicate_ack(world, &peer);
        if (world_sent(world))
            sent++;
        expect_silence(world);
    }
    assert_in_range(sent, 3, 4);
}

static void acks_with_data_or_another_window_are_no_duplicates(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 5 * MSS);
    for (unsigned i = 0; i < 5; i++)
        peer_data(world, &peer, 10);
    for (int i = 0; i < 5; i++)
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .wnd = 30000 + i});
    assert_int_equal(world_count(world, COUNTER_TCP_FAST_RETRANSMITS), 0);
    assert_int_equal(conn->duplicate_acks, 0);
}

/* After a timeout all in flight is sent again, as the window grows from one segment. */
static void a_timeout_goes_back_to_the_first_and_starts_slowly(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 6 * MSS);
    world_wait(world, 1010000);
    expect_data(world, &peer, 0, MSS);
    expect_silence(world);
    assert_int_equal(conn->congestion.cwnd, MSS);
    assert_int_equal(conn->congestion.ssthresh, 3 * MSS);
    peer_ack(world, &peer, MSS);
    world_output(world);
    expect_data(world, &peer, 0, MSS);
    expect_data(world, &peer, MSS, MSS);
    expect_silence(world);
    /* The ACK shows that the rest had arrived: nothing of it is sent again. */
    peer_ack(world, &peer, 5 * MSS);
    announce(world, conn, 10);
    world_output(world);
    expect_data(world, &peer, 0, 10);
}

/* RFC 6582 4: what go-back-N sent in vain comes back as duplicates of the last ACK. */
static void duplicates_after_a_timeout_are_not_a_new_loss(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 4 * MSS);
    world_output(world);
    world_wait(world, 1010000);
    peer_ack(world, &peer, 4 * MSS);
    put_in_flight(world, conn, 4 * MSS);
    peer_ack(world, &peer, MSS);
    world_output(world);
    world_forget(world);
    assert_int_equal(conn->snd_nxt - conn->snd_una, 3 * MSS);
    const struct tcp_extension *extension = extension_of(world->pool.base, conn);
    assert_int_equal(extension->recovery, RECOVERY_NONE);
}

static void a_closed_window_is_probed_with_one_byte_for_ever(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .wnd = -1});
    announce(world, conn, 500);
    world_output(world);
    expect_silence(world);
    for (unsigned i = 0; i < 50; i++) {
        world_wait(world, 61 * SECOND);
        const struct sent *sent = world_sent(world);
        assert_non_null(sent);
        assert_int_equal(sent->header.seq, peer.ack);
        assert_int_equal(sent->header.len, 1);
        world_forget(world);
        /* The answer keeps the connection alive for as long as it takes. */
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .wnd = -1});
    }
    assert_int_equal(world->closed, 0);
    assert_int_equal(conn->zero_windows, 1);
    /* Opened: all at once, the probe's byte included. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK});
    world_output(world);
    expect_data(world, &peer, 0, 500);
    peer_ack(world, &peer, 500);
    assert_int_equal(tcp_unacknowledged(conn), 0);
}

static void a_probe_that_finds_the_window_open_goes_on(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .wnd = -1});
    announce(world, conn, 500);
    world_output(world);
    world_wait(world, 1100000); /* the update was lost, the probe asks */
    expect_data(world, &peer, 0, 1);
    peer_ack(world, &peer, 1);
    world_output(world);
    expect_data(world, &peer, 0, 499);
    peer_ack(world, &peer, 499);
    (void)conn;
}

static void unanswered_probes_end_the_connection(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .wnd = -1});
    announce(world, conn, 500);
    world_output(world);
    world_wait(world, 300 * SECOND);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->why, TCP_CLOSED_TIMEOUT);
}

static void a_lost_fin_is_sent_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 10);
    tcp_close(world->tcp, conn);
    world_output(world);
    const struct sent *sent = expect_data(world, &peer, 0, 10);
    assert_int_equal(sent->header.flags, TCP_ACK | TCP_PSH | TCP_FIN);
    peer_ack(world, &peer, 10);
    assert_int_equal(conn->state, TCP_STATE_FIN_WAIT_1);
    world_wait(world, 1100000);
    sent = expect(world, TCP_ACK | TCP_FIN);
    assert_int_equal(sent->header.seq, peer.ack);
    peer_ack(world, &peer, 1);
    assert_int_equal(conn->state, TCP_STATE_FIN_WAIT_2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(an_unanswered_segment_is_sent_again_with_doubling_timeouts),
        in_world(what_was_sent_twice_gives_no_sample_without_time_stamps),
        in_world(with_time_stamps_every_ack_gives_a_sample),
        in_world(an_absurd_echo_gives_no_sample),
        in_world(the_connection_is_given_up_after_the_time_configured),
        in_world(three_duplicate_acks_send_the_first_segment_again),
        in_world(a_partial_ack_sends_the_next_hole_without_waiting),
        in_world(limited_transmit_answers_the_first_two_duplicates),
        in_world(duplicates_beyond_the_third_let_new_data_out),
        in_world(acks_with_data_or_another_window_are_no_duplicates),
        in_world(a_timeout_goes_back_to_the_first_and_starts_slowly),
        in_world(duplicates_after_a_timeout_are_not_a_new_loss),
        in_world(a_closed_window_is_probed_with_one_byte_for_ever),
        in_world(a_probe_that_finds_the_window_open_goes_on),
        in_world(unanswered_probes_end_the_connection),
        in_world(a_lost_fin_is_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
