/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/timer.h"

#include "dataplane/tcp/loss.h"
#include "dataplane/tcp/pmtu.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/timeout.h"

/* Monotonic time of a tick that is near now. */
static uint64_t fast_time(const struct tcp *tcp, uint32_t tick) {
    int64_t ahead = (int32_t)(tick - fast_tick(tcp));
    return (uint64_t)((int64_t)(tcp->now >> TCP_FAST_SHIFT) + ahead) << TCP_FAST_SHIFT;
}

void timer_fast_at(struct tcp *tcp, struct tcp_conn *conn, uint32_t tick) {
    conn->fast_at = tick;
    wheel_hasten(&tcp->fast, conn_ref(tcp, conn), fast_time(tcp, tick));
}

void timer_fast_set(struct tcp *tcp, struct tcp_conn *conn, uint32_t delay) {
    timer_fast_at(tcp, conn, timer_fast_tick(tcp, delay));
}

uint32_t timer_slow_tick(uint64_t when) {
    uint32_t tick = (uint32_t)((when + (1u << TCP_SLOW_SHIFT) - 1) >> TCP_SLOW_SHIFT);
    return tick ? tick : 1;
}

void timer_remove(struct tcp *tcp, struct tcp_conn *conn) {
    ref_t ref = conn_ref(tcp, conn);
    if (wheel_linked(&conn->fast))
        wheel_remove(&tcp->fast, ref);
    if (wheel_linked(&conn->slow))
        wheel_remove(&tcp->slow, ref);
    conn->fast_at = conn->slow_at = 0;
}

/* --- fast ------------------------------------------------------------------------------------ */

/* Data in flight or a closed window: the peer has been silent for too long. */
static bool given_up(struct tcp *tcp, struct tcp_conn *conn,
                     const struct tcp_extension *extension) {
    /* A peer that was not asked lately did not refuse to answer: nobody ran this timer meanwhile (a
     * virtual machine was suspended). It is asked once more first. */
    uint64_t asked = (uint64_t)(fast_tick(tcp) - conn->last_sent) << TCP_FAST_SHIFT;
    if (asked > 2ull * conn_rto(tcp, conn))
        return false;
    uint64_t silent = (uint64_t)(fast_tick(tcp) - extension->stalled) << TCP_FAST_SHIFT;
    if (silent < (uint64_t)tcp->config.give_up_ms * 1000)
        return false;
    conn_count(tcp, conn, COUNTER_TCP_TIMED_OUT);
    conn_die(tcp, conn, TCP_CLOSED_TIMEOUT);
    return true;
}

/* The retransmission timer, or the persist timer of a closed window. */
static void timeout(struct tcp *tcp, struct tcp_conn *conn, struct tcp_extension *extension) {
    if (given_up(tcp, conn, extension))
        return;
    if (conn_send_window(conn) == 0) {
        extension->flags |= EXTENSION_WINDOW_PROBE;
    } else {
        pmtu_timeout(tcp, conn, extension);
        loss_timeout(tcp, conn, extension);
    }
    if (conn->backoff < TCP_BACKOFF_MAX)
        conn->backoff++;
    extension->timer = TIMER_RETRANSMISSION;
    timeout_restart(tcp, conn, extension);
    timer_fast_at(tcp, conn, extension->rto_at);
}

static void fast_fire(struct tcp *tcp, struct tcp_conn *conn) {
    struct tcp_extension *extension = conn_extension(tcp, conn);
    bool waiting = conn->snd_una != conn_send_limit(conn);
    conn_touch(tcp, conn);
    /* Without an extension, there was no memory for it: output tries again. */
    if (!waiting || !extension)
        return;
    bool closed_window = conn_send_window(conn) == 0;
    if (!closed_window && conn_flight(conn) == 0)
        return;
    if (extension->timer == TIMER_RETRANSMISSION || conn_flight(conn) == 0)
        timeout(tcp, conn, extension);
    else if (closed_window)
        loss_sent_all(tcp, conn, extension);
    else if (extension->timer == TIMER_REORDERING)
        loss_reordering_over(tcp, conn, extension);
    else
        loss_probe_due(tcp, conn, extension);
}

