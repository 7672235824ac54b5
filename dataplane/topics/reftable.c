/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/reftable.h"

#include <string.h>

enum {
    DEPTH_MAX = 16, /* the other 16 bits of the tag choose the slot */
    SEGMENT_MIN = 64,
    SEGMENT_MAX = POOL_SLAB_MAX,
};

static uint32_t slots_in(uint32_t bytes) {
    return (uint32_t)((bytes - sizeof(struct reftable_segment)) / sizeof(struct reftable_slot));
}

static uint32_t bytes_of(uint32_t slots) {
    return (uint32_t)(sizeof(struct reftable_segment) + slots * sizeof(struct reftable_slot));
}

static struct reftable_segment *at(const struct reftable *table, ref_t ref) {
    return topic_memory_at(table->memory, ref);
}

static struct reftable_entry *entry_of(const struct reftable *table, uint32_t tag) {
    return &table->directory[(uint64_t)tag >> (32 - table->depth)];
}

void reftable_init(struct reftable *table, struct topic_memory *memory) {
    *table = (struct reftable){.memory = memory};
    table->directory = &table->only;
}

static struct reftable_segment *segment_new(struct reftable *table, uint32_t bytes,
                                            uint32_t depth) {
    struct reftable_segment *segment = topic_memory_alloc(table->memory, bytes);
    if (!segment)
        return NULL;
    memset(segment, 0, bytes);
    segment->slots = slots_in(bytes);
    segment->depth = depth;
    return segment;
}

static void segment_free(struct reftable *table, struct reftable_segment *segment) {
    topic_memory_free(table->memory, segment, bytes_of(segment->slots));
}

static void put(struct reftable_segment *segment, struct reftable_slot slot) {
    uint32_t i = reftable_home(slot.tag, segment->slots);
    while (segment->slot[i].ref != 0)
        i = i + 1 == segment->slots ? 0 : i + 1;
    segment->slot[i] = slot;
    segment->used++;
}

/* Points all directory entries of the segment that `tag` falls into to `segment` (NULL: none). */
static void enter(struct reftable *table, uint32_t tag, uint32_t depth,
                  struct reftable_segment *segment) {
    uint32_t width = UINT32_C(1) << (table->depth - depth);
    uint64_t first = ((uint64_t)tag >> (32 - table->depth)) & ~(uint64_t)(width - 1);
    struct reftable_entry entry = {0, 0};
    if (segment)
        entry = (struct reftable_entry){topic_memory_ref(table->memory, segment), segment->slots};
    for (uint32_t i = 0; i < width; i++)
        table->directory[first + i] = entry;
}

static bool resize(struct reftable *table, uint32_t tag, struct reftable_segment *old,
                   uint32_t bytes) {
    struct reftable_segment *segment = segment_new(table, bytes, old->depth);
    if (!segment)
        return false;
    for (uint32_t i = 0; i < old->slots; i++)
        if (old->slot[i].ref != 0)
            put(segment, old->slot[i]);
    enter(table, tag, old->depth, segment);
    segment_free(table, old);
    return true;
}

static bool directory_double(struct reftable *table) {
    size_t entries = (size_t)1 << table->depth;
    struct reftable_entry *directory =
        topic_memory_alloc(table->memory, 2 * entries * sizeof *directory);
    if (!directory)
        return false;
    for (size_t i = 0; i < entries; i++)
        directory[2 * i] = directory[2 * i + 1] = table->directory[i];
    if (table->depth != 0)
        topic_memory_free(table->memory, table->directory, entries * sizeof *directory);
    table->directory = directory;
    table->depth++;
    return true;
}

/* The halves begin with some room and grow again: so the load stays between two thirds and four
 * fifths, as it does when a small segment grows by steps of a half. */
static bool split(struct reftable *table, uint32_t tag, struct reftable_segment *old) {
    uint32_t depth = old->depth + 1;
    if (depth > DEPTH_MAX || (depth > table->depth && !directory_double(table)))
        return false;
    struct reftable_segment *half[2];
    uint32_t bit = UINT32_C(1) << (32 - depth), bytes = SEGMENT_MAX / 8 * 5;
    uint32_t ones = 0;
    for (uint32_t i = 0; i < old->slots; i++)
        ones += old->slot[i].ref != 0 && (old->slot[i].tag & bit) != 0;
    uint32_t larger = ones > old->used - ones ? ones : old->used - ones;
    if (larger + larger / 8 >= slots_in(bytes))
        bytes = SEGMENT_MAX; /* uneven: tags that somebody chose, or very unlikely ones */
    half[0] = segment_new(table, bytes, depth);
    half[1] = half[0] ? segment_new(table, bytes, depth) : NULL;
    if (!half[1]) {
        if (half[0])
            segment_free(table, half[0]);
        return false;
    }
    for (uint32_t i = 0; i < old->slots; i++)
        if (old->slot[i].ref != 0)
            put(half[(old->slot[i].tag & bit) != 0], old->slot[i]);
    enter(table, tag & ~bit, depth, half[0]);
    enter(table, tag | bit, depth, half[1]);
    segment_free(table, old);
    return true;
}

