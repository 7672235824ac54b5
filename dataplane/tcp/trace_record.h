/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a connection that misbehaves (trace.h), as it travels in mail: it needs
 * none of TCP's own headers. Pure; any thread.
 */
#ifndef LINEMQ_TCP_TRACE_RECORD_H
#define LINEMQ_TCP_TRACE_RECORD_H

#include <stdint.h>

/* X(IDENTIFIER, "name", "what `a` is", "what `b` is", "one sentence"). Labels that end in _in are
 * sequence numbers of what we receive, in _out of what we send; "" means nothing. */
/* clang-format off */
#define TCP_TRACE_EVENTS(X) \
    X(SEGMENT_IN, "segment_in", "seq_in", "len", "A segment with data or FIN arrived.") \
    X(ACK_IN, "ack_in", "ack_out", "window_bytes", "An ACK arrived, alone or with the segment above.") \
    X(SEGMENT_OUT, "segment_out", "seq_out", "len", "Data, FIN or RST was sent.") \
    X(ACK_OUT, "ack_out", "ack_in", "window_bytes", "An ACK was sent alone.") \
    X(COUNTED, "counted", "", "", "The connection hit a counter.") \
    X(COUNTED_IN, "counted", "seq_in", "len", "A segment from the client hit a counter.") \
    X(COUNTED_OUT, "counted", "seq_out", "len", "A segment of ours hit a counter.") \
    X(CLOSED, "closed", "", "", "The connection ended.")
/* clang-format on */

enum tcp_trace_event {
#define X(id, name, a, b, text) TRACE_##id,
    TCP_TRACE_EVENTS(X)
#undef X
        TRACE_EVENTS
};

struct tcp_trace_record {
    uint64_t time;    /* monotonic, microseconds */
    uint8_t event;    /* enum tcp_trace_event */
    uint8_t state;    /* of the connection, tcp_state_name */
    uint16_t counter; /* enum counter, of COUNTED and its kin; CLOSED: enum tcp_close */
    uint32_t a, b;
    /* The connection as it stood. */
    uint32_t snd_una, in_flight, rcv_nxt, cwnd, snd_wnd;
};
_Static_assert(sizeof(struct tcp_trace_record) == 40, "what an event costs");

/* The trace of one connection. Times as those of the records. */
struct tcp_trace {
    uint64_t now;          /* when this was filled in */
    uint64_t began, ended; /* the trace; the connection, 0 = it lives */
    uint32_t iss, irs;     /* the first sequence numbers of data */
    uint32_t written;      /* events, of which the last `count` follow, in order */
    uint32_t count;
    uint8_t remote[16], local[16]; /* IPv4 mapped */
    uint16_t remote_port, local_port;
    struct tcp_trace_record records[];
};

#endif
