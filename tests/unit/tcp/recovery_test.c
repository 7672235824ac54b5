/* SPDX-License-Identifier: Apache-2.0 */
/* Loss recovery with a peer that sends SACK: RFC 6675, 8985, 9937, 2883, 3522; and F-RTO, RFC 5682,
 * with one that does not. The flight is drawn in segments; x is lost, [ ] was sacked. */
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/timeout.h"
#include "tests/unit/tcp/world_test.h"

enum { MSS = 1348, MS = 1000, SECOND = 1000000, RTT = 50 * MS };

/* A connection over a path of 50 ms; with an ACK of everything before the flight. */
static struct tcp_conn *over_a_path(struct world *world, struct peer *peer) {
    struct tcp_conn *conn = connected_with_timestamps(world, peer);
    conn->srtt = RTT;
    conn->rttvar = RTT / 4;
    return conn;
}

static struct tcp_extension *extension(struct world *world, struct tcp_conn *conn) {
    return extension_of(world->pool.base, conn);
}

/* Sends what there is and forgets it; the peer echoes its time stamp from now on. */
static void send_all(struct world *world, struct peer *peer) {
    world_output(world);
    for (const struct sent *sent; (sent = world_sent(world)) != NULL;)
        peer->tsecr = sent->header.options.tsval;
}

/* Such a connection with so many bytes in flight. */
static struct tcp_conn *in_flight(struct world *world, struct peer *peer, uint32_t len) {
    struct tcp_conn *conn = over_a_path(world, peer);
    announce(world, conn, len);
    send_all(world, peer);
    return conn;
}

/* An ACK of what was acknowledged before, with blocks [first, first + count) in segments from
 * there on. */
static void sack(struct world *world, struct peer *peer, unsigned blocks, const int (*at)[2]) {
    uint8_t options[TCP_OPTIONS_MAX];
    struct tcp_sack_block block[TCP_SACK_BLOCKS_MAX];
    size_t len = tcp_options_put_timestamp(options, peer->tsval, peer->tsecr);
    for (unsigned i = 0; i < blocks; i++) {
        block[i].left = peer->ack + (uint32_t)(at[i][0] * MSS);
        block[i].right = block[i].left + (uint32_t)(at[i][1] * MSS);
    }
    len += tcp_options_put_sack(options + len, block, blocks);
    peer_send(world, peer,
              (struct by_hand){.flags = TCP_ACK, .options = options, .options_len = len});
    world_output(world);
}

static void sack_one(struct world *world, struct peer *peer, int first, int count) {
    sack(world, peer, 1, (const int[1][2]){{first, count}});
}

/*   x  [1  2  3]  4  5  6  7  8  9  */
static void a_hole_is_filled_and_nothing_else(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 10 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 1);
    sack_one(world, &peer, 1, 2);
    expect_silence(world);
    sack_one(world, &peer, 1, 3);
    expect_data(world, &peer, 0, MSS);
    expect_silence(world);
    assert_int_equal(extension(world, conn)->recovery, RECOVERY_FAST);
    assert_int_equal(conn->congestion.ssthresh, 5 * MSS);
    for (int i = 4; i <= 9; i++)
        sack_one(world, &peer, 1, i);
    expect_silence(world);
    world->now += RTT;
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    peer_ack(world, &peer, 10 * MSS);
    assert_int_equal(conn->congestion.cwnd, 5 * MSS);
    assert_int_equal(conn->fast.user, 1);
    assert_int_equal(world_count(world, COUNTER_TCP_FAST_RETRANSMITS), 1);
}

/*   x  [1]  x  [3]  x  [5  6  7  8  9]  */
static void all_holes_of_a_window_are_filled_in_a_round_trip(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 10 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 1);
    sack(world, &peer, 2, (const int[][2]){{3, 1}, {1, 1}});
    for (int i = 1; i <= 5; i++)
        sack(world, &peer, 3, (const int[][2]){{5, i}, {3, 1}, {1, 1}});
    expect_data(world, &peer, 0, MSS);
    expect_data(world, &peer, 2 * MSS, MSS);
    expect_data(world, &peer, 4 * MSS, MSS);
    expect_silence(world);
    world->now += RTT;
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    peer_ack(world, &peer, 10 * MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
    assert_int_equal(conn->fast.user, 3);
}

