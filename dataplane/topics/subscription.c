/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/subscription.h"

#include <string.h>

void subscriptions_init(struct subscriptions *subscriptions, struct topic_memory *memory) {
    subscriptions->memory = memory;
    slab_init(&subscriptions->slab, memory->pool->arena, "subscriptions",
              sizeof(struct subscription), 0);
}

static size_t interest_size(uint16_t len) {
    return sizeof(struct interest) + len;
}

struct interest *interest_new(struct topic_memory *memory, const uint8_t *filter, uint16_t len) {
    struct interest *interest = topic_memory_alloc(memory, interest_size(len));
    if (!interest)
        return NULL;
    interest->first = 0;
    interest->len = len;
    interest->wildcard = topic_filter_has_wildcard(filter, len);
    memcpy(interest->filter, filter, len);
    return interest;
}

void interest_free(struct topic_memory *memory, struct interest *interest) {
    topic_memory_free(memory, interest, interest_size(interest->len));
}

struct subscription *subscription_new(struct subscriptions *subscriptions, struct subscriber who,
                                      struct interest *interest, ref_t *head, uint8_t qos) {
    struct subscription *subscription = slab_alloc(&subscriptions->slab);
    if (!subscription)
        return NULL;
    *subscription = (struct subscription){
        .who = who,
        .interest = topic_memory_ref(subscriptions->memory, interest),
        .next_of_interest = interest->first,
        .next_of_subscriber = *head,
        .qos = qos & 3,
        .state = SUBSCRIPTION_ACTIVE,
    };
    ref_t ref = subscription_ref(subscriptions, subscription);
    if (interest->first != 0)
        subscription_at(subscriptions, interest->first)->previous_of_interest = ref;
    interest->first = ref;
    *head = ref;
    return subscription;
}

void subscription_remove(struct subscriptions *subscriptions, struct subscription *subscription,
                         ref_t *head, struct subscription *previous) {
    ref_t *link = previous ? &previous->next_of_subscriber : head;
    *link = subscription->next_of_subscriber;

    ref_t next = subscription->next_of_interest, before = subscription->previous_of_interest;
    if (before != 0)
        subscription_at(subscriptions, before)->next_of_interest = next;
    else
        interest_of(subscriptions, subscription)->first = next;
    if (next != 0)
        subscription_at(subscriptions, next)->previous_of_interest = before;
    slab_free(&subscriptions->slab, subscription);
}

struct subscription *subscription_find(const struct subscriptions *subscriptions,
                                       struct subscriber who, ref_t head,
                                       const struct interest *interest) {
    ref_t mine = head, theirs = interest->first;
    ref_t wanted = topic_memory_ref(subscriptions->memory, interest);
    while (mine != 0 && theirs != 0) {
        struct subscription *subscription = subscription_at(subscriptions, mine);
        if (subscription->interest == wanted)
            return subscription;
        mine = subscription->next_of_subscriber;
        subscription = subscription_at(subscriptions, theirs);
        if (subscriber_equal(subscription->who, who))
            return subscription;
        theirs = subscription->next_of_interest;
    }
    return NULL;
}
