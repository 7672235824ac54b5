/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection needs only while bytes are in flight, out of order or unread: loss recovery and
 * the receive buffer. Attached when the first of these begins, detached when the last ends, so that
 * an idle connection does not pay for it. The SACK scoreboard and RACK's times belong here, too.
 */
#ifndef LINEMQ_TCP_EXTENSION_H
#define LINEMQ_TCP_EXTENSION_H

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/reassembly.h"

enum tcp_recovery {
    RECOVERY_NONE,
    RECOVERY_FAST,  /* RFC 6582: three duplicate ACKs were seen */
    RECOVERY_AGAIN, /* all in flight counts as lost and is sent again from `resend` on */
};

enum tcp_extension_flag {
    EXTENSION_RESEND_FIRST = 1, /* the segment at snd_una is to be sent again once */
    EXTENSION_TIMED = 2,        /* timed_seq and timed_at are valid */
    EXTENSION_WINDOW_PROBE = 4, /* a zero-window probe goes out with the next output */
    EXTENSION_PARTIAL = 8,      /* a partial ACK has restarted the timer in this recovery */
    EXTENSION_FIN = 16,         /* the peer's FIN arrived ahead of a hole, at `fin` */
};

struct tcp_extension {
    struct reassembly in; /* unread and out-of-order bytes */
    uint32_t unread;      /* bytes before rcv_nxt that the application has not taken */
    uint32_t fin;
    uint32_t recent;  /* sequence number of the latest out-of-order segment */
    uint32_t recover; /* RFC 6582: recovery ends, and a new one may begin, beyond this */
    uint32_t resend;  /* RECOVERY_AGAIN: what is sent next */
    uint32_t timed_seq, timed_at; /* a byte whose ACK gives an RTT sample; microseconds */
    uint32_t stalled;             /* fast ticks: since when the peer has acknowledged nothing */
    uint8_t recovery;             /* enum tcp_recovery */
    uint8_t flags;
    uint8_t duplicates;    /* duplicate ACKs in a row, at most 255 */
    uint8_t acks_repeated; /* duplicate ACKs that we owe beyond the first */
};

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
