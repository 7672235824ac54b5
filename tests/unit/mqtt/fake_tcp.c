/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mqtt/fake_tcp.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/mqtt/mqtt.h"

enum { CONNECTIONS_MAX = 256, MSS = 536, APP_SIZE = MQTT_CONNECTION_SIZE };

struct tcp_conn {
    struct peer *peer; /* NULL: free */
    uint64_t timer;
    uint64_t last_received;
    uint32_t announced; /* not acknowledged */
    uint32_t in_flight; /* of these, fetched */
    bool resume, closing, abort, keepalive, told;
    uint8_t pad[128 - 40];
};
_Static_assert(sizeof(struct tcp_conn) <= 128, "the application's part comes at 128");

struct tcp {
    struct slab slab;
    struct pool *pool;
    const struct tcp_app *app;
    uint64_t (*name)(void *app, struct tcp_conn *conn);
    uint64_t now;
    bool stopped;
    struct tcp_conn *conns[CONNECTIONS_MAX];
};

struct tcp *fake_tcp_create(struct pool *pool, const struct tcp_app *app) {
    struct tcp *tcp = calloc(1, sizeof *tcp);

    tcp->pool = pool;
    tcp->app = app;
    slab_init(&tcp->slab, pool->arena, "connections", 128 + APP_SIZE, SLAB_KEEP);
    return tcp;
}

void fake_tcp_destroy(struct tcp *tcp) {
    free(tcp);
}

void fake_tcp_begin(struct tcp *tcp, uint64_t now) {
    tcp->now = now;
}

static void gone(struct tcp *tcp, struct tcp_conn *conn, enum tcp_close why) {
    struct peer *peer = conn->peer;

    tcp->app->closed(tcp->app->app, conn, why);
    peer->conn = NULL;
    peer->unread_len = 0;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (tcp->conns[i] == conn)
            tcp->conns[i] = NULL;
    memset(conn, 0, 128 + APP_SIZE);
    slab_free(&tcp->slab, conn);
}

/* Offers from an allocation of the exact size, so that a read past the end is seen. */
static void offer(struct tcp *tcp, struct tcp_conn *conn) {
    struct peer *peer = conn->peer;

    conn->resume = false;
    if (conn->closing || conn->abort) {
        peer->unread_len = 0;
        return;
    }
    if (peer->unread_len > 0) {
        size_t len = peer->unread_len;
        uint8_t *bytes = malloc(len);
        memcpy(bytes, peer->unread, len);
        size_t taken = tcp->app->received(tcp->app->app, conn, bytes, len);
        free(bytes);
        if (taken > len)
            abort();
        memmove(peer->unread, peer->unread + taken, len - taken);
        peer->unread_len = len - taken;
    }
    if (peer->sent_fin && peer->unread_len == 0 && !conn->told && !conn->closing && !conn->abort) {
        conn->told = true;
        tcp->app->finished(tcp->app->app, conn);
    }
}

static bool open_connection(struct tcp *tcp, struct peer *peer) {
    unsigned slot = 0;

    while (slot < CONNECTIONS_MAX && tcp->conns[slot] != NULL)
        slot++;
    struct tcp_conn *conn = slot < CONNECTIONS_MAX ? slab_alloc(&tcp->slab) : NULL;
    if (conn == NULL)
        return false;
    memset(conn, 0, 128 + APP_SIZE);
    conn->peer = peer;
    conn->last_received = tcp->now;
    tcp->conns[slot] = conn;
    peer->conn = conn;
    if (tcp->stopped || !tcp->app->opened(tcp->app->app, conn)) {
        tcp->conns[slot] = NULL;
        memset(conn, 0, 128 + APP_SIZE);
        slab_free(&tcp->slab, conn);
        peer->conn = NULL;
        peer->refused = true;
        return false;
    }
    return true;
}

