/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/conn.h"

#include <string.h>

#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/timer.h"
#include "dataplane/tcp/tuple.h"

static const uint8_t *ipv6_at(const struct tcp *tcp, ref_t ref) {
    return arena_at(tcp->base, ref);
}

void endpoint_tuple(const struct tcp *tcp, const struct tcp_endpoint *endpoint,
                    struct tcp_tuple *tuple) {
    const struct local *local = &tcp->locals.pairs[endpoint->local];
    if (endpoint->flags & CONN_IPV6)
        memcpy(tuple->remote, ipv6_at(tcp, endpoint->remote), 16);
    else
        tuple_map(tuple->remote, endpoint->remote);
    memcpy(tuple->local, local->address, 16);
    tuple->remote_port = endpoint->remote_port;
    tuple->local_port = local->port;
}

uint64_t endpoint_hash(const struct tcp *tcp, const struct tcp_endpoint *endpoint) {
    struct tcp_tuple tuple;
    endpoint_tuple(tcp, endpoint, &tuple);
    return tcp_tuple_hash(&tuple, tcp->config.flow_key);
}

bool endpoint_match(const void *argument, const void *key, uint32_t ref) {
    const struct tcp *tcp = argument;
    const struct tcp_tuple *tuple = key;
    const struct tcp_endpoint *endpoint = arena_at(tcp->base, ref);
    const struct local *local = &tcp->locals.pairs[endpoint->local];
    if (endpoint->remote_port != tuple->remote_port || local->port != tuple->local_port ||
        memcmp(local->address, tuple->local, 16) != 0)
        return false;
    if (endpoint->flags & CONN_IPV6)
        return memcmp(ipv6_at(tcp, endpoint->remote), tuple->remote, 16) == 0;
    return tuple_is_mapped(tuple->remote) && tuple_mapped(tuple->remote) == endpoint->remote;
}

/* The remote address; false: no memory. */
static bool remote_set(struct tcp *tcp, struct tcp_endpoint *endpoint, const uint8_t remote[16]) {
    if (tuple_is_mapped(remote)) {
        endpoint->remote = tuple_mapped(remote);
        return true;
    }
    uint8_t *address = slab_alloc(&tcp->addresses);
    if (!address)
        return false;
    memcpy(address, remote, 16);
    endpoint->remote = arena_ref(tcp->base, address);
    endpoint->flags |= CONN_IPV6;
    return true;
}

struct tcp_conn *conn_create(struct tcp *tcp, const struct conn_open *open) {
    const struct tcp_tuple *tuple = &open->segment->tuple;
    int local = local_index(&tcp->locals, tuple);
    if (local < 0)
        return NULL;
    struct tcp_conn *conn = slab_alloc(&tcp->conns);
    if (!conn)
        return NULL;
    memset(conn, 0, sizeof *conn + tcp->config.app_size);
    if (!remote_set(tcp, conn_endpoint(conn), tuple->remote)) {
        slab_free(&tcp->conns, conn);
        return NULL;
    }
    conn->remote_port = tuple->remote_port;
    conn->local = (uint8_t)local;
    if (!flow_insert(&tcp->flow, open->segment->hash, conn_ref(tcp, conn))) {
        conn_free(tcp, conn);
        return NULL;
    }
    conn->state = TCP_STATE_ESTABLISHED;
    conn->flags |= (open->timestamps ? CONN_TIMESTAMPS : 0) | (open->sack ? CONN_SACK : 0) |
                   (open->scaled ? CONN_SCALED : 0);
    conn->mss = open->mss;
    conn->rcv_wnd = first_window(tcp);
    conn->snd_wnd = open->wnd;
    conn->snd_shift = open->snd_shift & 15;
    conn_window_seen(conn, open->wnd);
    conn->rcv_nxt = conn->irs = open->rcv_nxt;
    conn->snd_una = conn->snd_nxt = conn->snd_end = conn->iss = open->snd_una;
    conn->snd_wl1 = open->rcv_nxt;
    conn->ts_recent = open->ts_recent;
    conn->ts_offset = open->ts_offset;
    conn->hop = open->segment->hop;
    conn->last_received = conn->created = idle_tick(tcp->now);
    conn->last_sent = fast_tick(tcp);
    conn->congestion = congestion_start(conn_payload_max(conn));
    wheel_node_init(&conn->fast);
    wheel_node_init(&conn->slow);
    return conn;
}

void conn_free(struct tcp *tcp, struct tcp_conn *conn) {
    if (conn->flags & CONN_IPV6)
        slab_free(&tcp->addresses, arena_at(tcp->base, conn->remote));
    conn->flags = 0;
    conn->state = TCP_STATE_CLOSED;
    memset(tcp_conn_app(conn), 0, tcp->config.app_size);
    slab_free(&tcp->conns, conn);
}

void conn_end(struct tcp *tcp, struct tcp_conn *conn, unsigned why) {
    if (conn->state == TCP_STATE_CLOSED)
        return;
    trace_end(tcp, conn, why);
    ref_t ref = conn_ref(tcp, conn);
    flow_remove(&tcp->flow, endpoint_hash(tcp, conn_endpoint(conn)), ref);
    if (why != CONN_NEVER_OPENED)
        time_wait_remember(tcp, conn);
    timer_remove(tcp, conn);
    extension_drop(tcp, conn);
    conn->state = TCP_STATE_CLOSED;
    conn->challenge = (uint8_t)why;
}

void conn_die(struct tcp *tcp, struct tcp_conn *conn, unsigned why) {
    if (conn->state == TCP_STATE_CLOSED)
        return;
    conn_end(tcp, conn, why);
    conn_touch(tcp, conn);
}

void conn_abort(struct tcp *tcp, struct tcp_conn *conn, unsigned why) {
    if (conn->state == TCP_STATE_CLOSED || conn->flags & CONN_ABORT)
        return;
    conn->flags |= CONN_ABORT;
    conn->challenge = (uint8_t)why;
    conn_touch(tcp, conn);
}
