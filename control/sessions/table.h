/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table of 32-bit handles, about eleven bytes for each: a reftable (topics/reftable.h),
 * which grows by small pieces, so that no operation costs more because there are ten million
 * others.
 *
 * Keys stay with the caller, who hashes them (under a key that peers do not know) and compares.
 *
 * Thread: the owner.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_TABLE_H
#define LINEMQ_CONTROL_SESSIONS_TABLE_H

#include "dataplane/topics/reftable.h"

struct table {
    struct topic_memory memory;
    struct reftable handles;
};

enum { TABLE_NONE = 0 };

/* Is `handle` the one looked for? */
typedef bool (*table_equal)(const void *context, uint32_t handle);

/* The struct stays where it is from then on. */
void table_init(struct table *table, struct pool *pool);
/* Gives its memory back; it may be used again. Zeroed memory: does nothing. */
void table_free(struct table *table);

/* The handle with that hash for which `equal` says true, or TABLE_NONE. */
uint32_t table_find(const struct table *table, uint64_t hash, table_equal equal,
                    const void *context);

/* Adds one; that it is not there already is the caller's business. False: no memory. */
bool table_insert(struct table *table, uint64_t hash, uint32_t handle);

/* Removes one that is there. */
void table_remove(struct table *table, uint64_t hash, uint32_t handle);

static inline uint32_t table_count(const struct table *table) {
    return (uint32_t)table->handles.count;
}

#endif
