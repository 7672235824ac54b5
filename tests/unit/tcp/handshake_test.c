/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tcp/world_test.h"

static void a_syn_is_answered_and_costs_no_memory(void **state) {
    struct world *world = *state;
    struct peer peer;
    for (unsigned i = 1; i < 50; i++) {
        peer_init(world, &peer, i);
        assert_true(peer_syn(world, &peer));
    }
    assert_int_equal(world->tcp->conns.used, 0);
    assert_int_equal(world->tcp->flow.entries, 0);
    assert_int_equal(world_count(world, COUNTER_TCP_SYNS), 49);
}

static void the_syn_ack_carries_options_only_as_far_as_the_cookie_can(void **state) {
    struct world *world = *state;
    struct peer peer;
    const uint8_t with_all[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7};
    const uint8_t without_timestamps[] = {2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7};
    peer_init(world, &peer, 1);
    peer_send(world, &peer,
              (struct by_hand){.flags = TCP_SYN, .options = with_all, .options_len = 20});
    const struct sent *sent = expect(world, TCP_SYN | TCP_ACK);
    assert_int_equal(sent->header.options.mss, 1360);
    assert_true(sent->header.options.has_timestamp && sent->header.options.tsecr == 9);
    assert_true(sent->header.options.has_wscale && sent->header.options.wscale == 0);
    assert_true(sent->header.options.sack_permitted);
    assert_int_equal(sent->header.wnd, 16384);
    assert_int_equal(sent->hop, 7);
    peer_send(world, &peer,
              (struct by_hand){.flags = TCP_SYN, .options = without_timestamps, .options_len = 12});
    sent = expect(world, TCP_SYN | TCP_ACK);
    assert_true(sent->header.options.has_mss);
    assert_false(sent->header.options.has_timestamp || sent->header.options.has_wscale ||
                 sent->header.options.sack_permitted);
}

static void a_bare_ack_makes_nothing_and_data_makes_the_connection(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    assert_true(peer_syn(world, &peer));
    peer_ack(world, &peer, 0);
    expect_silence(world);
    assert_int_equal(world->opened, 0);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_BARE_ACK), 1);
    peer_data(world, &peer, 20);
    assert_int_equal(world->opened, 1);
    assert_int_equal(client_of(world->conn)->received, 20);
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.ack, peer.seq);
}

static void options_come_back_through_the_cookie(void **state) {
    struct world *world = *state;
    struct peer peer;
    for (int wscale = 0; wscale <= 14; wscale++) {
        peer_init(world, &peer, 1 + (unsigned)wscale);
        peer.timestamps = true;
        peer.sack = wscale % 2;
        peer.wscale = wscale;
        peer.mss = 536;
        struct tcp_conn *conn = peer_connect(world, &peer, 1);
        assert_non_null(conn);
        assert_int_equal(conn->snd_shift, wscale);
        assert_int_equal(!!(conn->flags & CONN_SACK), wscale % 2);
        assert_true(conn->flags & CONN_TIMESTAMPS);
        assert_int_equal(conn->mss, 536);
        assert_int_equal(conn_send_window(conn), 65535u << wscale);
    }
}

static void default_mss_depends_on_the_address_family(void **state) {
    struct world *world = *state;
    struct peer peer;
    const uint8_t nops[] = {1, 1, 1, 1};
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        peer_init(world, &peer, 1 + ipv6);
        if (ipv6)
            peer_ipv6(world, &peer);
        peer_send(world, &peer,
                  (struct by_hand){.flags = TCP_SYN, .options = nops, .options_len = 4});
        const struct sent *sent = expect(world, TCP_SYN | TCP_ACK);
        peer.iss = peer.seq;
        peer.seq++;
        peer.ack = sent->header.seq + 1;
        peer_data(world, &peer, 5);
        assert_int_equal(world->conn->mss, ipv6 ? 1220 : 536);
    }
}

static void a_tiny_mss_does_not_make_tiny_segments(void **state) {
    struct world *world = *state;
    struct peer peer;
    const uint16_t sizes[] = {0, 1, 63};
    for (unsigned i = 0; i < 3; i++) {
        peer_init(world, &peer, 1 + i);
        peer.mss = sizes[i];
        peer.timestamps = true;
        struct tcp_conn *conn = peer_connect(world, &peer, 1);
        assert_int_equal(conn_payload_max(conn), 64 - 12);
    }
}

static void the_first_round_trip_sample_comes_from_the_echo_and_is_clamped(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.timestamps = true;
    assert_true(peer_syn(world, &peer));
    world->now += 200000;
    peer_data(world, &peer, 1);
    assert_in_range(world->conn->srtt, 199000, 200000 + 33 * 1024);
    peer_init(world, &peer, 2);
    peer.timestamps = true;
    assert_true(peer_syn(world, &peer));
    world->now += 30000000;
    peer_data(world, &peer, 1);
    assert_int_equal(world->conn->srtt, 3000000);
}

