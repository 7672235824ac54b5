/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sessions/table.h"

#include <stdlib.h>

enum {
    SIZE_FIRST = 64,
    STEP = 16, /* slots moved at a time: `old` is empty long before `now` is full */
};

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

void table_free(struct table *table) {
    free(table->now.slots);
    free(table->old.slots);
    *table = (struct table){0};
}

static void put(struct table_part *part, uint32_t tag, uint32_t handle) {
    uint32_t i = tag & (part->size - 1);
    while (part->slots[i].handle != TABLE_NONE)
        i = (i + 1) & (part->size - 1);
    part->slots[i] = (struct table_slot){.tag = tag, .handle = handle};
    part->used++;
}

static void move_some(struct table *table) {
    for (uint32_t i = 0; i < STEP && table->moved < table->old.size; i++) {
        struct table_slot *slot = &table->old.slots[table->moved++];
        if (slot->handle != TABLE_NONE && slot->handle != TABLE_GONE) {
            put(&table->now, slot->tag, slot->handle);
            slot->handle = TABLE_GONE; /* others were placed behind it */
            table->old.used--;
        }
    }
    if (table->old.slots != NULL && table->old.used == 0) {
        free(table->old.slots);
        table->old = (struct table_part){0};
        table->moved = 0;
    }
}

static uint32_t find_in(const struct table_part *part, uint32_t tag, table_equal equal,
                        const void *context) {
    if (part->size == 0)
        return TABLE_NONE;
    for (uint32_t i = tag & (part->size - 1);; i = (i + 1) & (part->size - 1)) {
        const struct table_slot *slot = &part->slots[i];
        if (slot->handle == TABLE_NONE)
            return TABLE_NONE;
        if (slot->tag == tag && slot->handle != TABLE_GONE && equal(context, slot->handle))
            return slot->handle;
    }
}

uint32_t table_find(const struct table *table, uint64_t hash, table_equal equal,
                    const void *context) {
    uint32_t handle = find_in(&table->now, tag_of(hash), equal, context);
    return handle != TABLE_NONE ? handle : find_in(&table->old, tag_of(hash), equal, context);
}

static bool grow(struct table *table) {
    uint32_t size = table->now.size > 0 ? 2 * table->now.size : SIZE_FIRST;
    struct table_slot *slots = calloc(size, sizeof *slots);
    if (size == 0 || slots == NULL) {
        free(slots);
        return false;
    }
    table->old = table->now;
    table->now = (struct table_part){.slots = slots, .size = size};
    table->moved = 0;
    move_some(table);
    return true;
}

bool table_insert(struct table *table, uint64_t hash, uint32_t handle) {
    move_some(table);
    if (table->now.used >= table->now.size / 4 * 3 &&
        /* Unless memory was short for long, `old` is empty by then. */
        (table->old.slots != NULL || !grow(table)) && table->now.used + 1 >= table->now.size)
        return false; /* one slot stays empty: it ends every search */
    put(&table->now, tag_of(hash), handle);
    return true;
}

/* Closes the gap at `hole`, so that every entry can still be reached from its home. */
static void close_gap(struct table_part *part, uint32_t hole) {
    uint32_t mask = part->size - 1;
    for (uint32_t i = (hole + 1) & mask; part->slots[i].handle != TABLE_NONE; i = (i + 1) & mask) {
        uint32_t home = part->slots[i].tag & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            part->slots[hole] = part->slots[i];
            hole = i;
        }
    }
    part->slots[hole].handle = TABLE_NONE;
}

static bool same(const void *context, uint32_t handle) {
    return *(const uint32_t *)context == handle;
}

static struct table_slot *slot_of(struct table_part *part, uint32_t tag, uint32_t handle) {
    if (find_in(part, tag, same, &handle) == TABLE_NONE)
        return NULL;
    uint32_t i = tag & (part->size - 1);
    while (part->slots[i].handle != handle)
        i = (i + 1) & (part->size - 1);
    return &part->slots[i];
}

void table_remove(struct table *table, uint64_t hash, uint32_t handle) {
    struct table_slot *slot = slot_of(&table->now, tag_of(hash), handle);
    if (slot != NULL) {
        table->now.used--;
        close_gap(&table->now, (uint32_t)(slot - table->now.slots));
    } else if ((slot = slot_of(&table->old, tag_of(hash), handle)) != NULL) {
        table->old.used--;
        slot->handle = TABLE_GONE;
    }
    move_some(table);
}
