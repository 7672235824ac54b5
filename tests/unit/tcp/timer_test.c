/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of the application and of idle connections, refs, walks. */
#include "tests/unit/tcp/world_test.h"

enum { SECOND = 1000000 };

static void the_application_timer_fires_once_and_on_time(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_app_timer(world->tcp, conn, world->now + 90 * SECOND);
    world_wait(world, 90 * SECOND - 1);
    assert_int_equal(world->timers, 0);
    world_wait(world, SECOND);
    assert_int_equal(world->timers, 1);
    world_wait(world, 1000 * (uint64_t)SECOND);
    assert_int_equal(world->timers, 1);
}

static void a_later_setting_replaces_an_earlier_one_in_both_directions(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_app_timer(world->tcp, conn, world->now + 10 * SECOND);
    tcp_app_timer(world->tcp, conn, world->now + 2000 * (uint64_t)SECOND);
    world_wait(world, 1999 * (uint64_t)SECOND);
    assert_int_equal(world->timers, 0);
    tcp_app_timer(world->tcp, conn, world->now + 5000 * (uint64_t)SECOND);
    tcp_app_timer(world->tcp, conn, world->now + SECOND);
    world_wait(world, 2 * SECOND);
    assert_int_equal(world->timers, 1);
    tcp_app_timer(world->tcp, conn, world->now + SECOND);
    tcp_app_timer(world->tcp, conn, 0);
    world_wait(world, 100 * SECOND);
    assert_int_equal(world->timers, 1);
}

static void hastening_moves_a_timer_only_forward(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_app_timer_hasten(world->tcp, conn, world->now + 100 * SECOND);
    tcp_app_timer_hasten(world->tcp, conn, world->now + 10 * SECOND);
    tcp_app_timer_hasten(world->tcp, conn, world->now + 50 * SECOND);
    world_wait(world, 9 * SECOND);
    assert_int_equal(world->timers, 0);
    world_wait(world, 2 * SECOND);
    assert_int_equal(world->timers, 1);
    world_wait(world, 200 * SECOND);
    assert_int_equal(world->timers, 1);
}

static void a_silent_peer_is_probed_and_given_up(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_keepalive(world->tcp, conn, true);
    world_wait(world, 599 * (uint64_t)SECOND);
    expect_silence(world);
    world_wait(world, 2 * SECOND);
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.seq, peer.ack - 1);
    assert_int_equal(sent->header.len, 0);
    /* An answer starts the time again. */
    peer_ack(world, &peer, 0);
    world_wait(world, 590 * (uint64_t)SECOND);
    expect_silence(world);
    world_wait(world, 1000 * (uint64_t)SECOND);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->why, TCP_CLOSED_TIMEOUT);
    assert_int_equal(world_count(world, COUNTER_TCP_KEEPALIVE_PROBES), 1 + 9);
}

static void last_received_is_when_the_peer_was_last_heard(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    uint64_t heard = world->now;
    world_wait(world, 5000 * (uint64_t)SECOND);
    uint64_t last = tcp_last_received(world->tcp, conn, world->now);
    assert_in_range(last, heard - 16384, heard);
    peer_ack(world, &peer, 0);
    last = tcp_last_received(world->tcp, conn, world->now);
    assert_in_range(last, world->now - 16384, world->now);
}

static void timers_visit_no_more_than_their_budget(void **state) {
    struct world *world = *state;
    struct peer peer;
    for (unsigned i = 1; i <= 60; i++) {
        peer_init(world, &peer, i);
        struct tcp_conn *conn = peer_connect(world, &peer, 1);
        tcp_app_timer(world->tcp, conn, world->now + SECOND);
    }
    world->now += UINT64_C(3600) * SECOND; /* the machine was paused */
    unsigned calls = 0;
    bool more = true;
    while (more) {
        unsigned before = world->timers;
        more = tcp_timers(world->tcp, world->now, 8);
        assert_true(world->timers - before <= 8);
        assert_true(tcp_next_timer(world->tcp) <= world->now || !more);
        assert_true(++calls < 100);
    }
    assert_int_equal(world->timers, 60);
}