static void blocks_that_make_no_sense_are_ignored(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 10 * MSS);
    sack_one(world, &peer, 5, 6);  /* beyond what was sent */
    sack_one(world, &peer, 3, -1); /* the wrong way round */
    sack_one(world, &peer, 3, 0);  /* empty */
    sack_one(world, &peer, 1, 1000000);
    assert_int_equal(extension(world, conn)->sent.sacked, 0);
    sack(world, &peer, 2, (const int[][2]){{4, 1}, {0, 2}}); /* the second begins at the ACK */
    assert_int_equal(extension(world, conn)->sent.sacked, MSS);
    expect_silence(world);
}

/*   x  [1]      two segments are enough, after a quarter of a round trip */
static void a_thin_flow_does_not_wait_for_the_timeout(void **state) {
    struct world *world = *state;
    struct peer peer;
    in_flight(world, &peer, 2 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 1);
    expect_silence(world);
    world_wait(world, RTT / 4 - 3 * MS);
    expect_silence(world);
    world_wait(world, 6 * MS);
    expect_data(world, &peer, 0, MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_RACK_LOST), 1);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

/*   x  [1 2 3]  4     0 is sent again, and lost again: 4 was sent before it, 5 after it arrives */
static void a_lost_retransmission_is_sent_a_third_time(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 30 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 3);
    expect_data(world, &peer, 0, MSS);
    world_forget(world);
    world->now += MS;
    for (int i = 4; i <= 9; i++)
        sack_one(world, &peer, 1, i);
    const struct sent *fresh = world_sent(world);
    assert_int_equal(fresh->header.seq - peer.ack, 10 * MSS);
    world_forget(world);
    world->now += RTT;
    uint32_t before = conn->congestion.ssthresh;
    sack_one(world, &peer, 1, 10);
    expect_data(world, &peer, 0, MSS);
    /* The second loss is one for the window, too (RFC 5681 4.3). */
    assert_true(conn->congestion.ssthresh < before);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

/* Two round trips and the time that ACKs may be delayed, not RTO. */
static void a_lost_tail_is_probed_before_the_timeout(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 100);
    world_wait(world, 2 * RTT + TIMEOUT_ACK_DELAY_US - 5 * MS);
    expect_silence(world);
    world_wait(world, 10 * MS);
    const struct sent *probe = expect_data(world, &peer, 0, 100);
    uint32_t timestamp = probe->header.options.tsval;
    expect_silence(world);
    assert_int_equal(world_count(world, COUNTER_TCP_TAIL_PROBES), 1);
    /* It took the place of what was lost, which counts as a loss (RFC 8985 7.4.2). */
    uint32_t before = conn->congestion.cwnd;
    peer.tsecr = timestamp;
    peer_ack(world, &peer, 100);
    assert_int_equal(world_count(world, COUNTER_TCP_TAIL_PROBES_REPAIRED), 1);
    assert_true(conn->congestion.cwnd < before);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

static void a_probe_in_vain_changes_nothing(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 100);
    world_wait(world, 310 * MS);
    expect_data(world, &peer, 0, 100);
    uint32_t before = conn->congestion.cwnd;
    peer_ack(world, &peer, 100); /* echoes the first */
    assert_int_equal(world_count(world, COUNTER_TCP_TAIL_PROBES_REPAIRED), 0);
    assert_int_equal(conn->congestion.cwnd, before);
}

/* The ACK comes before there is a frame for the probe, and says nothing of a loss. */
static void a_probe_that_did_not_leave_repairs_nothing(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = over_a_path(world, &peer);
    announce(world, conn, 100);
    send_all(world, &peer);
    uint32_t before = conn->congestion.cwnd;
    world->frames = 0;
    world_wait(world, 310 * MS);
    assert_true(extension(world, conn)->flags & EXTENSION_TAIL_PROBE);
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    peer_ack(world, &peer, 100);
    assert_int_equal(world_count(world, COUNTER_TCP_TAIL_PROBES), 0);
    assert_int_equal(world_count(world, COUNTER_TCP_TAIL_PROBES_REPAIRED), 0);
    assert_true(conn->congestion.cwnd >= before);
}

/* The last of many: two round trips. New data is better than old. */
static void a_probe_takes_new_data_along(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 30 * MSS);
    uint32_t sent = conn->snd_nxt - conn->snd_una;
    world_wait(world, 2 * RTT + 3 * MS);
    expect_data(world, &peer, sent, MSS);
    expect_silence(world);
    /* One probe, then the timeout, from there on. */
    world_wait(world, 390 * MS);
    expect_silence(world);
    world_wait(world, 20 * MS);
    expect_data(world, &peer, 0, MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 1);
}

