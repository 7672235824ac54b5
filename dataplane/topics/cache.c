/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/topics/cache.h"

#include <string.h>

enum {
    SLOTS = CACHE_SETS * CACHE_WAYS,
    HIT_SHARE = 2, /* on while at least one look-up in so many hits */
    SWEEP = 8,     /* slots looked at to make room for one result */
};

void cache_init(struct cache *cache, struct topic_memory *memory) {
    *cache = (struct cache){.memory = memory, .generation = 1};
}

static size_t result_size(uint32_t count, uint16_t topic_len) {
    return sizeof(struct cache_result) + count * sizeof(struct recipient) + topic_len;
}

static uint8_t *result_topic(struct cache_result *result) {
    return (uint8_t *)&result->recipients[result->count];
}

static void drop(struct cache *cache, struct cache_slot *slot) {
    if (slot->result == 0)
        return;
    struct cache_result *result = topic_memory_at(cache->memory, slot->result);
    size_t size = result_size(result->count, result->topic_len);
    topic_memory_free(cache->memory, result, size);
    cache->bytes -= size;
    slot->result = 0;
}

static void drop_all(struct cache *cache) {
    for (unsigned i = 0; cache->slots && i < SLOTS; i++)
        drop(cache, &cache->slots[i]);
}

void cache_free(struct cache *cache) {
    if (!cache->slots)
        return;
    drop_all(cache);
    topic_memory_free(cache->memory, cache->slots, SLOTS * sizeof *cache->slots);
    cache->slots = NULL;
}

bool cache_active(struct cache *cache) {
    if (cache->resting != 0) {
        cache->resting--;
        return false;
    }
    return true;
}

static void decide(struct cache *cache, bool hit) {
    cache->hits += hit;
    cache->misses += !hit;
    cache->window_hits += hit;
    if (++cache->window < CACHE_WINDOW)
        return;
    if (cache->window_hits * HIT_SHARE < cache->window)
        cache->resting = CACHE_REST;
    cache->window = cache->window_hits = 0;
}

static bool good(struct cache *cache, struct cache_slot *slot, const uint8_t *topic, uint16_t len,
                 uint64_t hash) {
    if (slot->topic_hash != hash || slot->result == 0 || slot->generation != cache->generation)
        return false;
    struct cache_result *result = topic_memory_at(cache->memory, slot->result);
    if (result->topic_len != len || memcmp(result_topic(result), topic, len) != 0)
        return false;
    slot->used = ++cache->clock;
    return true;
}

static struct cache_slot *set_of(const struct cache *cache, uint64_t hash) {
    return &cache->slots[(hash % CACHE_SETS) * CACHE_WAYS];
}

struct cache_slot *cache_find(struct cache *cache, const uint8_t *topic, uint16_t len,
                              uint64_t hash) {
    struct cache_slot *set = cache->slots ? set_of(cache, hash) : NULL;
    for (unsigned i = 0; set && i < CACHE_WAYS; i++) {
        if (good(cache, &set[i], topic, len, hash)) {
            decide(cache, true);
            return &set[i];
        }
    }
    decide(cache, false);
    return NULL;
}

struct cache_slot *cache_at(struct cache *cache, uint32_t index, const uint8_t *topic, uint16_t len,
                            uint64_t hash) {
    if (!cache->slots || index >= SLOTS || !good(cache, &cache->slots[index], topic, len, hash))
        return NULL;
    decide(cache, true);
    return &cache->slots[index];
}

static bool allocate_slots(struct cache *cache) {
    cache->slots = topic_memory_alloc(cache->memory, SLOTS * sizeof *cache->slots);
    if (cache->slots)
        memset(cache->slots, 0, SLOTS * sizeof *cache->slots);
    return cache->slots != NULL;
}

/* Drops results until `size` fits, a few at most: then this one is not kept. */
static bool make_room(struct cache *cache, size_t size) {
    for (unsigned i = 0; i < SWEEP && cache->bytes + size > CACHE_BYTES_MAX; i++) {
        cache->hand = (cache->hand + 1) % SLOTS;
        drop(cache, &cache->slots[cache->hand]);
    }
    return cache->bytes + size <= CACHE_BYTES_MAX;
}

/* The slot with this hash, or an empty or stale one, or else the one not used for longest. */
static struct cache_slot *victim(struct cache *cache, uint64_t hash) {
    struct cache_slot *set = set_of(cache, hash), *best = set;
    uint32_t best_age = 0;
    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        if (set[i].topic_hash == hash)
            return &set[i];
        bool idle = set[i].result == 0 || set[i].generation != cache->generation;
        uint32_t age = idle ? UINT32_MAX : cache->clock - set[i].used;
        if (age > best_age) {
            best = &set[i];
            best_age = age;
        }
    }
    return best;
}

struct cache_slot *cache_put(struct cache *cache, const uint8_t *topic, uint16_t len, uint64_t hash,
                             const struct recipient *recipients, uint32_t count) {
    size_t size = result_size(count, len);
    if ((!cache->slots && !allocate_slots(cache)) || !make_room(cache, size))
        return NULL;
    struct cache_slot *slot = victim(cache, hash);
    drop(cache, slot);
    struct cache_result *result = topic_memory_alloc(cache->memory, size);
    if (!result)
        return NULL;
    result->count = count;
    result->topic_len = len;
    for (uint32_t i = 0; i < count; i++)
        result->recipients[i] =
            (struct recipient){.who = recipients[i].who, .qos = recipients[i].qos};
    memcpy(result_topic(result), topic, len);
    cache->bytes += size;
    *slot = (struct cache_slot){.topic_hash = hash,
                                .generation = cache->generation,
                                .used = ++cache->clock,
                                .result = topic_memory_ref(cache->memory, result)};
    return slot;
}

void cache_forget(struct cache *cache, uint64_t hash) {
    struct cache_slot *set = cache->slots ? set_of(cache, hash) : NULL;
    for (unsigned i = 0; set && i < CACHE_WAYS; i++)
        if (set[i].topic_hash == hash)
            drop(cache, &set[i]);
}

void cache_forget_all(struct cache *cache) {
    /* When the numbers have all been used, what is left from long ago must not look new. */
    if (++cache->generation == 0)
        drop_all(cache);
}
