/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/arrival.h"

#include "dataplane/topics/router_internal.h"

static uint32_t spread(uint32_t number) {
    uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

void arrivals_init(struct arrivals *arrivals, struct topic_memory *memory) {
    *arrivals = (struct arrivals){.memory = memory};
    reftable_init(&arrivals->by_operation, memory);
    reftable_init(&arrivals->by_subscriber, memory);
}

/* --- tickets --------------------------------------------------------------------------------- */

static struct ticket *ticket_find(const struct arrivals *arrivals, uint32_t operation) {
    struct reftable_probe probe;
    for (ref_t ref = reftable_first(&arrivals->by_operation, spread(operation), &probe); ref != 0;
         ref = reftable_next(&probe)) {
        struct ticket *ticket = topic_memory_at(arrivals->memory, ref);
        if (ticket->operation == operation)
            return ticket;
    }
    return NULL;
}

static bool ticket_enter(struct arrivals *arrivals, struct ticket *ticket, enum ticket_kind kind,
                         struct subscriber who) {
    ref_t ref = topic_memory_ref(arrivals->memory, ticket);
    do
        arrivals->operation++;
    while (arrivals->operation == 0 || ticket_find(arrivals, arrivals->operation));
    *ticket = (struct ticket){arrivals->operation, (uint8_t)kind, who};
    if (!reftable_insert(&arrivals->by_operation, spread(ticket->operation), ref))
        return false;
    if (reftable_insert(&arrivals->by_subscriber, spread(who.ref), ref))
        return true;
    reftable_remove(&arrivals->by_operation, spread(ticket->operation), ref);
    return false;
}

static void ticket_leave(struct arrivals *arrivals, struct ticket *ticket) {
    ref_t ref = topic_memory_ref(arrivals->memory, ticket);
    reftable_remove(&arrivals->by_operation, spread(ticket->operation), ref);
    reftable_remove(&arrivals->by_subscriber, spread(ticket->who.ref), ref);
}

struct ticket *ticket_next_of(const struct arrivals *arrivals, struct subscriber who,
                              struct reftable_probe *probe) {
    ref_t ref = probe->slot ? reftable_next(probe)
                            : reftable_first(&arrivals->by_subscriber, spread(who.ref), probe);
    for (; ref != 0; ref = reftable_next(probe)) {
        struct ticket *ticket = topic_memory_at(arrivals->memory, ref);
        if (subscriber_equal(ticket->who, who))
            return ticket;
    }
    return NULL;
}

static struct share *share_of(struct arrivals *arrivals, struct subscriber who) {
    return &arrivals->shares[spread(who.ref) % SHARES];
}

static void share_move(struct arrivals *arrivals, const struct arrival *arrival,
                       struct subscriber to) {
    struct share *old = share_of(arrivals, arrival->ticket.who), *share = share_of(arrivals, to);
    old->held -= arrival->held;
    share->held += arrival->held;
    old->overtaken -= arrival->overtaken.count;
    share->overtaken += arrival->overtaken.count;
}

void ticket_rename(struct arrivals *arrivals, struct ticket *ticket, struct subscriber to) {
    if (ticket->who.ref != to.ref) {
        ref_t ref = topic_memory_ref(arrivals->memory, ticket);
        reftable_remove(&arrivals->by_subscriber, spread(ticket->who.ref), ref);
        /* Without memory it is not found by its subscriber: what waits for it is looked after by
         * router_turn alone, and the answer to a SUBSCRIBE names it rightly all the same. */
        reftable_insert(&arrivals->by_subscriber, spread(to.ref), ref);
        if (ticket->kind == TICKET_ARRIVAL)
            share_move(arrivals, (struct arrival *)ticket, to);
    }
    ticket->who = to;
}

/* --- SUBSCRIBEs ------------------------------------------------------------------------------ */

static size_t subscribing_size(uint32_t count) {
    return sizeof(struct subscribing) + count;
}

struct subscribing *subscribing_new(struct arrivals *arrivals, struct subscriber who,
                                    uint16_t packet_id, uint32_t count) {
    struct subscribing *subscribing = topic_memory_alloc(arrivals->memory, subscribing_size(count));
    if (!subscribing)
        return NULL;
    *subscribing = (struct subscribing){.packet_id = packet_id, .count = count};
    if (ticket_enter(arrivals, &subscribing->ticket, TICKET_SUBSCRIBE, who))
        return subscribing;
    topic_memory_free(arrivals->memory, subscribing, subscribing_size(count));
    return NULL;
}

void subscribing_free(struct arrivals *arrivals, struct subscribing *subscribing) {
    if (subscribing->asking)
        subscribing_asked(arrivals, subscribing);
    ticket_leave(arrivals, &subscribing->ticket);
    topic_memory_free(arrivals->memory, subscribing, subscribing_size(subscribing->count));
}

void subscribing_ask(struct arrivals *arrivals, struct subscribing *subscribing) {
    if (subscribing->asking)
        return;
    subscribing->asking = true;
    subscribing->ask_next = arrivals->ask_first;
    arrivals->ask_first = topic_memory_ref(arrivals->memory, subscribing);
}

struct subscribing *subscribing_first_to_ask(const struct arrivals *arrivals) {
    return arrivals->ask_first ? topic_memory_at(arrivals->memory, arrivals->ask_first) : NULL;
}

/* The list is short: it fills only while there is no memory for mail. */
void subscribing_asked(struct arrivals *arrivals, struct subscribing *subscribing) {
    ref_t *place = &arrivals->ask_first, ref = topic_memory_ref(arrivals->memory, subscribing);
    while (*place != ref)
        place = &((struct subscribing *)topic_memory_at(arrivals->memory, *place))->ask_next;
    *place = subscribing->ask_next;
    subscribing->asking = false;
}

struct subscribing *subscribing_find(const struct arrivals *arrivals, uint32_t operation) {
    struct ticket *ticket = ticket_find(arrivals, operation);
    return ticket && ticket->kind == TICKET_SUBSCRIBE ? (struct subscribing *)ticket : NULL;
}

/* --- arrivals -------------------------------------------------------------------------------- */

static struct arrival *at(const struct arrivals *arrivals, ref_t ref) {
    return topic_memory_at(arrivals->memory, ref);
}

static size_t arrival_size(unsigned stores) {
    return sizeof(struct arrival) + stores * sizeof(uint16_t);
}

struct arrival *arrival_find(const struct arrivals *arrivals, uint32_t operation) {
    struct ticket *ticket = ticket_find(arrivals, operation);
    return ticket && ticket->kind == TICKET_ARRIVAL ? (struct arrival *)ticket : NULL;
}

struct arrival *arrival_of(const struct arrivals *arrivals,
                           const struct subscription *subscription) {
    return subscription->state == SUBSCRIPTION_ARRIVING ? at(arrivals, (ref_t)subscription->from)
                                                        : NULL;
}

struct arrival *arrival_new(struct router *router, struct subscribing *subscribing,
                            struct subscription *subscription, uint64_t from) {
    struct arrivals *arrivals = &router->arrivals;
    const struct interest *interest = interest_of(&router->subscriptions, subscription);
    unsigned stores = interest->wildcard ? router->shards : 1;
    struct arrival *arrival = topic_memory_alloc(arrivals->memory, arrival_size(stores));
    if (!arrival)
        return NULL;
    memset(arrival, 0, arrival_size(stores));
    if (!ticket_enter(arrivals, &arrival->ticket, TICKET_ARRIVAL, subscription->who)) {
        topic_memory_free(arrivals->memory, arrival, arrival_size(stores));
        return NULL;
    }
    ref_t ref = topic_memory_ref(arrivals->memory, arrival);
    arrival->subscription = subscription_ref(&router->subscriptions, subscription);
    arrival->from = from;
    arrival->stores = (uint16_t)stores;
    arrival->subscribing = topic_memory_ref(arrivals->memory, subscribing);
    arrival->previous = subscribing->last;
    if (subscribing->last != 0)
        at(arrivals, subscribing->last)->next = ref;
    else
        subscribing->first = ref;
    subscribing->last = ref;
    subscription->state = SUBSCRIPTION_ARRIVING;
    subscription->from = ref;
    arrivals->count++;
    return arrival;
}

/* Out of its SUBSCRIBE's list. */
static void leave_subscribing(struct arrivals *arrivals, struct arrival *arrival) {
    if (arrival->subscribing == 0)
        return;
    struct subscribing *subscribing = topic_memory_at(arrivals->memory, arrival->subscribing);
    if (arrival->previous != 0)
        at(arrivals, arrival->previous)->next = arrival->next;
    else
        subscribing->first = arrival->next;
    if (arrival->next != 0)
        at(arrivals, arrival->next)->previous = arrival->previous;
    else
        subscribing->last = arrival->previous;
    arrival->subscribing = 0;
}

static void held_free(struct router *router, struct arrival *arrival, struct held *held) {
    parcel_release(router->parcels, held->message);
    topic_memory_free(&router->memory, held, sizeof *held);
    arrival->held--;
    router->arrivals.held--;
    share_of(&router->arrivals, arrival->ticket.who)->held--;
}

static void hand_over(struct router *router, const struct arrival *arrival,
                      struct message *message) {
    const struct subscription *subscription =
        subscription_at(&router->subscriptions, arrival->subscription);
    count(router->counters, COUNTER_TOPICS_DELIVERIES);
    router_deliver(router, subscription->who, (uint8_t)subscription->qos, message, false);
}

/* What is to become of each held message; those kept stay in order. */
typedef enum verdict (*held_decision)(const struct router *router, const struct arrival *arrival,
                                      const struct held *held, uint64_t argument);

static void held_sort(struct router *router, struct arrival *arrival, held_decision decide,
                      uint64_t argument) {
    ref_t ref = arrival->held_first;
    arrival->held_first = arrival->held_last = 0;
    arrival->held_shards = 0;
    while (ref != 0) {
        struct held *held = topic_memory_at(&router->memory, ref);
        ref_t next = held->next;
        enum verdict verdict = decide(router, arrival, held, argument);
        if (verdict == VERDICT_HOLD) {
            held->next = 0;
            if (arrival->held_last != 0)
                ((struct held *)topic_memory_at(&router->memory, arrival->held_last))->next = ref;
            else
                arrival->held_first = ref;
            arrival->held_last = ref;
            arrival->held_shards |= UINT32_C(1)
                                    << router_shard_of(router, held->message->topic_hash);
        } else {
            if (verdict == VERDICT_DELIVER)
                hand_over(router, arrival, held->message);
            held_free(router, arrival, held);
        }
        ref = next;
    }
}

static enum verdict drop_all(const struct router *router, const struct arrival *arrival,
                             const struct held *held, uint64_t argument) {
    return VERDICT_NO;
}

static enum verdict deliver_shards(const struct router *router, const struct arrival *arrival,
                                   const struct held *held, uint64_t argument) {
    uint32_t shard = router_shard_of(router, held->message->topic_hash);
    return argument >> shard & 1 ? VERDICT_DELIVER : VERDICT_HOLD;
}

static enum verdict drop_stored(const struct router *router, const struct arrival *arrival,
                                const struct held *held, uint64_t argument) {
    bool retain = held->message->flags & MESSAGE_RETAIN;
    return retain && held->epoch < argument ? VERDICT_NO : VERDICT_HOLD;
}

void arrival_let_go(struct router *router, struct arrival *arrival, uint32_t shards) {
    if (arrival->held_shards & shards)
        held_sort(router, arrival, deliver_shards, shards);
}

void arrival_routed(struct router *router, struct arrival *arrival, uint64_t epoch) {
    if (epoch < arrival->lost)
        epoch = arrival->lost;
    arrival->epoch = epoch;
    held_sort(router, arrival, drop_stored, epoch);
    if (epoch < arrival->from)
        arrival->from = epoch;
}

void arrival_answered(struct router *router, struct arrival *arrival, uint64_t quiescent) {
    leave_subscribing(&router->arrivals, arrival);
    arrival->quiescent = quiescent;
}

/* --- more than can be held ------------------------------------------------------------------- */

static bool remember(struct router *router, struct arrival *arrival, uint64_t topic_hash,
                     uint64_t epoch) {
    struct arrivals *arrivals = &router->arrivals;
    struct share *share = share_of(arrivals, arrival->ticket.who);
    struct overtaken *overtaken = &arrival->overtaken;
    uint16_t before = overtaken->count;
    if ((share->overtaken >= SHARE_OVERTAKEN_MAX ||
         arrivals->overtaken >= ARRIVALS_OVERTAKEN_MAX) &&
        !overtaken_has(overtaken, &router->memory, topic_hash))
        return false;
    bool known = overtaken_add(overtaken, &router->memory, topic_hash, epoch);
    share->overtaken += overtaken->count - before;
    arrivals->overtaken += overtaken->count - before;
    return known;
}

static void forget(struct router *router, struct arrival *arrival) {
    share_of(&router->arrivals, arrival->ticket.who)->overtaken -= arrival->overtaken.count;
    router->arrivals.overtaken -= arrival->overtaken.count;
    overtaken_free(&arrival->overtaken, &router->memory);
}

bool arrival_overtaken(const struct router *router, const struct arrival *arrival,
                       uint64_t topic_hash) {
    return overtaken_since(&arrival->overtaken, &router->memory, topic_hash, arrival->epoch);
}

/* Delivers a message ahead of the stores' answer. */
static void overtake(struct router *router, struct arrival *arrival, struct message *message,
                     uint64_t epoch) {
    if ((message->flags & MESSAGE_RETAIN) && !remember(router, arrival, message->topic_hash, epoch))
        count(router->counters, COUNTER_TOPICS_HELD_MISORDERED);
    hand_over(router, arrival, message);
}

/* Before the SUBACK: one with RETAIN is left to the stores. */
static void let_pass(struct router *router, struct arrival *arrival, struct message *message,
                     uint64_t epoch) {
    if (!(message->flags & MESSAGE_RETAIN))
        hand_over(router, arrival, message);
    else if (epoch >= arrival->lost)
        arrival->lost = epoch + 1;
}

static void first_held_gives_way(struct router *router, struct arrival *arrival) {
    struct held *held = topic_memory_at(&router->memory, arrival->held_first);
    arrival->held_first = held->next;
    if (held->next == 0)
        arrival->held_last = 0;
    if (arrival->epoch == 0)
        let_pass(router, arrival, held->message, held->epoch);
    else
        overtake(router, arrival, held->message, held->epoch);
    held_free(router, arrival, held);
}

/* False: no room at all for this arrival. */
static bool make_room(struct router *router, struct arrival *arrival) {
    const struct arrivals *arrivals = &router->arrivals;
    if (arrival->held < ARRIVAL_HELD_MAX && arrivals->held < ARRIVALS_HELD_MAX &&
        share_of(&router->arrivals, arrival->ticket.who)->held < SHARE_HELD_MAX)
        return true;
    count(router->counters, COUNTER_TOPICS_HOLD_OVERFLOWS);
    if (arrival->held == 0 || arrival->epoch != 0)
        return false;
    first_held_gives_way(router, arrival);
    return true;
}

/* The message cannot be held, so nothing before it can. */
static void hold_nothing(struct router *router, struct arrival *arrival, struct message *message,
                         uint64_t epoch) {
    while (arrival->held_first != 0)
        first_held_gives_way(router, arrival);
    arrival->held_shards = 0;
    if (arrival->epoch == 0)
        let_pass(router, arrival, message, epoch);
    else
        overtake(router, arrival, message, epoch);
}

void arrival_hold(struct router *router, struct arrival *arrival, struct message *message,
                  uint64_t epoch) {
    uint32_t bit = UINT32_C(1) << router_shard_of(router, message->topic_hash);
    /* Of an overtaken topic nothing is held any more; of a shard that waits to be asked on,
     * neither.
     */
    if ((arrival->due & bit) ||
        overtaken_has(&arrival->overtaken, &router->memory, message->topic_hash)) {
        overtake(router, arrival, message, epoch);
        return;
    }
    struct held *held = NULL;
    if (make_room(router, arrival)) {
        held = topic_memory_alloc(&router->memory, sizeof *held);
        if (!held)
            count(router->counters, COUNTER_TOPICS_HOLD_OVERFLOWS);
    }
    if (!held) {
        hold_nothing(router, arrival, message, epoch);
        return;
    }
    *held = (struct held){.message = message_ref(message), .epoch = epoch};
    ref_t ref = topic_memory_ref(&router->memory, held);
    if (arrival->held_last != 0)
        ((struct held *)topic_memory_at(&router->memory, arrival->held_last))->next = ref;
    else
        arrival->held_first = ref;
    arrival->held_last = ref;
    arrival->held_shards |= bit;
    arrival->held++;
    router->arrivals.held++;
    share_of(&router->arrivals, arrival->ticket.who)->held++;
    count(router->counters, COUNTER_TOPICS_HELD);
}

enum verdict arrival_verdict(const struct arrival *arrival, bool retain, uint64_t epoch,
                             uint32_t shard) {
    uint32_t bit = UINT32_C(1) << shard;
    if (!retain)
        return arrival->held_shards & bit ? VERDICT_HOLD : VERDICT_DELIVER;
    if (arrival->epoch == 0)
        return epoch >= arrival->from ? VERDICT_DELIVER : VERDICT_HOLD;
    if (epoch >= arrival->epoch) {
        bool answering = arrival->subscribing != 0 || ((arrival->unsent | arrival->open) & bit);
        return answering ? VERDICT_HOLD : VERDICT_DELIVER;
    }
    return epoch >= arrival->from ? VERDICT_DELIVER : VERDICT_NO;
}

void arrival_list(struct arrivals *arrivals, struct arrival *arrival) {
    if (arrival->listed)
        return;
    ref_t ref = topic_memory_ref(arrivals->memory, arrival);
    arrival->listed = true;
    arrival->later = 0;
    arrival->sooner = arrivals->list_last;
    if (arrivals->list_last != 0)
        at(arrivals, arrivals->list_last)->later = ref;
    else
        arrivals->list_first = ref;
    arrivals->list_last = ref;
}

void arrival_unlist(struct arrivals *arrivals, struct arrival *arrival) {
    if (!arrival->listed)
        return;
    arrival->listed = false;
    if (arrival->sooner != 0)
        at(arrivals, arrival->sooner)->later = arrival->later;
    else
        arrivals->list_first = arrival->later;
    if (arrival->later != 0)
        at(arrivals, arrival->later)->sooner = arrival->sooner;
    else
        arrivals->list_last = arrival->sooner;
}

void arrival_free(struct router *router, struct arrival *arrival) {
    struct arrivals *arrivals = &router->arrivals;
    held_sort(router, arrival, drop_all, 0);
    forget(router, arrival);
    leave_subscribing(arrivals, arrival);
    arrival_unlist(arrivals, arrival);
    ticket_leave(arrivals, &arrival->ticket);
    if (arrival->subscription != 0)
        arrivals->count--;
    topic_memory_free(arrivals->memory, arrival, arrival_size(arrival->stores));
}

void arrival_abandon(struct router *router, struct arrival *arrival) {
    struct arrivals *arrivals = &router->arrivals;
    if (arrival->open == 0) {
        arrival_free(router, arrival);
        return;
    }
    /* The stores that have been asked go on until they end; they are told when they ask. */
    held_sort(router, arrival, drop_all, 0);
    forget(router, arrival);
    arrival->subscription = 0;
    arrival->unsent = 0;
    arrivals->count--;
    arrival_unlist(arrivals, arrival);
    if (arrival->due != 0)
        arrival_list(arrivals, arrival);
}

void arrivals_free(struct router *router) {
    struct arrivals *arrivals = &router->arrivals;
    for (;;) {
        uint64_t position = 0;
        ref_t ref = reftable_walk(&arrivals->by_operation, &position);
        if (ref == 0)
            break;
        struct ticket *ticket = topic_memory_at(arrivals->memory, ref);
        if (ticket->kind == TICKET_ARRIVAL) {
            arrival_free(router, (struct arrival *)ticket);
            continue;
        }
        struct subscribing *subscribing = (struct subscribing *)ticket;
        while (subscribing->first != 0)
            arrival_free(router, at(arrivals, subscribing->first));
        subscribing_free(arrivals, subscribing);
    }
    reftable_free(&arrivals->by_operation);
    reftable_free(&arrivals->by_subscriber);
}
