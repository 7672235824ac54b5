/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flat hash table from a 32-bit tag, half of a keyed hash, to refs of objects; several objects
 * may have one tag, and the caller tells them apart. Eight bytes a slot, open addressing with
 * linear probing, no tombstones.
 *
 * It grows in segments of at most 32 KiB behind a directory (extendible hashing): a segment that is
 * full is copied into one half as large again, the largest are split in two. So one insertion moves
 * at most a segment's entries however large the table is, and memory comes and goes in small
 * pieces.
 *
 * Thread: the owner of the memory.
 */
#ifndef LINEMQ_TOPICS_REFTABLE_H
#define LINEMQ_TOPICS_REFTABLE_H

#include "dataplane/topics/topic_memory.h"

struct reftable_slot {
    uint32_t tag;
    ref_t ref; /* 0 = free */
};

/* What a lookup needs of a segment, in the directory. */
struct reftable_entry {
    ref_t segment; /* 0 = none yet */
    uint32_t slots;
};

struct reftable_segment {
    uint32_t slots, used;
    uint32_t depth; /* leading bits of the tag that its entries have in common */
    uint32_t unused;
    struct reftable_slot slot[];
};

struct reftable {
    struct topic_memory *memory;
    struct reftable_entry *directory; /* 1 << depth entries; `only` when depth is 0 */
    struct reftable_entry only;
    uint32_t depth;
    uint64_t count;
};

void reftable_init(struct reftable *table, struct topic_memory *memory);

/* Gives all memory back; the objects are the caller's. */
void reftable_free(struct reftable *table);

/* False: no memory; nothing changed. */
bool reftable_insert(struct reftable *table, uint32_t tag, ref_t ref);

/* Removes the pair. False: it is not there. */
bool reftable_remove(struct reftable *table, uint32_t tag, ref_t ref);

/* All refs in turn: *position is 0 at the start; 0 when there are no more. The table must not
 * change meanwhile. */
ref_t reftable_walk(const struct reftable *table, uint64_t *position);

/* A search: the refs with one tag in turn. */
struct reftable_probe {
    const struct reftable_slot *slot;
    uint32_t tag, index, slots;
};

static inline uint32_t reftable_home(uint32_t tag, uint32_t slots) {
    return ((tag & 0xffff) * slots) >> 16;
}

/* The next ref with the tag, or 0. */
static inline ref_t reftable_next(struct reftable_probe *probe) {
    for (;;) {
        struct reftable_slot slot = probe->slot[probe->index];
        if (slot.ref == 0)
            return 0;
        if (++probe->index == probe->slots)
            probe->index = 0;
        if (slot.tag == probe->tag)
            return slot.ref;
    }
}

static inline ref_t reftable_first(const struct reftable *table, uint32_t tag,
                                   struct reftable_probe *probe) {
    const struct reftable_entry *entry = &table->directory[(uint64_t)tag >> (32 - table->depth)];
    if (entry->segment == 0)
        return 0;
    const struct reftable_segment *segment = topic_memory_at(table->memory, entry->segment);
    probe->slot = segment->slot;
    probe->slots = entry->slots;
    probe->tag = tag;
    probe->index = reftable_home(tag, entry->slots);
    return reftable_next(probe);
}

#endif