static void data_may_come_until_the_cookie_is_old(void **state) {
    struct world *world = *state;
    struct peer early, late;
    peer_init(world, &early, 1);
    peer_init(world, &late, 2);
    assert_true(peer_syn(world, &early) && peer_syn(world, &late));
    world->now += 64000000;
    peer_data(world, &early, 5);
    assert_int_equal(world->opened, 1);
    world_output(world);
    world_forget(world);
    world->now += 64000000;
    peer_data(world, &late, 5);
    assert_int_equal(world->opened, 1);
    assert_int_equal(expect(world, TCP_RST)->header.seq, late.ack);
}

static void a_forged_cookie_gets_a_rst(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    assert_true(peer_syn(world, &peer));
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 5, .ack = 100});
    expect(world, TCP_RST);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_NO_CONNECTION), 1);
    assert_int_equal(world->opened, 0);
}

/*   SYN  (first lost)  second ->        nothing, not even RST
 *        first ->                       connection        */
static void later_data_does_not_reset_a_handshake_whose_first_data_was_lost(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    assert_true(peer_syn(world, &peer));
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 100, .len = 50});
    expect_silence(world);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_FIRST_LOST), 1);
    peer_data(world, &peer, 100);
    assert_int_equal(world->opened, 1);
    peer_data(world, &peer, 50);
    assert_int_equal(client_of(world->conn)->received, 150);
}

static void first_data_again_is_acknowledged_again(void **state) {
    struct world *world = *state;
    struct peer peer;
    connected(world, &peer);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = -10, .len = 10});
    world_output(world);
    assert_int_equal(expect(world, TCP_ACK)->header.ack, peer.seq);
    assert_int_equal(world->opened, 1);
    assert_int_equal(client_of(world->conn)->received, 10);
}

static void a_second_syn_of_the_same_handshake_does_not_spoil_the_first(void **state) {
    struct world *world = *state;
    struct peer peer, again;
    peer_init(world, &peer, 1);
    assert_true(peer_syn(world, &peer));
    world->now += 70000000; /* in another slot, so with another cookie */
    again = peer;
    assert_true(peer_syn(world, &again));
    assert_int_not_equal(again.ack, peer.ack);
    peer_data(world, &peer, 5);
    assert_int_equal(world->opened, 1);
}

/*   client: SYN, ACK, FIN without a byte
 *   broker: SYN-ACK,      FIN-ACK, and nothing is kept */
static void a_fin_without_data_is_answered_in_kind_and_without_memory(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.timestamps = true;
    assert_true(peer_syn(world, &peer));
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN});
    const struct sent *sent = expect(world, TCP_FIN | TCP_ACK);
    assert_int_equal(sent->header.ack, peer.seq + 1);
    assert_int_equal(sent->header.seq, peer.ack);
    assert_true(sent->header.options.has_timestamp);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .seq = 1, .ack = 1});
    expect_silence(world);
    assert_int_equal(world->opened, 0);
    assert_int_equal(world->tcp->conns.used, 0);
}

static void data_with_fin_opens_and_half_closes(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    assert_true(peer_syn(world, &peer));
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK | TCP_FIN, .len = 7});
    assert_int_equal(world->opened, 1);
    assert_int_equal(world->finished, 1);
    assert_int_equal(world->conn->state, TCP_STATE_CLOSE_WAIT);
}

static void a_port_without_listener_is_reset(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.tuple.local_port = 22;
    assert_false(peer_syn(world, &peer));
    peer_send(world, &peer, (struct by_hand){.flags = TCP_SYN});
    const struct sent *sent = expect(world, TCP_RST | TCP_ACK);
    assert_int_equal(sent->header.seq, 0);
    assert_int_equal(sent->header.ack, peer.seq + 1);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_PORT), 2);
}

/* A stack that answers RST with ACK and a peer that answers ACK with RST never end. */
static void a_rst_is_never_answered(void **state) {
    struct world *world = *state;
    struct peer peer, known;
    connected(world, &known);
    peer_init(world, &peer, 2);
    for (unsigned flags = 0; flags < 64; flags++) {
        peer_send(world, &peer, (struct by_hand){.flags = (uint8_t)(flags | TCP_RST)});
        peer_send(world, &known, (struct by_hand){.flags = (uint8_t)(flags | TCP_RST), .seq = -5});
    }
    world_output(world);
    expect_silence(world);
}

static void senseless_flags_are_dropped(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer_send(world, &peer, (struct by_hand){.flags = 0});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_FIN});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_SYN | TCP_FIN});
    peer_send(world, &peer, (struct by_hand){.flags = TCP_PSH | TCP_URG});
    expect_silence(world);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_FLAGS), 4);
}

static void a_connection_the_application_refuses_is_reset_and_leaves_nothing(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    world->refuse = true;
    assert_true(peer_syn(world, &peer));
    peer_data(world, &peer, 5);
    expect(world, TCP_RST);
    world_output(world);
    assert_int_equal(world->tcp->conns.used, 0);
    assert_int_equal(world->closed, 0);
    world->refuse = false;
}

