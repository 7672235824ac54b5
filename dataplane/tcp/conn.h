/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection: 128 bytes, two cache lines. The first is what a segment or an ACK touches, the
 * second is congestion control and time. The application's part follows. Names are those of RFC
 * 9293 3.3.1.
 *
 *      iss          snd_una       snd_nxt       snd_end
 *       |  acknowledged |  in flight  |   queued    | (FIN)
 *       +---------------+-------------+-------------+---->  sequence space of what we send
 *
 *      irs     rcv_nxt - unread   rcv_nxt        rcv_nxt + rcv_wnd
 *       |     taken     |   unread  |  window, holes   |
 *       +---------------+-----------+------------------+->  of what we receive
 */
#ifndef LINEMQ_TCP_CONN_H
#define LINEMQ_TCP_CONN_H

#include "dataplane/tcp/congestion.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"

/* RFC 9293 3.3.2. LISTEN and SYN-RECEIVED have no object: they live in cookies. */
enum tcp_state {
    TCP_STATE_CLOSED, /* over: `closed` is still to be called */
    TCP_STATE_ESTABLISHED,
    TCP_STATE_FIN_WAIT_1,
    TCP_STATE_FIN_WAIT_2,
    TCP_STATE_CLOSE_WAIT,
    TCP_STATE_CLOSING,
    TCP_STATE_LAST_ACK,
    TCP_STATE_TIME_WAIT, /* until the last ACK is out; then it is a record, see time_wait.h */
    /* Of records, see time_wait.h; never in a struct tcp_conn: */
    TCP_STATE_RECORD, /* TIME-WAIT */
    TCP_STATE_ENDED,  /* over, but its cookie is still good */
};

enum tcp_conn_flag {
    CONN_IPV6 = 1 << 0,       /* `remote` is a ref to the 16 bytes of the address */
    CONN_TIMESTAMPS = 1 << 1, /* negotiated, RFC 7323 */
    CONN_SACK = 1 << 2,       /* the peer takes SACK blocks */
    CONN_TOUCHED = 1 << 3,    /* on the touched list */
    CONN_ACK_OWED = 1 << 4,   /* an ACK goes out with the next output */
    CONN_PAUSED = 1 << 5,     /* the application took less than it was offered */
    CONN_FIN_SEEN = 1 << 6,   /* the peer's FIN was received in order */
    CONN_FINISHED = 1 << 7,   /* and the application told */
    CONN_ABORT = 1 << 8,      /* RST with the next output; `challenge` says why */
    CONN_KEEPALIVE = 1 << 9,  /* RFC 9293 3.8.4 */
    CONN_PROBE = 1 << 10,     /* a keep-alive probe goes out with the next output */
    CONN_REORDERED = 1 << 11, /* the path to the peer was seen to reorder (RFC 8985 6.2) */
    CONN_SCALED = 1 << 12,    /* windows are scaled, ours too (RFC 7323 2) */
    CONN_PATIENT = 1 << 13,   /* the last tail loss probe was needless: the peer may delay ACKs */
    CONN_TRACED = 1 << 15,    /* it has a trace buffer, see trace.h */
};

/* The first twelve bytes of connections and of records, which share the flow table. */
struct tcp_endpoint {
    uint32_t remote; /* IPv4 address in network order, or see CONN_IPV6 */
    uint16_t remote_port;
    uint8_t local; /* index of our address and port, see local.h */
    uint8_t state; /* enum tcp_state */
    uint16_t flags;
    uint16_t spare;
};

struct tcp_conn {
    uint32_t remote;
    uint16_t remote_port;
    uint8_t local;
    uint8_t state;
    uint16_t flags;
    uint16_t mss;          /* the largest segment to send, options included */
    uint32_t rcv_wnd : 20; /* RCV.WND in bytes */
    uint32_t backoff : 4;  /* doublings of the retransmission timeout, at most TCP_BACKOFF_MAX */
    uint32_t zero_windows : 8; /* times the peer closed its window, at most 255 */
    uint16_t snd_wnd;          /* SND.WND as it stood in the header: shift by snd_shift */
    uint8_t snd_shift : 4;     /* window scale of the peer */
    uint8_t snd_max : 4;       /* see conn_window_seen */
    uint8_t challenge;      /* see conn_challenge; in CLOSED and with CONN_ABORT: enum tcp_close */
    uint32_t rcv_nxt;       /* RCV.NXT */
    uint32_t snd_una;       /* SND.UNA */
    uint32_t snd_nxt;       /* SND.NXT; never goes back */
    uint32_t snd_end;       /* end of what the application announced */
    uint32_t snd_wl1;       /* SND.WL1; WL2 is never after SND.UNA and so never decides */
    uint32_t ts_recent;     /* TS.Recent */
    uint32_t ts_offset;     /* of our time stamp clock */
    ref_t extension;        /* struct tcp_extension, 0 = none attached */
    uint32_t hop;           /* the link's */
    uint32_t last_received; /* time of the last acceptable segment >> TCP_IDLE_SHIFT */
    uint16_t duplicate_acks, out_of_order; /* received, at most 65535 */

