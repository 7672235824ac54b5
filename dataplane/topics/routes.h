/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route table, shared by all threads: which threads may have subscribers for a topic. It holds
 * hashes, no filters: conservative (a hash may be shared), small, and read without locks.
 *
 *   exact   topic_hash of a filter without wildcards           -> bitmap of threads
 *   prefix  topic_prefix_hash of a wildcard filter's 1st level -> bitmap of threads
 *   any     wildcard filters that begin with a wildcard        -> one bitmap
 *
 * Of a hash it keeps the upper bits, its name (routes_name): eight bytes hold a route. Among ten
 * million filters a dozen pairs share a name. Then a message for one visits the other's thread in
 * vain; a thread must not clear its bit while it has another filter with that name.
 *
 * One writer (the first control shard). A reader goes online before its first lookup, reports a
 * quiescent state once a turn when all its mail has been flushed into the rings, and goes offline
 * before it sleeps. A thread that never went online is not waited for and must not look up while
 * the writer runs. (RCU: rte_rcu_qsbr.)
 */
#ifndef LINEMQ_TOPICS_ROUTES_H
#define LINEMQ_TOPICS_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct routes;

enum { ROUTES_NAME_BITS = 42 };

/* What the table keeps of a key. The lower 32 bits are never 0. */
static inline uint64_t routes_name(uint64_t key) {
    uint64_t name = key >> (64 - ROUTES_NAME_BITS);
    return name | ((name & UINT32_MAX) == 0);
}

/* Set-up only (heap). NULL: no memory. */
struct routes *routes_create(unsigned threads);
void routes_destroy(struct routes *routes);

/* Reader side: threads that may match, as a bitmap. `dollar`: the topic begins with `$`. */
uint32_t routes_lookup(const struct routes *routes, uint64_t topic_hash, uint64_t prefix_hash,
                       bool dollar);
/* Fetches what a look-up of this hash will need into the cache. */
void routes_prefetch(const struct routes *routes, uint64_t topic_hash);
uint64_t routes_epoch(const struct routes *routes);
void routes_online(struct routes *routes, unsigned thread);
void routes_offline(struct routes *routes, unsigned thread);
void routes_quiescent(struct routes *routes, unsigned thread);

/* Any thread: has every online reader passed a quiescent state since the token was given out? */
bool routes_passed(struct routes *routes, uint64_t token);

/* Writer side: sets or clears the bit of `thread`; `kind` is enum route_key_kind. False: the table
 * had to grow and there was no memory (nothing changed). routes_advance publishes a new epoch and
 * gives out the RCU token for it; routes_reclaim frees tables nobody can see any more. */
bool routes_change(struct routes *routes, unsigned kind, uint64_t key, unsigned thread, bool set);
uint64_t routes_advance(struct routes *routes, uint64_t *token);
void routes_reclaim(struct routes *routes);

size_t routes_bytes(const struct routes *routes);   /* any thread */
uint64_t routes_count(const struct routes *routes); /* names with a bit set; any thread */

/* Fault injection for tests: the n-th following growth finds no memory, once. 0 switches it off. */
void routes_fail_after(struct routes *routes, unsigned n);

#endif