void peer_send(struct tcp *tcp, struct peer *peer, const void *bytes, size_t len) {
    if (peer->conn == NULL && (peer->fin || peer->reset || !open_connection(tcp, peer)))
        return;
    peer->conn->last_received = tcp->now;
    bool held = peer->unread_len > 0; /* then nothing is offered before tcp_resume */
    peer->unread = realloc(peer->unread, peer->unread_len + len + 1);
    if (len > 0)
        memcpy(peer->unread + peer->unread_len, bytes, len);
    peer->unread_len += len;
    if (!held)
        offer(tcp, peer->conn);
}

void peer_fin(struct tcp *tcp, struct peer *peer) {
    peer->sent_fin = true;
    if (peer->conn != NULL && peer->unread_len == 0)
        offer(tcp, peer->conn);
}

void peer_reset(struct tcp *tcp, struct peer *peer, enum tcp_close why) {
    if (peer->conn != NULL)
        gone(tcp, peer->conn, why);
}

void peer_free(struct peer *peer) {
    free(peer->unread);
    free(peer->got);
    *peer = (struct peer){0};
}

void peer_acknowledge(struct tcp *tcp, struct peer *peer, uint32_t len) {
    struct tcp_conn *conn = peer->conn;

    if (len > conn->in_flight)
        len = conn->in_flight;
    if (len == 0)
        return;
    conn->last_received = tcp->now;
    conn->announced -= len;
    conn->in_flight -= len;
    tcp->app->acknowledged(tcp->app->app, conn, len);
}

static void transmit(struct tcp *tcp, struct tcp_conn *conn) {
    struct peer *peer = conn->peer;

    while (conn->in_flight < conn->announced) {
        uint32_t len = conn->announced - conn->in_flight;
        if (len > MSS)
            len = MSS;
        if (peer->silent && peer->window && conn->in_flight + len > peer->window)
            return;
        if (peer->got_room < peer->got_len + len) {
            peer->got_room = 2 * (peer->got_len + len);
            peer->got = realloc(peer->got, peer->got_room);
        }
        tcp->app->fetch(tcp->app->app, conn, conn->in_flight, peer->got + peer->got_len, len);
        /* The same again, as a retransmission of the first byte would. */
        uint8_t first;
        tcp->app->fetch(tcp->app->app, conn, 0, &first, 1);
        peer->got_len += len;
        conn->in_flight += len;
        if (!peer->silent)
            peer_acknowledge(tcp, peer, len);
    }
}

static void output(struct tcp *tcp, struct tcp_conn *conn) {
    struct peer *peer = conn->peer;

    if (conn->abort) {
        peer->reset = true;
        gone(tcp, conn, TCP_CLOSED_ABORTED);
        return;
    }
    if (conn->resume)
        offer(tcp, conn);
    transmit(tcp, conn);
    if (!conn->closing || conn->abort || conn->in_flight < conn->announced)
        return;
    peer->fin = true;
    if (conn->announced == 0 && !peer->keeps_fin)
        gone(tcp, conn, TCP_CLOSED_ORDERLY);
}

void fake_tcp_output(struct tcp *tcp) {
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (tcp->conns[i] != NULL)
            output(tcp, tcp->conns[i]);
}

void fake_tcp_timers(struct tcp *tcp) {
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct tcp_conn *conn = tcp->conns[i];

        if (conn == NULL || conn->timer == 0 || conn->timer > tcp->now)
            continue;
        conn->timer = 0;
        tcp->app->timer(tcp->app->app, conn);
    }
}

uint64_t fake_tcp_timer_of(const struct tcp_conn *conn) {
    return conn->timer;
}

bool fake_tcp_keepalive_of(const struct tcp_conn *conn) {
    return conn->keepalive;
}

unsigned fake_tcp_connections(const struct tcp *tcp) {
    unsigned n = 0;

    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        n += tcp->conns[i] != NULL;
    return n;
}

