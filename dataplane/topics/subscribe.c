/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SUBSCRIBE: its filters are entered into the tables at once, as arriving; then the route writer
 * is asked for what is new, and its answer to the last mail puts them in force.
 */
#include "dataplane/topics/subscribe.h"

#include "dataplane/topics/retained_query.h"
#include "dataplane/topics/router_internal.h"

/* What was done about a filter, in its `code` until the whole SUBSCRIBE is safe. The low bits are
 * the QoS that the subscription had. */
enum {
    REFUSED = 0x80,
    CREATED = 0x10,
    REPLACED = 0x20, /* it was in force */
    AGAIN = 0x30,    /* it was arriving */
    DONE = 0x30,     /* mask */
    QOS = 3,
};

/* The tables have changed for this filter: no result from before may be used. */
static void changed(struct router *router, const struct interest *interest, uint64_t hash) {
    if (interest->wildcard)
        cache_forget_all(&router->cache);
    else
        cache_forget(&router->cache, hash);
}

static void send_route(struct router *router, struct route_key key, bool set) {
    struct mail mail = {.type = MAIL_ROUTE_CHANGE,
                        .route_change = {.key = key.key, .kind = key.kind, .set = set}};
    /* A bit that stays set costs a mail for each message; one that is missing would cost messages,
     * but setting is never done from here. */
    if (!mail_send(router->mailroom, router->first_shard, &mail))
        count(router->counters, COUNTER_TOPICS_ROUTES_LEFT);
}

/* `routed`: the route writer knows of its key. */
static void remove_subscription(struct router *router, struct subscription *subscription,
                                ref_t *head, struct subscription *previous, bool routed) {
    struct interest *interest = interest_of(&router->subscriptions, subscription);
    uint64_t hash = topic_hash(interest->filter, interest->len);
    struct arrival *arrival = arrival_of(&router->arrivals, subscription);
    if (arrival)
        arrival_abandon(router, arrival);
    fanout_forget_subscription(router, subscription);
    changed(router, interest, hash);
    subscription_remove(&router->subscriptions, subscription, head, previous);
    if (interest->first != 0)
        return;
    struct route_key key = interest_route_key(interest, hash);
    fanout_forget_interest(router, interest);
    if (interests_remove(&router->interests, interest, hash) && routed)
        send_route(router, key, false);
}

static bool create(struct router *router, struct subscribing *subscribing, ref_t *head,
                   struct interest *interest, const struct filter *filter, uint64_t hash) {
    struct subscriber who = subscribing->ticket.who;
    bool first = false;
    if (!interest)
        interest = interests_add(&router->interests, filter->bytes, filter->len, hash, &first);
    if (!interest)
        return false;
    struct subscription *subscription =
        subscription_new(&router->subscriptions, who, interest, head, filter->qos);
    if (!subscription) {
        if (interest->first == 0)
            interests_remove(&router->interests, interest, hash);
        return false;
    }
    struct arrival *arrival = arrival_new(router, subscribing, subscription, UINT64_MAX);
    if (!arrival) {
        remove_subscription(router, subscription, head, NULL, false);
        return false;
    }
    arrival->first = first;
    changed(router, interest, hash);
    return true;
}

/* Enters one filter; returns the `code` that says what was done. */
static uint8_t enter(struct router *router, struct subscribing *subscribing, ref_t *head,
                     const struct filter *filter) {
    uint64_t hash = topic_hash(filter->bytes, filter->len);
    struct interest *interest =
        interests_find(&router->interests, filter->bytes, filter->len, hash);
    struct subscription *subscription =
        interest
            ? subscription_find(&router->subscriptions, subscribing->ticket.who, *head, interest)
            : NULL;
    if (!subscription)
        return create(router, subscribing, head, interest, filter, hash) ? CREATED : REFUSED;

    uint8_t code = (uint8_t)subscription->qos;
    struct arrival *arrival = arrival_of(&router->arrivals, subscription);
    if (arrival) {
        arrival->again = true;
        code |= AGAIN;
    } else {
        if (!arrival_new(router, subscribing, subscription, subscription->from))
            return REFUSED;
        code |= REPLACED;
    }
    subscription->qos = filter->qos & QOS;
    changed(router, interest, hash);
    return code;
}