static void a_touched_connection_keeps_the_worker_awake(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    assert_int_equal(tcp_next_timer(world->tcp), UINT64_MAX);
    announce(world, conn, 10);
    assert_true(tcp_next_timer(world->tcp) <= world->now);
    world_output(world);
    uint64_t next = tcp_next_timer(world->tcp);
    assert_in_range(next, world->now, world->now + SECOND + 2048);
}

static void any_ref_can_be_looked_up(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    ref_t ref = tcp_conn_ref(world->tcp, conn);
    assert_ptr_equal(tcp_conn_at(world->tcp, ref), conn);
    unsigned found = 0;
    for (uint32_t any = 0; any < (64u << 20) / 16; any++)
        found += tcp_conn_at(world->tcp, any) != NULL;
    assert_int_equal(found, 1);
    for (unsigned bit = 0; bit < 32; bit++)
        if ((ref ^ 1u << bit) != ref)
            assert_null(tcp_conn_at(world->tcp, ref ^ 1u << bit));
    /* A closed one can still be read: its application part is zero. */
    tcp_abort(world->tcp, conn);
    world_output(world);
    assert_ptr_equal(tcp_conn_at(world->tcp, ref), conn);
    const struct client none = {0};
    assert_memory_equal(client_of(conn), &none, sizeof none);
}

static void visit(void *argument, struct tcp_conn *conn) {
    unsigned *visits = argument;
    visits[client_of(conn)->number]++;
}

static void each_visits_every_connection_once_within_its_budget(void **state) {
    struct world *world = *state;
    struct peer peer;
    unsigned visits[WORLD_CLIENTS + 1] = {0};
    for (unsigned i = 1; i <= 50; i++) {
        peer_init(world, &peer, i);
        peer_connect(world, &peer, 1);
    }
    uint32_t position = 0;
    unsigned calls = 0;
    do {
        tcp_each(world->tcp, &position, 3, visit, visits);
        assert_true(++calls < 1000);
    } while (position);
    for (unsigned i = 1; i <= 50; i++)
        assert_int_equal(visits[i], 1);
}

static void info_and_stats_say_what_there_is(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    announce(world, conn, 3000);
    world_output(world);
    peer_ack(world, &peer, 1000);
    world->take = 1;
    peer_data(world, &peer, 100);
    world_wait(world, 100000);
    struct tcp_report info;
    tcp_conn_report(world->tcp, conn, &info, world->now);
    assert_string_equal(tcp_state_name(info.state), "ESTABLISHED");
    assert_int_equal(info.in_flight, 2000);
    assert_int_equal(info.send_queue, 2000);
    assert_int_equal(info.receive_queue, 99);
    assert_int_equal(info.bytes_in, 110);
    assert_int_equal(info.bytes_out, 1000);
    assert_in_range(info.age, 90000, 120000);
    assert_int_equal(info.snd_wnd, 65535);
    struct tcp_stats stats;
    tcp_stats(world->tcp, &stats);
    assert_int_equal(stats.connections, 1);
    assert_true(stats.flow_bytes && stats.connection_bytes && stats.extension_bytes);
    world->take = SIZE_MAX;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(the_application_timer_fires_once_and_on_time),
        in_world(a_later_setting_replaces_an_earlier_one_in_both_directions),
        in_world(hastening_moves_a_timer_only_forward),
        in_world(a_silent_peer_is_probed_and_given_up),
        in_world(last_received_is_when_the_peer_was_last_heard),
        in_world(timers_visit_no_more_than_their_budget),
        in_world(a_touched_connection_keeps_the_worker_awake),
        in_world(any_ref_can_be_looked_up),
        in_world(each_visits_every_connection_once_within_its_budget),
        in_world(info_and_stats_say_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
