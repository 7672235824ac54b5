/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole attacks, each against a connection that works meanwhile: what a stranger who cannot see its
 * segments may try (RFC 5961), and what a client itself may do to us.
 */
#include "tests/unit/tcp/world_test.h"

#include "dataplane/base/bytes.h"

static uint64_t generator;

static uint32_t random_number(void) {
    uint64_t z = generator += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((z ^ z >> 27) * 0x94d049bb133111ebu >> 32);
}

/* It takes data in both directions. */
static void works(struct world *world, struct peer *peer, struct tcp_conn *conn) {
    uint64_t received = client_of(conn)->received;
    peer_data(world, peer, 100);
    assert_int_equal(client_of(conn)->received, received + 100);
    announce(world, conn, 100);
    world_output(world);
    peer_ack(world, peer, 100);
    assert_int_equal(tcp_unacknowledged(conn), 0);
    world_forget(world);
}

/* RFC 5961 3.2, 4.2, 5.2: numbers guessed at random. In a second no more than ten answers. */
static void blind_injection_does_nothing(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    const uint8_t flags[] = {TCP_RST,           TCP_RST | TCP_ACK, TCP_SYN,
                             TCP_SYN | TCP_ACK, TCP_ACK,           TCP_ACK | TCP_FIN};
    generator = 1;
    for (unsigned second = 0; second < 20; second++) {
        unsigned answers = 0;
        for (unsigned i = 0; i < 2000; i++) {
            struct by_hand segment = {.flags = flags[i % sizeof flags],
                                      .seq = (int32_t)random_number(),
                                      .ack = (int32_t)random_number()};
            /* The exact number is the one thing that a stranger may guess, once in 2^32. */
            if (segment.seq == 0)
                continue;
            segment.len = i % 4 == 3 ? 10 : 0;
            if (segment.flags & TCP_ACK && segment.seq > -70000 && segment.seq < 20000)
                continue;
            peer_send(world, &peer, segment);
            world_output(world);
            while (world_sent(world))
                answers += !(flags[i % sizeof flags] & TCP_ACK);
        }
        assert_in_range(answers, 0, 20); /* two periods of ten may share a second */
        world_wait(world, 1100000);
        works(world, &peer, conn);
    }
    assert_int_equal(world->closed, 0);
    assert_int_equal(world->opened, 1);
}

/* A stranger inside the receive window must guess the ACK as well (RFC 5961 5.2). */
static void data_with_a_guessed_ack_is_not_taken(void **state) {
    struct world *world = *state;
    struct peer peer;
    peer_init(world, &peer, 1);
    peer.timestamps = true; /* so that the window scale survives */
    peer.wscale = 7;
    peer.wnd = 500;
    struct tcp_conn *conn = peer_connect(world, &peer, 10);
    assert_non_null(conn);
    uint64_t before = client_of(conn)->received;
    const int32_t acks[] = {1, 1000, 0x7fffffff, -0x7fffffff, -(511 << 7) - 1, -(65535 << 7)};
    for (unsigned i = 0; i < sizeof acks / sizeof *acks; i++)
        peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .ack = acks[i], .len = 10});
    assert_int_equal(client_of(conn)->received, before);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_BAD_ACK), sizeof acks / sizeof *acks);
    /* An old ACK of the peer itself lies no further back than its largest window. */
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .ack = -(500 << 7), .len = 10});
    assert_int_equal(client_of(conn)->received, before + 10);
    peer.seq += 10;
    /* A larger window widens it, a smaller one does not narrow it. */
    peer.wnd = 40000;
    works(world, &peer, conn);
    peer.wnd = 10;
    works(world, &peer, conn);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .ack = -(40000 << 7), .len = 10});
    assert_int_equal(client_of(conn)->received, before + 220);
}

/*  | 100 | hole | FIN at 300 | FIN at 200 | FIN at 400 |   whichever comes first in order ends it
 */
static void contradicting_fins_behind_holes_end_the_stream_once(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    const uint8_t flags = TCP_ACK | TCP_FIN;
    peer_send(world, &peer, (struct by_hand){.flags = flags, .seq = 200, .len = 100});
    peer_send(world, &peer, (struct by_hand){.flags = flags, .seq = 100, .len = 100});
    peer_send(world, &peer, (struct by_hand){.flags = flags, .seq = 300, .len = 100});
    assert_int_equal(world->finished, 0);
    peer_send(world, &peer, (struct by_hand){.flags = TCP_ACK, .len = 100});
    peer_send(world, &peer, (struct by_hand){.flags = flags, .len = 100});
    assert_int_equal(world->finished, 1);
    uint64_t end = client_of(conn)->received;
    peer_send(world, &peer, (struct by_hand){.flags = flags, .seq = 0, .len = 800});
    assert_int_equal(world->finished, 1);
    assert_int_equal(client_of(conn)->received, end);
}

/* Many overlapping pieces in random order, over and over. */
static void overlapping_segments_cost_no_more_than_their_bound(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    generator = 2;
    for (unsigned i = 0; i < 5000; i++) {
        int32_t seq = 1 + (int32_t)(random_number() % 10000);
        peer_send(
            world, &peer,
            (struct by_hand){.flags = TCP_ACK, .seq = seq, .len = 1 + random_number() % 1400});
        const struct tcp_extension *extension = extension_of(world->pool.base, conn);
        if (extension) {
            assert_in_range(extension->in.chunks, 0, REASSEMBLY_CHUNKS_MAX);
            assert_in_range(extension->in.memory, 0, world->config.out_of_order_max + 4096);
        }
    }
    world_output(world);
    world_forget(world);
    for (uint32_t at = 0; at < 12000; at += 1000)
        peer_data(world, &peer, 1000);
    assert_int_equal(client_of(conn)->received, 12010);
    works(world, &peer, conn);
}

