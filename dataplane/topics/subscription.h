/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subscriptions and interests. An interest is a filter and the set of those who subscribe to it; a
 * subscription is one subscriber's membership in one interest. Each subscription is in two lists:
 * the interest's, and the subscriber's, whose head the subscriber's owner keeps.
 *
 * Both lists take new members at the front: a walk that has begun does not meet them.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_SUBSCRIPTION_H
#define LINEMQ_TOPICS_SUBSCRIPTION_H

#include "dataplane/message/message.h"
#include "dataplane/topics/router.h"
#include "dataplane/topics/topic_memory.h"

enum subscription_state {
    SUBSCRIPTION_ACTIVE,  /* `from` is an epoch */
    SUBSCRIPTION_ARRIVING /* `from` is the ref of its struct arrival, which knows more */
};

struct subscription {
    struct subscriber who;
    ref_t interest;
    ref_t next_of_interest, previous_of_interest;
    ref_t next_of_subscriber;
    uint64_t from : 56; /* messages with RETAIN of this epoch and later are delivered live */
    uint64_t qos : 2;
    uint64_t state : 2; /* enum subscription_state */
};
_Static_assert(sizeof(struct subscription) == 32, "two to a cache line");

struct interest {
    ref_t first; /* subscription; an interest without one is gone */
    uint16_t len;
    uint16_t wildcard; /* 1: the filter has a wildcard, and its place is in the trie */
    uint8_t filter[];
};

struct subscriptions {
    struct topic_memory *memory;
    struct slab slab;
};

void subscriptions_init(struct subscriptions *subscriptions, struct topic_memory *memory);

/* An interest that nobody has yet. NULL: no memory. */
struct interest *interest_new(struct topic_memory *memory, const uint8_t *filter, uint16_t len);
void interest_free(struct topic_memory *memory, struct interest *interest);

/* Enters `who` into both lists: active, from epoch 0 on. NULL: no memory. */
struct subscription *subscription_new(struct subscriptions *subscriptions, struct subscriber who,
                                      struct interest *interest, ref_t *head, uint8_t qos);

/* Takes it out of both; `previous` is the one before it in the subscriber's list, or NULL. */
void subscription_remove(struct subscriptions *subscriptions, struct subscription *subscription,
                         ref_t *head, struct subscription *previous);

/* A subscriber's subscription to an interest, or NULL, by whichever of the two lists is shorter. */
struct subscription *subscription_find(const struct subscriptions *subscriptions,
                                       struct subscriber who, ref_t head,
                                       const struct interest *interest);

static inline struct subscription *subscription_at(const struct subscriptions *subscriptions,
                                                   ref_t ref) {
    return topic_memory_at(subscriptions->memory, ref);
}

static inline ref_t subscription_ref(const struct subscriptions *subscriptions,
                                     const struct subscription *subscription) {
    return topic_memory_ref(subscriptions->memory, subscription);
}

static inline struct interest *interest_of(const struct subscriptions *subscriptions,
                                           const struct subscription *subscription) {
    return topic_memory_at(subscriptions->memory, subscription->interest);
}

static inline bool subscriber_equal(struct subscriber a, struct subscriber b) {
    return a.ref == b.ref && a.generation == b.generation;
}

#endif
