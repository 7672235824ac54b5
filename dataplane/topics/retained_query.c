/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/retained_query.h"

#include "dataplane/topics/router_internal.h"

static uint32_t bit_of(unsigned shard) {
    return UINT32_C(1) << shard;
}

static unsigned thread_of(const struct router *router, unsigned shard) {
    return router->first_shard + shard;
}

static bool pressed(const struct router *router, unsigned shard) {
    return mail_pressure(router->mailroom, bit_of(thread_of(router, shard)));
}

static struct interest *filter_of(const struct router *router, const struct arrival *arrival) {
    return interest_of(&router->subscriptions,
                       subscription_at(&router->subscriptions, arrival->subscription));
}

void retained_query_start(struct router *router, struct arrival *arrival) {
    const struct interest *interest = filter_of(router, arrival);
    if (interest->wildcard)
        arrival->unsent = (uint32_t)((UINT64_C(1) << router->shards) - 1);
    else
        arrival->unsent =
            bit_of(router_shard_of(router, topic_hash(interest->filter, interest->len)));
    memset(arrival->received, 0, arrival->stores * sizeof arrival->received[0]);
    arrival_list(&router->arrivals, arrival);
}

static bool send_query(struct router *router, struct arrival *arrival, unsigned shard) {
    if (pressed(router, shard))
        return false;
    const struct interest *interest = filter_of(router, arrival);
    struct filter_parcel *filter = parcel_new(router->parcels, sizeof *filter + interest->len);
    if (!filter)
        return false;
    filter->len = interest->len;
    memcpy(filter->bytes, interest->filter, interest->len);
    struct mail mail = {.type = MAIL_RETAINED_QUERY,
                        .retained_query = {.epoch = arrival->epoch,
                                           .quiescent = arrival->quiescent,
                                           .filter = &filter->parcel,
                                           .operation = arrival->ticket.operation}};
    if (mail_send(router->mailroom, thread_of(router, shard), &mail))
        return true;
    parcel_release(router->parcels, filter);
    return false;
}

/* To a store that waits. When the subscription is gone it may end at once; until it does, it is
 * kept going. */
static bool send_more(struct router *router, struct arrival *arrival, unsigned shard) {
    struct mail mail = {.type = MAIL_RETAINED_MORE,
                        .flags = arrival->subscription == 0 ? MAIL_RETAINED_STOP : 0,
                        .retained_query = {.operation = arrival->ticket.operation}};
    return !pressed(router, shard) && mail_send(router->mailroom, thread_of(router, shard), &mail);
}

static bool ready(const struct router *router, const struct arrival *arrival) {
    return arrival->subscription == 0 ||
           router->owner.retained_ready(router->owner.owner, arrival->ticket.who);
}

void retained_query_go_on(struct router *router, struct arrival *arrival) {
    for (uint32_t todo = arrival->unsent; todo != 0; todo &= todo - 1) {
        unsigned shard = (unsigned)__builtin_ctz(todo);
        if (!send_query(router, arrival, shard))
            continue;
        arrival->unsent &= ~bit_of(shard);
        arrival->open |= bit_of(shard);
    }
    for (uint32_t todo = arrival->due; todo != 0 && ready(router, arrival); todo &= todo - 1) {
        unsigned shard = (unsigned)__builtin_ctz(todo);
        if (send_more(router, arrival, shard))
            arrival->due &= ~bit_of(shard);
    }
    if ((arrival->unsent | arrival->due) != 0)
        arrival_list(&router->arrivals, arrival);
    else
        arrival_unlist(&router->arrivals, arrival);
}

/* All stores have ended. */
static void end(struct router *router, struct arrival *arrival) {
    if (arrival->subscription == 0) {
        arrival_free(router, arrival);
        return;
    }
    struct subscription *subscription =
        subscription_at(&router->subscriptions, arrival->subscription);
    if (arrival->again) {
        /* Since then more may have been stored: up to the youngest epoch that is known. */
        arrival->again = false;
        arrival->epoch = router->answered_epoch;
        arrival->quiescent = router->answered_token;
        retained_query_start(router, arrival);
        retained_query_go_on(router, arrival);
        return;
    }
    arrival_let_go(router, arrival, UINT32_MAX);
    subscription->state = SUBSCRIPTION_ACTIVE;
    subscription->from = arrival->from;
    arrival_free(router, arrival);
}

static void message_arrived(struct router *router, struct arrival *arrival, unsigned shard,
                            struct message *message) {
    if (arrival->subscription == 0) {
        count(router->counters, COUNTER_TOPICS_RETAINED_STRAY);
    } else if (arrival_overtaken(router, arrival, message->topic_hash)) {
        count(router->counters, COUNTER_TOPICS_RETAINED_OVERTAKEN);
    } else {
        const struct subscription *subscription =
            subscription_at(&router->subscriptions, arrival->subscription);
        count(router->counters, COUNTER_TOPICS_RETAINED);
        router_deliver(router, subscription->who, (uint8_t)subscription->qos, message, true);
    }
    uint16_t *received = &arrival->received[arrival->stores == 1 ? 0 : shard];
    if (++*received < router->limits.retained_batch)
        return;
    *received = 0;
    arrival->due |= bit_of(shard);
    arrival_let_go(router, arrival, bit_of(shard));
    retained_query_go_on(router, arrival);
}

void retained_query_mail(struct router *router, const struct mail *mail) {
    struct arrival *arrival = arrival_find(&router->arrivals, mail->retained.operation);
    unsigned shard = (unsigned)mail->from - router->first_shard;
    struct message *message = mail->type == MAIL_RETAINED ? mail->retained.message : NULL;
    bool current = arrival && shard < router->shards && (arrival->open & bit_of(shard));
    if (message) {
        if (current)
            message_arrived(router, arrival, shard, message);
        else
            count(router->counters, COUNTER_TOPICS_RETAINED_STRAY);
        parcel_release(router->parcels, message);
    } else if (current) {
        arrival->open &= ~bit_of(shard);
        arrival->due &= ~bit_of(shard);
        if (arrival->subscription != 0)
            arrival_let_go(router, arrival, bit_of(shard));
        if ((arrival->open | arrival->unsent) == 0)
            end(router, arrival);
        else if ((arrival->unsent | arrival->due) == 0)
            arrival_unlist(&router->arrivals, arrival);
    }
}

bool retained_query_turn(struct router *router) {
    struct arrivals *arrivals = &router->arrivals;
    bool urgent = false;
    ref_t last = arrivals->list_last;
    for (unsigned i = 0; i < ARRIVALS_TURN && arrivals->list_first != 0; i++) {
        ref_t ref = arrivals->list_first;
        struct arrival *arrival = topic_memory_at(&router->memory, ref);
        /* To the end of the list, so that those behind it have their turn. */
        arrival_unlist(arrivals, arrival);
        retained_query_go_on(router, arrival);
        urgent |= arrival_urgent(arrival);
        if (ref == last)
            break;
    }
    return urgent;
}
