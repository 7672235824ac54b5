/* SPDX-License-Identifier: Apache-2.0 */
/* Interests whose filters have no wildcard, found by the whole topic. Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_EXACT_H
#define LINEMQ_TOPICS_EXACT_H

#include <string.h>

#include "dataplane/topics/reftable.h"
#include "dataplane/topics/subscription.h"

struct exact {
    struct reftable table; /* by the upper half of topic_hash */
};

void exact_init(struct exact *exact, struct topic_memory *memory);
void exact_free(struct exact *exact); /* the table, not the interests */

/* `hash` is topic_hash of the filter everywhere. */
bool exact_insert(struct exact *exact, struct interest *interest, uint64_t hash);
void exact_remove(struct exact *exact, const struct interest *interest, uint64_t hash);

/* Is there an interest in another topic with the same routes_name? They share one route. */
bool exact_has_twin(const struct exact *exact, const struct interest *interest, uint64_t hash);

static inline uint32_t exact_tag(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

static inline struct interest *exact_find(const struct exact *exact, const uint8_t *topic,
                                          size_t len, uint64_t hash) {
    struct reftable_probe probe;
    for (ref_t ref = reftable_first(&exact->table, exact_tag(hash), &probe); ref != 0;
         ref = reftable_next(&probe)) {
        struct interest *interest = topic_memory_at(exact->table.memory, ref);
        if (interest->len == len && memcmp(interest->filter, topic, len) == 0)
            return interest;
    }
    return NULL;
}

#endif
