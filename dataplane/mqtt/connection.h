/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection as MQTT sees it: the application's part of a TCP connection.
 *
 *   AWAIT_CONNECT --CONNECT--> AUTHENTICATING --verdict 0--> CONNECTED --any end--> CLOSING
 *
 * CLOSING: the MQTT side has ended (will, MAIL_CLOSED and subscriptions are taken care of); TCP
 * still sends what is queued. The memory goes when TCP says `closed`.
 *
 * In mail a connection is (ref of the TCP connection, generation); generation 0 is no connection.
 * What it needs only at times hangs on refs into the worker's pool: a packet that has not arrived
 * whole, the send queue, the attachment (outbound window, QoS 2 identifiers, will), the traffic
 * (what is remembered and counted of PUBLISH).
 *
 * Timers: one, tcp_app_timer, for connect_timeout, then for keep alive and packet_timeout. It is
 * moved only to fire earlier; when it fires it is set to what is due next.
 *
 * Thread: the worker.
 */
#ifndef LINEMQ_MQTT_CONNECTION_H
#define LINEMQ_MQTT_CONNECTION_H

#include "dataplane/mqtt/packet_ids.h"
#include "dataplane/mqtt/remains.h"
#include "dataplane/mqtt/state.h"
#include "dataplane/mqtt/window.h"

enum connection_state {
    STATE_NONE,
    STATE_AWAIT_CONNECT,
    STATE_AUTHENTICATING,
    STATE_CONNECTED,
    STATE_CLOSING,
};

enum connection_flags {
    CONNECTION_CLEAN = 1,        /* CleanSession 1 */
    CONNECTION_SUBSCRIBED = 2,   /* a SUBSCRIBE has gone to the router */
    CONNECTION_HELD = 4,         /* input waits until the client reads its acknowledgements */
    CONNECTION_RETAINED = 8,     /* retained messages wait for room */
    CONNECTION_LISTED = 16,      /* in the list of connections for mqtt_turn */
    CONNECTION_WAIT_INPUT = 32,  /* mqtt_turn: offer the input again */
    CONNECTION_WAIT_WINDOW = 64, /* mqtt_turn: send from the window again */
    CONNECTION_DOOMED = 128,     /* mqtt_turn: end it */
};

/* One cache line, and one of these for each device: what is not needed by all hangs on a ref. */
struct connection {
    uint32_t generation;
    uint32_t session; /* handle in its shard's directory */
    uint32_t heard;   /* milliseconds, when input last came */
    ref_t filters;    /* the router's list of subscriptions */
    ref_t partial;
    ref_t queue;
    ref_t attachment;
    ref_t traffic;
    uint32_t client_name;        /* client_name() of its identifier, 0 = none known here */
    ref_t next, previous;        /* list for mqtt_turn */
    uint32_t bytes_in;           /* taken from the client, low word: see connection_bytes_in */
    uint32_t bytes_out;          /* queued to it */
    uint32_t subscriptions : 24; /* clean sessions: at least as many as there are */
    uint32_t shard : 4;          /* counted from the first shard */
    uint32_t doom : 4;           /* enum mail_close_reason */
    uint16_t keep_alive;         /* seconds; 0 = none */
    uint16_t inflight_max;
    uint16_t next_id;        /* of the window, while there is none */
    uint8_t flags;           /* enum connection_flags */
    uint8_t state : 3;       /* enum connection_state */
    uint8_t level : 3;       /* enum protocol_level */
    uint8_t subscribing : 1; /* SUBSCRIBEs (0 or 1) that are not in force yet */
    uint8_t finished : 1;    /* FIN came while CONNECT or SUBSCRIBE was undecided */
};
_Static_assert(sizeof(struct connection) == MQTT_CONNECTION_SIZE, "MQTT's part of a connection");

/* From the first PUBLISH on, in whichever direction, to the end of the connection. */
struct traffic {
    struct topic_memo memo;
    uint64_t messages_in, messages_out;     /* PUBLISH packets */
    uint32_t bytes_in_high, bytes_out_high; /* high words of the connection's */
    uint32_t dropped;                       /* messages not delivered */
};