bool fake_tcp_accepting(const struct tcp *tcp) {
    return !tcp->stopped;
}

/* --- tcp.h ----------------------------------------------------------------------------------- */

void tcp_send(struct tcp *tcp, struct tcp_conn *conn, uint32_t len) {
    if (conn->closing || len == 0)
        abort();
    conn->announced += len;
}

uint32_t tcp_unacknowledged(const struct tcp_conn *conn) {
    return conn->announced;
}

void tcp_resume(struct tcp *tcp, struct tcp_conn *conn) {
    conn->resume = true;
}

void tcp_close(struct tcp *tcp, struct tcp_conn *conn) {
    conn->closing = true;
    conn->timer = 0;
}

void tcp_abort(struct tcp *tcp, struct tcp_conn *conn) {
    conn->abort = true;
}

void tcp_app_timer(struct tcp *tcp, struct tcp_conn *conn, uint64_t when) {
    conn->timer = when;
}

void tcp_app_timer_hasten(struct tcp *tcp, struct tcp_conn *conn, uint64_t when) {
    if (conn->timer == 0 || when < conn->timer)
        conn->timer = when;
}

uint64_t tcp_last_received(const struct tcp *tcp, const struct tcp_conn *conn, uint64_t now) {
    return conn->last_received;
}

void tcp_keepalive(struct tcp *tcp, struct tcp_conn *conn, bool on) {
    conn->keepalive = on;
}

ref_t tcp_conn_ref(const struct tcp *tcp, const struct tcp_conn *conn) {
    return arena_ref(tcp->pool->base, conn);
}

struct tcp_conn *tcp_conn_at(const struct tcp *tcp, ref_t ref) {
    void *at = arena_at(tcp->pool->base, ref);

    return slab_holds(&tcp->slab, at) ? at : NULL;
}

void tcp_conn_tuple(const struct tcp *tcp, const struct tcp_conn *conn, struct tcp_tuple *tuple) {
    *tuple = (struct tcp_tuple){.remote_port = 40000, .local_port = 1883};
    memcpy(tuple->remote, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x58\0\1", 16);
}

void tcp_conn_report(const struct tcp *tcp, const struct tcp_conn *conn, struct tcp_report *info,
                     uint64_t now) {
    *info = (struct tcp_report){.state = 1, .mss = MSS, .send_queue = conn->announced};
}

void tcp_stats(const struct tcp *tcp, struct tcp_stats *stats) {
    *stats = (struct tcp_stats){0};
}

void tcp_set_name(struct tcp *tcp, uint64_t (*name)(void *app, struct tcp_conn *conn)) {
    tcp->name = name;
}

bool tcp_trace(const struct tcp *tcp, uint64_t name, const struct tcp_conn *conn,
               uint32_t *position, struct tcp_trace *to, uint32_t records, uint64_t now) {
    for (; *position < CONNECTIONS_MAX; (*position)++) {
        struct tcp_conn *at = tcp->conns[*position];
        if (at == NULL || (at != conn && tcp->name(tcp->app->app, at) != name))
            continue;
        *to = (struct tcp_trace){.now = now, .written = 1, .count = records > 0};
        if (records > 0)
            to->records[0] = (struct tcp_trace_record){.event = TRACE_ACK_IN, .a = *position};
        (*position)++;
        return true;
    }
    *position = 0;
    return false;
}

void tcp_stop_accepting(struct tcp *tcp) {
    tcp->stopped = true;
}

void tcp_each(struct tcp *tcp, uint32_t *position, unsigned budget,
              void (*visit)(void *argument, struct tcp_conn *conn), void *argument) {
    while (*position < CONNECTIONS_MAX && budget > 0) {
        struct tcp_conn *conn = tcp->conns[(*position)++];
        if (conn == NULL)
            continue;
        visit(argument, conn);
        budget--;
    }
    if (*position == CONNECTIONS_MAX)
        *position = 0;
}
