/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tcp/trace.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/stack.h"

enum { LOOKED_AT = 1024 /* buffers, for one answer */ };

bool traces_init(struct traces *traces, uint32_t buffers, uint32_t records) {
    *traces = (struct traces){0};
    if (buffers == 0 || records == 0)
        return true;
    uint32_t chains = 16;
    while (chains < buffers)
        chains *= 2;
    size_t stride = sizeof(struct trace_buffer) + records * sizeof(struct tcp_trace_record);
    traces->stride = (stride + 63) & ~(size_t)63;
    traces->memory = calloc(buffers, traces->stride);
    traces->chains = calloc(chains, sizeof *traces->chains);
    if (!traces->memory || !traces->chains) {
        traces_fini(traces);
        return false;
    }
    traces->buffers = buffers;
    traces->mask = chains - 1;
    traces->records = records;
    return true;
}

void traces_fini(struct traces *traces) {
    free(traces->memory);
    free(traces->chains);
    *traces = (struct traces){0};
}

size_t traces_bytes(const struct traces *traces) {
    if (traces->buffers == 0)
        return 0;
    return traces->buffers * traces->stride + (traces->mask + 1) * sizeof *traces->chains;
}

static struct trace_buffer *buffer_at(const struct traces *traces, uint32_t number) {
    return (struct trace_buffer *)(traces->memory + number * traces->stride);
}

/* Refs are of objects of 256 bytes; no peer chooses them. */
static uint32_t *chain(const struct traces *traces, ref_t conn) {
    return &traces->chains[(conn * UINT32_C(2654435761) >> 7) & traces->mask];
}

static void unlink_buffer(struct traces *traces, uint32_t number) {
    struct trace_buffer *buffer = buffer_at(traces, number);
    uint32_t *link = chain(traces, buffer->conn);
    while (*link != number + 1)
        link = &buffer_at(traces, *link - 1)->next;
    *link = buffer->next;
    buffer->conn = 0;
}

static uint32_t find(const struct traces *traces, ref_t conn) {
    uint32_t link = *chain(traces, conn);
    while (link != 0 && buffer_at(traces, link - 1)->conn != conn)
        link = buffer_at(traces, link - 1)->next;
    return link;
}

/* The buffer of a connection, or NULL. */
static struct trace_buffer *buffer_of(const struct tcp *tcp, const struct tcp_conn *conn) {
    if (!(conn->flags & CONN_TRACED))
        return NULL;
    uint32_t link = find(&tcp->traces, conn_ref(tcp, conn));
    return link ? buffer_at(&tcp->traces, link - 1) : NULL;
}

static uint64_t name_of(const struct tcp *tcp, struct tcp_conn *conn) {
    return tcp->name ? tcp->name(tcp->app.app, conn) : 0;
}

/* The buffer that was handed out first is taken from whoever has it. */
static struct trace_buffer *attach(struct tcp *tcp, struct tcp_conn *conn) {
    struct traces *traces = &tcp->traces;
    uint32_t number = traces->handed_out++ % traces->buffers;
    struct trace_buffer *buffer = buffer_at(traces, number);
    if (buffer->conn) {
        conn_at(tcp, buffer->conn)->flags &= (uint16_t)~CONN_TRACED;
        unlink_buffer(traces, number);
    }
    memset(buffer, 0, sizeof *buffer);
    buffer->conn = conn_ref(tcp, conn);
    uint32_t *first = chain(traces, buffer->conn);
    buffer->next = *first;
    *first = number + 1;
    buffer->iss = conn->iss;
    buffer->irs = conn->irs;
    buffer->name = name_of(tcp, conn);
    buffer->began = tcp->now;
    tcp_conn_tuple(tcp, conn, &buffer->tuple);
    conn->flags |= CONN_TRACED;
    return buffer;
}

/* The reasons of the last drops outlive the events, which may be many. */
static void remember_drop(struct trace_buffer *buffer, unsigned counter, uint64_t now) {
    unsigned slot = buffer->drops_next;
    for (unsigned i = 0; i < TCP_REPORT_DROPS; i++)
        if (buffer->drops[i].count > 0 && buffer->drops[i].counter == counter)
            slot = i;
    if (buffer->drops[slot].count == 0 || buffer->drops[slot].counter != counter) {
        buffer->drops[slot].counter = counter;
        buffer->drops[slot].count = 0;
        buffer->drops_next = (uint8_t)((slot + 1) % TCP_REPORT_DROPS);
    }
    buffer->drops[slot].count++;
    buffer->drops[slot].last = now;
}

