/* SPDX-License-Identifier: Apache-2.0 */
/* Traces: who gets one, what is in it, how it is found, and that its memory is bounded. */
#include "tests/unit/tcp/world_test.h"

enum { RECORDS = 16, TRACES = 4 };

static struct {
    struct tcp_trace trace;
    struct tcp_trace_record records[RECORDS];
} found;

/* The trace of the n-th connection; false: there is none. */
static bool find_trace(const struct world *world, uint64_t number) {
    uint32_t position = 0;
    return tcp_trace(world->tcp, number, NULL, &position, &found.trace, RECORDS, world->now);
}

static unsigned traces(const struct world *world, uint64_t number) {
    unsigned n = 0;
    uint32_t position = 0;
    do
        n += tcp_trace(world->tcp, number, NULL, &position, &found.trace, RECORDS, world->now);
    while (position != 0);
    return n;
}

static void expect_event(unsigned i, enum tcp_trace_event event, unsigned counter, uint32_t a,
                         uint32_t b) {
    const struct tcp_trace_record *record = &found.records[i];
    assert_true(i < found.trace.count);
    assert_int_equal(record->event, event);
    if (event == TRACE_COUNTED || event == TRACE_COUNTED_IN || event == TRACE_COUNTED_OUT)
        assert_int_equal(record->counter, counter);
    assert_int_equal(record->a, a);
    assert_int_equal(record->b, b);
}

static void retransmit(struct world *world, struct tcp_conn *conn) {
    announce(world, conn, 100);
    world_output(world);
    world_wait(world, 1100000);
}

static void a_healthy_connection_has_no_trace(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    for (unsigned i = 0; i < 10; i++) {
        announce(world, conn, 3000);
        world_output(world);
        peer_ack(world, &peer, 3000);
        peer_data(world, &peer, 500);
        world_output(world);
    }
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN});
    world_output(world);
    assert_false(find_trace(world, 1));
    assert_int_equal(conn->flags & CONN_TRACED, 0);
}

static void a_retransmission_begins_a_trace_in_which_the_rest_follows(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    uint32_t una = conn->snd_una, rcv_nxt = conn->rcv_nxt;
    retransmit(world, conn);
    uint64_t then = world->now;
    world->now += 5000;
    peer_ack(world, &peer, 100);
    peer_data(world, &peer, 7);
    world_output(world);
    assert_true(find_trace(world, 1));
    assert_int_equal(found.trace.written, found.trace.count);
    assert_int_equal(found.trace.iss, conn->iss);
    assert_int_equal(found.trace.irs, conn->irs);
    assert_int_equal(found.trace.remote_port, peer.tuple.remote_port);
    assert_int_equal(found.trace.ended, 0);
    expect_event(0, TRACE_COUNTED, COUNTER_TCP_RETRANSMISSION_TIMEOUTS, 0, 0);
    expect_event(1, TRACE_SEGMENT_OUT, 0, una, 100);
    expect_event(2, TRACE_COUNTED_OUT, COUNTER_TCP_RETRANSMISSIONS, una, 100);
    expect_event(3, TRACE_ACK_IN, 0, una + 100, peer.wnd);
    expect_event(4, TRACE_SEGMENT_IN, 0, rcv_nxt, 7);
    expect_event(5, TRACE_ACK_IN, 0, una + 100, peer.wnd);
    expect_event(6, TRACE_ACK_OUT, 0, rcv_nxt + 7, conn->rcv_wnd);
    assert_int_equal(found.trace.count, 7);
    assert_true(found.records[2].time <= then);
    assert_int_equal(found.records[3].time, then + 5000);
    assert_int_equal(found.records[2].in_flight, 100);
    assert_int_equal(found.records[3].snd_una, una);
    assert_int_equal(found.records[4].in_flight, 0);
    assert_int_equal(found.records[4].state, TCP_STATE_ESTABLISHED);
}