static uint32_t next_size(uint32_t bytes) {
    if (bytes >= SEGMENT_MAX / 2)
        return bytes + SEGMENT_MAX / 8;
    return bytes * 2;
}

/* Makes room in the segment for one more. False: no memory, and none left in the segment. */
static bool grow(struct reftable *table, uint32_t tag, struct reftable_segment *segment) {
    uint32_t bytes = bytes_of(segment->slots);
    bool grown = bytes < SEGMENT_MAX ? resize(table, tag, segment, next_size(bytes))
                                     : split(table, tag, segment);
    /* One slot stays free, so that every search ends. */
    return grown || segment->used + 1 < segment->slots;
}

bool reftable_insert(struct reftable *table, uint32_t tag, ref_t ref) {
    struct reftable_entry *entry = entry_of(table, tag);
    struct reftable_segment *segment;
    if (entry->segment == 0) {
        segment = segment_new(table, SEGMENT_MIN, table->depth);
        if (!segment)
            return false;
        enter(table, tag, table->depth, segment);
    } else {
        segment = at(table, entry->segment);
        if ((uint64_t)(segment->used + 1) * 5 > (uint64_t)segment->slots * 4) {
            if (!grow(table, tag, segment))
                return false;
            segment = at(table, entry_of(table, tag)->segment);
            if (segment->used + 1 >= segment->slots)
                return false;
        }
    }
    put(segment, (struct reftable_slot){tag, ref});
    table->count++;
    return true;
}

/* Takes the slot out and moves back those behind it that would not be found any more. */
static void take(struct reftable_segment *segment, uint32_t hole) {
    uint32_t slots = segment->slots;
    for (uint32_t i = hole;;) {
        i = i + 1 == slots ? 0 : i + 1;
        struct reftable_slot slot = segment->slot[i];
        if (slot.ref == 0)
            break;
        uint32_t home = reftable_home(slot.tag, slots);
        uint32_t from_home = i >= home ? i - home : i + slots - home;
        uint32_t from_hole = i >= hole ? i - hole : i + slots - hole;
        if (from_home < from_hole)
            continue;
        segment->slot[hole] = slot;
        hole = i;
    }
    segment->slot[hole] = (struct reftable_slot){0, 0};
    segment->used--;
}

bool reftable_remove(struct reftable *table, uint32_t tag, ref_t ref) {
    struct reftable_entry *entry = entry_of(table, tag);
    if (entry->segment == 0)
        return false;
    struct reftable_segment *segment = at(table, entry->segment);
    uint32_t i = reftable_home(tag, segment->slots);
    while (segment->slot[i].ref != ref || segment->slot[i].tag != tag) {
        if (segment->slot[i].ref == 0)
            return false;
        i = i + 1 == segment->slots ? 0 : i + 1;
    }
    take(segment, i);
    table->count--;
    uint32_t bytes = bytes_of(segment->slots);
    if (segment->used == 0) {
        enter(table, tag, segment->depth, NULL);
        segment_free(table, segment);
    } else if (bytes > SEGMENT_MIN && segment->used < segment->slots / 8) {
        /* Without memory it stays as large as it is. The size must stay one of the steps. */
        uint32_t smaller = SEGMENT_MIN;
        while (slots_in(smaller) < 2 * segment->used)
            smaller = next_size(smaller);
        resize(table, tag, segment, smaller);
    }
    return true;
}

ref_t reftable_walk(const struct reftable *table, uint64_t *position) {
    for (;;) {
        uint32_t index = (uint32_t)(*position >> 32), slot = (uint32_t)*position;
        if (index >= UINT32_C(1) << table->depth)
            return 0;
        struct reftable_entry entry = table->directory[index];
        if (entry.segment == 0 || slot >= entry.slots) {
            /* Entries of one segment stand side by side. */
            do
                index++;
            while (entry.segment != 0 && index < UINT32_C(1) << table->depth &&
                   table->directory[index].segment == entry.segment);
            *position = (uint64_t)index << 32;
            continue;
        }
        ++*position;
        const struct reftable_segment *segment = at(table, entry.segment);
        if (segment->slot[slot].ref != 0)
            return segment->slot[slot].ref;
    }
}

void reftable_free(struct reftable *table) {
    uint32_t entries = UINT32_C(1) << table->depth;
    for (uint32_t i = 0; i < entries;) {
        ref_t ref = table->directory[i].segment;
        uint32_t next = i + 1;
        while (next < entries && ref != 0 && table->directory[next].segment == ref)
            next++;
        if (ref != 0)
            segment_free(table, at(table, ref));
        i = next;
    }
    if (table->depth != 0)
        topic_memory_free(table->memory, table->directory, entries * sizeof *table->directory);
    reftable_init(table, table->memory);
}