static void beyond_the_limit_connections_are_reset(void **state) {
    struct world *world = *state;
    struct peer peer;
    for (unsigned i = 1; i <= WORLD_CLIENTS; i++) {
        peer_init(world, &peer, i);
        assert_non_null(peer_connect(world, &peer, 1));
    }
    peer_init(world, &peer, 500);
    assert_false(peer_syn(world, &peer));
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_CONNECTIONS_MAX), 1);
    tcp_abort(world->tcp, world->conn);
    world_output(world);
    assert_true(peer_syn(world, &peer));
}

static void after_stop_syns_and_cookies_are_reset_and_connections_live(void **state) {
    struct world *world = *state;
    struct peer peer, half, late;
    struct tcp_conn *conn = connected(world, &peer);
    peer_init(world, &half, 2);
    peer_init(world, &late, 3);
    assert_true(peer_syn(world, &half));
    tcp_stop_accepting(world->tcp);
    peer_data(world, &half, 5);
    expect(world, TCP_RST);
    assert_false(peer_syn(world, &late));
    peer_data(world, &peer, 5);
    assert_int_equal(client_of(conn)->received, 15);
}

/* A duplicate of the first data that was long on its way must not make the connection again. */
static void late_first_data_of_an_ended_connection_gets_a_rst(void **state) {
    struct world *world = *state;
    struct peer peer, first;
    peer_init(world, &peer, 1);
    assert_true(peer_syn(world, &peer));
    first = peer;
    peer_data(world, &peer, 5);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_RST});
    world_output(world);
    assert_int_equal(world->closed, 1);
    world_forget(world);
    world_wait(world, 50000000);
    peer_data(world, &first, 5);
    expect(world, TCP_RST);
    assert_int_equal(world->opened, 1);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_ENDED), 1);
    /* A new handshake on the same tuple is free to go on. */
    peer.iss += 100000;
    assert_non_null(peer_connect(world, &peer, 5));
    assert_int_equal(world->opened, 2);
}

static void connections_over_ipv6_work_alike(void **state) {
    struct world *world = *state;
    struct peer peer, other;
    peer_init(world, &peer, 1);
    peer_ipv6(world, &peer);
    struct tcp_conn *conn = peer_connect(world, &peer, 5);
    assert_non_null(conn);
    other = peer;
    other.tuple.remote[15]++;
    other.hash = peer.hash; /* even in the same place of the table */
    peer_send(world, &other, (struct by_hand){.flags = TCP_ACK, .len = 5});
    expect(world, TCP_RST);
    struct tcp_tuple tuple;
    tcp_conn_tuple(world->tcp, conn, &tuple);
    assert_memory_equal(&tuple, &peer.tuple, sizeof tuple);
    assert_int_equal(world->tcp->addresses.used, 1);
}

static void malformed_headers_are_dropped(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    for (uint32_t len = 0; len < 24; len++) {
        for (unsigned offset = 0; offset < 16; offset++) {
            uint8_t *bytes = calloc(1, len + 1);
            if (len > 12)
                bytes[12] = (uint8_t)(offset << 4);
            if (len > 13)
                bytes[13] = TCP_RST;
            struct tcp_segment segment = {
                .tuple = peer.tuple, .header = bytes, .len = len, .hash = peer.hash};
            tcp_input(world->tcp, &segment, 1, world->now);
            free(bytes);
        }
    }
    expect_silence(world);
    assert_true(world_count(world, COUNTER_TCP_DROP_MALFORMED) > 24 * 13);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(a_syn_is_answered_and_costs_no_memory),
        in_world(the_syn_ack_carries_options_only_as_far_as_the_cookie_can),
        in_world(a_bare_ack_makes_nothing_and_data_makes_the_connection),
        in_world(options_come_back_through_the_cookie),
        in_world(default_mss_depends_on_the_address_family),
        in_world(a_tiny_mss_does_not_make_tiny_segments),
        in_world(the_first_round_trip_sample_comes_from_the_echo_and_is_clamped),
        in_world(data_may_come_until_the_cookie_is_old),
        in_world(a_forged_cookie_gets_a_rst),
        in_world(later_data_does_not_reset_a_handshake_whose_first_data_was_lost),
        in_world(first_data_again_is_acknowledged_again),
        in_world(a_second_syn_of_the_same_handshake_does_not_spoil_the_first),
        in_world(a_fin_without_data_is_answered_in_kind_and_without_memory),
        in_world(data_with_fin_opens_and_half_closes),
        in_world(a_port_without_listener_is_reset),
        in_world(a_rst_is_never_answered),
        in_world(senseless_flags_are_dropped),
        in_world(a_connection_the_application_refuses_is_reset_and_leaves_nothing),
        in_world(beyond_the_limit_connections_are_reset),
        in_world(after_stop_syns_and_cookies_are_reset_and_connections_live),
        in_world(late_first_data_of_an_ended_connection_gets_a_rst),
        in_world(connections_over_ipv6_work_alike),
        in_world(malformed_headers_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