/* What the probe shows: the segments before the last are lost, too. */
static void the_answer_to_a_probe_starts_recovery(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 4 * MSS);
    world_wait(world, 2 * RTT + 3 * MS);
    expect_data(world, &peer, 3 * MSS, MSS);
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    world->now += RTT;
    sack_one(world, &peer, 3, 1);
    world_wait(world, RTT / 4 + 3 * MS);
    expect_data(world, &peer, 0, MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

/* Eifel: everything arrived, only late. */
static void a_needless_timeout_is_taken_back(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 20 * MSS);
    uint32_t window = conn->congestion.cwnd;
    world_wait(world, 3 * SECOND / 2);
    assert_int_equal(conn->congestion.cwnd, MSS);
    world_forget(world);
    peer_ack(world, &peer, 4 * MSS);
    world_output(world);
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_TIMEOUTS), 1);
    assert_int_equal(extension(world, conn)->recovery, RECOVERY_NONE);
    assert_int_equal(extension(world, conn)->sent.lost, 0);
    /* New data, none of the old; and slow start leads back to where it was. */
    const struct sent *sent = world_sent(world);
    assert_non_null(sent);
    assert_true(seq_geq(sent->header.seq - peer.ack, 6 * MSS));
    assert_int_equal(conn->congestion.ssthresh, CWND_MAX);
    assert_true(conn->congestion.cwnd <= window);
}

static void a_real_timeout_is_not_taken_back(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 20 * MSS);
    world_wait(world, 550 * MS);
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    peer_ack(world, &peer, MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_TIMEOUTS), 0);
    assert_int_equal(extension(world, conn)->recovery, RECOVERY_AGAIN);
}

/* F-RTO: two ACKs in a row move on after one retransmission. */
static void without_time_stamps_two_acks_show_a_needless_timeout(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    put_in_flight(world, conn, 30 * MSS);
    world_wait(world, 1010 * MS);
    expect_data(world, &peer, 0, MSS + 12);
    peer_ack(world, &peer, 2 * (MSS + 12));
    world_output(world);
    /* New data, not what would be lost. */
    const struct sent *sent = world_sent(world);
    assert_int_equal(sent->header.seq - peer.ack, 8 * (MSS + 12));
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_TIMEOUTS), 0);
    peer_ack(world, &peer, 2 * (MSS + 12));
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_TIMEOUTS), 1);
    assert_int_equal(extension(world, conn)->sent.lost, 0);
}

/* And what is lost goes out at once. */
static void a_duplicate_after_a_timeout_shows_that_it_was_not_needless(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 30 * MSS);
    world_output(world);
    world_wait(world, 1010 * MS);
    peer_ack(world, &peer, MSS + 12);
    world_output(world);
    world_forget(world);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK});
    world_output(world);
    assert_int_equal(extension(world, conn)->undo.frto, FRTO_OFF);
    expect_data(world, &peer, 0, MSS + 12);
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_TIMEOUTS), 0);
}

/*   0  [1 2 3]   then 0 after all: it was overtaken, not lost */
static void a_needless_fast_retransmit_is_taken_back_and_reordering_remembered(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 10 * MSS);
    uint32_t window = conn->congestion.cwnd;
    world->now += RTT;
    sack_one(world, &peer, 1, 3);
    expect_data(world, &peer, 0, MSS);
    world->now += 2 * MS;
    peer_ack(world, &peer, 4 * MSS); /* echoes the first transmission */
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_RECOVERIES), 1);
    assert_true(conn->flags & CONN_REORDERED);
    assert_int_equal(conn->congestion.ssthresh, CWND_MAX);
    assert_true(conn->congestion.cwnd <= window + 2 * MSS); /* and the ACK lets it grow */
    peer_ack(world, &peer, 6 * MSS);
    /* From now on three segments are no reason by themselves. */
    announce(world, conn, 5 * MSS);
    send_all(world, &peer);
    world->now += RTT;
    sack_one(world, &peer, 1, 4);
    expect_silence(world);
}

/* Time stamps too coarse to tell, but everything sent again arrived twice. */
static void d_sacks_take_a_reduction_back(void **state) {
    struct world *world = *state;
    struct peer peer;
    in_flight(world, &peer, 10 * MSS);
    world->now += 200; /* within the tick of the first */
    sack_one(world, &peer, 1, 3);
    expect_data(world, &peer, 0, MSS);
    peer_ack(world, &peer, 4 * MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_RECOVERIES), 0);
    sack_one(world, &peer, -4, 1);
    assert_int_equal(world_count(world, COUNTER_TCP_DSACKS_IN), 1);
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_RECOVERIES), 1);
}

