/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that threads say to each other, and the whole contract between dataplane and control:
 * each kind of mail is defined here and nowhere else.
 *
 * Threads are numbered: workers first (0 .. workers-1), then control shards, then the admin thread.
 * Mail from one thread to another arrives in the order it was sent, and is not lost. A mail that
 * carries a parcel (message or other) hands over one reference with it; the receiver releases it.
 *
 * A connection is named by (worker, conn, generation): `conn` is its ref in the worker's arena, and
 * a mail whose generation is not the connection's is about one that is gone, and is dropped (its
 * parcels released).
 *
 * A persistent session (CONNECT with CleanSession 0) lives with the control shard that its client
 * identifier hashes to, connected or not: that shard holds its subscriptions, its queue, its packet
 * identifiers. The worker of its connection is its transport. A clean session lives on the worker.
 *
 *   worker                                   control shard
 *   MAIL_CONNECT           ------------>     authenticate; take over; find the session
 *                          <------------     MAIL_KICK (to the old connection's worker)
 *   MAIL_CLOSED            ------------>     (from there)
 *                          <------------     MAIL_VERDICT
 *   MAIL_SUBSCRIBE, MAIL_UNSUBSCRIBE -->     persistent sessions only
 *                          <------------     MAIL_SUBACK, MAIL_UNSUBACK
 *                          <------------     MAIL_DELIVER, MAIL_PUBREL_OUT
 *   MAIL_ACK               ------------>     PUBACK, PUBREC, PUBCOMP of the client
 *   MAIL_QOS2_IN           ------------>     identifiers of incoming QoS 2 messages
 *
 *   any publishing thread                    any thread with subscribers
 *   MAIL_PUBLISH           ------------>     match, deliver; a shard also stores what is retained
 *
 *   a thread with subscribers                the route writer (the first shard)
 *   MAIL_ROUTE_CHANGE      ------------>     set and clear bits, advance the epoch
 *                          <------------     MAIL_ROUTE_CHANGED
 *   a thread with subscribers                each shard
 *   MAIL_RETAINED_QUERY    ------------>     inverse lookup
 *                          <------------     MAIL_RETAINED (up to a batch), MAIL_RETAINED_END
 *   MAIL_RETAINED_MORE     ------------>     next batch
 */
#ifndef LINEMQ_MAIL_MAIL_H
#define LINEMQ_MAIL_MAIL_H

#include "dataplane/message/message.h"
#include "dataplane/tcp/report.h"
#include "dataplane/tcp/trace_record.h"

enum {
    THREADS_MAX = 32,
    MAIL_RETAINED_BATCH = 32, /* MAIL_RETAINEDs that answer a MAIL_RETAINED_QUERY, and each
                               * MAIL_RETAINED_MORE: every router's limits.retained_batch */
};

enum mail_type {
    MAIL_RELEASE = 1,   /* parcels go home */
    MAIL_PUBLISH,       /* a message for the receiver's subscribers, its retained store, or both */
    MAIL_ROUTE_CHANGE,  /* to the route writer */
    MAIL_ROUTE_CHANGED, /* its answer */
    MAIL_RETAINED_QUERY,
    MAIL_RETAINED_MORE,
    MAIL_RETAINED,
    MAIL_RETAINED_END,
    MAIL_CONNECT,
    MAIL_VERDICT,
    MAIL_KICK,
    MAIL_CLOSED, /* once for each connection that sent MAIL_CONNECT, however early it ended. A
                  * MAIL_VERDICT that accepts and finds its connection gone is answered by a
                  * MAIL_CLOSED with the verdict's conn, generation and session: the one sent
                  * before could not name the session */
    MAIL_SUBSCRIBE,
    MAIL_UNSUBSCRIBE,
    MAIL_SUBACK,
    MAIL_UNSUBACK,
    MAIL_DELIVER,
    MAIL_PUBREL_OUT,
    MAIL_ACK,
    MAIL_QOS2_IN,
    MAIL_INSPECT,   /* admin -> worker: fill in the struct inspection */
    MAIL_INSPECTED, /* worker -> admin: here it is */
    MAIL_CAPTURE,   /* admin -> worker: begin to fill a capture point, or stop; worker -> admin: it
                     * has begun; it has stopped, or could not begin */
    MAIL_CALL,      /* control -> control: run call.function(thread, call.argument) */
    MAIL_STOP,      /* a worker's loop to its own MQTT side: close listeners and clients */
    MAIL_TYPES
};

enum mail_publish_flags {
    MAIL_PUBLISH_MATCH = 1, /* deliver to the receiver's subscribers */
    MAIL_PUBLISH_STORE = 2, /* receiver is a shard: this is the topic's new retained message; an
                             * empty payload deletes it (MQTT-3.3.1-10) */
};

enum mail_close_reason {
    CLOSE_CLIENT = 1, /* the client sent DISCONNECT */
    CLOSE_PEER,       /* FIN or RST without DISCONNECT */
    CLOSE_KEEP_ALIVE, /* nothing heard for one and a half keep alive times (MQTT-3.1.2-24) */
    CLOSE_PROTOCOL,   /* malformed or out of state; a counter has the detail */
    CLOSE_TAKEOVER,   /* another connection with the same client id (MQTT-3.1.4-2) */
    CLOSE_ADMIN,      /* `ctl client kick` */
    CLOSE_SHUTDOWN,   /* the broker stops */
    CLOSE_REFUSED,    /* CONNECT refused */
    CLOSE_TIMEOUT,    /* no CONNECT in time, or TCP gave up */
    CLOSE_RESOURCES,  /* memory or a limit */
};

/* MAIL_ROUTE_CHANGE: what kind of key (topics/routes.h). */
enum route_key_kind {
    ROUTE_EXACT = 1, /* key = topic_hash of a filter without wildcards */
    ROUTE_PREFIX,    /* key = topic_prefix_hash of the literal first level of a wildcard filter */
    ROUTE_ANY,       /* a wildcard filter that begins with a wildcard; no key */
    ROUTE_NONE,      /* no key: only advance the epoch and answer */
};

enum mail_retained_flags {
    MAIL_RETAINED_STOP = 1, /* MAIL_RETAINED_MORE: the subscription is gone. The store may answer
                             * MAIL_RETAINED_END at once; it is asked on until it does */
};

struct capture_point;

struct mail {
    uint8_t type; /* enum mail_type */
    uint8_t from; /* sender's thread number, set by mail_send */
    uint8_t code; /* meaning by type */
    uint8_t flags;
    ref_t conn;          /* connection on the worker that sends or receives this, or 0 */
    uint32_t generation; /* of conn */
    uint32_t session;    /* handle of the client in its shard's directory, or 0 */
    union {
        struct {
            void *parcels[6]; /* NULL from the first unused one on */
        } release;
        struct {
            struct message *message;
            uint64_t epoch; /* the publishing thread's route epoch at the time of matching */
        } publish;          /* flags: enum mail_publish_flags */
        struct {
            uint64_t key;
            uint32_t operation; /* echoed in the answer; 0 = no answer wanted */
            uint8_t kind;       /* enum route_key_kind */
            uint8_t set;        /* 1 set the sender's bit, 0 clear it */
        } route_change;
        struct {
            uint64_t epoch;     /* a message matched in this epoch or later is routed for sure */
            uint64_t quiescent; /* RCU token: when it is reached, no thread is before `epoch` */
            uint32_t operation;
        } route_changed;
        struct {
            uint64_t epoch;        /* only messages that were matched before this epoch */
            uint64_t quiescent;    /* answer only after this token is reached and mail is drained */
            struct parcel *filter; /* struct filter_parcel; NULL in MAIL_RETAINED_MORE */
            uint32_t operation;    /* sender's name for the query */
        } retained_query;          /* also MAIL_RETAINED_MORE (operation only) */
        struct {
            struct message *message; /* NULL in MAIL_RETAINED_END */
            uint32_t operation;
        } retained;
        struct {
            struct parcel *request; /* struct connect_request */
        } connect;
        struct {
            uint16_t keep_alive; /* seconds to enforce; 0 = none */
            uint16_t inflight_max;
            uint8_t session_present;
            struct parcel *qos2_in; /* struct packet_ids: incoming QoS 2 identifiers that the
                                     * persistent session already holds, or NULL */
        } verdict;                  /* code: CONNACK return code, 0 = accepted */
        struct {
            uint64_t messages_in, messages_out; /* PUBLISH packets over its life */
            uint64_t bytes_in, bytes_out;       /* TCP payload bytes */
        } closed;                               /* code: enum mail_close_reason */
        struct {
            struct parcel *filters; /* struct subscribe_request, or NULL in the answers */
            uint16_t packet_id;
            uint16_t count;    /* number of return codes in the answer */
            uint8_t codes[32]; /* answer: SUBACK return codes, if count <= 32 ... */
        } subscribe; /* ... else the request's parcel comes back with the codes in its qos fields */
        struct {
            struct message *message;
            uint16_t packet_id; /* 0 with QoS 0 */
            uint8_t qos;
            uint8_t retain; /* RETAIN flag to send (MQTT-3.3.1-8, -9) */
            uint8_t dup;
        } deliver;
        struct {
            uint16_t packet_id;
            uint8_t packet; /* MQTT packet type: PUBACK, PUBREC, PUBCOMP; MAIL_PUBREL_OUT: PUBREL */
            uint8_t dup;
        } ack;
        struct {
            uint16_t packet_id;
            uint8_t held; /* 1 the identifier is taken, 0 PUBREL released it */
        } qos2_in;
        struct {
            struct parcel *inspection; /* struct inspection */
        } inspect;
        struct {
            struct capture_point *point; /* dataplane/capture/capture.h; the worker's from the mail
                                          * that begins to the answer that it has stopped */
            uint8_t begin;               /* 1 begin, has begun; 0 stop, has stopped */
        } capture;
        struct {
            void (*function)(void *thread, void *argument);
            void *argument;
        } call;
        uint8_t bytes[48];
    };
};
_Static_assert(sizeof(struct mail) == 64, "one mail is one cache line");

/* MAIL_CONNECT's parcel. Strings are not terminated and follow one another in bytes[]. */
struct connect_request {
    struct parcel parcel;
    uint8_t remote[16]; /* IPv6, or IPv4 mapped (RFC 4291, 2.5.5.2) */
    uint16_t remote_port, local_port;
    uint16_t keep_alive;   /* as asked, seconds */
    uint8_t level;         /* protocol level: 3 (MQIsdp), 4 (MQTT 3.1.1) */
    uint8_t connect_flags; /* the CONNECT flags byte (MQTT 3.1.1, 3.1.2.3) */
    uint16_t client_id_len, username_len, password_len;
    uint8_t bytes[]; /* client id, user name, password */
};

struct packet_ids {
    struct parcel parcel;
    uint16_t count;
    uint16_t ids[];
};

/* MAIL_RETAINED_QUERY's parcel. */
struct filter_parcel {
    struct parcel parcel;
    uint16_t len;
    uint8_t bytes[];
};

/* MAIL_SUBSCRIBE's and MAIL_UNSUBSCRIBE's parcel: `count` entries as on the wire but for their
 * order: QoS (0 in UNSUBSCRIBE), big-endian length, filter. Checked before it is sent. QoS 0x80:
 * the worker refused this filter, the shard only reports it; the filter may be left out (length 0).
 */
struct subscribe_request {
    struct parcel parcel;
    uint16_t count;
    uint32_t len; /* bytes used in bytes[] */
    uint8_t bytes[];
};

/*
 * MAIL_INSPECT's parcel: brought by the asker, filled in by the worker and sent back, so that the
 * worker allocates nothing. Times in microseconds, sizes in bytes.
 */
enum inspection_kind {
    INSPECT_CLIENT = 1,    /* the connection named in the mail, into `client` */
    INSPECT_SUBSCRIPTIONS, /* clean sessions' subscriptions from `position` on, into `entries`; of
                            * the connection named in the mail, or of all if conn is 0 */
    INSPECT_MATCH,  /* subscriptions that match the topic in `entries` (topic_len bytes, which
                     * are overwritten by the result) */
    INSPECT_MEMORY, /* slabs of the worker, into `memory` */
    INSPECT_TRACE,  /* a trace of the client called `name`, or of the connection named in the mail,
                     * from `position` on, into `entries`: a struct tcp_trace, used = 0: none */
};

struct client_inspection {
    struct tcp_report tcp;
    uint8_t clean_session;
    uint8_t level; /* protocol level */
    uint8_t connected;
    uint16_t keep_alive;
    uint16_t remote_port, local_port;
    uint8_t remote[16], local[16];
    uint32_t inflight, queued; /* messages (clean sessions) */
    uint32_t subscriptions;    /* clean sessions */
    uint32_t dropped;          /* messages not delivered to it */
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
};

struct inspected_slab {
    char name[24];
    uint32_t object_size;
    uint64_t used, bytes; /* objects handed out; bytes held in spans */
    uint64_t failed;
};

enum { INSPECTED_SLABS_MAX = 64 };

struct memory_inspection {
    uint64_t arena_used, arena_limit;
    uint64_t flow_bytes, connection_bytes, extension_bytes, trace_bytes; /* TCP */
    uint64_t session_bytes, partial_bytes, send_queue_bytes;             /* MQTT */
    uint64_t router_bytes, route_bytes;
    uint64_t connections, subscriptions;
    uint32_t slabs_count;
    struct inspected_slab slabs[INSPECTED_SLABS_MAX];
};

/* One subscription in `entries`; the next begins at the next multiple of 8. */
struct inspected_subscription {
    ref_t conn;
    uint32_t generation;
    uint32_t session; /* handle in the directory of shard number `shard` */
    uint16_t filter_len;
    uint8_t shard; /* counted from the first shard */
    uint8_t qos;
    uint8_t filter[];
};

struct inspection {
    struct parcel parcel;
    void *cookie;  /* the asker's */
    uint8_t kind;  /* enum inspection_kind */
    uint8_t found; /* answer: 0 no such connection any more, 1 */
    uint16_t topic_len;
    uint32_t position;   /* in and out: where to go on; 0 at the start and again at the end */
    uint32_t skip;       /* the worker's, beside `position`; means nothing at the start */
    uint32_t room, used; /* bytes there are, bytes filled in `entries` */
    uint64_t name;       /* client_name() */
    union {
        struct client_inspection client;
        struct memory_inspection memory;
        uint64_t entries[1]; /* really `room` bytes */
    };
};

#endif
