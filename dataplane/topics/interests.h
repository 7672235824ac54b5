/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All interests of a thread: exact table and trie behind one face, and the books of which route
 * keys (routes.h) the thread needs: one key may serve several filters.
 *
 * Thread: the router's owner.
 */
#ifndef LINEMQ_TOPICS_INTERESTS_H
#define LINEMQ_TOPICS_INTERESTS_H

#include "dataplane/mail/mail.h"
#include "dataplane/topics/exact.h"
#include "dataplane/topics/trie.h"

struct route_key {
    uint64_t key;
    uint8_t kind; /* enum route_key_kind */
};

struct interests {
    struct topic_memory *memory;
    struct exact exact;
    struct trie trie;
    struct reftable prefixes; /* how many filters begin with one word */
    uint64_t any;             /* filters that begin with a wildcard */
};

/* Set-up only. False: no memory. */
bool interests_init(struct interests *interests, struct topic_memory *memory, unsigned levels,
                    unsigned visits);

/* Frees the tables and, by `dispose`, all interests. */
void interests_free(struct interests *interests,
                    void (*dispose)(void *argument, struct interest *interest), void *argument);

/* `hash` is topic_hash of the filter. */
struct interest *interests_find(const struct interests *interests, const uint8_t *filter,
                                uint16_t len, uint64_t hash);

/* Adds the filter, which is not there yet. *first: it is the first with its route key. NULL: no
 * memory, nothing changed. */
struct interest *interests_add(struct interests *interests, const uint8_t *filter, uint16_t len,
                               uint64_t hash, bool *first);

/* Removes and frees one that nobody has any more. True: it was the last with its route key. */
bool interests_remove(struct interests *interests, struct interest *interest, uint64_t hash);

struct route_key interest_route_key(const struct interest *interest, uint64_t hash);

/* The refs of all that match the topic name, into `found` with room for INTERESTS_FOUND(visits). */
unsigned interests_match(const struct interests *interests, const uint8_t *topic, size_t len,
                         uint64_t hash, ref_t *found, bool *cut);

#define INTERESTS_FOUND(visits) (TRIE_FOUND(visits) + 1)

#endif