/* Each of these in a connection of its own. */
static void trouble_begins_a_trace(void **state) {
    static const struct {
        struct by_hand segment;
        enum counter counter;
    } cases[] = {
        {{.flags = TCP_ACK, .seq = 100, .len = 10}, COUNTER_TCP_OUT_OF_ORDER},
        {{.flags = TCP_ACK, .seq = 100000, .len = 10}, COUNTER_TCP_DROP_OUT_OF_WINDOW},
        {{.flags = TCP_ACK, .ack = 1000000}, COUNTER_TCP_DROP_BAD_ACK},
        {{.flags = TCP_ACK, .wnd = -1}, COUNTER_TCP_ZERO_WINDOWS},
        {{.flags = TCP_SYN}, COUNTER_TCP_DROP_SYN},
        {{.flags = TCP_PSH, .len = 5}, COUNTER_TCP_DROP_NO_ACK},
        {{.flags = TCP_RST, .seq = 5}, COUNTER_TCP_DROP_RST},
        {{.flags = TCP_RST}, COUNTER_TCP_RESETS_IN},
    };
    struct world *world = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer peer;
        peer_init(world, &peer, i + 1);
        assert_non_null(peer_connect(world, &peer, 10));
        peer_send(world, &peer, cases[i].segment);
        assert_true(find_trace(world, i + 1));
        assert_int_equal(found.records[0].counter, cases[i].counter);
        world_output(world);
    }
}

static void the_latest_events_take_the_place_of_the_oldest(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    retransmit(world, conn);
    peer_ack(world, &peer, 100);
    for (unsigned i = 0; i < 50; i++)
        peer_data(world, &peer, 1);
    assert_true(find_trace(world, 1));
    assert_int_equal(found.trace.count, RECORDS);
    assert_true(found.trace.written > 100);
    uint32_t last = conn->rcv_nxt - 1;
    expect_event(RECORDS - 2, TRACE_SEGMENT_IN, 0, last, 1);
    expect_event(RECORDS - 4, TRACE_SEGMENT_IN, 0, last - 1, 1);
    uint32_t position = 0;
    assert_true(tcp_trace(world->tcp, 1, NULL, &position, &found.trace, 2, world->now));
    assert_int_equal(found.trace.count, 2);
    expect_event(0, TRACE_SEGMENT_IN, 0, last, 1);
}

static void a_trace_outlives_its_connection(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    retransmit(world, conn);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    assert_int_equal(world->closed, 1);
    world->now += 77;
    assert_true(find_trace(world, 1));
    assert_int_equal(found.trace.ended, world->now - 77);
    expect_event(found.trace.count - 2, TRACE_COUNTED_IN, COUNTER_TCP_RESETS_IN, conn->rcv_nxt, 0);
    assert_int_equal(found.records[found.trace.count - 1].event, TRACE_CLOSED);
    assert_int_equal(found.records[found.trace.count - 1].counter, TCP_CLOSED_RESET);
    /* The next connection in its memory has nothing to do with it. */
    peer_init(world, &peer, 2);
    assert_ptr_equal(peer_connect(world, &peer, 10), conn);
    assert_int_equal(conn->flags & CONN_TRACED, 0);
    assert_false(find_trace(world, 2));
    retransmit(world, conn);
    assert_true(find_trace(world, 2));
    assert_int_equal(traces(world, 1), 1);
    assert_false(find_trace(world, 0));
}

static void the_buffer_handed_out_first_goes_to_the_next(void **state) {
    struct world *world = *state;
    struct peer peers[TRACES + 2];
    struct tcp_conn *conns[TRACES + 2];
    for (unsigned i = 0; i < TRACES + 2; i++) {
        peer_init(world, &peers[i], i + 1);
        conns[i] = peer_connect(world, &peers[i], 10);
        peer_send(world, &peers[i], (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 10});
    }
    for (unsigned i = 0; i < TRACES + 2; i++) {
        assert_int_equal(traces(world, i + 1), i >= 2);
        assert_int_equal((conns[i]->flags & CONN_TRACED) != 0, i >= 2);
    }
    /* Who lost his begins again with his next trouble. */
    peer_send(world, &peers[0], (struct by_hand){.flags = TCP_ACK, .seq = 200, .len = 10});
    assert_true(find_trace(world, 1));
    assert_int_equal(found.trace.count, 1);
    assert_int_equal(traces(world, 3), 0);
}

static void a_connection_is_found_by_itself_while_it_has_no_name(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    client_of(conn)->number = 0;
    retransmit(world, conn);
    uint32_t position = 0;
    assert_false(tcp_trace(world->tcp, 0, NULL, &position, &found.trace, RECORDS, world->now));
    assert_true(tcp_trace(world->tcp, 0, conn, &position, &found.trace, RECORDS, world->now));
    /* It is called by its name from when it has one. */
    client_of(conn)->number = 99;
    assert_true(find_trace(world, 99));
    client_of(conn)->number = 1;
}

