/* SPDX-License-Identifier: Apache-2.0 */
/* What is given up when memory is short, in which order, and that it comes back. */
#include "tests/unit/tcp/world_test.h"

#include "dataplane/message/span.h"

enum { SPANS_MAX = 64 };

/* Spans that somebody else has taken. */
static void *spans[SPANS_MAX];
static unsigned spans_count;

static void look(struct world *world) {
    tcp_timers(world->tcp, world->now, 64);
}

static void squeeze(struct world *world, enum pressure_level level) {
    while (world->tcp->pressure.level < level) {
        assert_true(spans_count < SPANS_MAX);
        spans[spans_count] = arena_span_alloc(world->arena, 0);
        assert_non_null(spans[spans_count]);
        spans_count++;
        look(world);
    }
    assert_int_equal(world->tcp->pressure.level, level);
}

static void relieve(struct world *world) {
    while (spans_count)
        arena_span_free(world->arena, spans[--spans_count], 0);
    look(world);
    assert_int_equal(world->tcp->pressure.level, PRESSURE_NONE);
}

static void levels_begin_at_their_marks_and_end_a_little_below(void **state) {
    const size_t limit = 64000;
    assert_int_equal(pressure_level(0, limit, PRESSURE_NONE), PRESSURE_NONE);
    assert_int_equal(pressure_level(55999, limit, PRESSURE_NONE), PRESSURE_NONE);
    assert_int_equal(pressure_level(56000, limit, PRESSURE_NONE), PRESSURE_REFUSE);
    assert_int_equal(pressure_level(59999, limit, PRESSURE_NONE), PRESSURE_REFUSE);
    assert_int_equal(pressure_level(60000, limit, PRESSURE_NONE), PRESSURE_SHED);
    assert_int_equal(pressure_level(62000, limit, PRESSURE_NONE), PRESSURE_HOLD);
    assert_int_equal(pressure_level(64000, limit, PRESSURE_NONE), PRESSURE_HOLD);
    assert_int_equal(pressure_level(61000, limit, PRESSURE_HOLD), PRESSURE_HOLD);
    assert_int_equal(pressure_level(60999, limit, PRESSURE_HOLD), PRESSURE_SHED);
    assert_int_equal(pressure_level(58999, limit, PRESSURE_HOLD), PRESSURE_REFUSE);
    assert_int_equal(pressure_level(55000, limit, PRESSURE_REFUSE), PRESSURE_REFUSE);
    assert_int_equal(pressure_level(54999, limit, PRESSURE_REFUSE), PRESSURE_NONE);
}

static void new_connections_are_refused_before_old_ones_suffer(void **state) {
    struct world *world = *state;
    struct peer peer, half, late;
    struct tcp_conn *conn = connected(world, &peer);
    peer_init(world, &half, 2);
    peer_init(world, &late, 3);
    assert_true(peer_syn(world, &half));
    squeeze(world, PRESSURE_REFUSE);
    assert_false(peer_syn(world, &late));
    world_forget(world);
    peer_send(world, &half, (struct by_hand){.flags = TCP_ACK, .len = 10});
    expect(world, TCP_RST);
    expect_silence(world);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PRESSURE), 2);
    assert_int_equal(world_count(world, COUNTER_TCP_PRESSURES), 1);

    /* The old one notices nothing: data, data behind a hole, and an open window. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 10, .len = 3000});
    peer_data(world, &peer, 10);
    peer.seq += 3000;
    assert_int_equal(client_of(conn)->received, 10 + 10 + 3000);
    announce(world, conn, 500);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK | TCP_PSH)->header.wnd, world->config.window);

    relieve(world);
    assert_true(peer_syn(world, &late));
    peer_data(world, &late, 10);
    assert_int_equal(world->opened, 2);
}

/*  rcv_nxt  hole   | 1000 |    goes, and comes again */
static void out_of_order_data_goes_first(void **state) {
    struct world *world = *state;
    struct peer peer, other;
    struct tcp_conn *conn = connected_with_timestamps(world, &peer);
    peer_init(world, &other, 2);
    struct tcp_conn *idle = peer_connect(world, &other, 10);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .seq = 100, .len = 1000});
    world_output(world);
    world_forget(world);
    assert_true(conn->extension);
    squeeze(world, PRESSURE_SHED);
    assert_int_equal(conn->extension, 0);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_SHED), 1);
    assert_int_equal(idle->extension, 0);

    /* None is kept now, and none is acknowledged. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 1000});
    assert_int_equal(conn->extension, 0);
    world_output(world);
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.ack, peer.seq);
    assert_int_equal(sent->len, 20 + TCP_TIMESTAMP_BYTES); /* without SACK */
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_SHED), 2);

    /* What comes in order is taken. */
    peer_data(world, &peer, 100);
    assert_int_equal(client_of(conn)->received, 110);
    relieve(world);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .seq = 10, .len = 990});
    assert_true(conn->extension);
    peer_data(world, &peer, 10);
    assert_int_equal(client_of(conn)->received, 1110);
    assert_int_equal(world->finished, 1);
}

