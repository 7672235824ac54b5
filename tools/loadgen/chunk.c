/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/chunk.h"

#include <sys/mman.h>

_Static_assert(sizeof(struct chunk) == CHUNK_HEADER, "the header's size");

static bool class_open(struct chunk_class *class, uint32_t size, uint32_t count) {
    void *base = mmap(NULL, (size_t)size * count, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *class = (struct chunk_class){.size = size, .count = count};
    if (base == MAP_FAILED)
        return false;
    class->base = base;
    return true;
}

bool chunks_open(struct chunks *chunks, uint32_t small, uint32_t large) {
    *chunks = (struct chunks){0};
    if (class_open(&chunks->classes[0], CHUNK_SMALL, small) &&
        class_open(&chunks->classes[1], CHUNK_LARGE, large))
        return true;
    chunks_close(chunks);
    return false;
}

void chunks_close(struct chunks *chunks) {
    for (unsigned i = 0; i < 2; i++) {
        struct chunk_class *class = &chunks->classes[i];
        if (class->base != NULL)
            munmap(class->base, (size_t) class->size * class->count);
        class->base = NULL;
    }
}

uint32_t chunk_new(struct chunks *chunks, uint32_t room) {
    uint32_t index = room > CHUNK_SMALL - CHUNK_HEADER, ref;
    struct chunk_class *class = &chunks->classes[index];
    if (class->free != 0) {
        ref = class->free;
        class->free = chunk_at(chunks, ref)->next;
    } else if (class->fresh < class->count) {
        ref = ++class->fresh | index << 31;
    } else {
        return 0;
    }
    if (++class->used > class->used_max)
        class->used_max = class->used;
    *chunk_at(chunks, ref) = (struct chunk){.room = (uint16_t)(class->size - CHUNK_HEADER)};
    return ref;
}

void chunk_free(struct chunks *chunks, uint32_t ref) {
    struct chunk_class *class = &chunks->classes[ref >> 31];
    chunk_at(chunks, ref)->next = class->free;
    class->free = ref;
    class->used--;
}

void chunk_free_all(struct chunks *chunks, uint32_t ref) {
    while (ref != 0) {
        uint32_t next = chunk_at(chunks, ref)->next;
        chunk_free(chunks, ref);
        ref = next;
    }
}
