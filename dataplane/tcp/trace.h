/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: the last events of connections that misbehave. A connection gets one of a fixed number of
 * buffers when it first hits a counter that healthy ones do not (something is dropped, sent again,
 * out of order; a window is closed; a RST comes or goes), and from then on all it does is written
 * there, the latest events over the oldest. The buffer stays after the connection has gone. When
 * all are in use the one handed out first is given to the next connection.
 *
 * One that has no buffer pays a test of a flag for each segment. Memory: buffers * (128 + 40 *
 * records) bytes, taken at set-up and untouched until it is needed.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_TCP_TRACE_H
#define LINEMQ_TCP_TRACE_H

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/header.h"
#include "dataplane/tcp/report.h"
#include "dataplane/tcp/trace_record.h"

struct trace_buffer {
    ref_t conn;         /* 0: it has ended, or never was */
    uint32_t next;      /* in its chain, by number + 1; 0 = last */
    uint32_t written;   /* events, ever */
    uint32_t iss, irs;  /* the first sequence numbers of data */
    uint8_t drops_next; /* the oldest of `drops` */
    uint64_t name;      /* the application's for the connection; 0: none */
    uint64_t began, ended;
    struct tcp_tuple tuple;
    struct {
        uint64_t last;
        uint32_t count; /* 0: unused */
        uint32_t counter;
    } drops[TCP_REPORT_DROPS];
    struct tcp_trace_record records[];
};

struct traces {
    uint8_t *memory;
    size_t stride;
    uint32_t *chains;       /* by hash of the ref: number + 1 of the first buffer */
    uint32_t buffers, mask; /* 0: no traces */
    uint32_t records;       /* in each */
    uint32_t handed_out;    /* buffers, ever */
};

/* Set-up (heap); either number 0: no traces. False: no memory. */
bool traces_init(struct traces *traces, uint32_t buffers, uint32_t records);
void traces_fini(struct traces *traces);
size_t traces_bytes(const struct traces *traces);

struct tcp;

/* Writes an event; a connection without a buffer is given one, if there are any. */
void trace_write(struct tcp *tcp, struct tcp_conn *conn, enum tcp_trace_event event,
                 unsigned counter, uint32_t a, uint32_t b);

/* The connection ends: its buffer stays behind. While its application part is whole. */
void trace_end(struct tcp *tcp, struct tcp_conn *conn, unsigned why);

/* Fills in the drops of a report. */
void trace_report_drops(const struct tcp *tcp, const struct tcp_conn *conn,
                        struct tcp_report *report, uint64_t now);

/* Segments as they arrive and go: events that begin no trace. */
static inline void trace_input(struct tcp *tcp, struct tcp_conn *conn,
                               const struct tcp_header *header) {
    if (!__builtin_expect(conn->flags & CONN_TRACED, 0))
        return;
    uint32_t len = header_segment_length(header);
    if (len > 0)
        trace_write(tcp, conn, TRACE_SEGMENT_IN, COUNTERS, header->seq, len);
    if (header->flags & TCP_ACK)
        trace_write(tcp, conn, TRACE_ACK_IN, COUNTERS, header->ack,
                    (uint32_t)header->wnd << conn->snd_shift);
}

static inline void trace_output(struct tcp *tcp, struct tcp_conn *conn, uint32_t seq, uint32_t len,
                                uint8_t flags) {
    if (!__builtin_expect(conn->flags & CONN_TRACED, 0))
        return;
    uint32_t numbers = len + !!(flags & TCP_FIN);
    if (numbers > 0 || flags & TCP_RST)
        trace_write(tcp, conn, TRACE_SEGMENT_OUT, COUNTERS, seq, numbers);
    else
        trace_write(tcp, conn, TRACE_ACK_OUT, COUNTERS, conn->rcv_nxt, conn->rcv_wnd);
}

#endif
