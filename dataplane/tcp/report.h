/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection seen from outside, for `ctl client show`. It travels in mail (mail/mail.h), so
 * it needs none of TCP's own headers. What control/admin/client_tcp.h lists of it is shown.
 *
 * Pure; filled in by the worker (tcp_conn_report), read by the admin thread.
 */
#ifndef LINEMQ_TCP_REPORT_H
#define LINEMQ_TCP_REPORT_H

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
    uint64_t age, idle, bytes_in, bytes_out;
    struct tcp_report_drop drops[TCP_REPORT_DROPS]; /* the latest first */
};

#endif
