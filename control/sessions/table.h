/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table of 32-bit handles: open addressing, eight bytes a slot, at most three quarters full.
 * It grows a few slots at a time: no operation costs more because there are ten million others.
 *
 *     now   the table that is inserted into
 *     old   half as large; its slots move to `now`, a step with each operation that changes
 *
 * Keys stay with the caller, who hashes them (under a key that peers do not know) and compares.
 *
 * Thread: the owner. Memory: the heap.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_TABLE_H
#define LINEMQ_CONTROL_SESSIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint32_t tag;    /* bits of the hash */
    uint32_t handle; /* TABLE_NONE: empty */
};

struct table_part {
    struct table_slot *slots;
    uint32_t size; /* a power of two, or 0 */
    uint32_t used;
};

struct table {
    struct table_part now, old;
    uint32_t moved; /* slots of `old` that are empty for good */
};

enum { TABLE_NONE = 0 };
#define TABLE_GONE UINT32_MAX /* private: a slot of `old` that was emptied */

/* Is `handle` the one looked for? */
typedef bool (*table_equal)(const void *context, uint32_t handle);

/* Zeroed memory is an empty table. */
void table_free(struct table *table);

/* The handle with that hash for which `equal` says true, or TABLE_NONE. */
uint32_t table_find(const struct table *table, uint64_t hash, table_equal equal,
                    const void *context);

/* Adds one; that it is not there already is the caller's business. False: no memory. */
bool table_insert(struct table *table, uint64_t hash, uint32_t handle);

/* Removes one that is there. */
void table_remove(struct table *table, uint64_t hash, uint32_t handle);

static inline uint32_t table_count(const struct table *table) {
    return table->now.used + table->old.used;
}

#endif