static void the_last_reasons_for_drops_are_reported(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_report report;
    struct tcp_conn *conn = connected(world, &peer);
    tcp_conn_report(world->tcp, conn, &report, world->now);
    assert_int_equal(report.drops_count, 0);
    struct by_hand bad_ack = {.flags = TCP_ACK, .ack = 1000000}, syn = {.flags = TCP_SYN};
    for (unsigned i = 0; i < 3; i++)
        peer_send(world, &peer, bad_ack);
    world->now += 1000;
    peer_send(world, &peer, syn);
    /* Good ones push the events out, not the reasons. */
    for (unsigned i = 0; i < 50; i++)
        peer_data(world, &peer, 1);
    world->now += 500;
    tcp_conn_report(world->tcp, conn, &report, world->now);
    assert_int_equal(report.drops_count, 2);
    assert_int_equal(report.drops[0].counter, COUNTER_TCP_DROP_SYN);
    assert_int_equal(report.drops[0].count, 1);
    assert_int_equal(report.drops[0].ago, 500);
    assert_int_equal(report.drops[1].counter, COUNTER_TCP_DROP_BAD_ACK);
    assert_int_equal(report.drops[1].count, 3);
    assert_int_equal(report.drops[1].ago, 1500);
    /* Four others, and the oldest is forgotten. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100000, .len = 10});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST, .seq = 5});
    world->now += 1;
    peer_send(world, &peer, (struct by_hand){.flags = TCP_PSH, .len = 5});
    tcp_conn_report(world->tcp, conn, &report, world->now);
    assert_int_equal(report.drops_count, TCP_REPORT_DROPS);
    assert_int_equal(report.drops[0].counter, COUNTER_TCP_DROP_NO_ACK);
    for (unsigned i = 0; i < TCP_REPORT_DROPS; i++)
        assert_int_not_equal(report.drops[i].counter, COUNTER_TCP_DROP_BAD_ACK);
}

static void many_traces_are_looked_through_in_slices(void **state) {
    struct traces many;
    assert_true(traces_init(&many, 5000, 16));
    assert_true(traces_bytes(&many) >= 5000 * 16 * 40);
    traces_fini(&many);
    struct world world;
    world_config(&world);
    world.config.traces = 5000;
    world_open_configured(&world);
    struct peer peer;
    struct tcp_conn *conn = connected(&world, &peer);
    world.tcp->traces.handed_out = 4000; /* the first 4000 are nobody's */
    retransmit(&world, conn);
    uint32_t position = 0;
    unsigned calls = 1;
    while (!tcp_trace(world.tcp, 1, NULL, &position, &found.trace, RECORDS, world.now)) {
        assert_int_not_equal(position, 0);
        calls++;
    }
    assert_int_equal(calls, 4);
    assert_int_equal(position, 0);
    assert_int_equal(world_close(&world), 0);
}

static void without_buffers_there_are_no_traces(void **state) {
    struct world world;
    world_config(&world);
    world.config.traces = 0;
    world_open_configured(&world);
    struct peer peer;
    struct tcp_report report;
    struct tcp_conn *conn = connected(&world, &peer);
    retransmit(&world, conn);
    assert_false(find_trace(&world, 1));
    assert_int_equal(conn->flags & CONN_TRACED, 0);
    tcp_conn_report(world.tcp, conn, &report, world.now);
    assert_int_equal(report.drops_count, 0);
    assert_int_equal(traces_bytes(&world.tcp->traces), 0);
    assert_int_equal(world_close(&world), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(a_healthy_connection_has_no_trace),
        in_world(a_retransmission_begins_a_trace_in_which_the_rest_follows),
        in_world(trouble_begins_a_trace),
        in_world(the_latest_events_take_the_place_of_the_oldest),
        in_world(a_trace_outlives_its_connection),
        in_world(the_buffer_handed_out_first_goes_to_the_next),
        in_world(a_connection_is_found_by_itself_while_it_has_no_name),
        in_world(the_last_reasons_for_drops_are_reported),
        cmocka_unit_test(many_traces_are_looked_through_in_slices),
        cmocka_unit_test(without_buffers_there_are_no_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
