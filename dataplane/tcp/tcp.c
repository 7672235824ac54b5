/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/tcp.h"

#include <stdlib.h>

#include "dataplane/base/siphash.h"
#include "dataplane/tcp/loss.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/stack.h"
#include "dataplane/tcp/timer.h"
#include "dataplane/tcp/tuple.h"

enum { APP_SIZE_MAX = 128 };

uint64_t tcp_tuple_hash(const struct tcp_tuple *tuple, const uint8_t key[16]) {
    uint8_t bytes[TUPLE_BYTES];
    tuple_bytes(tuple, bytes);
    return siphash(key, bytes, sizeof bytes);
}

struct tcp *tcp_create(const struct tcp_config *config, struct pool *pool,
                       const struct tcp_link *link, const struct tcp_app *app,
                       struct counters *counters, uint64_t now) {
    if (config->app_size > APP_SIZE_MAX || config->connections_max == 0)
        return NULL;
    struct tcp *tcp = calloc(1, sizeof *tcp);
    if (!tcp)
        return NULL;
    tcp->config = *config;
    if (tcp->config.window > TCP_WINDOW_MAX)
        tcp->config.window = TCP_WINDOW_MAX;
    while (tcp->config.window >> tcp->rcv_shift > UINT16_MAX)
        tcp->rcv_shift++;
    tcp->link = *link;
    tcp->app = *app;
    tcp->counters = counters;
    tcp->pool = pool;
    tcp->base = pool->base;
    tcp->sent_memory.pool = pool;
    tcp->congestion = config->congestion == TCP_CUBIC ? &congestion_cubic : &congestion_newreno;
    tcp->now = now;
    tcp->rto_limits = (struct rto_limits){.min = config->rto_min_ms * 1000,
                                          .max = config->rto_max_ms * 1000,
                                          .initial = config->rto_initial_ms * 1000};

    uint32_t ring = 1;
    while (ring < config->connections_max)
        ring *= 2;
    tcp->touched_mask = ring - 1;
    tcp->touched = malloc((size_t)ring * sizeof *tcp->touched);
    if (!tcp->touched || !flow_init(&tcp->flow, config->connections_max + config->time_wait_max) ||
        !admission_init(&tcp->admission, &config->admission, config->flow_key) ||
        !traces_init(&tcp->traces, config->traces, config->trace_records)) {
        tcp_destroy(tcp);
        return NULL;
    }

    /* A whole number of cache lines, so that objects begin on one. */
    size_t size = (sizeof(struct tcp_conn) + config->app_size + 63) & ~(size_t)63;
    slab_init(&tcp->conns, pool->arena, "tcp-connection", size, SLAB_KEEP);
    slab_init(&tcp->extensions, pool->arena, "tcp-extension", sizeof(struct tcp_extension), 0);
    slab_init(&tcp->addresses, pool->arena, "tcp-ipv6-address", 16, 0);
    slab_init(&tcp->records, pool->arena, "tcp-time-wait", sizeof(struct time_wait), 0);
    wheel_init(&tcp->fast, tcp->base, offsetof(struct tcp_conn, fast), TCP_FAST_SHIFT, now);
    wheel_init(&tcp->slow, tcp->base, offsetof(struct tcp_conn, slow), TCP_SLOW_SHIFT, now);
    return tcp;
}

void tcp_destroy(struct tcp *tcp) {
    if (!tcp)
        return;
    traces_fini(&tcp->traces);
    admission_fini(&tcp->admission);
    flow_fini(&tcp->flow);
    free(tcp->touched);
    free(tcp);
}

void tcp_set_name(struct tcp *tcp, uint64_t (*name)(void *app, struct tcp_conn *conn)) {
    tcp->name = name;
}

/* --- the application's side ------------------------------------------------------------------ */

