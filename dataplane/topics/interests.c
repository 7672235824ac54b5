/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/interests.h"

struct prefix {
    uint64_t name; /* routes_name of its hash: who shares it shares the route */
    uint32_t filters;
};

bool interests_init(struct interests *interests, struct topic_memory *memory, unsigned levels,
                    unsigned visits) {
    *interests = (struct interests){.memory = memory};
    exact_init(&interests->exact, memory);
    reftable_init(&interests->prefixes, memory);
    return trie_init(&interests->trie, memory, levels, visits);
}

void interests_free(struct interests *interests,
                    void (*dispose)(void *argument, struct interest *interest), void *argument) {
    uint64_t position = 0;
    ref_t ref;
    while ((ref = reftable_walk(&interests->exact.table, &position)) != 0)
        dispose(argument, topic_memory_at(interests->memory, ref));
    trie_each(&interests->trie, dispose, argument);
    position = 0;
    while ((ref = reftable_walk(&interests->prefixes, &position)) != 0)
        topic_memory_free(interests->memory, topic_memory_at(interests->memory, ref),
                          sizeof(struct prefix));
    reftable_free(&interests->prefixes);
    exact_free(&interests->exact);
    trie_free(&interests->trie);
}

struct interest *interests_find(const struct interests *interests, const uint8_t *filter,
                                uint16_t len, uint64_t hash) {
    if (topic_filter_has_wildcard(filter, len))
        return trie_find(&interests->trie, filter, len);
    return exact_find(&interests->exact, filter, len, hash);
}

static bool begins_with_wildcard(const struct interest *interest) {
    return interest->filter[0] == '+' || interest->filter[0] == '#';
}

struct route_key interest_route_key(const struct interest *interest, uint64_t hash) {
    if (!interest->wildcard)
        return (struct route_key){hash, ROUTE_EXACT};
    if (begins_with_wildcard(interest))
        return (struct route_key){0, ROUTE_ANY};
    return (struct route_key){topic_prefix_hash(interest->filter, interest->len), ROUTE_PREFIX};
}

static struct prefix *prefix_find(const struct interests *interests, uint64_t hash, ref_t *ref) {
    struct reftable_probe probe;
    for (*ref = reftable_first(&interests->prefixes, exact_tag(hash), &probe); *ref != 0;
         *ref = reftable_next(&probe)) {
        struct prefix *prefix = topic_memory_at(interests->memory, *ref);
        if (prefix->name == routes_name(hash))
            return prefix;
    }
    return NULL;
}

static bool prefix_add(struct interests *interests, uint64_t hash, bool *first) {
    ref_t ref;
    struct prefix *prefix = prefix_find(interests, hash, &ref);
    *first = !prefix;
    if (!prefix) {
        prefix = topic_memory_alloc(interests->memory, sizeof *prefix);
        if (!prefix)
            return false;
        *prefix = (struct prefix){.name = routes_name(hash)};
        ref = topic_memory_ref(interests->memory, prefix);
        if (!reftable_insert(&interests->prefixes, exact_tag(hash), ref)) {
            topic_memory_free(interests->memory, prefix, sizeof *prefix);
            return false;
        }
    }
    prefix->filters++;
    return true;
}

static bool prefix_remove(struct interests *interests, uint64_t hash) {
    ref_t ref;
    struct prefix *prefix = prefix_find(interests, hash, &ref);
    if (--prefix->filters != 0)
        return false;
    reftable_remove(&interests->prefixes, exact_tag(hash), ref);
    topic_memory_free(interests->memory, prefix, sizeof *prefix);
    return true;
}

static bool insert(struct interests *interests, struct interest *interest, uint64_t hash,
                   bool *first) {
    struct route_key key = interest_route_key(interest, hash);
    switch (key.kind) {
    case ROUTE_EXACT:
        if (!exact_insert(&interests->exact, interest, hash))
            return false;
        *first = !exact_has_twin(&interests->exact, interest, hash);
        return true;
    case ROUTE_ANY:
        if (!trie_insert(&interests->trie, interest))
            return false;
        *first = interests->any++ == 0;
        return true;
    default:
        if (!prefix_add(interests, key.key, first))
            return false;
        if (trie_insert(&interests->trie, interest))
            return true;
        prefix_remove(interests, key.key);
        return false;
    }
}

struct interest *interests_add(struct interests *interests, const uint8_t *filter, uint16_t len,
                               uint64_t hash, bool *first) {
    struct interest *interest = interest_new(interests->memory, filter, len);
    if (interest && !insert(interests, interest, hash, first)) {
        interest_free(interests->memory, interest);
        return NULL;
    }
    return interest;
}

bool interests_remove(struct interests *interests, struct interest *interest, uint64_t hash) {
    struct route_key key = interest_route_key(interest, hash);
    bool last;
    switch (key.kind) {
    case ROUTE_EXACT:
        exact_remove(&interests->exact, interest, hash);
        last = !exact_has_twin(&interests->exact, interest, hash);
        break;
    case ROUTE_ANY:
        trie_remove(&interests->trie, interest);
        last = --interests->any == 0;
        break;
    default:
        trie_remove(&interests->trie, interest);
        last = prefix_remove(interests, key.key);
        break;
    }
    interest_free(interests->memory, interest);
    return last;
}

unsigned interests_match(const struct interests *interests, const uint8_t *topic, size_t len,
                         uint64_t hash, ref_t *found, bool *cut) {
    unsigned count = trie_match(&interests->trie, topic, len, found, cut);
    const struct interest *exact = exact_find(&interests->exact, topic, len, hash);
    if (exact)
        found[count++] = topic_memory_ref(interests->memory, exact);
    return count;
}