/* RFC 2018 8: the peer may have thrown away what it had sacked. */
static void after_a_timeout_sacked_data_is_sent_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 3 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 2);
    world_wait(world, 2 * SECOND);
    assert_int_equal(extension(world, conn)->sent.sacked, 0);
    world_forget(world);
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    peer_ack(world, &peer, MSS);
    world_output(world);
    expect_data(world, &peer, 0, MSS);
    expect_data(world, &peer, MSS, MSS);
    peer_ack(world, &peer, 2 * MSS);
    assert_int_equal(tcp_unacknowledged(conn), 0);
}

/* A scoreboard that can't grow ignores blocks, and duplicate ACKs count to three again. */
static void without_memory_duplicate_acks_recover(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = in_flight(world, &peer, 10 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 2, 1);
    for (int i = 2; i < 5; i++) {
        arena_fail_after(world->arena, 1);
        sack_one(world, &peer, 2 * i, 1);
    }
    arena_fail_after(world->arena, 0);
    const struct sent *sent = world_sent(world);
    assert_non_null(sent);
    assert_int_equal(sent->header.seq, peer.ack);
    world_forget(world);
    peer.tsecr = timestamp_now(world->tcp, conn->ts_offset);
    peer_ack(world, &peer, 10 * MSS);
    assert_int_equal(tcp_unacknowledged(conn), 0);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 0);
}

/* --- what we tell the peer ------------------------------------------------------------------- */

/* The blocks of the next segment sent. */
static unsigned told(struct world *world, struct tcp_sack_block *blocks) {
    const struct sent *sent = world_sent(world);
    assert_non_null(sent);
    for (unsigned i = 0; i < sent->header.options.sack_count; i++)
        blocks[i] = tcp_options_sack(&sent->header.options, i);
    return sent->header.options.sack_count;
}

static void what_arrives_twice_is_told(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = over_a_path(world, &peer);
    struct tcp_sack_block blocks[4];
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = -10, .len = 10});
    world_output(world);
    assert_int_equal(told(world, blocks), 1);
    assert_int_equal(blocks[0].left, peer.seq - 10);
    assert_int_equal(blocks[0].right, peer.seq);
    assert_int_equal(conn->extension, 0);
    /* A part of it is new. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = -5, .len = 20});
    world_output(world);
    assert_int_equal(told(world, blocks), 1);
    assert_int_equal(blocks[0].right, peer.seq);
    assert_int_equal(world_count(world, COUNTER_TCP_DSACKS_OUT), 2);
}

/* RFC 2883 4.2: behind a hole, followed by the block that holds it. */
static void what_arrives_twice_behind_a_hole_is_told(void **state) {
    struct world *world = *state;
    struct peer peer;
    over_a_path(world, &peer);
    struct tcp_sack_block blocks[4];
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 300});
    world_output(world);
    assert_int_equal(told(world, blocks), 1);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 200, .len = 100});
    world_output(world);
    assert_int_equal(told(world, blocks), 2);
    assert_int_equal(blocks[0].left, peer.seq + 200);
    assert_int_equal(blocks[0].right, peer.seq + 300);
    assert_int_equal(blocks[1].left, peer.seq + 100);
    assert_int_equal(blocks[1].right, peer.seq + 400);
}

/* --- switched off ---------------------------------------------------------------------------- */

static void reopen(struct world *world, void (*change)(struct tcp_config *config)) {
    world_close(world);
    world_open_changed(world, change);
}

static void no_sack(struct tcp_config *config) {
    config->sack = false;
}

static void without_sack_none_is_offered(void **state) {
    struct world *world = *state;
    struct peer peer;
    reopen(world, no_sack);
    peer_init(world, &peer, 1);
    peer.timestamps = peer.sack = true;
    peer.tsval = 5000;
    struct tcp_conn *conn = peer_connect(world, &peer, 10);
    assert_true(conn->flags & CONN_TIMESTAMPS);
    assert_false(conn->flags & CONN_SACK);
}

static void no_rack(struct tcp_config *config) {
    config->rack = false;
}

/* RFC 6675: bytes from behind count, time does not. */
static void without_rack_three_segments_are_waited_for(void **state) {
    struct world *world = *state;
    struct peer peer;
    reopen(world, no_rack);
    in_flight(world, &peer, 6 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 2, 2);
    world_wait(world, RTT);
    expect_silence(world);
    sack_one(world, &peer, 2, 3);
    expect_data(world, &peer, 0, MSS);
}

