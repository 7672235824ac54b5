/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's whole life with the n-th allocation failing, or the link without the n-th frame,
 * for each n: the streams arrive exactly, all memory comes back, and everybody can go on. The peer
 * does what a peer does: it sends again until it is answered.
 */
#include "tests/unit/tcp/world_test.h"

#include "dataplane/message/span.h"

enum { REPLY = 5000, TRIES = 20, SITES_MAX = 200 };

/* Takes what was sent and acknowledges it. */
static void acknowledge_all(struct world *world, struct peer *peer) {
    const struct sent *sent;
    while ((sent = world_sent(world)) != NULL) {
        uint32_t end = sent->header.seq + header_segment_length(&sent->header);
        if (sent->header.len)
            assert_true(sent_is_stream(peer, sent));
        if (sent->header.seq == peer->ack)
            peer->ack = end;
    }
    peer_send(world, peer, (struct by_hand){.flags = TCP_ACK});
    world_output(world);
}

static void open_connection(struct world *world, struct peer *peer) {
    for (unsigned tries = 0; world->opened == 0; tries++) {
        assert_true(tries < TRIES);
        if (peer_syn(world, peer))
            peer_send(world, peer, (struct by_hand){.flags = TCP_ACK, .len = 10});
        world_wait(world, 500000);
    }
    world_forget(world);
}

/*  | 10 | hole | 500 | 500 |    sent again until all of it is acknowledged */
static void receive_over_a_hole(struct world *world, struct peer *peer, struct tcp_conn *conn) {
    uint32_t end = peer->iss + 1 + 1510;
    peer->seq = peer->iss + 1;
    world->take = 600; /* and the rest stays unread for a while */
    for (unsigned tries = 0; conn->rcv_nxt != end; tries++) {
        assert_true(tries < TRIES);
        peer_send(world, peer, (struct by_hand){.flags = TCP_ACK, .seq = 1010, .len = 500});
        peer_send(world, peer, (struct by_hand){.flags = TCP_ACK, .seq = 510, .len = 500});
        world_output(world);
        peer_send(world, peer, (struct by_hand){.flags = TCP_ACK, .len = 510});
        peer_send(world, peer, (struct by_hand){.flags = TCP_ACK, .seq = 510, .len = 500});
        world_wait(world, 500000);
        world_forget(world);
    }
    peer->seq = end;
    world->take = SIZE_MAX;
    tcp_resume(world->tcp, conn);
    world_wait(world, 500000);
    world_forget(world);
    assert_int_equal(client_of(conn)->received, 1510);
}

static void send_and_be_acknowledged(struct world *world, struct peer *peer,
                                     struct tcp_conn *conn) {
    announce(world, conn, REPLY);
    for (unsigned tries = 0; tcp_unacknowledged(conn) > 0; tries++) {
        assert_true(tries < TRIES);
        world_wait(world, 1000000);
        acknowledge_all(world, peer);
    }
    assert_int_equal(client_of(conn)->acknowledged, REPLY);
}

static void close_both_ways(struct world *world, struct peer *peer, struct tcp_conn *conn) {
    tcp_close(world->tcp, conn);
    for (unsigned tries = 0; world->closed == 0; tries++) {
        assert_true(tries < TRIES);
        world_wait(world, 1000000);
        acknowledge_all(world, peer);
        peer_send(world, peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN});
        world_output(world);
    }
    assert_int_equal(world->why, TCP_CLOSED_ORDERLY);
}

static void whole_life(struct world *world) {
    struct peer peer;
    peer_init(world, &peer, 1);
    peer_ipv6(world, &peer);
    peer.timestamps = true;
    peer.sack = true;
    peer.tsval = 5000;
    open_connection(world, &peer);
    struct tcp_conn *conn = world->conn;
    receive_over_a_hole(world, &peer, conn);
    send_and_be_acknowledged(world, &peer, conn);
    close_both_ways(world, &peer, conn);
}

static void every_allocation_may_fail(void **state) {
    bool failed = true;
    for (unsigned n = 1; failed; n++) {
        struct world world;
        assert_true(n < SITES_MAX);
        world_open(&world);
        arena_fail_after(world.arena, n);
        whole_life(&world);
        failed = world.arena->fail_after == 0;
        assert_int_equal(world.wrong_bytes, 0);
        assert_int_equal(world_close(&world), 0);
        assert_true(failed || n > 8); /* it was of use */
    }
}

static void every_frame_may_be_missing(void **state) {
    bool failed = true;
    for (unsigned n = 1; failed; n++) {
        struct world world;
        assert_true(n < SITES_MAX);
        world_open(&world);
        world.frame_fails = n;
        whole_life(&world);
        failed = world.frame_fails == 0;
        assert_int_equal(world.wrong_bytes, 0);
        assert_int_equal(world_close(&world), 0);
        assert_true(failed || n > 8);
    }
}

/* Not one but all of them from the n-th on, until the memory is there again. */
static void memory_may_stay_away_for_a_while(void **state) {
    for (unsigned n = 1; n < 40; n++) {
        struct world world;
        struct peer peer;
        world_open(&world);
        struct tcp_conn *conn = connected(&world, &peer);
        for (unsigned i = 0; i < n; i++) {
            arena_fail_after(world.arena, 1);
            announce(&world, conn, 100);
            peer_send(&world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 50, .len = 50});
            world_output(&world);
        }
        arena_fail_after(world.arena, 0);
        world_forget(&world);
        for (unsigned tries = 0; tcp_unacknowledged(conn) > 0; tries++) {
            assert_true(tries < TRIES);
            world_wait(&world, 1000000);
            acknowledge_all(&world, &peer);
        }
        peer_data(&world, &peer, 100);
        assert_int_equal(client_of(conn)->received, 110);
        assert_int_equal(world.wrong_bytes, 0);
        assert_int_equal(world_close(&world), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_frame_may_be_missing),
        cmocka_unit_test(memory_may_stay_away_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