/* In order and acknowledged, but not yet taken: that is a promise. */
static void unread_data_stays(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 5;
    peer_data(world, &peer, 500);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 1000});
    squeeze(world, PRESSURE_SHED);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_SHED), 1);
    world->take = SIZE_MAX;
    tcp_resume(world->tcp, conn);
    world_output(world);
    assert_int_equal(client_of(conn)->received, 510);
    relieve(world);
}

/* The right edge stands still, is never taken back, and moves on by itself when there is room. */
static void windows_stop_and_open_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    squeeze(world, PRESSURE_HOLD);
    assert_int_equal(world_count(world, COUNTER_TCP_PRESSURE_HOLDS), 1);
    uint32_t edge = conn->rcv_nxt + conn->rcv_wnd;
    while (conn->rcv_wnd) {
        peer_data(world, &peer, conn->rcv_wnd < 1000 ? conn->rcv_wnd : 1000);
        world_output(world);
        const struct sent *sent = expect(world, TCP_ACK);
        assert_int_equal(sent->header.ack + sent->header.wnd, edge);
    }
    /* It has all been taken; only the window is closed. */
    assert_int_equal(client_of(conn)->received, 10 + world->config.window - 10);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 1});
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.wnd, 0);
    assert_true(tcp_next_timer(world->tcp) <= world->now + PRESSURE_LOOK_US);

    relieve(world);
    world_wait(world, 1000);
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.wnd, world->config.window);
    assert_int_equal(sent->header.ack, peer.seq);
    expect_silence(world);
    peer_data(world, &peer, 100);
    assert_int_equal(client_of(conn)->received, world->config.window + 100);
}

/* Many windows to be opened: some in each call, and all in the end. */
static void after_a_hold_all_are_told_within_the_bounds_of_a_turn(void **state) {
    struct world *world = *state;
    struct peer peers[WORLD_CLIENTS];
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        peer_init(world, &peers[i], i + 1);
        assert_non_null(peer_connect(world, &peers[i], 10));
    }
    squeeze(world, PRESSURE_HOLD);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        for (unsigned k = 0; k < 12; k++)
            peer_data(world, &peers[i], 1000);
    world_output(world);
    world_forget(world);
    while (spans_count)
        arena_span_free(world->arena, spans[--spans_count], 0);
    for (unsigned calls = 0; tcp_timers(world->tcp, world->now, 64); calls++) {
        assert_in_range(world->tcp->touched_count, 0, (calls + 1) * PRESSURE_VISITS);
        assert_in_range(calls, 0, 100);
    }
    world_output(world);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        assert_int_equal(expect(world, TCP_ACK)->header.wnd, world->config.window);
    expect_silence(world);
}

static void short_buffers_of_the_link_count_like_short_memory(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    tcp_frames(world->tcp, 900, 1000);
    assert_false(peer_syn(world, &peer));
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PRESSURE), 1);
    tcp_frames(world->tcp, 990, 1000);
    assert_int_equal(world->tcp->pressure.level, PRESSURE_HOLD);
    tcp_frames(world->tcp, 100, 1000);
    assert_true(peer_syn(world, &peer));
    /* Unknown is plenty. */
    tcp_frames(world->tcp, 0, 0);
    assert_int_equal(world->tcp->pressure.level, PRESSURE_NONE);
}

/* Connections' memory stays theirs when they are gone. That is no reason to refuse the next. */
static void many_connections(struct tcp_config *config) {
    config->connections_max = 20000;
}

static int setup_many(void **state) {
    return world_setup_changed(state, many_connections);
}

static void what_connections_once_needed_is_no_pressure(void **state) {
    struct world *world = *state;
    struct peer peer;
    enum { MANY = 19500 };
    for (unsigned i = 0; i < MANY; i++) {
        peer_init(world, &peer, 1 + i % 20000);
        assert_non_null(peer_connect(world, &peer, 1));
        if (i % 100 == 0)
            look(world);
    }
    assert_true(arena_used(world->arena) > arena_limit(world->arena) / 8 * 7);
    assert_int_equal(world->tcp->pressure.level, PRESSURE_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_begin_at_their_marks_and_end_a_little_below),
        in_world(new_connections_are_refused_before_old_ones_suffer),
        in_world(out_of_order_data_goes_first),
        in_world(unread_data_stays),
        in_world(windows_stop_and_open_again),
        in_world(after_a_hold_all_are_told_within_the_bounds_of_a_turn),
        in_world(short_buffers_of_the_link_count_like_short_memory),
        cmocka_unit_test_setup_teardown(what_connections_once_needed_is_no_pressure, setup_many,
                                        world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
