/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sessions/table.h"

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

void table_init(struct table *table, struct pool *pool) {
    table->memory = (struct topic_memory){.pool = pool};
    reftable_init(&table->handles, &table->memory);
}

void table_free(struct table *table) {
    if (table->memory.pool != NULL) /* else it was never set up */
        reftable_free(&table->handles);
}

uint32_t table_find(const struct table *table, uint64_t hash, table_equal equal,
                    const void *context) {
    struct reftable_probe probe;
    uint32_t handle = reftable_first(&table->handles, tag_of(hash), &probe);
    while (handle != TABLE_NONE && !equal(context, handle))
        handle = reftable_next(&probe);
    return handle;
}

bool table_insert(struct table *table, uint64_t hash, uint32_t handle) {
    return reftable_insert(&table->handles, tag_of(hash), handle);
}

void table_remove(struct table *table, uint64_t hash, uint32_t handle) {
    reftable_remove(&table->handles, tag_of(hash), handle);
}