static void fast_visit(void *argument, uint32_t ref) {
    struct tcp *tcp = argument;
    struct tcp_conn *conn = conn_at(tcp, ref);
    if (conn->fast_at == 0)
        return;
    if (seq_gt(conn->fast_at, fast_tick(tcp))) {
        wheel_insert(&tcp->fast, ref, fast_time(tcp, conn->fast_at));
        return;
    }
    conn->fast_at = 0;
    fast_fire(tcp, conn);
}

/* --- slow ------------------------------------------------------------------------------------ */

static bool keepalive_on(const struct tcp *tcp, const struct tcp_conn *conn) {
    return conn->flags & CONN_KEEPALIVE && tcp->config.keepalive_ms && !conn_closing(conn);
}

static uint64_t keepalive_due(const struct tcp *tcp, const struct tcp_conn *conn) {
    uint64_t last = tcp_last_received(tcp, conn, tcp->now);
    return last + (uint64_t)tcp->config.keepalive_ms * 1000 +
           (uint64_t)conn->slow.user * TIMER_KEEPALIVE_PROBE_US;
}

void timer_slow_update(struct tcp *tcp, struct tcp_conn *conn) {
    uint64_t due = UINT64_MAX;
    if (conn->slow_at) {
        int64_t ahead = (int32_t)(conn->slow_at - (uint32_t)(tcp->now >> TCP_SLOW_SHIFT));
        due = (uint64_t)((int64_t)(tcp->now >> TCP_SLOW_SHIFT) + ahead) << TCP_SLOW_SHIFT;
    }
    if (keepalive_on(tcp, conn)) {
        uint64_t keepalive = keepalive_due(tcp, conn);
        if (keepalive < due)
            due = keepalive;
    }
    if (due != UINT64_MAX)
        wheel_hasten(&tcp->slow, conn_ref(tcp, conn), due);
}

static void slow_visit(void *argument, uint32_t ref) {
    struct tcp *tcp = argument;
    struct tcp_conn *conn = conn_at(tcp, ref);
    if (conn->flags & CONN_ABORT)
        return;
    if (conn->slow_at && seq_leq(conn->slow_at, (uint32_t)(tcp->now >> TCP_SLOW_SHIFT))) {
        conn->slow_at = 0;
        if (conn_closing(conn)) {
            conn_count(tcp, conn, COUNTER_TCP_TIMED_OUT);
            conn_abort(tcp, conn, TCP_CLOSED_TIMEOUT);
            return;
        }
        tcp->app.timer(tcp->app.app, conn);
    }
    if (keepalive_on(tcp, conn) && keepalive_due(tcp, conn) <= tcp->now) {
        if (conn->slow.user >= TIMER_KEEPALIVE_PROBES) {
            conn_count(tcp, conn, COUNTER_TCP_TIMED_OUT);
            conn_abort(tcp, conn, TCP_CLOSED_TIMEOUT);
            return;
        }
        conn->slow.user++;
        conn->flags |= CONN_PROBE;
        conn_touch(tcp, conn);
    }
    timer_slow_update(tcp, conn);
}

/* --------------------------------------------------------------------------------------------- */

bool tcp_timers(struct tcp *tcp, uint64_t now, unsigned budget) {
    tcp->now = now;
    /* None of the three starves another: each may use half of what is left, then the rest. */
    unsigned first = budget - budget / 2;
    unsigned rest = budget / 2;
    bool more = wheel_advance(&tcp->fast, now, &first, fast_visit, tcp);
    rest += first;
    unsigned second = rest - rest / 2;
    unsigned third = rest / 2;
    more |= wheel_advance(&tcp->slow, now, &second, slow_visit, tcp);
    third += second;
    more |= time_wait_expire(tcp, &third);
    pressure_update(tcp);
    more |= pressure_visit(tcp);
    return more;
}

uint64_t tcp_next_timer(const struct tcp *tcp) {
    if ((tcp->touched_count && !tcp->retry_at) || tcp->pressure.visiting)
        return 0;
    uint64_t next = wheel_next(&tcp->fast);
    uint64_t other = wheel_next(&tcp->slow);
    if (other < next)
        next = other;
    other = time_wait_next(tcp);
    if (other < next)
        next = other;
    if (tcp->retry_at && tcp->retry_at < next)
        next = tcp->retry_at;
    if (tcp->pressure.level == PRESSURE_HOLD && tcp->now + PRESSURE_LOOK_US < next)
        next = tcp->now + PRESSURE_LOOK_US;
    return next;
}