/* Undoes what enter did, last first: so what was created is at the head of the list. */
static void undo(struct router *router, struct subscriber who, ref_t *head,
                 const struct filter *filter) {
    uint64_t hash = topic_hash(filter->bytes, filter->len);
    struct interest *interest =
        interests_find(&router->interests, filter->bytes, filter->len, hash);
    struct subscription *subscription =
        subscription_find(&router->subscriptions, who, *head, interest);
    struct arrival *arrival = arrival_of(&router->arrivals, subscription);
    switch (filter->code & DONE) {
    case CREATED:
        remove_subscription(router, subscription, head, NULL, arrival->routed);
        return;
    case REPLACED:
        subscription->state = SUBSCRIPTION_ACTIVE;
        subscription->from = arrival->from;
        arrival_free(router, arrival);
        break;
    default:
        break;
    }
    subscription->qos = filter->code & QOS;
    changed(router, interest, hash);
}

/* Asks for the routes of what is new. The last mail, which there always is, carries the number that
 * the answer comes back with. False: no memory for a mail. */
static bool announce(struct router *router, struct subscribing *subscribing) {
    struct mail mail = {.type = MAIL_ROUTE_CHANGE, .route_change = {.kind = ROUTE_NONE}};
    struct arrival *last = NULL;
    for (ref_t ref = subscribing->first; ref != 0;) {
        struct arrival *arrival = topic_memory_at(&router->memory, ref);
        ref = arrival->next;
        if (!arrival->first)
            continue;
        if (last && !mail_send(router->mailroom, router->first_shard, &mail))
            return false;
        if (last)
            last->routed = true;
        last = arrival;
        const struct interest *interest = interest_of(
            &router->subscriptions, subscription_at(&router->subscriptions, arrival->subscription));
        struct route_key key =
            interest_route_key(interest, topic_hash(interest->filter, interest->len));
        mail.route_change.key = key.key;
        mail.route_change.kind = key.kind;
        mail.route_change.set = 1;
    }
    mail.route_change.operation = subscribing->ticket.operation;
    return mail_send(router->mailroom, router->first_shard, &mail);
}

static void refuse_all(struct router *router, struct subscriber who, uint16_t packet_id,
                       struct filter *filters, unsigned count) {
    static const uint8_t codes[UINT16_MAX] = {[0 ... UINT16_MAX - 1] = REFUSED};
    for (unsigned i = 0; i < count; i++)
        filters[i].code = REFUSED;
    router->owner.subscribed(router->owner.owner, who, packet_id, codes, count);
}

void router_subscribe(struct router *router, struct subscriber who, ref_t *head, uint16_t packet_id,
                      struct filter *filters, unsigned filters_count) {
    struct arrivals *arrivals = &router->arrivals;
    struct subscribing *subscribing = subscribing_new(arrivals, who, packet_id, filters_count);
    if (!subscribing) {
        count_add(router->counters, COUNTER_TOPICS_SUBSCRIBE_NO_MEMORY, filters_count);
        refuse_all(router, who, packet_id, filters, filters_count);
        return;
    }
    unsigned entered = 0;
    for (unsigned i = 0; i < filters_count; i++) {
        if (filters[i].code == REFUSED)
            continue;
        filters[i].code = enter(router, subscribing, head, &filters[i]);
        if (filters[i].code != REFUSED)
            entered++;
        else
            count(router->counters, COUNTER_TOPICS_SUBSCRIBE_NO_MEMORY);
    }
    if (entered != 0 && !announce(router, subscribing)) {
        count_add(router->counters, COUNTER_TOPICS_SUBSCRIBE_NO_MEMORY, entered);
        for (unsigned i = filters_count; i-- > 0;) {
            if (filters[i].code != REFUSED)
                undo(router, who, head, &filters[i]);
            filters[i].code = REFUSED;
        }
        entered = 0;
    }
    for (unsigned i = 0; i < filters_count; i++) {
        if (filters[i].code != REFUSED)
            filters[i].code = filters[i].qos;
        subscribing->codes[i] = filters[i].code;
    }
    if (entered == 0) {
        router->owner.subscribed(router->owner.owner, who, packet_id, subscribing->codes,
                                 filters_count);
        subscribing_free(arrivals, subscribing);
    }
}

/* False: some come into force with a later epoch than this. It is not later than the one after the
 * writer's present epoch, so its next answer will do. */
static bool routed(struct router *router, struct subscribing *subscribing, uint64_t epoch) {
    bool all = true;
    for (ref_t ref = subscribing->first; ref != 0;) {
        struct arrival *arrival = topic_memory_at(&router->memory, ref);
        ref = arrival->next;
        if (arrival->epoch == 0)
            arrival_routed(router, arrival, epoch);
        all &= arrival->epoch <= epoch;
    }
    return all;
}

