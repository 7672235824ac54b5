/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/router.h"

#include <stdlib.h>

#include "dataplane/topics/publish.h"
#include "dataplane/topics/retained_query.h"
#include "dataplane/topics/router_internal.h"
#include "dataplane/topics/subscribe.h"

static unsigned at_least_one(unsigned limit) {
    return limit != 0 ? limit : 1;
}

struct router *router_create(struct parcels *parcels, struct mailroom *mailroom,
                             struct routes *routes, unsigned first_shard, unsigned shards,
                             const struct router_limits *limits, const struct router_owner *owner,
                             struct counters *counters) {
    struct router *router = calloc(1, sizeof *router);
    if (!router)
        return NULL;
    router->parcels = parcels;
    router->mailroom = mailroom;
    router->routes = routes;
    router->counters = counters;
    router->owner = *owner;
    router->limits = (struct router_limits){.topic_levels = at_least_one(limits->topic_levels),
                                            .visits = at_least_one(limits->visits),
                                            .fanout_slice = at_least_one(limits->fanout_slice),
                                            .retained_batch = at_least_one(limits->retained_batch)};
    router->self = parcels->self;
    router->first_shard = first_shard;
    router->shards = shards;
    router->epoch = routes_epoch(routes);
    router->memory.pool = parcels->pool;
    subscriptions_init(&router->subscriptions, &router->memory);
    cache_init(&router->cache, &router->memory);
    arrivals_init(&router->arrivals, &router->memory);
    bool interests = interests_init(&router->interests, &router->memory,
                                    router->limits.topic_levels, router->limits.visits);
    bool matcher = matcher_init(&router->matcher, &router->limits);
    bool fanouts = fanouts_init(&router->fanouts, &router->memory, &router->limits);
    if (interests && matcher && fanouts)
        return router;
    router_destroy(router);
    return NULL;
}

static void dispose(void *argument, struct interest *interest) {
    struct router *router = argument;
    for (ref_t ref = interest->first; ref != 0;) {
        struct subscription *subscription = subscription_at(&router->subscriptions, ref);
        ref = subscription->next_of_interest;
        slab_free(&router->subscriptions.slab, subscription);
    }
    interest_free(&router->memory, interest);
}

void router_destroy(struct router *router) {
    if (!router)
        return;
    fanouts_free(router);
    arrivals_free(router);
    cache_free(&router->cache);
    interests_free(&router->interests, dispose, router);
    matcher_free(&router->matcher);
    slab_trim(&router->subscriptions.slab);
    free(router);
}

void router_begin(struct router *router) {
    router->epoch = routes_epoch(router->routes);
}

bool router_pressed(const struct router *router) {
    return fanouts_pressed(&router->fanouts);
}

void router_mail(struct router *router, const struct mail *mail) {
    switch (mail->type) {
    case MAIL_PUBLISH:
        if (mail->flags & MAIL_PUBLISH_MATCH)
            publish_arrived(router, mail);
        else
            parcel_release(router->parcels, mail->publish.message);
        break;
    case MAIL_ROUTE_CHANGED:
        subscribe_route_changed(router, mail);
        break;
    case MAIL_RETAINED:
    case MAIL_RETAINED_END:
        retained_query_mail(router, mail);
        break;
    default:
        break;
    }
}

bool router_turn(struct router *router) {
    router->fanouts.budget = router->limits.fanout_slice;
    bool more = fanouts_turn(router);
    if (!more) /* what is published until the next call begins with a whole budget */
        router->fanouts.budget = router->limits.fanout_slice;
    more |= subscribe_turn(router);
    return retained_query_turn(router) || more;
}

static struct filter filter_view(const struct interest *interest,
                                 const struct subscription *subscription) {
    return (struct filter){.bytes = interest->filter,
                           .len = interest->len,
                           .qos = (uint8_t)subscription->qos,
                           .code = (uint8_t)subscription->qos};
}

bool router_list(const struct router *router, ref_t *position, struct filter *filter) {
    if (*position == 0)
        return false;
    const struct subscription *subscription = subscription_at(&router->subscriptions, *position);
    *filter = filter_view(interest_of(&router->subscriptions, subscription), subscription);
    *position = subscription->next_of_subscriber;
    return true;
}

void router_match(const struct router *router, const uint8_t *topic, uint16_t len,
                  void (*visit)(void *argument, struct subscriber who, const struct filter *filter),
                  void *argument) {
    bool cut;
    unsigned found = interests_match(&router->interests, topic, len, topic_hash(topic, len),
                                     router->matcher.found, &cut);
    for (unsigned i = 0; i < found; i++) {
        const struct interest *interest =
            topic_memory_at(&router->memory, router->matcher.found[i]);
        for (ref_t ref = interest->first; ref != 0;) {
            const struct subscription *subscription = subscription_at(&router->subscriptions, ref);
            struct filter filter = filter_view(interest, subscription);
            ref = subscription->next_of_interest;
            visit(argument, subscription->who, &filter);
        }
    }
}

void router_stats(const struct router *router, struct router_stats *stats) {
    uint64_t subscriptions = router->subscriptions.slab.used;
    *stats = (struct router_stats){
        .subscriptions = subscriptions,
        .exact_filters = router->interests.exact.table.count,
        .wildcard_filters = router->interests.trie.interests,
        .trie_nodes = router->interests.trie.nodes,
        .cache_hits = router->cache.hits,
        .cache_misses = router->cache.misses,
        .memo_hits = router->memo_hits,
        .bytes = router->memory.bytes + subscriptions * sizeof(struct subscription),
    };
}
