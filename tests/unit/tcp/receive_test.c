/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes on their way to the application: order, holes, back-pressure, windows. */
#include "tests/unit/tcp/world_test.h"

#include "dataplane/base/bytes.h"

/*      rcv_nxt
 *         |  1  |  2  |  3  |      arrives as  3  1  2 */
static void segments_out_of_order_are_delivered_in_order(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 200, .len = 100});
    assert_int_equal(client_of(conn)->received, 10);
    assert_int_not_equal(conn->extension, 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 0, .len = 100});
    assert_int_equal(client_of(conn)->received, 110);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 100});
    assert_int_equal(client_of(conn)->received, 310);
    world_output(world);
    assert_int_equal(conn->extension, 0);
    assert_int_equal(conn->out_of_order, 1);
}

/* RFC 5681 4.2: a peer without SACK counts duplicate ACKs. */
static void each_segment_behind_a_hole_gets_its_duplicate_ack(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    for (int32_t i = 1; i <= 5; i++)
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = i * 100, .len = 100});
    world_output(world);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(expect(world, TCP_ACK)->header.ack, peer.seq);
    expect_silence(world);
}

/* RFC 2018: the block of the latest segment first, at most three beside the time stamp. */
static void sack_blocks_tell_what_lies_behind_holes(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected_with_timestamps(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 300, .len = 100});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 100});
    world_output(world);
    const struct sent *sent = expect(world, TCP_ACK);
    expect_silence(world);
    const uint8_t *options = sent->bytes + 20 + 12;
    assert_int_equal(sent->len, 20 + 12 + 4 + 16);
    assert_int_equal(load_be16(options + 2), TCP_OPTION_SACK << 8 | 18);
    assert_int_equal(load_be32(options + 4), peer.seq + 100);
    assert_int_equal(load_be32(options + 8), peer.seq + 200);
    assert_int_equal(load_be32(options + 12), peer.seq + 300);
    assert_int_equal(load_be32(options + 16), peer.seq + 400);
}

static void a_fin_behind_a_hole_waits_for_it(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .seq = 50, .len = 50});
    assert_int_equal(world->finished, 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 50});
    assert_int_equal(world->finished, 1);
    assert_int_equal(client_of(conn)->received, 110);
    assert_int_equal(conn->rcv_nxt, peer.seq + 101);
    world_output(world);
    assert_int_equal(conn->extension, 0);
}

static void out_of_order_data_is_bounded(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    for (int32_t i = 0; i < 1000; i++)
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 10 + i * 4, .len = 1});
    const struct tcp_extension *extension = extension_of(world->pool.base, conn);
    assert_true(extension->in.chunks <= REASSEMBLY_CHUNKS_MAX);
    assert_true(extension->in.memory <= 16384 + 4096);
    assert_true(world_count(world, COUNTER_TCP_DROP_OUT_OF_ORDER) >= 900);
    /* What was dropped can be sent again. */
    for (uint32_t at = 0; at < 4000; at += 1000)
        peer_data(world, &peer, 1000);
    assert_int_equal(client_of(conn)->received, 4010);
}

/* taken | unread ...............| window |  */
static void what_is_not_taken_is_kept_closes_the_window_and_is_offered_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 300;
    peer_data(world, &peer, 1000);
    assert_int_equal(client_of(conn)->received, 310);
    fill_window(world, &peer, conn);
    /* Nothing is offered while it is paused, whatever comes. */
    assert_int_equal(client_of(conn)->received, 310);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.wnd, 0);
    world_forget(world);

    /* Resumed: a part is taken, a small step of the window is not announced. */
    world->take = 100;
    tcp_resume(world->tcp, conn);
    assert_int_equal(client_of(conn)->received, 310);
    world_output(world);
    assert_int_equal(client_of(conn)->received, 410);
    expect_silence(world);
    assert_int_equal(conn->rcv_wnd, 0);

    world->take = SIZE_MAX;
    tcp_resume(world->tcp, conn);
    world_output(world);
    assert_int_equal(client_of(conn)->received, peer.seq - peer.iss - 1);
    assert_int_equal(expect(world, TCP_ACK)->header.wnd, 16384);
    expect_silence(world);
    assert_int_equal(conn->extension, 0);
}

