/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A persistent session (CONNECT with CleanSession 0): subscriptions, outbound window and queue,
 * identifiers of incoming QoS 2 messages. It outlives its connections.
 *
 *   online   its client is connected: what the window lets go is sent
 *   offline  in the list of sessions by the time they went offline; expires
 *   dying    discarded; freed when its last subscription is gone from the router
 *
 * Thread: the shard.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_SESSION_H
#define LINEMQ_CONTROL_SESSIONS_SESSION_H

#include "control/sessions/state.h"
#include "dataplane/mqtt/packet_ids.h"
#include "dataplane/mqtt/window.h"

enum session_flags {
    SESSION_DYING = 1,
    SESSION_WAITING = 2,  /* in the list of those with something to do */
    SESSION_RETAINED = 4, /* retained messages were held back: router_retained_resume */
    SESSION_LISTED = 8,   /* in the list by time */
};

struct session {
    uint32_t client; /* handle */
    uint32_t generation;
    ref_t subscriptions;      /* the router's list */
    uint32_t subscribed : 24; /* at least as many as there are in it */
    uint32_t flags : 8;       /* enum session_flags */
    ref_t pending;            /* struct subscribe_pending, oldest first */
    ref_t older, newer;       /* list by time; of the dying, `older` links */
    ref_t next_waiting;
    uint32_t inflight, queued; /* of the window, as counted in the shard's totals */
    uint32_t dropped;
    uint32_t offline_since; /* shard->now >> SESSION_TICK_SHIFT, rounded up */
    struct window window;
    struct packet_id_set received;
};
_Static_assert(sizeof(struct session) == 112, "a whole number of the slab's 16 bytes");

enum { SESSION_TICK_SHIFT = 16 }; /* 66 ms; 32 bits of them are nine years */

/* A SUBSCRIBE whose SUBACK waits for the routes. */
struct subscribe_pending {
    ref_t next;
    ref_t conn;
    uint32_t generation;
    uint16_t packet_id;
    uint8_t worker;
    struct subscribe_request *request;
};

static inline struct session *session_at(const struct shard *shard, ref_t ref) {
    return ref != 0 ? arena_at(shard->pool.base, ref) : NULL;
}

static inline ref_t session_ref(const struct shard *shard, const struct session *session) {
    return arena_ref(shard->pool.base, session);
}

static inline struct subscriber session_name(const struct shard *shard,
                                             const struct session *session) {
    return (struct subscriber){session_ref(shard, session), session->generation};
}

/* The living session that the router means, or NULL. */
struct session *session_of(struct shard *shard, struct subscriber who);

/* A new one for the client. NULL: no memory. */
struct session *session_new(struct shard *shard, struct client *client);

void session_online(struct shard *shard, struct session *session);
void session_offline(struct shard *shard, struct session *session);

/* Its client is another's, or gone; everything in it is given up. */
void session_discard(struct shard *shard, struct session *session);

/* Sends what may be sent; what could not is tried again in a later turn. */
void session_send(struct shard *shard, struct session *session);

/* The window has room again: sends, and lets retained messages go on. Not from a callback of the
 * router's. */
void session_progress(struct shard *shard, struct session *session);

/* Has sessions_turn look after it. */
void session_wait(struct shard *shard, struct session *session);

/* Whoever gave up or was given up: forgets its SUBSCRIBEs. */
void subscribe_pending_drop(struct shard *shard, struct session *session);

/* How the window is used on behalf of the session; the client is the one it sends to. */
struct sending {
    struct shard *shard;
    struct client *client;
    bool live; /* the backlog of the client's worker is no reason to wait */
};
struct window_use session_use(struct sending *sending);
/* Brings the shard's totals up to date after the window has changed. */
void session_account(struct shard *shard, struct session *session);

#endif
