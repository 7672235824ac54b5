/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every timer of TCP and why it exists. A connection has two nodes, fast and slow; of the timers
 * that share a node at most one is wanted earlier than the others, and a visit looks at all.
 *
 * fast (ticks of 1.024 ms)
 *   retransmission  Data or FIN is in flight and no ACK came for RTO: it or its ACK was lost (RFC
 *                   6298). Gives up after give_up_ms (R2, RFC 9293 3.8.3).
 *   tail probe      Data is in flight and no ACK came for two round trips: the last of it may be
 *                   lost, and nothing comes behind it that would show that (RFC 8985 7). Before the
 *                   retransmission timer, and instead of it.
 *   reordering      Something arrived that was sent after something that did not; if that does not
 *                   follow soon, it is lost (RFC 8985 6.3).
 *   persist         The peer's window is closed and there is something to send: the update that
 *                   opens it may have been lost, so probe (RFC 9293 3.8.6.1). Never gives up while
 *                   probes are answered.
 *   retry           There was no memory to send at all: try again a little later.
 *
 * slow (ticks of 131 ms)
 *   application     tcp_app_timer: MQTT's keep-alive and deadlines.
 *   fin-wait        tcp_close was called: a peer that does not finish is reset, lest it keeps the
 *                   connection for ever. Takes the place of the application's timer.
 *   keep-alive      Nothing was received for keepalive_ms: the peer may be gone without a word (RFC
 *                   9293 3.8.4). Only for connections that ask for it.
 *
 * elsewhere
 *   time-wait       Old segments of a connection must have died before its tuple is used again: a
 *                   queue of records, time_wait.h.
 *   cookies         A handshake is good for 64 to 128 s: no timer, the cookie holds its slot.
 *
 * There is no delayed-ACK timer: ACKs leave with the turn's output.
 */
#ifndef LINEMQ_TCP_TIMER_H
#define LINEMQ_TCP_TIMER_H

#include "dataplane/tcp/stack.h"

enum {
    TIMER_MEMORY_RETRY_US = 20000,
    TIMER_FRAME_RETRY_US = 1000,
    TIMER_KEEPALIVE_PROBE_US = 75000000, /* between probes */
    TIMER_KEEPALIVE_PROBES = 9,          /* unanswered ones before giving up */
};

/* The fast timer fires `delay` microseconds from now, instead of when it was to fire. */
void timer_fast_set(struct tcp *tcp, struct tcp_conn *conn, uint32_t delay);
/* That as a fast tick; at a fast tick. */
static inline uint32_t timer_fast_tick(const struct tcp *tcp, uint32_t delay) {
    uint32_t at = (uint32_t)((tcp->now + delay) >> TCP_FAST_SHIFT) + 1;
    return at ? at : 1;
}
void timer_fast_at(struct tcp *tcp, struct tcp_conn *conn, uint32_t tick);
static inline bool timer_fast_running(const struct tcp_conn *conn) {
    return conn->fast_at != 0;
}
/* Stops it; the wheel finds out when it comes by. */
static inline void timer_fast_stop(struct tcp_conn *conn) {
    conn->fast_at = 0;
}

/* After slow_at or the keep-alive flag changed. */
void timer_slow_update(struct tcp *tcp, struct tcp_conn *conn);
/* `when` in slow ticks, rounded up, never 0. */
uint32_t timer_slow_tick(uint64_t when);

/* Takes the connection out of both wheels. */
void timer_remove(struct tcp *tcp, struct tcp_conn *conn);

#endif
