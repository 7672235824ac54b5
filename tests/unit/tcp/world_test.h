/* SPDX-License-Identifier: Apache-2.0 */
/* What each behaviour's tests begin with: cmocka, a world for each test, and short names. */
#ifndef LINEMQ_TESTS_TCP_WORLD_TEST_H
#define LINEMQ_TESTS_TCP_WORLD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/tcp/harness.h"

static inline int world_setup(void **state) {
    struct world *world = malloc(sizeof *world);
    world_open(world);
    *state = world;
    return 0;
}

static inline int world_setup_changed(void **state, void (*change)(struct tcp_config *config)) {
    struct world *world = malloc(sizeof *world);
    world_open_changed(world, change);
    *state = world;
    return 0;
}

/* Every test ends with no memory in use and no wrong byte received. */
static inline int world_teardown(void **state) {
    struct world *world = *state;
    uint64_t wrong = world->wrong_bytes;
    uint64_t used = world_close(world);
    free(world);
    return used != 0 || wrong != 0;
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

/* The next segment sent has these flags. */
static inline const struct sent *expect(struct world *world, uint8_t flags) {
    const struct sent *sent = world_sent(world);
    assert_non_null(sent);
    assert_int_equal(sent->header.flags, flags);
    return sent;
}

static inline void expect_silence(struct world *world) {
    assert_null(world_sent(world));
}

/* The next segment carries `len` bytes of the stream from `at` bytes after the peer's ack on. */
static inline const struct sent *expect_data(struct world *world, const struct peer *peer,
                                             uint32_t at, uint32_t len) {
    const struct sent *sent = world_sent(world);
    assert_non_null(sent);
    assert_int_equal(sent->header.seq - peer->ack, at);
    assert_int_equal(sent->header.len, len);
    assert_true(sent_is_stream(peer, sent));
    return sent;
}

/* A peer with a connection that took `len` bytes. */
static inline struct tcp_conn *connected(struct world *world, struct peer *peer) {
    peer_init(world, peer, 1);
    struct tcp_conn *conn = peer_connect(world, peer, 10);
    assert_non_null(conn);
    return conn;
}

static inline struct tcp_conn *connected_with_timestamps(struct world *world, struct peer *peer) {
    peer_init(world, peer, 1);
    peer->timestamps = true;
    peer->sack = true;
    peer->tsval = 5000;
    struct tcp_conn *conn = peer_connect(world, peer, 10);
    assert_non_null(conn);
    return conn;
}

/* The application writes. */
static inline void announce(struct world *world, struct tcp_conn *conn, uint32_t len) {
    client_of(conn)->announced += len;
    tcp_send(world->tcp, conn, len);
}

/* ... and what the stack sends of it is on its way, unseen. */
static inline void put_in_flight(struct world *world, struct tcp_conn *conn, uint32_t len) {
    announce(world, conn, len);
    world_output(world);
    world_forget(world);
}

/* The peer sends until our window is closed; the application must take nothing. */
static inline void fill_window(struct world *world, struct peer *peer, struct tcp_conn *conn) {
    while (conn->rcv_wnd)
        peer_data(world, peer, conn->rcv_wnd < 1000 ? conn->rcv_wnd : 1000);
}

#endif
