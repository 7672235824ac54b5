/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of matching, by topic: who gets it, each subscriber once with the highest QoS of the
 * subscriptions that match. Four ways a set, least recently used out first.
 *
 * A result is stale when the generation has moved on (a wildcard subscription came or went) or when
 * it was forgotten by hash (an exact one did). It also keeps the routes to other threads, which are
 * good as long as the route epoch is the same.
 *
 * Keeping results costs more than it saves when topics do not come back or wildcards change all the
 * time: then it switches itself off, and tries again later.
 *
 * Thread: the router's owner. Results are valid until the cache is called again.
 */
#ifndef LINEMQ_TOPICS_CACHE_H
#define LINEMQ_TOPICS_CACHE_H

#include "dataplane/topics/subscription.h"

enum {
    CACHE_WAYS = 4,
    CACHE_SETS = 2048,
    CACHE_BYTES_MAX = 16 << 20, /* of results */
    CACHE_WINDOW = 4096,        /* look-ups between decisions */
    CACHE_REST = 64 * 1024,     /* look-ups not made before the next try */
};

/* Who is to get a message. */
struct recipient {
    struct subscriber who;
    ref_t subscription; /* that decided; 0 in the cache */
    uint8_t qos;
    bool hold; /* the message waits for the subscription's epoch (arrival.h); not in the cache */
};

struct cache_result {
    uint32_t count; /* recipients */
    uint16_t topic_len;
    struct recipient recipients[]; /* the topic follows */
};

struct cache_slot {
    uint64_t topic_hash;
    uint64_t routes_epoch; /* of `threads`; 0: none */
    uint32_t threads;      /* bitmap from the route table */
    uint32_t generation;
    uint32_t used; /* the cache's clock when it was last looked at */
    ref_t result;  /* 0: empty slot */
};
_Static_assert(sizeof(struct cache_slot) == 32, "a set is two cache lines");

struct cache {
    struct topic_memory *memory;
    struct cache_slot *slots; /* from the pool, when first needed */
    uint32_t generation;
    uint32_t clock;
    uint32_t hand;    /* where the search for results to drop goes on */
    uint32_t resting; /* look-ups still to be left out */
    uint32_t window, window_hits;
    uint64_t bytes; /* of results */
    uint64_t hits, misses;
};

void cache_init(struct cache *cache, struct topic_memory *memory);
void cache_free(struct cache *cache);

/* Should this look-up be made, and what is found be kept? Counts down while it is off. */
bool cache_active(struct cache *cache);

/* The slot with a result for this topic that is not stale, or NULL. */
struct cache_slot *cache_find(struct cache *cache, const uint8_t *topic, uint16_t len,
                              uint64_t hash);

/* The same when a memo says where it stood. NULL: not there any more (and not counted). */
struct cache_slot *cache_at(struct cache *cache, uint32_t index, const uint8_t *topic, uint16_t len,
                            uint64_t hash);

/* Keeps a result. NULL: no memory, or too large; nothing is lost. */
struct cache_slot *cache_put(struct cache *cache, const uint8_t *topic, uint16_t len, uint64_t hash,
                             const struct recipient *recipients, uint32_t count);

/* A subscription to this filter came, went or changed. */
void cache_forget(struct cache *cache, uint64_t hash);
void cache_forget_all(struct cache *cache); /* one with a wildcard did */

static inline const struct cache_result *cache_result(const struct cache *cache,
                                                      const struct cache_slot *slot) {
    return topic_memory_at(cache->memory, slot->result);
}

static inline uint32_t cache_index(const struct cache *cache, const struct cache_slot *slot) {
    return (uint32_t)(slot - cache->slots);
}

#endif
