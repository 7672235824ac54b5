/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/fanout.h"

#include <stdlib.h>

#include "dataplane/topics/router_internal.h"

bool fanouts_init(struct fanouts *fanouts, struct topic_memory *memory,
                  const struct router_limits *limits) {
    *fanouts = (struct fanouts){
        .budget = limits->fanout_slice,
        .queue = calloc(FANOUT_QUEUE, sizeof *fanouts->queue),
        .interests = calloc(INTERESTS_FOUND(limits->visits), sizeof *fanouts->interests),
    };
    reftable_init(&fanouts->served, memory);
    return fanouts->queue && fanouts->interests;
}

static struct waiting *queue_at(struct fanouts *fanouts, uint32_t index) {
    return &fanouts->queue[index % FANOUT_QUEUE];
}

static void running_end(struct router *router) {
    struct fanouts *fanouts = &router->fanouts;
    parcel_release(router->parcels, fanouts->running.message);
    fanouts->running.message = NULL;
    reftable_free(&fanouts->served);
}

void fanouts_free(struct router *router) {
    struct fanouts *fanouts = &router->fanouts;
    if (fanouts->running.message)
        running_end(router);
    for (; fanouts->count != 0; fanouts->count--)
        parcel_release(router->parcels, queue_at(fanouts, fanouts->head++)->message);
    free(fanouts->queue);
    free(fanouts->interests);
}

static bool owner_full(const struct router *router) {
    const struct router_owner *owner = &router->owner;
    return owner->full && !router->fanouts.rushing && owner->full(owner->owner);
}

/* --- the running fan-out --------------------------------------------------------------------- */

/* With one subscriber's ref fixed, different generations have different tags: the pair of tag and
 * ref is the subscriber. */
static bool serve(struct router *router, struct subscriber who) {
    struct reftable *served = &router->fanouts.served;
    uint64_t mixed = who.ref * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t tag = (uint32_t)(mixed >> 32) ^ who.generation;
    struct reftable_probe probe;
    for (ref_t ref = reftable_first(served, tag, &probe); ref != 0; ref = reftable_next(&probe))
        if (ref == who.ref)
            return false;
    /* Without memory a subscriber of several filters may get a copy for each, as MQTT 3.3.5 allows
     * for overlapping subscriptions. */
    if (who.ref != 0 && !reftable_insert(served, tag, who.ref))
        count(router->counters, COUNTER_TOPICS_OVERLAPS_UNCHECKED);
    return true;
}

static void visit(struct router *router, const struct subscription *subscription) {
    struct fanouts *fanouts = &router->fanouts;
    struct message *message = fanouts->running.message;
    uint64_t epoch = fanouts->running.epoch;
    uint8_t qos = (uint8_t)subscription->qos;
    switch (match_verdict(router, subscription, message, epoch)) {
    case VERDICT_DELIVER:
        if (qos >= fanouts->pass && (!fanouts->several || serve(router, subscription->who))) {
            count(router->counters, COUNTER_TOPICS_DELIVERIES);
            router_deliver(router, subscription->who, qos, message, false);
        }
        break;
    case VERDICT_HOLD:
        if (fanouts->pass == 0)
            arrival_hold(router, arrival_of(&router->arrivals, subscription), message, epoch);
        break;
    case VERDICT_NO:
        break;
    }
}

/* The next subscription, or NULL at the end of the last pass. */
static const struct subscription *advance(struct router *router) {
    struct fanouts *fanouts = &router->fanouts;
    while (fanouts->cursor == 0) {
        if (++fanouts->at >= fanouts->interests_count) {
            if (fanouts->pass == 0)
                return NULL;
            fanouts->pass--;
            fanouts->at = 0;
        }
        ref_t ref = fanouts->interests[fanouts->at];
        if (ref != 0)
            fanouts->cursor = ((struct interest *)topic_memory_at(&router->memory, ref))->first;
    }
    return subscription_at(&router->subscriptions, fanouts->cursor);
}

/* True: it has ended. */
static bool run(struct router *router) {
    struct fanouts *fanouts = &router->fanouts;
    const struct subscription *subscription;
    while ((subscription = advance(router)) != NULL) {
        if (fanouts->budget == 0 || owner_full(router))
            return false;
        fanouts->budget--;
        fanouts->cursor = subscription->next_of_interest;
        visit(router, subscription);
    }
    running_end(router);
    return true;
}

static void start(struct router *router, struct message *message, uint64_t epoch, unsigned found) {
    struct fanouts *fanouts = &router->fanouts;
    fanouts->running = (struct waiting){message_ref(message), epoch};
    memcpy(fanouts->interests, router->matcher.found, found * sizeof(ref_t));
    fanouts->interests_count = found;
    fanouts->several = found > 1;
    fanouts->pass = fanouts->several ? message->qos : 0;
    fanouts->at = 0;
    fanouts->cursor =
        ((struct interest *)topic_memory_at(&router->memory, fanouts->interests[0]))->first;
    if (!run(router))
        count(router->counters, COUNTER_TOPICS_FANOUTS_CONTINUED);
}

