/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection needs only while bytes are in flight, out of order or unread: the record of
 * what was sent, loss recovery and the receive buffer. Attached when the first of these begins,
 * detached when the last ends, so that an idle connection does not pay for it. What must be known
 * of a path beyond that stands in the connection: cwnd, ssthresh, srtt, rttvar, CONN_REORDERED.
 */
#ifndef LINEMQ_TCP_EXTENSION_H
#define LINEMQ_TCP_EXTENSION_H

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/prr.h"
#include "dataplane/tcp/rack.h"
#include "dataplane/tcp/reassembly.h"
#include "dataplane/tcp/scoreboard.h"
#include "dataplane/tcp/undo.h"

enum tcp_recovery {
    RECOVERY_NONE,
    RECOVERY_FAST,  /* ACKs showed a loss (RFC 6582, 6675, 8985): PRR governs the window */
    RECOVERY_AGAIN, /* a timer did, or a window that opened: slow start governs it */
};

enum tcp_extension_flag {
    EXTENSION_FORCE = 1,        /* one segment goes whatever cwnd says */
    EXTENSION_SHORT = 2,        /* SACK blocks found no memory: duplicate ACKs count instead */
    EXTENSION_WINDOW_PROBE = 4, /* a zero-window probe goes out with the next output */
    EXTENSION_PARTIAL = 8,      /* a partial ACK has restarted the timer in this recovery */
    EXTENSION_FIN = 16,         /* the peer's FIN arrived ahead of a hole, at `fin` */
    EXTENSION_TAIL_PROBE = 32,  /* a tail loss probe goes out with the next output */
    EXTENSION_TWICE = 64,       /* `twice` arrived again: a D-SACK is owed (RFC 2883) */
};

/* What the fast timer waits for while something is in flight, see timer.h. */
enum tcp_timer { TIMER_RETRANSMISSION, TIMER_REORDERING, TIMER_TAIL_PROBE };

/* The tail loss probe that is out (RFC 8985 7). */
struct tail_probe {
    uint32_t end;       /* TLP.end_seq */
    uint32_t timestamp; /* that it carries */
    bool out;
    bool again; /* TLP.is_retrans */
};

struct tcp_extension {
    struct reassembly in; /* unread and out-of-order bytes */
    uint32_t unread;      /* bytes before rcv_nxt that the application has not taken */
    uint32_t fin;
    uint32_t recent;             /* sequence number of the latest out-of-order segment */
    struct tcp_sack_block twice; /* with EXTENSION_TWICE */
    uint32_t recover;            /* RFC 6582: recovery ends, and a new one may begin, beyond this */
    uint32_t stalled;            /* fast ticks: since when the peer has acknowledged nothing */
    uint32_t reduced_at;         /* microseconds: when fast recovery last reduced ssthresh */
    uint32_t rto_at;             /* fast ticks: when the retransmission timer runs out */
    uint16_t duplicates;         /* duplicate ACKs in a row of a peer without SACK */
    uint8_t acks_repeated;       /* duplicate ACKs that we owe beyond the first */
    uint8_t recovery;            /* enum tcp_recovery */
    uint8_t flags;
    uint8_t timer; /* enum tcp_timer */
    struct tail_probe probe;
    struct rack rack;
    struct prr prr;
    struct undo undo;
    struct cubic cubic;
    struct scoreboard sent; /* last: its records need no beginning */
};

_Static_assert(sizeof(struct tcp_extension) <= 256, "four cache lines");

struct tcp;

/* The attached one, or NULL. */
static inline struct tcp_extension *extension_of(void *base, const struct tcp_conn *conn) {
    return conn->extension ? (struct tcp_extension *)arena_at(base, conn->extension) : NULL;
}

/* Attaches one if there is none. NULL: no memory. */
struct tcp_extension *extension_attach(struct tcp *tcp, struct tcp_conn *conn);
/* Detaches it if nothing needs it. */
void extension_detach_idle(struct tcp *tcp, struct tcp_conn *conn);
/* With all it holds. */
void extension_drop(struct tcp *tcp, struct tcp_conn *conn);

#endif
