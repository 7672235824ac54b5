/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP, passive open only (RFC 9293), as one worker runs it. Pure: time comes in as an argument,
 * segments go out through struct tcp_link, bytes to and from the application through
 * struct tcp_app; no DPDK, no system call. Two of these and a lossy pipe make the simulator.
 *
 * What is particular here:
 *  - SYN cookies always (RFC 4987): a connection exists only from its first data segment on. The
 *    cookie secret is the same on all workers.
 *  - TCP holds no send buffer. The application keeps what it sends (messages, not bytes) and hands
 *    out any range from snd_una on when asked; tcp_send only says how much there is.
 *  - Received bytes are offered in order; what the application does not take now stays in a small
 *    buffer, closes the window, and is offered again after tcp_resume.
 *  - Output happens once a turn for each connection touched (tcp_output): ACKs piggy-back, writes
 *    cork. There is no delayed-ACK timer.
 *  - A hot connection is 128 bytes; what it needs while data is in flight or out of order is
 *    attached then and detached when idle.
 *
 * Thread: everything belongs to the worker that owns the struct tcp.
 */
#ifndef LINEMQ_TCP_TCP_H
#define LINEMQ_TCP_TCP_H

#include "dataplane/base/counters.h"
#include "dataplane/message/pool.h"
#include "dataplane/tcp/admission.h"
#include "dataplane/tcp/report.h"
#include "dataplane/tcp/trace_record.h"

/* Both ends of a connection in network byte order; IPv4 addresses are mapped (::ffff:a.b.c.d). */
struct tcp_tuple {
    uint8_t remote[16], local[16];
    uint16_t remote_port, local_port; /* host byte order */
};

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

/* A segment that arrived: addresses, and the TCP header with what follows it. The checksum has been
 * verified and `len` is at least the header's data offset says (else it was dropped before). */
struct tcp_segment {
    struct tcp_tuple tuple;
    const uint8_t *header;
    uint32_t len;  /* header and payload */
    uint32_t hop;  /* where replies go on the link: the link's own name for it */
    uint64_t hash; /* tcp_tuple_hash(tuple), by whoever chose the worker */
};

/* Where segments go. */
struct tcp_link {
    /* A buffer for one segment with at least `len` bytes of room from the TCP header on, or NULL:
     * none left, try later. */
    uint8_t *(*frame)(void *link, size_t len, void **frame);
    /* Sends it: `len` bytes from the TCP header on, checksum field zero, to be filled in by the
     * link (or its hardware) with the pseudo header of `tuple`. */
    void (*transmit)(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                     uint32_t hop);
    void *link;
    /* Whether the way to `hop` is full, so that a connection had better send later. Asked once for
     * each connection that has its turn; what it then sends is taken even so. NULL: never. */
    bool (*wait)(void *link, uint32_t hop);
};

struct tcp;
struct tcp_conn; /* in conn.h; the application's part follows it directly */

enum tcp_close {
    TCP_CLOSED_ORDERLY = 1, /* both sides sent FIN, or we did after the peer */
    TCP_CLOSED_RESET,       /* the peer sent RST */
    TCP_CLOSED_TIMEOUT,   /* retransmissions were not answered (R2, RFC 9293 3.8.3), nor keep-alive
                           * probes; or the peer did not finish after tcp_close */
    TCP_CLOSED_ABORTED,   /* tcp_abort */
    TCP_CLOSED_RESOURCES, /* memory */
};

/*
 * What TCP asks of the application. All of tcp_send, tcp_close, tcp_abort, tcp_resume,
 * tcp_keepalive and tcp_app_timer may be called from within each of these, on any connection: they
 * only leave marks, segments and `closed` follow from tcp_output. After tcp_abort nothing but
 * `closed` is called for a connection.
 */
struct tcp_app {
    /* A connection came into being with its first data. The application's part is zeroed. False:
     * refused, RST is sent. */
    bool (*opened)(void *app, struct tcp_conn *conn);
    /* In-order bytes; returns how many were taken. */
    size_t (*received)(void *app, struct tcp_conn *conn, const uint8_t *data, size_t len);
    /* The peer has sent FIN and everything before it was taken. */
    void (*finished)(void *app, struct tcp_conn *conn);
    /* Copies out `len` bytes from `offset` bytes after snd_una on; asked only for what was
     * announced by tcp_send. */
    void (*fetch)(void *app, struct tcp_conn *conn, uint32_t offset, uint8_t *to, size_t len);
    /* The first `len` bytes were acknowledged: forget them. */
    void (*acknowledged)(void *app, struct tcp_conn *conn, uint32_t len);
    /* The connection is gone: its memory is released when this returns (a TIME_WAIT record may stay
     * behind, without the application). Called exactly once for each `opened` that said true. */
    void (*closed)(void *app, struct tcp_conn *conn, enum tcp_close why);
    /* The timer set by tcp_app_timer. */
    void (*timer)(void *app, struct tcp_conn *conn);
    void *app;
};

