/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control shard from the inside: what its files share.
 *
 *   connect    CONNECT to verdict: authentication, takeover
 *   session    persistent sessions: their lists, their expiry
 *   deliver    messages to sessions
 *   subscribe  SUBSCRIBE and UNSUBSCRIBE of sessions
 *   acks       acknowledgements of clients
 *   routes     the route writer (first shard)
 *   stored     MAIL_PUBLISH, and what the shard itself publishes
 *   turn       one turn of the loop; loop: the thread around it
 */
#ifndef LINEMQ_CONTROL_SESSIONS_STATE_H
#define LINEMQ_CONTROL_SESSIONS_STATE_H

#include "control/auth/auth.h"
#include "control/log/log.h"
#include "control/retained/query.h"
#include "control/sessions/directory.h"
#include "control/sessions/shard.h"
#include "dataplane/message/region.h"

struct connect;
struct session;
struct held_mail;
struct sys;
struct loop;

enum {
    TURN_MAILS = 256,    /* mails taken in one turn */
    TURN_SESSIONS = 256, /* waiting sessions looked at in one turn */
    TURN_EXPIRIES = 64,  /* sessions discarded in one turn because their time is over */
    SHORT_PART = 8, /* below it nothing is retained, nor queued for those that do not take it, */
    SHORT_SUBSCRIPTIONS = 16, /* and a session has no more subscriptions than these; */
    SEND_PART = 16,           /* below it no message larger than this is sent */
    SEND_SMALL = 4096,        /* bytes */
    TURN_UNSUBSCRIBE = 256,   /* subscriptions of discarded sessions removed in one turn */
    TRIM_US = 1000000,
};

struct connect_list {
    struct connect *first, *last;
};

struct connects {
    struct slab slab;
    struct table table;          /* by connection */
    struct connect_list asking;  /* authentication is under way */
    struct connect_list waiting; /* for an old connection's end */
    uint32_t sequence;           /* of the last CONNECT that arrived */
    uint64_t generated;          /* client identifiers made up */
    struct log_limit refusals;
};

struct sessions {
    struct slab slab;
    struct slab requests;              /* struct subscribe_pending */
    uint32_t generation;               /* the last one given out */
    ref_t oldest, newest;              /* disconnected, by the time of it */
    ref_t waiting_first, waiting_last; /* have something to do that could not be done */
    ref_t dying;                       /* discarded, their subscriptions not all removed */
    uint64_t count, inflight, queued, subscriptions;
};

/* The last message copied into the shard's pool, for the other sessions of the same fan-out. */
struct keep {
    struct message *from, *copy; /* a reference each */
};

struct route_changes {
    struct mail *mails; /* heap; not applied, or not answered */
    unsigned count, room;
};

struct shard {
    const struct registry *registry;
    unsigned index, self; /* self: thread number */
    struct region region;
    void *arena_state;
    struct arena *arena;
    struct pool pool;
    struct parcels parcels;
    struct mailroom *mailroom;
    struct router *router;
    struct counters counters;
    struct auth *auth;

    uint64_t now, wall_clock; /* microseconds */
    uint64_t trim_at;         /* the pool's empty spans are given back, in a quiet turn */

    struct held_mail *held_first, *held_last;
    struct directory directory;
    uint64_t connected;
    struct connects connects;
    struct sessions sessions;
    struct keep keep;
    struct retained *retained;
    struct queries queries;
    struct route_changes route_changes;
    struct sys *sys;   /* first shard, or NULL */
    struct loop *loop; /* NULL in unit tests */
    struct shard_gauges gauges;
    unsigned unsent; /* mails in the mailroom's backlogs after the last turn */
    bool stopping;
};

/* Sends what must not get lost: what the mailroom has no memory for waits on the heap, in order. */
void shard_send(struct shard *shard, unsigned to, const struct mail *mail);

/* Has the worker of the client's connection close it. */
void client_kick(struct shard *shard, const struct client *client, enum mail_close_reason reason);

/* Forgets what waits to be sent; the shard is being destroyed. */
void held_mail_end(struct shard *shard);

/* Mail that can wait, for that thread, should wait. */
bool shard_pressed(const struct shard *shard, unsigned to);

/* Less than 1/part of the memory is left: SHORT_PART is kept for clients and sessions themselves,
 * SEND_PART of it for what is small. */
bool shard_short(const struct shard *shard, unsigned part);

/* A turn: mail, due work, flush. `now` monotonic, `wall_clock` since the epoch, microseconds. True:
 * there is more to do at once. */
bool shard_turn(struct shard *shard, uint64_t now, uint64_t wall_clock);

/* Parts of the turn, each bounded; true: more is left. */
void connects_turn(struct shard *shard);
/* Gives up all that are under way; the shard stops. */
void connects_end(struct shard *shard);
size_t connect_size(void); /* bytes of one */
bool sessions_turn(struct shard *shard);
void route_changes_turn(struct shard *shard);

/* Mail, by type. Parcels are consumed. */
void connect_mail(struct shard *shard, const struct mail *mail);
void closed_mail(struct shard *shard, const struct mail *mail);
void subscribe_mail(struct shard *shard, const struct mail *mail);
void unsubscribe_mail(struct shard *shard, const struct mail *mail);
void ack_mail(struct shard *shard, const struct mail *mail);
void qos2_in_mail(struct shard *shard, const struct mail *mail);
void publish_mail(struct shard *shard, const struct mail *mail);
void route_change_mail(struct shard *shard, const struct mail *mail);

/* The router's callbacks. */
void shard_deliver(void *shard, struct subscriber to, struct message *message, uint8_t qos,
                   bool retain);
void shard_subscribed(void *shard, struct subscriber who, uint16_t packet_id, const uint8_t *codes,
                      unsigned count);
bool shard_retained_ready(void *shard, struct subscriber who);
bool shard_full(void *shard);

/* The message itself when it is this shard's, else a copy of it; with a reference for the caller.
 * NULL: no memory. */
struct message *shard_keep(struct shard *shard, struct message *message);
/* Forgets the copy made last. Once a turn. */
void shard_keep_end(struct shard *shard);

/* Client and session that a mail from a worker is about. NULL: gone, or another connection's. */
struct client *mail_client(struct shard *shard, const struct mail *mail);
struct session *mail_session(struct shard *shard, const struct mail *mail);

#endif
