/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/trie.h"

#include <stdlib.h>
#include <string.h>

static struct trie_node *node_at(const struct trie *trie, ref_t ref) {
    return topic_memory_at(trie->memory, ref);
}

static size_t node_size(size_t len) {
    return sizeof(struct trie_node) + len;
}

bool trie_init(struct trie *trie, struct topic_memory *memory, unsigned levels, unsigned visits) {
    *trie = (struct trie){.memory = memory, .levels_max = levels, .visits_max = visits};
    reftable_init(&trie->edges, memory);
    trie->levels = calloc(levels, sizeof *trie->levels);
    /* Each level leaves at most one step behind while the walk goes deeper. */
    trie->stack = calloc(levels + 2, sizeof *trie->stack);
    if (trie->levels && trie->stack)
        return true;
    trie_free(trie);
    return false;
}

static ref_t node_new(struct trie *trie, ref_t parent, const uint8_t *word, size_t len,
                      uint32_t hash) {
    struct trie_node *node = topic_memory_alloc(trie->memory, node_size(len));
    if (!node)
        return 0;
    *node = (struct trie_node){.parent = parent, .hash = hash, .len = (uint16_t)len};
    memcpy(node->word, word, len);
    trie->nodes++;
    return topic_memory_ref(trie->memory, node);
}

static void node_free(struct trie *trie, struct trie_node *node) {
    topic_memory_free(trie->memory, node, node_size(node->len));
    trie->nodes--;
}

typedef void (*node_visit)(struct trie *trie, struct trie_node *node, void *argument);

/* Each node once; it may be freed by the visitor. */
static void each_node(struct trie *trie, node_visit visit, void *argument) {
    /* `+` nodes are in no table: they are found from the node that they hang from. */
    ref_t list = trie->root;
    uint64_t position = 0;
    do {
        while (list != 0) {
            struct trie_node *node = node_at(trie, list);
            list = node->plus;
            visit(trie, node, argument);
        }
        list = reftable_walk(&trie->edges, &position);
    } while (list != 0);
}

struct interest_visitor {
    void (*visit)(void *argument, struct interest *interest);
    void *argument;
};

static void visit_interests(struct trie *trie, struct trie_node *node, void *argument) {
    const struct interest_visitor *visitor = argument;
    if (node->interest != 0)
        visitor->visit(visitor->argument, topic_memory_at(trie->memory, node->interest));
    if (node->rest != 0)
        visitor->visit(visitor->argument, topic_memory_at(trie->memory, node->rest));
}

void trie_each(struct trie *trie, void (*visit)(void *argument, struct interest *interest),
               void *argument) {
    struct interest_visitor visitor = {visit, argument};
    each_node(trie, visit_interests, &visitor);
}

static void free_node(struct trie *trie, struct trie_node *node, void *argument) {
    node_free(trie, node);
}

void trie_free(struct trie *trie) {
    each_node(trie, free_node, NULL);
    reftable_free(&trie->edges);
    free(trie->levels);
    free(trie->stack);
    trie->levels = NULL;
    trie->stack = NULL;
    trie->root = 0;
}

static uint32_t word_hash(const uint8_t *word, size_t len) {
    uint32_t hash = (uint32_t)topic_hash(word, len);
    return hash | (hash == 0);
}

/* The word's hash is keyed; the parent only has to spread it. */
static uint32_t edge_tag(ref_t parent, uint32_t hash) {
    uint64_t mixed = (((uint64_t)parent << 32) | hash) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32) ^ (uint32_t)mixed;
}

static ref_t child(const struct trie *trie, ref_t parent, const uint8_t *word, size_t len,
                   uint32_t hash) {
    struct reftable_probe probe;
    for (ref_t ref = reftable_first(&trie->edges, edge_tag(parent, hash), &probe); ref != 0;
         ref = reftable_next(&probe)) {
        const struct trie_node *node = node_at(trie, ref);
        if (node->parent == parent && node->hash == hash && node->len == len &&
            memcmp(node->word, word, len) == 0)
            return ref;
    }
    return 0;
}

/* The level that begins at `at`; moves `at` behind its `/`, or to NULL after the last. */
static size_t next_level(const uint8_t **at, const uint8_t *end) {
    const uint8_t *word = *at, *slash = memchr(word, '/', (size_t)(end - word));
    *at = slash ? slash + 1 : NULL;
    return slash ? (size_t)(slash - word) : (size_t)(end - word);
}

static bool is(const uint8_t *word, size_t len, char wildcard) {
    return len == 1 && word[0] == (uint8_t)wildcard;
}

/* Nodes from here up that hold nothing. */
static void prune(struct trie *trie, ref_t ref) {
    while (ref != 0) {
        struct trie_node *node = node_at(trie, ref);
        if (node->plus != 0 || node->words != 0 || node->interest != 0 || node->rest != 0)
            return;
        ref_t parent = node->parent;
        if (parent == 0) {
            trie->root = 0;
        } else if (node_at(trie, parent)->plus == ref) {
            node_at(trie, parent)->plus = 0;
        } else {
            reftable_remove(&trie->edges, edge_tag(parent, node->hash), ref);
            node_at(trie, parent)->words--;
        }
        node_free(trie, node);
        ref = parent;
    }
}