/* What a connection has only at times. When the connection ends its memory becomes the remains. */
struct attachment {
    struct message *will; /* RETAIN and QoS are in the message */
    union {
        struct {
            struct window window;
            struct packet_id_set received; /* QoS 2, PUBREL has not come */
        };
        struct remains remains;
    };
};

/* A clean session with more subscriptions than this has an attachment, so that its end always has
 * memory to be finished in slices. */
enum { SUBSCRIPTIONS_WITHOUT_ATTACHMENT = 16 };

static inline struct tcp_conn *connection_tcp(struct connection *connection) {
    return tcp_app_conn(connection);
}

static inline struct attachment *connection_attachment(const struct mqtt *mqtt,
                                                       const struct connection *connection) {
    return connection->attachment ? arena_at(mqtt->pool->base, connection->attachment) : NULL;
}

static inline struct traffic *connection_traffic(const struct mqtt *mqtt,
                                                 const struct connection *connection) {
    return connection->traffic ? arena_at(mqtt->pool->base, connection->traffic) : NULL;
}

static inline bool connection_persistent(const struct connection *connection) {
    return !(connection->flags & CONNECTION_CLEAN);
}

/* The connection that a mail or the router names, if it is connected; else NULL. */
struct connection *connection_find(struct mqtt *mqtt, ref_t ref, uint32_t generation);

struct subscriber connection_name(const struct mqtt *mqtt, struct connection *connection);

/* The attachment, made if there is none. NULL: no memory. */
struct attachment *connection_attach(struct mqtt *mqtt, struct connection *connection);
/* Gives it back when nothing is in it. */
void connection_detach_idle(struct mqtt *mqtt, struct connection *connection);

/* The traffic, made if there is none. NULL: no memory. */
struct traffic *connection_traffic_made(struct mqtt *mqtt, struct connection *connection);

/* Bytes were taken from the client, or (`len` negative) were not after all; or queued to it. Beyond
 * 4 GiB they are counted modulo that while there has been no PUBLISH. */
void connection_count_in(struct mqtt *mqtt, struct connection *connection, int64_t len);
void connection_count_out(struct mqtt *mqtt, struct connection *connection, uint32_t len);
uint64_t connection_bytes_in(const struct mqtt *mqtt, const struct connection *connection);
uint64_t connection_bytes_out(const struct mqtt *mqtt, const struct connection *connection);

/* How the TCP side ends. */
enum connection_ending {
    ENDING_ORDERLY, /* what is queued is sent, then FIN; RST to a peer that does not answer */
    ENDING_ABORT,   /* RST */
    ENDING_GONE,    /* TCP has told us */
};

/* Ends the MQTT side, once. Not from within a call of the router's. */
void connection_end(struct mqtt *mqtt, struct connection *connection, enum mail_close_reason reason,
                    enum connection_ending ending);
/* Has mqtt_turn end it; from anywhere. Nothing is taken from it or delivered to it any more. */
void connection_doom(struct mqtt *mqtt, struct connection *connection,
                     enum mail_close_reason reason);

/* Asks for the timer at `deadline` (milliseconds, mqtt->now_ms) or earlier. */
void connection_timer(struct mqtt *mqtt, struct connection *connection, uint32_t deadline);
/* The timer fired. */
void connection_timer_fired(struct mqtt *mqtt, struct connection *connection);

/* CONNECT is with the shard, or a SUBSCRIBE is not in force yet: what the client sends behind it,
 * perhaps to itself, is handled when it has its answer. */
static inline bool connection_undecided(const struct connection *connection) {
    return connection->state == STATE_AUTHENTICATING || connection->subscribing;
}

/* Input must wait. */
static inline bool connection_waits(const struct connection *connection) {
    return connection_undecided(connection) ||
           (connection->flags & (CONNECTION_HELD | CONNECTION_WAIT_INPUT | CONNECTION_DOOMED));
}

/* Puts it into the list for mqtt_turn with `why` (CONNECTION_WAIT_INPUT, ...). */
void connection_wait(struct mqtt *mqtt, struct connection *connection, uint8_t why);
/* Takes it out. */
void connection_unlist(struct mqtt *mqtt, struct connection *connection);

#endif