static void a_resume_from_within_received_holds(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 3;
    world->resumes = 1;
    peer_data(world, &peer, 10);
    assert_int_equal(client_of(conn)->received, 13);
    world->take = SIZE_MAX;
    world_output(world);
    assert_int_equal(client_of(conn)->received, 20);
}

static void an_application_that_takes_nothing_and_resumes_is_asked_once_a_call(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 0;
    world->resumes = 4;
    peer_data(world, &peer, 10);
    for (unsigned left = 3; left; left--) {
        assert_int_equal(world->resumes, left);
        assert_true(tcp_output(world->tcp, world->now, 64));
    }
    assert_int_equal(world->resumes, 0);
    world->take = SIZE_MAX;
    world_output(world);
    assert_int_equal(client_of(conn)->received, 20);
}

static void finished_comes_after_the_last_byte_was_taken(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 4;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .len = 10});
    assert_int_equal(world->finished, 0);
    world->take = 5;
    tcp_resume(world->tcp, conn);
    world_output(world);
    assert_int_equal(world->finished, 0);
    world->take = SIZE_MAX;
    tcp_resume(world->tcp, conn);
    world_output(world);
    assert_int_equal(world->finished, 1);
    assert_int_equal(client_of(conn)->received, 20);
}

static void small_reads_do_not_announce_small_windows(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    uint16_t window = 16384 - 10;
    for (unsigned i = 0; i < 100; i++) {
        peer_data(world, &peer, 10);
        world_output(world);
        const struct sent *sent = expect(world, TCP_ACK);
        /* The right edge stands still until it moves by a full segment. */
        assert_true(sent->header.wnd == window - 10 || sent->header.wnd == 16384);
        window = sent->header.wnd;
    }
}

static void one_ack_answers_a_burst(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    for (unsigned i = 0; i < 8; i++)
        peer_data(world, &peer, 100);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.ack, peer.seq);
    expect_silence(world);
}

static void without_memory_nothing_is_acknowledged_that_is_not_kept(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 3;
    for (uint64_t n = 1; n <= 2; n++) { /* the extension, then the bytes */
        arena_fail_after(world->arena, n);
        uint32_t before = conn->rcv_nxt;
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 10});
        assert_int_equal(conn->rcv_nxt, before + (n == 1 ? 3 : 0));
        world_output(world);
        assert_int_equal(expect(world, TCP_ACK)->header.ack, conn->rcv_nxt);
    }
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_MEMORY), 2);
    arena_fail_after(world->arena, 1);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 10});
    world_output(world);
    world_forget(world);
    arena_fail_after(world->arena, 0);
    world->take = SIZE_MAX;
    tcp_resume(world->tcp, conn);
    peer_data(world, &peer, 10);
    world_output(world);
    assert_int_equal(client_of(conn)->received, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(segments_out_of_order_are_delivered_in_order),
        in_world(each_segment_behind_a_hole_gets_its_duplicate_ack),
        in_world(sack_blocks_tell_what_lies_behind_holes),
        in_world(a_fin_behind_a_hole_waits_for_it),
        in_world(out_of_order_data_is_bounded),
        in_world(what_is_not_taken_is_kept_closes_the_window_and_is_offered_again),
        in_world(a_resume_from_within_received_holds),
        in_world(an_application_that_takes_nothing_and_resumes_is_asked_once_a_call),
        in_world(finished_comes_after_the_last_byte_was_taken),
        in_world(small_reads_do_not_announce_small_windows),
        in_world(one_ack_answers_a_burst),
        in_world(without_memory_nothing_is_acknowledged_that_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
