/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/log/log.h"
#include "control/sessions/session.h"
#include "control/sessions/state.h"
#include "control/status/sys.h"

/* Mail that the mailroom had no memory for. */
struct held_mail {
    struct held_mail *next;
    unsigned to;
    struct mail mail;
};

void shard_send(struct shard *shard, unsigned to, const struct mail *mail) {
    if (shard->held_first == NULL && mail_send(shard->mailroom, to, mail))
        return;
    struct held_mail *held = malloc(sizeof *held);
    if (held == NULL) {
        /* Neither the arena nor the heap has 80 bytes: a connection will hang until its client
         * gives up on it. Nothing better can be done, but it can be said. */
        count(&shard->counters, COUNTER_CONTROL_MAIL_LOST);
        return;
    }
    *held = (struct held_mail){.to = to, .mail = *mail};
    *(shard->held_last != NULL ? &shard->held_last->next : &shard->held_first) = held;
    shard->held_last = held;
    count(&shard->counters, COUNTER_CONTROL_MAIL_HELD);
}

bool shard_pressed(const struct shard *shard, unsigned to) {
    return shard->held_first != NULL || mail_pressure(shard->mailroom, UINT32_C(1) << to);
}

bool shard_short(const struct shard *shard, unsigned part) {
    size_t limit = arena_limit(shard->arena);
    return arena_used(shard->arena) > limit - limit / part;
}

static void send_held(struct shard *shard) {
    while (shard->held_first != NULL) {
        struct held_mail *held = shard->held_first;
        if (!mail_send(shard->mailroom, held->to, &held->mail))
            return;
        shard->held_first = held->next;
        if (held->next == NULL)
            shard->held_last = NULL;
        free(held);
    }
}

void held_mail_end(struct shard *shard) {
    while (shard->held_first != NULL) {
        struct held_mail *held = shard->held_first;
        shard->held_first = held->next;
        free(held);
    }
    shard->held_last = NULL;
}

static void handle(struct shard *shard, const struct mail *mail) {
    switch (mail->type) {
    case MAIL_RELEASE:
        for (unsigned i = 0; i < 6 && mail->release.parcels[i] != NULL; i++)
            parcel_came_home(&shard->parcels, mail->release.parcels[i]);
        break;
    case MAIL_PUBLISH:
        publish_mail(shard, mail);
        break;
    case MAIL_ROUTE_CHANGE:
        route_change_mail(shard, mail);
        break;
    case MAIL_ROUTE_CHANGED:
    case MAIL_RETAINED:
    case MAIL_RETAINED_END:
        router_mail(shard->router, mail);
        break;
    case MAIL_RETAINED_QUERY:
    case MAIL_RETAINED_MORE:
        queries_mail(&shard->queries, mail);
        break;
    case MAIL_CONNECT:
        connect_mail(shard, mail);
        break;
    case MAIL_CLOSED:
        closed_mail(shard, mail);
        break;
    case MAIL_SUBSCRIBE:
        subscribe_mail(shard, mail);
        break;
    case MAIL_UNSUBSCRIBE:
        unsubscribe_mail(shard, mail);
        break;
    case MAIL_ACK:
        ack_mail(shard, mail);
        break;
    case MAIL_QOS2_IN:
        qos2_in_mail(shard, mail);
        break;
    case MAIL_CALL:
        mail->call.function(shard, mail->call.argument);
        break;
    default:
        log_error("sessions", "mail of type %u from thread %u is not for a shard", mail->type,
                  mail->from);
    }
}

/* A worker has not taken what it was sent. */
bool shard_full(void *owner) {
    const struct shard *shard = owner;
    uint32_t workers = (uint32_t)((UINT64_C(1) << shard->registry->workers) - 1);
    return shard->held_first != NULL || mail_pressure(shard->mailroom, workers);
}

/*
 * Work is taken in only while the workers take what comes of it, and while what came before is
 * being delivered: mail that waits presses its senders, up to the publishers. Workers drain their
 * mail whatever they wait for themselves, so this ends; other shards and the admin thread may wait
 * for us in the same way, so they are not waited for.
 */
static bool may_receive(struct shard *shard) {
    return !shard_full(shard) && !router_pressed(shard->router);
}

static void update_gauges(struct shard *shard) {
    struct router_stats stats;
    router_stats(shard->router, &stats);
    struct shard_gauges *gauges = &shard->gauges;
    const struct {
        uint64_t *gauge;
        uint64_t value;
    } values[] = {
        {&gauges->clients, shard->directory.count},
        {&gauges->connected, shard->connected},
        {&gauges->persistent_sessions, shard->sessions.count},
        {&gauges->subscriptions, stats.subscriptions},
        {&gauges->retained, retained_count(shard->retained)},
        {&gauges->retained_bytes, retained_bytes(shard->retained)},
        {&gauges->queued, shard->sessions.queued},
        {&gauges->inflight, shard->sessions.inflight},
        {&gauges->memory_used, arena_used(shard->arena)},
        {&gauges->memory_limit, arena_limit(shard->arena)},
        {&gauges->turns, gauges->turns + 1},
        {&gauges->authenticating, table_count(&shard->connects.table)},
    };
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
        __atomic_store_n(values[i].gauge, values[i].value, __ATOMIC_RELAXED);
}

/* Empty spans that the size classes keep in hand are a megabyte or two. */
static void trim(struct shard *shard) {
    if (shard->now < shard->trim_at)
        return;
    shard->trim_at = shard->now + TRIM_US;
    pool_trim(&shard->pool);
}

bool shard_turn(struct shard *shard, uint64_t now, uint64_t wall_clock) {
    struct mail mails[TURN_MAILS];
    unsigned received = 0;
    bool drained = false;
    shard->now = now;
    shard->wall_clock = wall_clock;
    send_held(shard);
    if (may_receive(shard)) {
        received = mail_receive(shard->mailroom, mails, TURN_MAILS);
        drained = received < TURN_MAILS;
    }
    router_begin(shard->router);
    for (unsigned i = 0; i < received; i++)
        handle(shard, &mails[i]);
    shard_keep_end(shard);
    connects_turn(shard);
    bool live = router_turn(shard->router);
    bool more = sessions_turn(shard);
    if (shard->index == 0)
        route_changes_turn(shard);
    more |= queries_turn(&shard->queries, drained);
    if (shard->sys != NULL)
        sys_turn(shard->sys, now, wall_clock);
    shard_keep_end(shard); /* the router's turn delivers too */
    if (received == 0)
        trim(shard);
    update_gauges(shard);
    /* Only a thread whose mail has all been handed over has passed an epoch: retained queries rely
     * on what was published before being in the boxes. */
    shard->unsent = mail_flush(shard->mailroom);
    if (shard->unsent == 0)
        routes_quiescent(shard->registry->routes, shard->self);
    /* Whoever makes room wakes us. */
    return more || (live && !shard_full(shard)) || received > 0;
}