enum tcp_congestion { TCP_NEWRENO, TCP_CUBIC };

enum { TCP_WINDOW_MAX = (1 << 20) - 1 };

struct tcp_config {
    uint32_t connections_max; /* more are refused with RST */
    uint32_t window;          /* largest receive window, bytes, at most TCP_WINDOW_MAX */
    uint16_t mss;             /* largest segment we ask for and send (MSS clamp), bytes */
    uint32_t rto_min_ms, rto_max_ms, rto_initial_ms;
    uint32_t give_up_ms; /* R2: oldest unacknowledged data */
    uint32_t time_wait_ms, fin_wait_ms;
    uint32_t time_wait_max;    /* records; beyond, the oldest goes */
    uint32_t out_of_order_max; /* bytes buffered for one connection */
    uint32_t keepalive_ms; /* RFC 1122 keep-alive, 0 = off; for clients without MQTT keep alive */
    uint8_t secret[16];    /* cookies, ISN (RFC 6528), time stamp offsets: equal on all workers */
    uint8_t flow_key[16];  /* flow table */
    uint16_t ports[16];    /* listening, 0 ends the list */
    enum tcp_congestion congestion;
    /* Loss recovery, each by itself: SACK (RFC 2018, 6675; without it the next two are off), RACK
     * and tail loss probes (RFC 8985), PRR (RFC 9937), undoing what was no loss (RFC 3522, 3708),
     * the same without time stamps (RFC 5682), limited transmit (RFC 3042). */
    bool sack, rack, tail_loss_probe, prr, undo, frto, limited_transmit;
    uint32_t traces, trace_records; /* connections that are traced at once, events of each */
    size_t app_size; /* bytes of the application's part, at most 128; with 128 of TCP's own they are
                      * best a whole number of cache lines */

    struct admission_limits admission;
};

/* Set-up only: allocates the flow table from the heap, everything else from `pool` as it is needed.
 * NULL: no memory. */
struct tcp *tcp_create(const struct tcp_config *config, struct pool *pool,
                       const struct tcp_link *link, const struct tcp_app *app,
                       struct counters *counters, uint64_t now);
void tcp_destroy(struct tcp *tcp);

/* Set-up: a number by which the application knows a connection, also when it has ended, for
 * tcp_trace; 0: none yet. It is given the `app` of struct tcp_app. */
void tcp_set_name(struct tcp *tcp, uint64_t (*name)(void *app, struct tcp_conn *conn));

/* All times are microseconds of a monotonic clock. */

/* A burst of segments (at most 64): looks up all with prefetch, then handles each. The application
 * is called from here. */
void tcp_input(struct tcp *tcp, const struct tcp_segment *segments, unsigned count, uint64_t now);

/* An ICMP or ICMPv6 error about a segment of ours. Anybody can send one: it is believed only as far
 * as what it quotes proves that its sender has seen the segment (RFC 5927 4). */
enum tcp_icmp_kind {
    TCP_ICMP_TOO_BIG,    /* fragmentation needed (RFC 1191), packet too big (RFC 8201) */
    TCP_ICMP_UNREACHABLE /* all others: soft errors, counted (RFC 5927 6) */
};

struct tcp_icmp {
    struct tcp_tuple tuple; /* of the segment quoted: its destination is `remote` */
    uint64_t hash;          /* tcp_tuple_hash(tuple) */
    uint32_t seq;           /* of the segment quoted */
    uint32_t mtu;           /* TCP_ICMP_TOO_BIG: of the hop that complains; 0 = it does not say */
    uint16_t len;           /* of the IP packet quoted, by its header */
    uint8_t kind;
};

void tcp_icmp(struct tcp *tcp, const struct tcp_icmp *icmp, uint64_t now);

/* Timers that are due: at most `budget` visited. True when more are due already. */
bool tcp_timers(struct tcp *tcp, uint64_t now, unsigned budget);

/* Output for connections touched since the last call: data, ACKs, FIN. At most `budget` segments;
 * true when more could be sent at once. */
bool tcp_output(struct tcp *tcp, uint64_t now, unsigned budget);

