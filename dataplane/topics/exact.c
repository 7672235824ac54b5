/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/exact.h"

#include "dataplane/topics/routes.h"

void exact_init(struct exact *exact, struct topic_memory *memory) {
    reftable_init(&exact->table, memory);
}

void exact_free(struct exact *exact) {
    reftable_free(&exact->table);
}

bool exact_insert(struct exact *exact, struct interest *interest, uint64_t hash) {
    return reftable_insert(&exact->table, exact_tag(hash),
                           topic_memory_ref(exact->table.memory, interest));
}

void exact_remove(struct exact *exact, const struct interest *interest, uint64_t hash) {
    reftable_remove(&exact->table, exact_tag(hash),
                    topic_memory_ref(exact->table.memory, interest));
}

/* The tag is a part of the name: whoever has the name stands among those with the tag. */
_Static_assert(ROUTES_NAME_BITS >= 32, "a name is at least as long as a tag");

bool exact_has_twin(const struct exact *exact, const struct interest *interest, uint64_t hash) {
    struct reftable_probe probe;
    for (ref_t ref = reftable_first(&exact->table, exact_tag(hash), &probe); ref != 0;
         ref = reftable_next(&probe)) {
        const struct interest *other = topic_memory_at(exact->table.memory, ref);
        if (other != interest &&
            routes_name(topic_hash(other->filter, other->len)) == routes_name(hash))
            return true;
    }
    return false;
}
