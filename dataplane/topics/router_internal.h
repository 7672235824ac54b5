/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a router; shared by the files of dataplane/topics. Thread: the router's owner. */
#ifndef LINEMQ_TOPICS_ROUTER_INTERNAL_H
#define LINEMQ_TOPICS_ROUTER_INTERNAL_H

#include "dataplane/topics/arrival.h"
#include "dataplane/topics/cache.h"
#include "dataplane/topics/fanout.h"
#include "dataplane/topics/interests.h"
#include "dataplane/topics/match.h"

struct router {
    struct parcels *parcels;
    struct mailroom *mailroom;
    struct routes *routes;
    struct counters *counters;
    struct router_owner owner;
    struct router_limits limits;
    unsigned self, first_shard, shards;

    uint64_t epoch; /* noted by router_begin */
    /* The youngest answer of the route writer. */
    uint64_t answered_epoch, answered_token;
    uint64_t from_max; /* no subscription is from a later epoch than this */

    struct topic_memory memory;
    struct subscriptions subscriptions;
    struct interests interests;
    struct cache cache;
    struct matcher matcher;
    struct fanouts fanouts;
    struct arrivals arrivals;
    uint64_t memo_hits;
};

/* Hands a message to the owner for one subscription. */
static inline void router_deliver(struct router *router, struct subscriber who, uint8_t qos,
                                  struct message *message, bool retain) {
    if (qos > message->qos)
        qos = message->qos;
    router->owner.deliver(router->owner.owner, who, message, qos, retain);
}

static inline uint32_t router_shard_of(const struct router *router, uint64_t topic_hash) {
    return (uint32_t)(topic_hash % router->shards);
}

/* Must matching look at each subscription? Only a message with RETAIN cares when a subscription
 * came into force, and only while one is arriving or a message is from before the last arrival; and
 * what is held back for a subscription holds back what comes after it. */
static inline bool router_careful(const struct router *router, bool retain, uint64_t epoch) {
    return (retain && (router->arrivals.count != 0 || epoch < router->from_max)) ||
           router->arrivals.held != 0;
}

#endif
