/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sessions/session.h"

#include "control/sessions/state.h"

struct session *session_of(struct shard *shard, struct subscriber who) {
    struct session *session = session_at(shard, who.ref);
    return session != NULL && session->generation == who.generation &&
                   !(session->flags & SESSION_DYING)
               ? session
               : NULL;
}

struct session *session_new(struct shard *shard, struct client *client) {
    struct session *session = slab_alloc(&shard->sessions.slab);
    if (session == NULL)
        return NULL;
    /* Never 0: that is what a freed one has. */
    if (++shard->sessions.generation == 0)
        shard->sessions.generation = 1;
    *session = (struct session){.client = client->handle, .generation = shard->sessions.generation};
    client->session = session_ref(shard, session);
    shard->sessions.count++;
    return session;
}

static void list_append(struct shard *shard, struct session *session) {
    struct sessions *sessions = &shard->sessions;
    struct session *newest = session_at(shard, sessions->newest);
    ref_t ref = session_ref(shard, session);
    session->older = sessions->newest;
    session->newer = 0;
    if (newest != NULL)
        newest->newer = ref;
    else
        sessions->oldest = ref;
    sessions->newest = ref;
    session->flags |= SESSION_LISTED;
}

static void list_remove(struct shard *shard, struct session *session) {
    struct sessions *sessions = &shard->sessions;
    if (!(session->flags & SESSION_LISTED))
        return;
    struct session *older = session_at(shard, session->older);
    struct session *newer = session_at(shard, session->newer);
    if (older != NULL)
        older->newer = session->newer;
    else
        sessions->oldest = session->newer;
    if (newer != NULL)
        newer->older = session->older;
    else
        sessions->newest = session->older;
    session->flags &= ~(uint32_t)SESSION_LISTED;
}

void session_online(struct shard *shard, struct session *session) {
    list_remove(shard, session);
    session_send(shard, session);
    if (session->flags & SESSION_RETAINED)
        session_wait(shard, session);
}

void session_offline(struct shard *shard, struct session *session) {
    session->offline_since = (uint32_t)(shard->now >> SESSION_TICK_SHIFT) + 1;
    uint32_t dropped = window_disconnected(&session->window, &shard->parcels);
    session->dropped += dropped;
    count_add(&shard->counters, COUNTER_CONTROL_QOS0_OFFLINE, dropped);
    session_account(shard, session);
    list_append(shard, session);
}

void session_account(struct shard *shard, struct session *session) {
    struct sessions *sessions = &shard->sessions;
    uint32_t queued = window_queued(&session->window);
    sessions->inflight += session->window.inflight - (uint64_t)session->inflight;
    sessions->queued += queued - (uint64_t)session->queued;
    session->inflight = session->window.inflight;
    session->queued = queued;
}

void session_discard(struct shard *shard, struct session *session) {
    list_remove(shard, session);
    window_clear(&session->window, &shard->parcels);
    packet_ids_clear(&session->received, &shard->pool);
    session_account(shard, session);
    session->flags |= SESSION_DYING;
    session->client = 0;
    session->older = shard->sessions.dying;
    shard->sessions.dying = session_ref(shard, session);
    shard->sessions.count--;
}

void session_wait(struct shard *shard, struct session *session) {
    struct sessions *sessions = &shard->sessions;
    if (session->flags & SESSION_WAITING)
        return;
    session->flags |= SESSION_WAITING;
    session->next_waiting = 0;
    struct session *last = session_at(shard, sessions->waiting_last);
    ref_t ref = session_ref(shard, session);
    if (last != NULL)
        last->next_waiting = ref;
    else
        sessions->waiting_first = ref;
    sessions->waiting_last = ref;
}

/* Takes the first of the waiting list. */
static struct session *next_waiting(struct shard *shard) {
    struct sessions *sessions = &shard->sessions;
    struct session *session = session_at(shard, sessions->waiting_first);
    if (session != NULL) {
        sessions->waiting_first = session->next_waiting;
        if (sessions->waiting_first == 0)
            sessions->waiting_last = 0;
        session->flags &= ~(uint32_t)SESSION_WAITING;
    }
    return session;
}

void session_progress(struct shard *shard, struct session *session) {
    session_send(shard, session);
    if (session->flags & SESSION_RETAINED) {
        session->flags &= ~(uint32_t)SESSION_RETAINED;
        router_retained_resume(shard->router, session_name(shard, session));
    }
}

/* Sessions that waited. True: some have not had their turn. */
static bool serve_waiting(struct shard *shard) {
    ref_t stop = shard->sessions.waiting_last; /* those that wait again come behind it */
    for (unsigned i = 0; stop != 0 && i < TURN_SESSIONS; i++) {
        struct session *session = next_waiting(shard);
        bool last = session_ref(shard, session) == stop;
        if (!(session->flags & SESSION_DYING))
            session_progress(shard, session);
        if (last)
            return false;
    }
    return stop != 0;
}

/* Microseconds, at most two ticks too few. */
static uint64_t offline_for(const struct shard *shard, const struct session *session) {
    uint32_t tick = (uint32_t)(shard->now >> SESSION_TICK_SHIFT);
    if (tick == session->offline_since - 1)
        return 0;
    return (uint64_t)(tick - session->offline_since) << SESSION_TICK_SHIFT;
}

static void expire(struct shard *shard) {
    uint64_t expiry = (uint64_t)shard->registry->config->mqtt.session_expiry * 1000000;
    for (unsigned i = 0; expiry > 0 && i < TURN_EXPIRIES; i++) {
        struct session *session = session_at(shard, shard->sessions.oldest);
        if (session == NULL || offline_for(shard, session) < expiry)
            return; /* the others went later */
        struct client *client = directory_at(&shard->directory, session->client);
        count(&shard->counters, COUNTER_CONTROL_SESSIONS_EXPIRED);
        session_discard(shard, session);
        client->session = 0;
        if (directory_waiting(&shard->directory, client) == 0)
            directory_remove(&shard->directory, client);
    }
}

/* Frees a discarded session when the router knows nothing of it any more. True: more to do. */
static bool bury(struct shard *shard) {
    struct session *session = session_at(shard, shard->sessions.dying);
    if (session == NULL)
        return false;
    /* The waiting list still has it. */
    if (session->flags & SESSION_WAITING)
        return true;
    if (router_unsubscribe_all(shard->router, session_name(shard, session), &session->subscriptions,
                               TURN_UNSUBSCRIBE)) {
        subscribe_pending_drop(shard, session);
        shard->sessions.dying = session->older;
        session->generation = 0;
        slab_free(&shard->sessions.slab, session);
    }
    return shard->sessions.dying != 0;
}

bool sessions_turn(struct shard *shard) {
    expire(shard);
    bool waiting = serve_waiting(shard);
    return bury(shard) || waiting;
}