/* Every kind and length, in any place of the options, on a SYN and in a connection. */
static void options_of_every_malformed_length_harm_nobody(void **state) {
    struct world *world = *state;
    struct peer peer, other;
    struct tcp_conn *conn = connected(world, &peer);
    peer_init(world, &other, 2);
    for (unsigned kind = 0; kind < 256; kind += kind < 9 ? 1 : 61)
        for (unsigned len = 0; len < 256; len += len < 42 ? 1 : 71)
            for (unsigned place = 0; place < 40; place += 4) {
                uint8_t options[40];
                memset(options, TCP_OPTION_NOP, sizeof options);
                options[place] = (uint8_t)kind;
                options[place + 1] = (uint8_t)len;
                struct by_hand segment = {
                    .flags = TCP_SYN, .options = options, .options_len = place + 4};
                peer_send(world, &other, segment);
                expect(world, TCP_SYN | TCP_ACK);
                segment.flags = TCP_ACK;
                peer_send(world, &peer, segment);
            }
    world_output(world);
    world_forget(world);
    works(world, &peer, conn);
    assert_int_equal(world->opened, 1);
}

static void any_mss_makes_segments_between_the_bounds(void **state) {
    struct world *world = *state;
    const uint16_t sizes[] = {0, 1, 63, 64, 65, 535, 536, 1360, 1361, 9000, 65535};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct peer peer;
        peer_init(world, &peer, 1 + i);
        peer.mss = sizes[i];
        struct tcp_conn *conn = peer_connect(world, &peer, 1);
        assert_in_range(conn->mss, 64, 1360);
        assert_true(conn->mss <= sizes[i] || sizes[i] < 64);
        announce(world, conn, 2000);
        world_output(world);
        const struct sent *sent = world_sent(world);
        assert_non_null(sent);
        assert_int_equal(sent->header.len, conn->mss);
        world_forget(world);
    }
}

/* Its probe is answered with the window as it is, so that a lost update does no harm (RFC 9293
 * 3.8.6.1). */
static void a_peer_that_missed_the_update_of_our_window_finds_it_open(void **state) {
    struct world *world = *state;
    struct peer peer;
    struct tcp_conn *conn = connected(world, &peer);
    world->take = 0;
    fill_window(world, &peer, conn);
    world_output(world);
    world_forget(world);
    world->take = SIZE_MAX;
    tcp_resume(world->tcp, conn);
    world_output(world);
    world_forget(world); /* lost */
    peer_data(world, &peer, 1);
    world_output(world);
    const struct sent *sent = expect(world, TCP_ACK);
    assert_int_equal(sent->header.ack, peer.seq);
    assert_true(sent->header.wnd > world->config.window / 2);
}

/* First bytes of packets that never end: each costs a connection, and the last ones are refused,
 * while those who were here go on. */
enum { HALVES = 16000 };

static void many_connections(struct tcp_config *config) {
    config->connections_max = 2 * HALVES;
}

static int setup_many(void **state) {
    return world_setup_changed(state, many_connections);
}

static void half_packets_beyond_memory_are_refused_and_the_others_work(void **state) {
    struct world *world = *state;
    struct peer peer, half;
    struct tcp_conn *conn = connected(world, &peer);
    for (unsigned i = 0; i < HALVES; i++) {
        peer_init(world, &half, 2 + i);
        if (peer_syn(world, &half)) {
            world->take = 0; /* the application waits for the rest */
            peer_data(world, &half, 20);
            world->take = SIZE_MAX;
        }
    }
    assert_in_range(world->opened, 1000, HALVES - 1);
    assert_true(world_count(world, COUNTER_TCP_DROP_PRESSURE) > 0);
    assert_int_equal(world_count(world, COUNTER_TCP_DROP_MEMORY), 0);
    assert_true(arena_used(world->arena) < arena_limit(world->arena));
    world_output(world);
    world_forget(world);
    works(world, &peer, conn);
}

/* The worker was held for an hour: what was idle lives, timers come in slices. */
static void a_jump_of_the_clock_ends_no_idle_connection(void **state) {
    struct world *world = *state;
    struct peer peers[WORLD_CLIENTS];
    struct tcp_conn *conns[WORLD_CLIENTS];
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        peer_init(world, &peers[i], i + 1);
        conns[i] = peer_connect(world, &peers[i], 10);
        tcp_app_timer(world->tcp, conns[i], world->now + 1000000);
    }
    world->now += UINT64_C(3600) * 1000000;
    for (unsigned calls = 0; tcp_timers(world->tcp, world->now, 16); calls++) {
        assert_in_range(world->timers, 0, 16 * (calls + 1));
        assert_in_range(calls, 0, 100);
    }
    assert_int_equal(world->timers, WORLD_CLIENTS);
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        works(world, &peers[i], conns[i]);
}

#define in_large_world(test) cmocka_unit_test_setup_teardown(test, setup_many, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(blind_injection_does_nothing),
        in_world(data_with_a_guessed_ack_is_not_taken),
        in_world(contradicting_fins_behind_holes_end_the_stream_once),
        in_world(overlapping_segments_cost_no_more_than_their_bound),
        in_world(options_of_every_malformed_length_harm_nobody),
        in_world(any_mss_makes_segments_between_the_bounds),
        in_world(a_peer_that_missed_the_update_of_our_window_finds_it_open),
        in_large_world(half_packets_beyond_memory_are_refused_and_the_others_work),
        in_world(a_jump_of_the_clock_ends_no_idle_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