void fanout_forget_subscription(struct router *router, const struct subscription *subscription) {
    struct fanouts *fanouts = &router->fanouts;
    if (fanouts->running.message &&
        fanouts->cursor == subscription_ref(&router->subscriptions, subscription))
        fanouts->cursor = subscription->next_of_interest;
}

void fanout_forget_interest(struct router *router, const struct interest *interest) {
    struct fanouts *fanouts = &router->fanouts;
    if (!fanouts->running.message)
        return;
    ref_t ref = topic_memory_ref(&router->memory, interest);
    for (unsigned i = 0; i < fanouts->interests_count; i++)
        if (fanouts->interests[i] == ref)
            fanouts->interests[i] = 0;
}

/* --- one message ----------------------------------------------------------------------------- */

static void deliver_all(struct router *router, struct message *message, uint64_t epoch,
                        const struct recipient *recipients, uint32_t recipients_count) {
    uint32_t delivered = 0;
    for (uint32_t i = 0; i < recipients_count; i++) {
        const struct recipient *recipient = &recipients[i];
        if (recipient->hold) {
            const struct subscription *subscription =
                subscription_at(&router->subscriptions, recipient->subscription);
            arrival_hold(router, arrival_of(&router->arrivals, subscription), message, epoch);
            continue;
        }
        router_deliver(router, recipient->who, recipient->qos, message, false);
        delivered++;
    }
    count_add(router->counters, COUNTER_TOPICS_DELIVERIES, delivered);
    router->fanouts.budget -= recipients_count;
}

/* False: it does not fit into what is left of this turn's budget, but will into a whole one. */
static bool deliver(struct router *router, struct message *message, uint64_t epoch,
                    const struct match *match) {
    uint32_t budget = router->fanouts.budget;
    if (match->slot) {
        const struct cache_result *result = cache_result(&router->cache, match->slot);
        if (result->count > budget)
            return false;
        deliver_all(router, message, epoch, result->recipients, result->count);
        return true;
    }
    if (match->count == 0)
        return true;
    if (match->count == 1 && !match->keep) {
        start(router, message, epoch, 1);
        return true;
    }
    uint32_t gathered = match_gather(router, match->count, message, epoch);
    if (gathered == MATCH_TOO_MANY) {
        start(router, message, epoch, match->count);
        return true;
    }
    if (gathered > budget)
        return false;
    deliver_all(router, message, epoch, router->matcher.recipients, gathered);
    if (match->keep)
        cache_put(&router->cache, message_topic(message), message->topic_len, message->topic_hash,
                  router->matcher.recipients, gathered);
    return true;
}

/* Works the queue off without regard to budget and owner until there is a place in it. */
static void rush(struct router *router) {
    uint32_t budget = router->fanouts.budget;
    count(router->counters, COUNTER_TOPICS_FANOUTS_RUSHED);
    router->fanouts.rushing = true;
    while (router->fanouts.count == FANOUT_QUEUE) {
        router->fanouts.budget = UINT32_MAX;
        fanouts_turn(router);
    }
    router->fanouts.rushing = false;
    router->fanouts.budget = budget;
}

void fanout_queue(struct router *router, struct message *message, uint64_t epoch) {
    struct fanouts *fanouts = &router->fanouts;
    if (fanouts->count == FANOUT_QUEUE)
        rush(router);
    *queue_at(fanouts, fanouts->head + fanouts->count) =
        (struct waiting){message_ref(message), epoch};
    fanouts->count++;
}

void fanout_local(struct router *router, struct message *message, uint64_t epoch,
                  const struct match *match) {
    if (fanouts_busy(&router->fanouts) || owner_full(router) ||
        !deliver(router, message, epoch, match))
        fanout_queue(router, message, epoch);
}

bool fanouts_turn(struct router *router) {
    struct fanouts *fanouts = &router->fanouts;
    while (fanouts->budget != 0) {
        if (fanouts->running.message) {
            if (!run(router))
                return true;
            continue;
        }
        if (fanouts->count == 0)
            return false;
        if (owner_full(router))
            return true;
        struct waiting waiting = *queue_at(fanouts, fanouts->head);
        const struct message *message = waiting.message;
        struct topic_name topic = {message_topic(message), message->topic_len, message->topic_hash};
        bool careful = router_careful(router, message->flags & MESSAGE_RETAIN, waiting.epoch);
        struct match match;
        match_topic(router, &topic, careful, NULL, &match);
        /* Looking costs something too, even if nobody is left who wants it. */
        if (!deliver(router, waiting.message, waiting.epoch, &match))
            return true;
        if (fanouts->budget != 0)
            fanouts->budget--;
        fanouts->head++;
        fanouts->count--;
        parcel_release(router->parcels, waiting.message);
    }
    return fanouts_busy(fanouts);
}
