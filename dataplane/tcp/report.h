/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection seen from outside, for `ctl client show`. It travels in mail (mail/mail.h), so
 * it needs none of TCP's own headers. What control/admin/client_tcp.h lists of it is shown.
 *
 * Pure; filled in by the worker (tcp_conn_report), read by the admin thread.
 */
#ifndef LINEMQ_TCP_REPORT_H
#define LINEMQ_TCP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum { TCP_REPORT_DROPS = 4 };

/* Segments of the connection that were dropped for one reason. */
struct tcp_report_drop {
    uint64_t ago;     /* since the last of them, microseconds */
    uint32_t count;   /* as far as they are remembered */
    uint16_t counter; /* enum counter */
};

/* Times in microseconds, sizes in bytes. Byte counts are modulo 2^32; retransmissions, out_of_order
 * and duplicate_acks stop at 65535, zero_windows at 255. */
struct tcp_report {
    uint8_t state; /* tcp_state_name */
    uint8_t drops_count;
    uint16_t mss;
    uint32_t srtt, rttvar, rto, cwnd, ssthresh, in_flight, snd_wnd, rcv_wnd;
    uint32_t retransmissions, out_of_order, zero_windows, duplicate_acks;
    uint32_t send_queue, receive_queue;
    /* Loss recovery; the four byte counts are 0 with nothing in flight. */
    uint32_t pipe, sacked, lost; /* of in_flight: in the network, arrived, to be sent again */
    uint32_t min_rtt;            /* 0 = not known; of the present flight */
    uint8_t recovery;            /* tcp_recovery_name */
    uint8_t backoff;             /* doublings of the timeout */
    bool reordering;             /* the path was seen to reorder */
    const char *congestion;      /* name of the algorithm */
    uint64_t age, idle, bytes_in, bytes_out;
    struct tcp_report_drop drops[TCP_REPORT_DROPS]; /* the latest first */
};

const char *tcp_state_name(unsigned state);
const char *tcp_recovery_name(unsigned recovery);

#endif
