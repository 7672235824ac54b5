/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interests whose filters have wildcards. One node for each level of a filter; the edges that carry
 * words are in one hash table, keyed by parent and word; `+` and `#` are slots of the node.
 *
 * A match walks the trie with a stack: a topic of n levels may be reached along 2^n paths, so the
 * nodes visited are limited.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_TRIE_H
#define LINEMQ_TOPICS_TRIE_H

#include "dataplane/topics/reftable.h"
#include "dataplane/topics/subscription.h"

struct trie_node {
    ref_t parent;   /* 0: the root */
    ref_t plus;     /* child for `+` */
    ref_t interest; /* filter that ends at this node */
    ref_t rest;     /* interest of the filter that goes on with `#` from here */
    uint32_t words; /* children by words */
    uint32_t hash;  /* of the word, 0 for `+` */
    uint16_t len;
    uint8_t word[];
};

struct trie_level {
    const uint8_t *word;
    uint32_t len;
    uint32_t hash; /* 0: not made yet */
};

struct trie_step {
    ref_t node;
    uint32_t level;
};

struct trie {
    struct topic_memory *memory;
    struct reftable edges;
    ref_t root; /* 0: empty */
    uint64_t nodes, interests;
    unsigned levels_max, visits_max;
    struct trie_level *levels; /* room for a match, set-up heap */
    struct trie_step *stack;
};

/* Set-up only. `visits`: nodes visited for one match. False: no memory. */
bool trie_init(struct trie *trie, struct topic_memory *memory, unsigned levels, unsigned visits);
void trie_free(struct trie *trie); /* not the interests */

/* All interests, which the visitor may free if trie_free is next. */
void trie_each(struct trie *trie, void (*visit)(void *argument, struct interest *interest),
               void *argument);

/* The interest of a filter, or NULL. */
struct interest *trie_find(const struct trie *trie, const uint8_t *filter, size_t len);

/* The filter is not in the trie yet. False: no memory, nothing changed. */
bool trie_insert(struct trie *trie, struct interest *interest);
void trie_remove(struct trie *trie, const struct interest *interest);

/*
 * The refs of all interests that match, into `found`, which has room for TRIE_FOUND(visits).
 * Returns how many; *cut says that the limit was reached and some may be missing.
 */
unsigned trie_match(const struct trie *trie, const uint8_t *topic, size_t len, ref_t *found,
                    bool *cut);

#define TRIE_FOUND(visits) (2 * (size_t)(visits))

#endif
