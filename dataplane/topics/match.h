/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who on this thread gets a message: first the interests that match its topic (or a result of the
 * cache), then the recipients, each subscriber once.
 *
 * Thread: the router's owner. One match at a time: its results stand in the matcher's own room.
 */
#ifndef LINEMQ_TOPICS_MATCH_H
#define LINEMQ_TOPICS_MATCH_H

#include "dataplane/topics/arrival.h"
#include "dataplane/topics/cache.h"

struct router;

struct dedupe_slot {
    uint32_t stamp; /* of the gathering that used it */
    uint32_t index; /* in recipients */
};

/* Room for a match, from the heap at set-up. */
struct matcher {
    ref_t *found;                 /* interests */
    struct recipient *recipients; /* fanout_slice of them */
    struct dedupe_slot *dedupe;
    uint32_t dedupe_mask, stamp;
};

/* False: no memory. */
bool matcher_init(struct matcher *matcher, const struct router_limits *limits);
void matcher_free(struct matcher *matcher);

struct match {
    struct cache_slot *slot; /* a result that can be used as it is, or NULL and these: */
    unsigned count;          /* interests in matcher->found */
    bool keep;               /* the cache wants the result */
};

struct topic_name {
    const uint8_t *bytes;
    uint16_t len;
    uint64_t hash; /* topic_hash */
};

/* `careful`: see router_careful. `memo` may be NULL. */
void match_topic(struct router *router, const struct topic_name *topic, bool careful,
                 struct topic_memo *memo, struct match *match);

/* Does anybody here want it? */
static inline bool match_wanted(const struct cache *cache, const struct match *match) {
    return match->slot ? cache_result(cache, match->slot)->count != 0 : match->count != 0;
}

/* What one subscription has to do with a message of `epoch`. */
enum verdict match_verdict(const struct router *router, const struct subscription *subscription,
                           const struct message *message, uint64_t epoch);

#define MATCH_TOO_MANY UINT32_MAX

/* The recipients of a message among the interests found, into matcher->recipients. MATCH_TOO_MANY:
 * there are more than fit. */
uint32_t match_gather(struct router *router, unsigned count, const struct message *message,
                      uint64_t epoch);

#endif