void tcp_send(struct tcp *tcp, struct tcp_conn *conn, uint32_t len) {
    if (conn->state != TCP_STATE_ESTABLISHED && conn->state != TCP_STATE_CLOSE_WAIT)
        return;
    conn->snd_end += len;
    conn_touch(tcp, conn);
}

uint32_t tcp_unacknowledged(const struct tcp_conn *conn) {
    return conn->snd_end - conn->snd_una;
}

void tcp_resume(struct tcp *tcp, struct tcp_conn *conn) {
    if (conn->state == TCP_STATE_CLOSED || !(conn->flags & CONN_PAUSED))
        return;
    conn->flags &= (uint16_t)~CONN_PAUSED;
    conn_touch(tcp, conn);
}

void tcp_close(struct tcp *tcp, struct tcp_conn *conn) {
    if (conn->state == TCP_STATE_ESTABLISHED)
        conn->state = TCP_STATE_FIN_WAIT_1;
    else if (conn->state == TCP_STATE_CLOSE_WAIT)
        conn->state = TCP_STATE_LAST_ACK;
    else
        return;
    conn->slow_at = timer_slow_tick(tcp->now + (uint64_t)tcp->config.fin_wait_ms * 1000);
    timer_slow_update(tcp, conn);
    conn_touch(tcp, conn);
}

void tcp_abort(struct tcp *tcp, struct tcp_conn *conn) {
    conn_abort(tcp, conn, TCP_CLOSED_ABORTED);
}

void tcp_app_timer(struct tcp *tcp, struct tcp_conn *conn, uint64_t when) {
    if (conn->state != TCP_STATE_ESTABLISHED && conn->state != TCP_STATE_CLOSE_WAIT)
        return;
    conn->slow_at = when ? timer_slow_tick(when) : 0;
    timer_slow_update(tcp, conn);
}

void tcp_app_timer_hasten(struct tcp *tcp, struct tcp_conn *conn, uint64_t when) {
    if (conn->slow_at == 0 || seq_lt(timer_slow_tick(when), conn->slow_at))
        tcp_app_timer(tcp, conn, when);
}

uint64_t tcp_last_received(const struct tcp *tcp, const struct tcp_conn *conn, uint64_t now) {
    uint32_t ago = idle_tick(now) - conn->last_received;
    return ((now >> TCP_IDLE_SHIFT) - ago) << TCP_IDLE_SHIFT;
}

void tcp_keepalive(struct tcp *tcp, struct tcp_conn *conn, bool on) {
    conn->flags &= (uint16_t)~CONN_KEEPALIVE;
    if (!on || conn->state == TCP_STATE_CLOSED)
        return;
    conn->flags |= CONN_KEEPALIVE;
    conn->slow.user = 0;
    timer_slow_update(tcp, conn);
}

ref_t tcp_conn_ref(const struct tcp *tcp, const struct tcp_conn *conn) {
    return conn_ref(tcp, conn);
}

struct tcp_conn *tcp_conn_at(const struct tcp *tcp, ref_t ref) {
    struct tcp_conn *conn = conn_at(tcp, ref);
    return slab_holds(&tcp->conns, conn) ? conn : NULL;
}

void tcp_conn_tuple(const struct tcp *tcp, const struct tcp_conn *conn, struct tcp_tuple *tuple) {
    endpoint_tuple(tcp, (const struct tcp_endpoint *)conn, tuple);
}

void tcp_stop_accepting(struct tcp *tcp) {
    tcp->stopped = true;
}

void tcp_each(struct tcp *tcp, uint32_t *position, unsigned budget,
              void (*visit)(void *argument, struct tcp_conn *conn), void *argument) {
    /* Empty places cost little, but a call must end in a nearly empty table, too. */
    uint64_t places = (uint64_t)budget * 16;
    uint64_t end = flow_positions(&tcp->flow);
    uint64_t at = *position;
    for (; at < end && budget && places; at++, places--) {
        ref_t ref = flow_at(&tcp->flow, at);
        if (!ref || conn_at(tcp, ref)->state >= TCP_STATE_RECORD)
            continue;
        budget--;
        visit(argument, conn_at(tcp, ref));
    }
    *position = at < end ? (uint32_t)at : 0;
}

