/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/overtaken.h"

#include <string.h>

enum { ROOM_MIN = 8 };

struct slot {
    uint64_t topic_hash;
    uint64_t epoch; /* 0: free; epochs begin with 1 */
};

static size_t bytes_of(unsigned room) {
    return room * sizeof(struct slot);
}

/* The topic's slot, or the free one where it belongs. At least half of them are free. */
static struct slot *slot_of(struct slot *slots, unsigned room, uint64_t topic_hash) {
    for (uint64_t i = topic_hash >> 32;; i++) {
        struct slot *slot = &slots[i & (room - 1)];
        if (slot->epoch == 0 || slot->topic_hash == topic_hash)
            return slot;
    }
}

static struct slot *find(const struct overtaken *overtaken, const struct topic_memory *memory,
                         uint64_t topic_hash) {
    if (overtaken->count == 0)
        return NULL;
    struct slot *slot =
        slot_of(topic_memory_at(memory, overtaken->slots), overtaken->room, topic_hash);
    return slot->epoch != 0 ? slot : NULL;
}

bool overtaken_has(const struct overtaken *overtaken, const struct topic_memory *memory,
                   uint64_t topic_hash) {
    return find(overtaken, memory, topic_hash) != NULL;
}

bool overtaken_since(const struct overtaken *overtaken, const struct topic_memory *memory,
                     uint64_t topic_hash, uint64_t epoch) {
    const struct slot *slot = find(overtaken, memory, topic_hash);
    return slot && slot->epoch >= epoch;
}

static bool grow(struct overtaken *overtaken, struct topic_memory *memory) {
    unsigned room = overtaken->room != 0 ? 2u * overtaken->room : ROOM_MIN;
    struct slot *slots = topic_memory_alloc(memory, bytes_of(room));
    if (!slots)
        return false;
    memset(slots, 0, bytes_of(room));
    if (overtaken->room != 0) {
        struct slot *old = topic_memory_at(memory, overtaken->slots);
        for (unsigned i = 0; i < overtaken->room; i++)
            if (old[i].epoch != 0)
                *slot_of(slots, room, old[i].topic_hash) = old[i];
        topic_memory_free(memory, old, bytes_of(overtaken->room));
    }
    overtaken->slots = topic_memory_ref(memory, slots);
    overtaken->room = (uint16_t)room;
    return true;
}

bool overtaken_add(struct overtaken *overtaken, struct topic_memory *memory, uint64_t topic_hash,
                   uint64_t epoch) {
    struct slot *slot = find(overtaken, memory, topic_hash);
    if (!slot) {
        if (overtaken->count == OVERTAKEN_MAX ||
            (2u * overtaken->count == overtaken->room && !grow(overtaken, memory)))
            return false;
        slot = slot_of(topic_memory_at(memory, overtaken->slots), overtaken->room, topic_hash);
        slot->topic_hash = topic_hash;
        overtaken->count++;
    }
    if (epoch > slot->epoch)
        slot->epoch = epoch;
    return true;
}

void overtaken_free(struct overtaken *overtaken, struct topic_memory *memory) {
    if (overtaken->room != 0)
        topic_memory_free(memory, topic_memory_at(memory, overtaken->slots),
                          bytes_of(overtaken->room));
    *overtaken = (struct overtaken){0};
}
