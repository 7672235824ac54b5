/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's TCP from the inside: what the files of this folder share and nobody else sees. */
#ifndef LINEMQ_TCP_STACK_H
#define LINEMQ_TCP_STACK_H

#include "dataplane/tcp/admission.h"
#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/extension.h"
#include "dataplane/tcp/flow.h"
#include "dataplane/tcp/local.h"
#include "dataplane/tcp/pressure.h"
#include "dataplane/tcp/rto.h"
#include "dataplane/tcp/time_wait.h"
#include "dataplane/tcp/trace.h"
#include "dataplane/tcp/wheel.h"

struct tcp {
    struct tcp_config config;
    struct tcp_link link;
    struct tcp_app app;
    uint64_t (*name)(void *app, struct tcp_conn *conn); /* or NULL */
    struct counters *counters;
    struct pool *pool;
    void *base;
    uint64_t now; /* of the call that is running */
    bool stopped;
    uint8_t rcv_shift; /* Rcv.Wind.Shift of connections that scale (RFC 7323 2.3) */

    struct flow flow;  /* connections and TIME-WAIT records */
    struct slab conns; /* with the application's part */
    struct slab extensions;
    struct slab addresses; /* IPv6 */
    struct slab records;   /* TIME-WAIT */
    struct time_waits time_waits;
    struct wheel fast, slow;
    struct traces traces;
    struct locals locals;
    struct rto_limits rto_limits;
    struct admission admission;
    struct pressure pressure;
    const struct congestion_algorithm *congestion;
    struct sent_memory sent_memory; /* of scoreboards */

    /* The touched list: refs in a ring of a power of two. A connection is on it at most once, and
     * is never freed while it is, so connections_max entries are enough. */
    ref_t *touched;
    uint32_t touched_mask, touched_head, touched_count;
    uint64_t retry_at; /* output stopped for want of a frame or a way; 0 = it did not */
};

static inline struct tcp_conn *conn_at(const struct tcp *tcp, ref_t ref) {
    return arena_at(tcp->base, ref);
}

static inline ref_t conn_ref(const struct tcp *tcp, const struct tcp_conn *conn) {
    return arena_ref(tcp->base, conn);
}

static inline struct tcp_extension *conn_extension(const struct tcp *tcp,
                                                   const struct tcp_conn *conn) {
    return extension_of(tcp->base, conn);
}

static inline uint32_t fast_tick(const struct tcp *tcp) {
    return (uint32_t)(tcp->now >> TCP_FAST_SHIFT);
}

static inline uint32_t idle_tick(uint64_t now) {
    return (uint32_t)(now >> TCP_IDLE_SHIFT);
}

/* Our time stamp clock (RFC 7323 5.4) for a connection. */
static inline uint32_t timestamp_now(const struct tcp *tcp, uint32_t offset) {
    return fast_tick(tcp) + offset;
}

static inline void conn_touch(struct tcp *tcp, struct tcp_conn *conn) {
    if (conn->flags & CONN_TOUCHED)
        return;
    conn->flags |= CONN_TOUCHED;
    uint32_t tail = tcp->touched_head + tcp->touched_count++;
    tcp->touched[tail & tcp->touched_mask] = conn_ref(tcp, conn);
}

static inline void conn_owe_ack(struct tcp *tcp, struct tcp_conn *conn) {
    conn->flags |= CONN_ACK_OWED;
    conn_touch(tcp, conn);
}

/* Count what befell a connection, and write it into its trace, which it begins if need be: by
 * itself, because of a segment that arrived, of one that is sent. */
static inline void conn_count(struct tcp *tcp, struct tcp_conn *conn, enum counter counter) {
    count(tcp->counters, counter);
    trace_write(tcp, conn, TRACE_COUNTED, counter, 0, 0);
}

static inline void conn_count_in(struct tcp *tcp, struct tcp_conn *conn, enum counter counter,
                                 uint32_t seq, uint32_t len) {
    count(tcp->counters, counter);
    trace_write(tcp, conn, TRACE_COUNTED_IN, counter, seq, len);
}

static inline void conn_count_out(struct tcp *tcp, struct tcp_conn *conn, enum counter counter,
                                  uint32_t seq, uint32_t len) {
    count(tcp->counters, counter);
    trace_write(tcp, conn, TRACE_COUNTED_OUT, counter, seq, len);
}

/* The window of a connection's beginning, which no scale applies to. */
static inline uint16_t first_window(const struct tcp *tcp) {
    return tcp->config.window < UINT16_MAX ? (uint16_t)tcp->config.window : UINT16_MAX;
}

static inline uint32_t conn_rto(const struct tcp *tcp, const struct tcp_conn *conn) {
    return rto_timeout(conn->srtt, conn->rttvar, conn->backoff, &tcp->rto_limits);
}

/* --- conn.c ---------------------------------------------------------------------------------- */

/* What a handshake agreed on, and the first data segment. */
struct conn_open {
    const struct tcp_segment *segment;
    uint32_t rcv_nxt, snd_una; /* the first sequence numbers of data */
    uint16_t mss, wnd;
    uint8_t snd_shift;
    bool timestamps, sack, scaled;
    uint32_t ts_recent, ts_offset;
};

/* A connection in ESTABLISHED, in the flow table, its application part zeroed; NULL: no memory. */
struct tcp_conn *conn_create(struct tcp *tcp, const struct conn_open *open);

/* Instead of an enum tcp_close: the application refused it, `closed` is not called. */
enum { CONN_NEVER_OPENED = 0 };

/* The connection is over: it leaves flow table and timers at once. `closed` is called and the
 * memory released by output, when the connection has its turn there. Does nothing if it is over
 * already. */
void conn_end(struct tcp *tcp, struct tcp_conn *conn, unsigned why);
/* That, and gives it its turn. For all but output itself. */
void conn_die(struct tcp *tcp, struct tcp_conn *conn, unsigned why);

/* Of a connection that is neither in the flow table, nor in a wheel, nor on the touched list. */
void conn_free(struct tcp *tcp, struct tcp_conn *conn);

/* RST with the next output, then conn_die. */
void conn_abort(struct tcp *tcp, struct tcp_conn *conn, unsigned why);

void endpoint_tuple(const struct tcp *tcp, const struct tcp_endpoint *endpoint,
                    struct tcp_tuple *tuple);
uint64_t endpoint_hash(const struct tcp *tcp, const struct tcp_endpoint *endpoint);
/* flow_match: argument is the struct tcp, key a struct tcp_tuple. */
bool endpoint_match(const void *argument, const void *key, uint32_t ref);

#endif
