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
 * whole, the send queue, the attachment (outbound window, QoS 2 identifiers, will).
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

struct connection {
    uint32_t generation;
    uint32_t session;    /* handle in its shard's directory */
    uint8_t state;       /* enum connection_state */
    uint8_t flags;       /* enum connection_flags */
    uint8_t shard;       /* counted from the first shard */
    uint8_t level;       /* enum protocol_level */
    uint16_t keep_alive; /* seconds; 0 = none */
    uint16_t inflight_max;
    uint32_t heard;         /* milliseconds, when input last came */
    uint32_t timer;         /* milliseconds, when the timer fires; 0 = off */
    uint32_t subscriptions; /* clean sessions: at least as many as there are */
    uint32_t dropped;       /* messages not delivered */
    ref_t filters;          /* the router's list of subscriptions */
    ref_t partial;
    ref_t queue;
    ref_t attachment;
    ref_t next, previous; /* list for mqtt_turn */
    struct topic_memo memo;
    uint64_t messages_in, messages_out; /* PUBLISH packets */
    uint64_t bytes_in, bytes_out;       /* taken from and queued to the client */
    uint64_t client_name;               /* client_name() of its identifier, 0 = none known here */
    uint16_t next_id;                   /* of the window, while there is none */
    uint8_t doom;                       /* enum mail_close_reason */
    uint8_t subscribing;                /* SUBSCRIBEs (0 or 1) that are not in force yet */
    uint8_t finished;                   /* FIN came while CONNECT or SUBSCRIBE was undecided */
};
_Static_assert(sizeof(struct connection) <= 128, "the application's part of a TCP connection");

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
