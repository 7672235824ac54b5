/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/match.h"

#include <stdlib.h>

#include "dataplane/topics/router_internal.h"

/* A memo holds either a place in the cache or, while there is no use for the cache, the routes. */
enum { MEMO_CACHE = 1u << 31 };

bool matcher_init(struct matcher *matcher, const struct router_limits *limits) {
    uint32_t slots = 16;
    while (slots < 2 * (uint64_t)limits->fanout_slice)
        slots *= 2;
    *matcher = (struct matcher){
        .found = calloc(INTERESTS_FOUND(limits->visits), sizeof(ref_t)),
        .recipients = calloc(limits->fanout_slice, sizeof(struct recipient)),
        .dedupe = calloc(slots, sizeof(struct dedupe_slot)),
        .dedupe_mask = slots - 1,
    };
    if (matcher->found && matcher->recipients && matcher->dedupe)
        return true;
    matcher_free(matcher);
    return false;
}

void matcher_free(struct matcher *matcher) {
    free(matcher->found);
    free(matcher->recipients);
    free(matcher->dedupe);
    *matcher = (struct matcher){0};
}

static struct cache_slot *look_up(struct router *router, const struct topic_name *topic,
                                  const struct topic_memo *memo) {
    struct cache *cache = &router->cache;
    if (memo && memo->topic_hash == topic->hash && memo->generation == MEMO_CACHE) {
        struct cache_slot *slot =
            cache_at(cache, memo->slot, topic->bytes, topic->len, topic->hash);
        if (slot) {
            router->memo_hits++;
            return slot;
        }
    }
    return cache_find(cache, topic->bytes, topic->len, topic->hash);
}

void match_topic(struct router *router, const struct topic_name *topic, bool careful,
                 struct topic_memo *memo, struct match *match) {
    const struct interests *interests = &router->interests;
    *match = (struct match){NULL, 0, false};
    if (interests->trie.interests == 0) {
        /* One look-up finds all there is; a cache could not be faster. */
        const struct interest *exact =
            exact_find(&interests->exact, topic->bytes, topic->len, topic->hash);
        if (exact)
            router->matcher.found[match->count++] = topic_memory_ref(&router->memory, exact);
        return;
    }
    bool active = !careful && cache_active(&router->cache);
    if (active)
        match->slot = look_up(router, topic, memo);
    if (match->slot) {
        if (memo)
            *memo = (struct topic_memo){topic->hash, cache_index(&router->cache, match->slot),
                                        MEMO_CACHE};
        return;
    }
    bool cut;
    match->count = interests_match(interests, topic->bytes, topic->len, topic->hash,
                                   router->matcher.found, &cut);
    match->keep = active && !cut;
    if (cut)
        count(router->counters, COUNTER_TOPICS_MATCH_CUT);
}

enum verdict match_verdict(const struct router *router, const struct subscription *subscription,
                           const struct message *message, uint64_t epoch) {
    bool retain = message->flags & MESSAGE_RETAIN;
    if (subscription->state == SUBSCRIPTION_ACTIVE)
        return retain && epoch < subscription->from ? VERDICT_NO : VERDICT_DELIVER;
    return arrival_verdict(arrival_of(&router->arrivals, subscription), retain, epoch,
                           router_shard_of(router, message->topic_hash));
}

static uint32_t hash_of(struct subscriber who) {
    uint64_t mixed = (((uint64_t)who.generation << 32) | who.ref) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

/* The place of this subscriber among the recipients, or where it would be entered. */
static struct dedupe_slot *dedupe_slot(struct matcher *matcher, struct subscriber who) {
    for (uint32_t i = hash_of(who);; i++) {
        struct dedupe_slot *slot = &matcher->dedupe[i & matcher->dedupe_mask];
        if (slot->stamp != matcher->stamp ||
            subscriber_equal(matcher->recipients[slot->index].who, who))
            return slot;
    }
}

/* Of two subscriptions of one subscriber that match, the one with the higher QoS counts
 * (MQTT-3.3.5-1); one in force before one that still arrives. */
static void merge(struct recipient *to, const struct recipient *other) {
    if (other->hold != to->hold ? to->hold : other->qos > to->qos)
        *to = *other;
}

uint32_t match_gather(struct router *router, unsigned interests, const struct message *message,
                      uint64_t epoch) {
    struct matcher *matcher = &router->matcher;
    uint32_t gathered = 0, room = router->limits.fanout_slice;
    if (++matcher->stamp == 0) {
        memset(matcher->dedupe, 0, (matcher->dedupe_mask + 1) * sizeof *matcher->dedupe);
        matcher->stamp = 1;
    }
    for (unsigned i = 0; i < interests; i++) {
        const struct interest *interest = topic_memory_at(&router->memory, matcher->found[i]);
        for (ref_t ref = interest->first; ref != 0;) {
            const struct subscription *subscription = subscription_at(&router->subscriptions, ref);
            enum verdict verdict = match_verdict(router, subscription, message, epoch);
            struct recipient recipient = {.who = subscription->who,
                                          .subscription = ref,
                                          .qos = (uint8_t)subscription->qos,
                                          .hold = verdict == VERDICT_HOLD};
            ref = subscription->next_of_interest;
            if (verdict == VERDICT_NO)
                continue;
            if (interests > 1) {
                struct dedupe_slot *slot = dedupe_slot(matcher, recipient.who);
                if (slot->stamp == matcher->stamp) {
                    merge(&matcher->recipients[slot->index], &recipient);
                    continue;
                }
                if (gathered < room)
                    *slot = (struct dedupe_slot){matcher->stamp, gathered};
            }
            if (gathered == room)
                return MATCH_TOO_MANY;
            matcher->recipients[gathered++] = recipient;
        }
    }
    return gathered;
}
