/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ctl client show` says of a client's TCP connection: one line for each field of struct
 * tcp_report, in the order of printing. Columns (columns.c) and values (client_tcp.c) come from
 * this list.
 *
 * NUMBER(FIELD, "key", "Heading", COLUMN_FORMAT, "sentence")
 * NAME(FIELD, "key", "Heading", FUNCTION, "sentence")   FUNCTION(value) is its name
 */
#ifndef LINEMQ_CONTROL_ADMIN_CLIENT_TCP_H
#define LINEMQ_CONTROL_ADMIN_CLIENT_TCP_H

#include <jansson.h>

#include "dataplane/tcp/report.h"

/* clang-format off */
#define CLIENT_TCP(NUMBER, NAME) \
    NAME(state, "state", "State", tcp_state_name, "As RFC 9293 calls it.") \
    NUMBER(age, "age_us", "Age", COLUMN_MICROSECONDS, "Since it was accepted.") \
    NUMBER(idle, "idle_us", "Idle", COLUMN_MICROSECONDS, "Since the client's last segment.") \
    NUMBER(srtt, "srtt_us", "Round trip", COLUMN_MICROSECONDS, "Smoothed round-trip time.") \
    NUMBER(rttvar, "rttvar_us", "Round trip varies by", COLUMN_MICROSECONDS, "Round-trip time variation.") \
    NUMBER(rto, "rto_us", "Timeout", COLUMN_MICROSECONDS, "Retransmission timeout.") \
    NUMBER(backoff, "backoff", "Timeout doubled", COLUMN_NUMBER, "Times, since the last answer.") \
    NUMBER(min_rtt, "min_rtt_us", "Least round trip", COLUMN_MICROSECONDS, "Of what is in flight; 0: not known.") \
    NUMBER(mss, "mss_bytes", "Segment size", COLUMN_NUMBER, "Largest segment we send, options included.") \
    NUMBER(cwnd, "cwnd_bytes", "Congestion window", COLUMN_BYTES, "What may be in flight.") \
    NUMBER(ssthresh, "ssthresh_bytes", "Slow start threshold", COLUMN_BYTES, "Above it the congestion window grows slowly.") \
    NAME(congestion, "congestion", "Congestion control", client_tcp_text, "The algorithm.") \
    NAME(recovery, "recovery", "Recovery", tcp_recovery_name, "From a loss, at present.") \
    NUMBER(in_flight, "in_flight_bytes", "In flight", COLUMN_BYTES, "Sent, not acknowledged.") \
    NUMBER(pipe, "pipe_bytes", "In the network", COLUMN_BYTES, "Of what is in flight: neither arrived nor lost, as far as is known.") \
    NUMBER(sacked, "sacked_bytes", "Arrived ahead", COLUMN_BYTES, "Of what is in flight: selectively acknowledged.") \
    NUMBER(lost, "lost_bytes", "Lost", COLUMN_BYTES, "Of what is in flight: to be sent again.") \
    NUMBER(snd_wnd, "snd_wnd_bytes", "Client's window", COLUMN_BYTES, "What the client accepts.") \
    NUMBER(rcv_wnd, "rcv_wnd_bytes", "Our window", COLUMN_BYTES, "What we accept.") \
    NUMBER(send_queue, "send_queue_bytes", "Send queue", COLUMN_BYTES, "To be sent or acknowledged.") \
    NUMBER(receive_queue, "receive_queue_bytes", "Receive queue", COLUMN_BYTES, "Received in order, not taken yet.") \
    NUMBER(retransmissions, "retransmissions", "Retransmissions", COLUMN_NUMBER, "Segments sent again.") \
    NUMBER(out_of_order, "out_of_order", "Out of order", COLUMN_NUMBER, "Segments that came ahead of a hole.") \
    NUMBER(duplicate_acks, "duplicate_acks", "Duplicate ACKs", COLUMN_NUMBER, "Received.") \
    NUMBER(zero_windows, "zero_windows", "Zero windows", COLUMN_NUMBER, "Times the client closed its window.")
/* clang-format on */

static inline const char *client_tcp_text(const char *text) {
    return text;
}

/* The object "tcp"; NULL: no memory. */
json_t *client_tcp_json(const struct tcp_report *report);

#endif
