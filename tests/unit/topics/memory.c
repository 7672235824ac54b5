/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdlib.h>
#include <sys/mman.h>

void memory_open(struct memory *memory, size_t size) {
    enum { PAGE = 1 << ARENA_SPAN_SHIFT };
    memory->size = size + PAGE;
    memory->range = mmap(NULL, memory->size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory->state = calloc(1, arena_footprint(size));
    if (memory->range == MAP_FAILED || !memory->state)
        abort();
    void *base = (void *)(((uintptr_t)memory->range + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    memory->arena = arena_init(memory->state, base, size, size);
    pool_init(&memory->pool, memory->arena);
    memory->topics = (struct topic_memory){.pool = &memory->pool};
}

void memory_close(struct memory *memory) {
    munmap(memory->range, memory->size);
    free(memory->state);
}

uint64_t memory_objects(const struct memory *memory) {
    uint64_t used = 0, spans = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        const struct slab *slab = &memory->pool.classes[i];
        used += slab->used;
        spans += slab->spans << (slab->span_order + ARENA_SPAN_SHIFT);
    }
    return used + (arena_used(memory->arena) - spans != 0);
}

uint32_t random_below(uint64_t *seed, uint32_t below) {
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static const char *const words[] = {"", "a", "b", "ab", "$", "$SYS", "c", "room"};

static size_t levels_of(uint64_t *seed, uint8_t *to, size_t room, bool filter) {
    unsigned levels = 1 + random_below(seed, 5);
    size_t len = 0;
    for (unsigned i = 0; i < levels; i++) {
        const char *word = words[random_below(seed, sizeof words / sizeof words[0])];
        unsigned wild = filter ? random_below(seed, 8) : 7;
        if (wild < 2)
            word = "+";
        else if (wild == 2 && i + 1 == levels)
            word = "#";
        if (i > 0)
            to[len++] = '/';
        memcpy(to + len, word, strlen(word));
        len += strlen(word);
    }
    if (len == 0)
        to[len++] = 'a';
    if (len > room)
        abort();
    return len;
}

size_t random_topic(uint64_t *seed, uint8_t *to, size_t room) {
    return levels_of(seed, to, room, false);
}

size_t random_filter(uint64_t *seed, uint8_t *to, size_t room) {
    return levels_of(seed, to, room, true);
}