void trace_write(struct tcp *tcp, struct tcp_conn *conn, enum tcp_trace_event event,
                 unsigned counter, uint32_t a, uint32_t b) {
    /* What happens after the end is nobody's. */
    if (tcp->traces.buffers == 0 || conn->state == TCP_STATE_CLOSED)
        return;
    struct trace_buffer *buffer = buffer_of(tcp, conn);
    if (!buffer)
        buffer = attach(tcp, conn);
    if (event != TRACE_CLOSED && counter < COUNTERS &&
        counter_descriptions[counter].kind == COUNTER_KIND_DROP)
        remember_drop(buffer, counter, tcp->now);
    buffer->records[buffer->written++ % tcp->traces.records] = (struct tcp_trace_record){
        .time = tcp->now,
        .event = (uint8_t)event,
        .state = conn->state,
        .counter = (uint16_t)counter,
        .a = a,
        .b = b,
        .snd_una = conn->snd_una,
        .in_flight = conn_flight(conn),
        .rcv_nxt = conn->rcv_nxt,
        .cwnd = conn->congestion.cwnd,
        .snd_wnd = conn_send_window(conn),
    };
}

void trace_end(struct tcp *tcp, struct tcp_conn *conn, unsigned why) {
    struct trace_buffer *buffer = buffer_of(tcp, conn);
    if (!buffer)
        return;
    trace_write(tcp, conn, TRACE_CLOSED, why, 0, 0);
    buffer->name = name_of(tcp, conn);
    buffer->ended = tcp->now;
    unlink_buffer(&tcp->traces, find(&tcp->traces, buffer->conn) - 1);
    conn->flags &= (uint16_t)~CONN_TRACED;
}

void trace_report_drops(const struct tcp *tcp, const struct tcp_conn *conn,
                        struct tcp_report *report, uint64_t now) {
    const struct trace_buffer *buffer = buffer_of(tcp, conn);
    report->drops_count = 0;
    for (unsigned i = 0; buffer && i < TCP_REPORT_DROPS; i++) {
        if (buffer->drops[i].count == 0)
            continue;
        struct tcp_report_drop drop = {.ago = now - buffer->drops[i].last,
                                       .count = buffer->drops[i].count,
                                       .counter = (uint16_t)buffer->drops[i].counter};
        unsigned at = report->drops_count++;
        for (; at > 0 && report->drops[at - 1].ago > drop.ago; at--)
            report->drops[at] = report->drops[at - 1];
        report->drops[at] = drop;
    }
}

static void copy(const struct traces *traces, const struct trace_buffer *buffer,
                 struct tcp_trace *to, uint32_t records, uint64_t now) {
    uint32_t count = buffer->written < traces->records ? buffer->written : traces->records;
    if (count > records)
        count = records;
    *to = (struct tcp_trace){.now = now,
                             .began = buffer->began,
                             .ended = buffer->ended,
                             .iss = buffer->iss,
                             .irs = buffer->irs,
                             .written = buffer->written,
                             .count = count,
                             .remote_port = buffer->tuple.remote_port,
                             .local_port = buffer->tuple.local_port};
    memcpy(to->remote, buffer->tuple.remote, sizeof to->remote);
    memcpy(to->local, buffer->tuple.local, sizeof to->local);
    for (uint32_t i = 0; i < count; i++)
        to->records[i] = buffer->records[(buffer->written - count + i) % traces->records];
}

bool tcp_trace(const struct tcp *tcp, uint64_t name, const struct tcp_conn *conn,
               uint32_t *position, struct tcp_trace *to, uint32_t records, uint64_t now) {
    const struct traces *traces = &tcp->traces;
    ref_t wanted = conn ? conn_ref(tcp, conn) : 0;
    uint32_t end = traces->handed_out < traces->buffers ? traces->handed_out : traces->buffers;
    for (unsigned looked = 0; *position < end && looked < LOOKED_AT; looked++) {
        const struct trace_buffer *buffer = buffer_at(traces, (*position)++);
        /* One that lives may have got its name since. */
        uint64_t own = buffer->conn ? name_of(tcp, conn_at(tcp, buffer->conn)) : buffer->name;
        if ((name == 0 || own != name) && (wanted == 0 || buffer->conn != wanted))
            continue;
        copy(traces, buffer, to, records, now);
        if (*position >= end)
            *position = 0;
        return true;
    }
    if (*position >= end)
        *position = 0;
    return false;
}