/* The earliest time a timer can be due, or UINT64_MAX. Cheap and never late; may be early. */
uint64_t tcp_next_timer(const struct tcp *tcp);

/* --- the application's side ------------------------------------------------------------------ */

/* `len` more bytes are there to be fetched; at most 1 GiB in all may be unacknowledged. Does
 * nothing after tcp_close. */
void tcp_send(struct tcp *tcp, struct tcp_conn *conn, uint32_t len);

/* Bytes announced and not yet acknowledged. */
uint32_t tcp_unacknowledged(const struct tcp_conn *conn);

/* Take input again after `received` took less than it was offered: the rest is offered on the next
 * tcp_output call. */
void tcp_resume(struct tcp *tcp, struct tcp_conn *conn);

/* FIN after what was announced, which is still fetched; input is acknowledged and discarded from
 * now on, and the application's timer is off. `closed` follows, at the latest after fin_wait_ms
 * (with RST and TCP_CLOSED_TIMEOUT). */
void tcp_close(struct tcp *tcp, struct tcp_conn *conn);

/* RST now (on the next tcp_output that has a frame for it); `closed` is called from there. */
void tcp_abort(struct tcp *tcp, struct tcp_conn *conn);

/* Calls app->timer at `when` or up to a second later; replaces an earlier setting. 0 switches it
 * off. */
void tcp_app_timer(struct tcp *tcp, struct tcp_conn *conn, uint64_t when);

/* The same, unless it is set to an earlier time. */
void tcp_app_timer_hasten(struct tcp *tcp, struct tcp_conn *conn, uint64_t when);

/* When the last acceptable segment arrived, in microseconds, to a granularity of about 16 ms. */
uint64_t tcp_last_received(const struct tcp *tcp, const struct tcp_conn *conn, uint64_t now);

void tcp_keepalive(struct tcp *tcp, struct tcp_conn *conn, bool on);

static inline void *tcp_conn_app(struct tcp_conn *conn) {
    return (uint8_t *)conn + 128;
}

static inline struct tcp_conn *tcp_app_conn(void *app_part) {
    return (struct tcp_conn *)((uint8_t *)app_part - 128);
}

/* The connection's ref in the pool's arena: its name in mail. Memory of a closed connection stays a
 * connection (SLAB_KEEP), with a zeroed application part. */
ref_t tcp_conn_ref(const struct tcp *tcp, const struct tcp_conn *conn);
/* NULL if the ref is not inside a connection slab of this worker or not aligned to one. */
struct tcp_conn *tcp_conn_at(const struct tcp *tcp, ref_t ref);

void tcp_conn_tuple(const struct tcp *tcp, const struct tcp_conn *conn, struct tcp_tuple *tuple);

void tcp_conn_report(const struct tcp *tcp, const struct tcp_conn *conn, struct tcp_report *info,
                     uint64_t now);

/* Traces (trace.h), one a call: of connections that the application calls `name`, and of `conn` if
 * it is not NULL. Looks from *position on (0 at the start; 0 again at the end), a bounded number of
 * them. True: `to` is filled in, with the last `records` events at most. */
bool tcp_trace(const struct tcp *tcp, uint64_t name, const struct tcp_conn *conn,
               uint32_t *position, struct tcp_trace *to, uint32_t records, uint64_t now);

/* Keyed hash of a tuple, the same for a connection's life: chooses flow bucket, and owner where the
 * NIC did not. */
uint64_t tcp_tuple_hash(const struct tcp_tuple *tuple, const uint8_t key[16]);

/* How many of the link's buffers are in use, of how many that could be (see pressure.h). Now and
 * then; without it they count as plenty. */
void tcp_frames(struct tcp *tcp, size_t used, size_t limit);

struct tcp_stats {
    unsigned pressure; /* enum pressure_level */
    uint64_t connections, time_waits, touched;
    uint64_t flow_bytes; /* flow table and touched list, made at start for all there may be */
    uint64_t connection_bytes, extension_bytes, trace_bytes;
};
void tcp_stats(const struct tcp *tcp, struct tcp_stats *stats);

/* No new connections from now on (SYN and cookies are answered with RST). */
void tcp_stop_accepting(struct tcp *tcp);

/* Calls `visit` for up to `budget` connections from *position on (0 at the start, 0 again at the
 * end). The visitor may close or abort. */
void tcp_each(struct tcp *tcp, uint32_t *position, unsigned budget,
              void (*visit)(void *argument, struct tcp_conn *conn), void *argument);

#endif
