/* SPDX-License-Identifier: Apache-2.0 */
/* What the stack does beyond the limits of admission.h. */
#include "tests/unit/tcp/world_test.h"

enum { LIMIT = 5 };

static void limited(struct tcp_config *config) {
    config->admission =
        (struct admission_limits){.prefix = {2 * LIMIT, LIMIT, LIMIT}, .bits4 = 24, .bits6 = 56};
}

static int setup(void **state) {
    return world_setup_changed(state, limited);
}

/* A peer of another /24. */
static void neighbour_init(struct world *world, struct peer *peer, unsigned number) {
    peer_init(world, peer, number);
    peer->tuple.remote[14] = 99;
    peer->hash = tcp_tuple_hash(&peer->tuple, world->config.flow_key);
}

static void syns_beyond_the_limit_get_no_answer_until_time_has_passed(void **state) {
    struct world *world = *state;
    struct peer peer;
    for (unsigned i = 1; i <= 2 * LIMIT; i++) {
        peer_init(world, &peer, i);
        assert_true(peer_syn(world, &peer));
    }
    peer_init(world, &peer, 100);
    assert_false(peer_syn(world, &peer));
    expect_silence(world);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PREFIX_SYNS), 1);
    neighbour_init(world, &peer, 101);
    assert_true(peer_syn(world, &peer));
    world_wait(world, 200000);
    peer_init(world, &peer, 100);
    assert_true(peer_syn(world, &peer));
}

/* They are not refused: the client sends its data again, and the cookie is still good. */
static void connections_beyond_the_limit_wait_for_their_next_try(void **state) {
    struct world *world = *state;
    struct peer peers[LIMIT + 1];
    for (unsigned i = 0; i <= LIMIT; i++) {
        peer_init(world, &peers[i], i + 1);
        assert_true(peer_syn(world, &peers[i]));
    }
    for (unsigned i = 0; i <= LIMIT; i++)
        peer_send(world, &peers[i], (struct by_hand){.flags = TCP_ACK, .len = 10});
    assert_int_equal(world->opened, LIMIT);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PREFIX_CONNECTS), 1);
    expect_silence(world);
    world_wait(world, 1000000);
    world_forget(world);
    peer_data(world, &peers[LIMIT], 10);
    assert_int_equal(world->opened, LIMIT + 1);
    assert_int_equal(client_of(world->conn)->received, 10);
}

/* After a restart of the appliance: segments of connections that nobody knows. */
static void resets_are_limited_for_each_prefix_by_itself(void **state) {
    struct world *world = *state;
    struct peer peer, other;
    peer_init(world, &peer, 1);
    neighbour_init(world, &other, 2);
    unsigned resets = 0;
    for (unsigned i = 0; i < 100; i++) {
        peer.seq += 10000;
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 1});
        resets += world_sent(world) != NULL;
    }
    assert_int_equal(resets, LIMIT);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_RESETS), 100 - LIMIT);
    peer_send(world, &other, (struct by_hand){.flags = TCP_ACK, .len = 1});
    expect(world, TCP_RST);
}

/* However many strangers knock, an open connection has no limit here. */
static void a_connection_that_is_open_is_not_concerned(void **state) {
    struct world *world = *state;
    struct peer peer, stranger;
    struct tcp_conn *conn = connected(world, &peer);
    for (unsigned i = 0; i < 100; i++) {
        peer_init(world, &stranger, 10 + i);
        peer_syn(world, &stranger);
        peer_send(world, &stranger, (struct by_hand){.flags = TCP_ACK, .len = 1});
    }
    for (unsigned i = 0; i < 50; i++)
        peer_data(world, &peer, 10);
    assert_int_equal(client_of(conn)->received, 510);
}

#define crowded(test) cmocka_unit_test_setup_teardown(test, setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        crowded(syns_beyond_the_limit_get_no_answer_until_time_has_passed),
        crowded(connections_beyond_the_limit_wait_for_their_next_try),
        crowded(resets_are_limited_for_each_prefix_by_itself),
        crowded(a_connection_that_is_open_is_not_concerned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