bool subscribe_turn(struct router *router) {
    struct subscribing *subscribing;
    while ((subscribing = subscribing_first_to_ask(&router->arrivals)) != NULL) {
        struct mail mail = {.type = MAIL_ROUTE_CHANGE, .route_change = {.kind = ROUTE_NONE}};
        mail.route_change.operation = subscribing->ticket.operation;
        if (!mail_send(router->mailroom, router->first_shard, &mail))
            return true;
        subscribing_asked(&router->arrivals, subscribing);
    }
    return false;
}

void subscribe_route_changed(struct router *router, const struct mail *mail) {
    uint64_t epoch = mail->route_changed.epoch, token = mail->route_changed.quiescent;
    if (epoch > router->answered_epoch) {
        router->answered_epoch = epoch;
        router->answered_token = token;
    }
    struct subscribing *subscribing =
        subscribing_find(&router->arrivals, mail->route_changed.operation);
    if (!subscribing)
        return; /* the subscriber has gone */
    if (!routed(router, subscribing, epoch)) {
        subscribing_ask(&router->arrivals, subscribing);
        subscribe_turn(router);
        return;
    }
    while (subscribing->first != 0) {
        struct arrival *arrival = topic_memory_at(&router->memory, subscribing->first);
        arrival_answered(router, arrival, token);
        if (arrival->from > router->from_max)
            router->from_max = arrival->from;
        retained_query_start(router, arrival);
    }
    router->owner.subscribed(router->owner.owner, subscribing->ticket.who, subscribing->packet_id,
                             subscribing->codes, subscribing->count);
    subscribing_free(&router->arrivals, subscribing);
    retained_query_turn(router);
}

bool router_unsubscribe(struct router *router, struct subscriber who, ref_t *head,
                        const uint8_t *filter, uint16_t len) {
    uint64_t hash = topic_hash(filter, len);
    const struct interest *interest = interests_find(&router->interests, filter, len, hash);
    if (!interest)
        return false;
    ref_t wanted = topic_memory_ref(&router->memory, interest);
    struct subscription *previous = NULL;
    for (ref_t ref = *head; ref != 0;) {
        struct subscription *subscription = subscription_at(&router->subscriptions, ref);
        if (subscription->interest == wanted) {
            remove_subscription(router, subscription, head, previous, true);
            return true;
        }
        previous = subscription;
        ref = subscription->next_of_subscriber;
    }
    return false;
}

bool router_unsubscribe_all(struct router *router, struct subscriber who, ref_t *head,
                            unsigned budget) {
    for (; *head != 0; budget--) {
        if (budget == 0)
            return false;
        remove_subscription(router, subscription_at(&router->subscriptions, *head), head, NULL,
                            true);
    }
    /* Arrivals went with their subscriptions; SUBSCRIBEs are left, which nobody waits for. */
    for (;;) {
        struct reftable_probe probe = {0};
        struct ticket *ticket = ticket_next_of(&router->arrivals, who, &probe);
        while (ticket && ticket->kind != TICKET_SUBSCRIBE)
            ticket = ticket_next_of(&router->arrivals, who, &probe);
        if (!ticket)
            return true;
        subscribing_free(&router->arrivals, (struct subscribing *)ticket);
    }
}

void router_rename(struct router *router, ref_t head, struct subscriber to) {
    if (head == 0)
        return;
    struct subscriber from = subscription_at(&router->subscriptions, head)->who;
    while (head != 0) {
        struct subscription *subscription = subscription_at(&router->subscriptions, head);
        const struct interest *interest = interest_of(&router->subscriptions, subscription);
        subscription->who = to;
        changed(router, interest, topic_hash(interest->filter, interest->len));
        head = subscription->next_of_subscriber;
    }
    for (;;) {
        struct reftable_probe probe = {0};
        struct ticket *ticket = ticket_next_of(&router->arrivals, from, &probe);
        if (!ticket || subscriber_equal(from, to))
            return;
        ticket_rename(&router->arrivals, ticket, to);
    }
}

void router_retained_resume(struct router *router, struct subscriber who) {
    if (router->arrivals.list_first == 0)
        return;
    struct reftable_probe probe = {0};
    struct ticket *ticket;
    while ((ticket = ticket_next_of(&router->arrivals, who, &probe)) != NULL) {
        struct arrival *arrival = (struct arrival *)ticket;
        if (ticket->kind == TICKET_ARRIVAL && arrival->due != 0)
            retained_query_go_on(router, arrival);
    }
}