static void no_probe(struct tcp_config *config) {
    config->tail_loss_probe = false;
}

static void without_probes_the_timeout_is_waited_for(void **state) {
    struct world *world = *state;
    struct peer peer;
    reopen(world, no_probe);
    in_flight(world, &peer, 100);
    world_wait(world, 390 * MS);
    expect_silence(world);
    world_wait(world, 20 * MS);
    expect_data(world, &peer, 0, 100);
    assert_int_equal(world_count(world, COUNTER_TCP_RETRANSMISSION_TIMEOUTS), 1);
}

static void no_prr(struct tcp_config *config) {
    config->prr = false;
}

/* RFC 6675: half the window is free again when half of it has arrived. */
static void without_prr_the_window_is_halved_at_once(void **state) {
    struct world *world = *state;
    struct peer peer;
    reopen(world, no_prr);
    struct tcp_conn *conn = in_flight(world, &peer, 30 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 3);
    expect_data(world, &peer, 0, MSS);
    assert_int_equal(conn->congestion.cwnd, conn->congestion.ssthresh);
    sack_one(world, &peer, 1, 4);
    expect_silence(world);
}

static void no_undo(struct tcp_config *config) {
    config->undo = false;
}

static void without_undo_a_timeout_stays_one(void **state) {
    struct world *world = *state;
    struct peer peer;
    reopen(world, no_undo);
    struct tcp_conn *conn = in_flight(world, &peer, 20 * MSS);
    world_wait(world, 3 * SECOND / 2);
    peer_ack(world, &peer, 4 * MSS);
    assert_int_equal(world_count(world, COUNTER_TCP_SPURIOUS_TIMEOUTS), 0);
    assert_int_equal(extension(world, conn)->recovery, RECOVERY_AGAIN);
}

static void no_limited_transmit(struct tcp_config *config) {
    config->limited_transmit = false;
}

static void without_limited_transmit_sacked_data_lets_nothing_out(void **state) {
    struct world *world = *state;
    struct peer peer;
    reopen(world, no_limited_transmit);
    in_flight(world, &peer, 30 * MSS);
    world->now += RTT;
    sack_one(world, &peer, 1, 2);
    expect_silence(world);
}

static void a_report_shows_recovery(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = over_a_path(world, &peer);
    struct tcp_report report;
    announce(world, conn, 30 * MSS);
    send_all(world, &peer);
    world->now += RTT;
    sack_one(world, &peer, 2, 3);
    tcp_conn_report(world->tcp, conn, &report, world->now);
    assert_int_equal(report.recovery, RECOVERY_FAST);
    assert_int_equal(report.sacked, 3 * MSS);
    assert_int_equal(report.pipe + report.sacked + report.lost, report.in_flight);
    assert_int_equal(report.min_rtt, RTT);
    assert_string_equal(report.congestion, "newreno");
    assert_false(report.reordering);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(a_hole_is_filled_and_nothing_else),
        in_world(all_holes_of_a_window_are_filled_in_a_round_trip),
        in_world(blocks_that_make_no_sense_are_ignored),
        in_world(a_thin_flow_does_not_wait_for_the_timeout),
        in_world(a_lost_retransmission_is_sent_a_third_time),
        in_world(a_lost_tail_is_probed_before_the_timeout),
        in_world(a_probe_in_vain_changes_nothing),
        in_world(a_probe_that_did_not_leave_repairs_nothing),
        in_world(a_probe_takes_new_data_along),
        in_world(the_answer_to_a_probe_starts_recovery),
        in_world(a_needless_timeout_is_taken_back),
        in_world(a_real_timeout_is_not_taken_back),
        in_world(without_time_stamps_two_acks_show_a_needless_timeout),
        in_world(a_duplicate_after_a_timeout_shows_that_it_was_not_needless),
        in_world(a_needless_fast_retransmit_is_taken_back_and_reordering_remembered),
        in_world(d_sacks_take_a_reduction_back),
        in_world(after_a_timeout_sacked_data_is_sent_again),
        in_world(without_memory_duplicate_acks_recover),
        in_world(what_arrives_twice_is_told),
        in_world(what_arrives_twice_behind_a_hole_is_told),
        in_world(without_sack_none_is_offered),
        in_world(without_rack_three_segments_are_waited_for),
        in_world(without_probes_the_timeout_is_waited_for),
        in_world(without_prr_the_window_is_halved_at_once),
        in_world(without_undo_a_timeout_stays_one),
        in_world(without_limited_transmit_sacked_data_lets_nothing_out),
        in_world(a_report_shows_recovery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