static ref_t add_child(struct trie *trie, ref_t parent, const uint8_t *word, size_t len) {
    bool plus = is(word, len, '+');
    uint32_t hash = plus ? 0 : word_hash(word, len);
    ref_t ref = plus ? node_at(trie, parent)->plus : child(trie, parent, word, len, hash);
    if (ref != 0)
        return ref;
    ref = node_new(trie, parent, word, plus ? 0 : len, hash);
    if (ref == 0)
        return 0;
    if (plus) {
        node_at(trie, parent)->plus = ref;
    } else if (reftable_insert(&trie->edges, edge_tag(parent, hash), ref)) {
        node_at(trie, parent)->words++;
    } else {
        node_free(trie, node_at(trie, ref));
        return 0;
    }
    return ref;
}

bool trie_insert(struct trie *trie, struct interest *interest) {
    const uint8_t *at = interest->filter, *end = at + interest->len;
    if (trie->root == 0)
        trie->root = node_new(trie, 0, at, 0, 0);
    ref_t node = trie->root, place = topic_memory_ref(trie->memory, interest);
    while (node != 0 && at) {
        const uint8_t *word = at;
        size_t len = next_level(&at, end);
        if (is(word, len, '#')) {
            node_at(trie, node)->rest = place;
            trie->interests++;
            return true;
        }
        ref_t next = add_child(trie, node, word, len);
        if (next == 0)
            prune(trie, node);
        node = next;
    }
    if (node == 0)
        return false;
    node_at(trie, node)->interest = place;
    trie->interests++;
    return true;
}

/* The node that a filter ends at, `#` left out; *rest says that there is one. */
static ref_t walk(const struct trie *trie, const uint8_t *filter, size_t filter_len, bool *rest) {
    const uint8_t *at = filter, *end = filter + filter_len;
    ref_t node = trie->root;
    *rest = false;
    while (node != 0 && at) {
        const uint8_t *word = at;
        size_t len = next_level(&at, end);
        if (is(word, len, '#')) {
            *rest = true;
            break;
        }
        node = is(word, len, '+') ? node_at(trie, node)->plus
                                  : child(trie, node, word, len, word_hash(word, len));
    }
    return node;
}

struct interest *trie_find(const struct trie *trie, const uint8_t *filter, size_t len) {
    bool rest;
    ref_t node = walk(trie, filter, len, &rest);
    if (node == 0)
        return NULL;
    ref_t interest = rest ? node_at(trie, node)->rest : node_at(trie, node)->interest;
    return interest ? topic_memory_at(trie->memory, interest) : NULL;
}

void trie_remove(struct trie *trie, const struct interest *interest) {
    bool rest;
    ref_t node = walk(trie, interest->filter, interest->len, &rest);
    if (node == 0)
        return;
    if (rest)
        node_at(trie, node)->rest = 0;
    else
        node_at(trie, node)->interest = 0;
    trie->interests--;
    prune(trie, node);
}

/* *whole: false when the topic has more levels than any filter can have; then only `#` matches it.
 */
static unsigned cut_levels(const struct trie *trie, const uint8_t *topic, size_t len, bool *whole) {
    const uint8_t *at = topic, *end = topic + len;
    unsigned count = 0;
    while (at && count < trie->levels_max) {
        struct trie_level *level = &trie->levels[count++];
        level->word = at;
        level->len = (uint32_t)next_level(&at, end);
        level->hash = 0;
    }
    *whole = !at;
    return count;
}

unsigned trie_match(const struct trie *trie, const uint8_t *topic, size_t len, ref_t *found,
                    bool *cut) {
    unsigned count = 0, depth = 0, visits = 0;
    *cut = false;
    if (trie->root == 0)
        return 0;
    bool whole;
    unsigned levels = cut_levels(trie, topic, len, &whole);
    trie->stack[depth++] = (struct trie_step){trie->root, 0};
    while (depth > 0) {
        struct trie_step step = trie->stack[--depth];
        if (visits++ == trie->visits_max) {
            *cut = true;
            break;
        }
        const struct trie_node *node = node_at(trie, step.node);
        /* A wildcard in front does not match a name that begins with `$` (MQTT-4.7.2-1). */
        bool wild = step.level != 0 || topic[0] != '$';
        if (node->rest != 0 && wild)
            found[count++] = node->rest;
        if (step.level == levels) {
            if (node->interest != 0 && whole)
                found[count++] = node->interest;
            continue;
        }
        if (node->words != 0) {
            struct trie_level *level = &trie->levels[step.level];
            if (level->hash == 0)
                level->hash = word_hash(level->word, level->len);
            ref_t next = child(trie, step.node, level->word, level->len, level->hash);
            if (next != 0)
                trie->stack[depth++] = (struct trie_step){next, step.level + 1};
        }
        if (node->plus != 0 && wild)
            trie->stack[depth++] = (struct trie_step){node->plus, step.level + 1};
    }
    return count;
}