    struct wheel_node fast; /* RTO and persist; user: segments sent again, at most 65535 */
    struct wheel_node slow; /* application, keep-alive, FIN-WAIT; user: keep-alive probes sent */
    uint32_t fast_at;       /* fast ticks; meaningful while the timer runs, 0 = it does not */
    uint32_t slow_at;       /* slow ticks, 0 = off: the application's timer, after tcp_close ours */
    struct congestion congestion;
    uint32_t srtt, rttvar; /* microseconds; srtt 0 = no sample yet */
    uint32_t last_sent;    /* fast ticks: when data was last sent */
    uint32_t iss, irs;     /* the first sequence numbers of data */
    uint32_t created;      /* time >> TCP_IDLE_SHIFT */
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct tcp_conn) == 128, "two cache lines");
_Static_assert(offsetof(struct tcp_conn, fast) == 64, "the second line begins with the timers");
_Static_assert(sizeof(struct tcp_endpoint) == 12, "common to connection and record");
_Static_assert(offsetof(struct tcp_endpoint, local) == offsetof(struct tcp_conn, local) &&
                   offsetof(struct tcp_endpoint, state) == offsetof(struct tcp_conn, state) &&
                   offsetof(struct tcp_endpoint, flags) == offsetof(struct tcp_conn, flags),
               "common to connection and record");

enum {
    TCP_IDLE_SHIFT = 14, /* 16.384 ms: granularity of `last_received` and `created` */
    TCP_FAST_SHIFT = 10, /* 1.024 ms: tick of the fast wheel and of our time stamp clock */
    TCP_SLOW_SHIFT = 17, /* 131 ms: tick of the slow wheel */
    TCP_BACKOFF_MAX = 15,
};

static inline struct tcp_endpoint *conn_endpoint(struct tcp_conn *conn) {
    return (struct tcp_endpoint *)conn;
}

/* tcp_close was called: FIN is queued or sent, input is discarded. */
static inline bool conn_closing(const struct tcp_conn *conn) {
    return conn->state == TCP_STATE_FIN_WAIT_1 || conn->state == TCP_STATE_FIN_WAIT_2 ||
           conn->state == TCP_STATE_CLOSING || conn->state == TCP_STATE_LAST_ACK ||
           conn->state == TCP_STATE_TIME_WAIT;
}

/* Our FIN is queued, at snd_end, or sent and not acknowledged. */
static inline bool conn_fin_pending(const struct tcp_conn *conn) {
    return conn->state == TCP_STATE_FIN_WAIT_1 || conn->state == TCP_STATE_CLOSING ||
           conn->state == TCP_STATE_LAST_ACK;
}

/* The sequence number after all there is to send. */
static inline uint32_t conn_send_limit(const struct tcp_conn *conn) {
    return conn->snd_end + conn_fin_pending(conn);
}

static inline uint32_t conn_flight(const struct tcp_conn *conn) {
    return conn->snd_nxt - conn->snd_una;
}

/* MAX.SND.WND (RFC 5961 5.2): the largest window that the peer has announced, rounded up to the
 * next 2^n - 1 before it is shifted. */
static inline uint32_t conn_send_window_max(const struct tcp_conn *conn) {
    return ((2u << conn->snd_max) - 1) << conn->snd_shift;
}

static inline void conn_window_seen(struct tcp_conn *conn, uint16_t wnd) {
    while (wnd > (2u << conn->snd_max) - 1)
        conn->snd_max++;
}

static inline uint32_t conn_send_window(const struct tcp_conn *conn) {
    return (uint32_t)conn->snd_wnd << conn->snd_shift;
}

/* Payload bytes of a full segment; at least 1 (cookies keep mss above the options). */
static inline uint32_t conn_payload_max(const struct tcp_conn *conn) {
    return conn->mss - (conn->flags & CONN_TIMESTAMPS ? 12u : 0u);
}

#endif