/* --- seen from outside ----------------------------------------------------------------------- */

const char *tcp_state_name(unsigned state) {
    static const char *const names[] = {
        [TCP_STATE_CLOSED] = "CLOSED",         [TCP_STATE_ESTABLISHED] = "ESTABLISHED",
        [TCP_STATE_FIN_WAIT_1] = "FIN-WAIT-1", [TCP_STATE_FIN_WAIT_2] = "FIN-WAIT-2",
        [TCP_STATE_CLOSE_WAIT] = "CLOSE-WAIT", [TCP_STATE_CLOSING] = "CLOSING",
        [TCP_STATE_LAST_ACK] = "LAST-ACK",     [TCP_STATE_TIME_WAIT] = "TIME-WAIT",
    };
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

const char *tcp_recovery_name(unsigned recovery) {
    static const char *const names[] = {
        [RECOVERY_NONE] = "none",
        [RECOVERY_FAST] = "fast recovery",
        [RECOVERY_AGAIN] = "after a timeout",
    };
    return recovery < sizeof names / sizeof *names ? names[recovery] : "?";
}

void tcp_conn_report(const struct tcp *tcp, const struct tcp_conn *conn, struct tcp_report *info,
                     uint64_t now) {
    const struct tcp_extension *extension = conn_extension(tcp, conn);
    *info = (struct tcp_report){
        .state = conn->state,
        .mss = conn->mss,
        .srtt = conn->srtt,
        .rttvar = conn->rttvar,
        .rto = conn_rto(tcp, conn),
        .cwnd = conn->congestion.cwnd,
        .ssthresh = conn->congestion.ssthresh,
        .in_flight = conn_flight(conn),
        .snd_wnd = conn_send_window(conn),
        .rcv_wnd = conn->rcv_wnd,
        .retransmissions = conn->fast.user,
        .out_of_order = conn->out_of_order,
        .zero_windows = conn->zero_windows,
        .duplicate_acks = conn->duplicate_acks,
        .send_queue = tcp_unacknowledged(conn),
        .receive_queue = extension ? extension->unread : 0,
        .pipe = extension ? loss_pipe(tcp, conn, extension) : 0,
        .sacked = extension ? extension->sent.sacked : 0,
        .lost = extension ? extension->sent.lost : 0,
        .min_rtt = extension ? extension->rack.min_rtt : 0,
        .recovery = extension ? extension->recovery : RECOVERY_NONE,
        .backoff = conn->backoff,
        .reordering = conn->flags & CONN_REORDERED,
        .congestion = tcp->congestion->name,
        .age = (uint64_t)(idle_tick(now) - conn->created) << TCP_IDLE_SHIFT,
        .idle = (uint64_t)(idle_tick(now) - conn->last_received) << TCP_IDLE_SHIFT,
        .bytes_in = conn->rcv_nxt - conn->irs,
        .bytes_out = conn->snd_una - conn->iss,
    };
    trace_report_drops(tcp, conn, info, now);
}

void tcp_stats(const struct tcp *tcp, struct tcp_stats *stats) {
    *stats = (struct tcp_stats){
        .pressure = tcp->pressure.level,
        .connections = tcp->conns.used,
        .time_waits = tcp->time_waits.count,
        .touched = tcp->touched_count,
        .flow_bytes =
            flow_bytes(&tcp->flow) + ((uint64_t)tcp->touched_mask + 1) * sizeof *tcp->touched,
        .connection_bytes =
            slab_bytes(&tcp->conns) + slab_bytes(&tcp->addresses) + slab_bytes(&tcp->records),
        .extension_bytes = slab_bytes(&tcp->extensions) + tcp->sent_memory.bytes,
        .trace_bytes = traces_bytes(&tcp->traces),
    };
}
