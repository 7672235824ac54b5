/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/message/slab.h"

#include "dataplane/message/poison.h"
#include "dataplane/message/span.h"

enum {
    WASTE_MAX = 16,     /* at most 1/16 of a span may be left over behind the last object, ... */
    WASTE_ORDER_MAX = 3 /* ... if that takes no span above 512 KiB */
};

void slab_init(struct slab *slab, struct arena *arena, const char *name, size_t object_size,
               unsigned flags) {
    size_t size = (object_size + 15) & ~(size_t)15;
    unsigned order = 0;
    for (; order + 1 < ARENA_ORDERS; order++) {
        size_t span = (size_t)1 << (ARENA_SPAN_SHIFT + order);
        if (size <= span && (order >= WASTE_ORDER_MAX || span % size <= span / WASTE_MAX))
            break;
    }
    *slab = (struct slab){
        .arena = arena,
        .name = name,
        .object_size = (uint32_t)size,
        .per_span = (uint32_t)(((size_t)1 << (ARENA_SPAN_SHIFT + order)) / size),
        .span_order = order,
        .flags = flags,
    };
}

static void add(uint64_t *value, uint64_t n) {
    __atomic_store_n(value, *value + n, __ATOMIC_RELAXED);
}

static size_t span_bytes(const struct slab *slab) {
    return (size_t)1 << (ARENA_SPAN_SHIFT + slab->span_order);
}

static struct span *refill(struct slab *slab) {
    struct arena *arena = slab->arena;
    void *memory = arena_take(arena, slab->span_order);
    if (!memory)
        return NULL;
    struct span *span = span_of(arena, memory, slab->span_order);
    span->slab = slab;
    span->free = 0;
    span->fresh = arena_ref(arena->base, memory);
    span->used = 0;
    span_push(arena->spans, &slab->partial, span);
    add(&slab->spans, 1);
    if (!(slab->flags & SLAB_KEEP))
        poison(memory, span_bytes(slab));
    return span;
}

static void give_back(struct slab *slab, struct span *span) {
    struct arena *arena = slab->arena;
    span_unlink(arena->spans, &slab->partial, span);
    add(&slab->spans, (uint64_t)-1);
    arena_span_free(arena, span_memory(arena, span), slab->span_order);
}

void *slab_take(struct slab *slab) {
    struct arena *arena = slab->arena;
    struct span *span = slab->partial;
    if (__builtin_expect(!span, 0)) {
        span = refill(slab);
        if (!span)
            return NULL;
    }
    void *object;
    if (span->free) {
        object = arena_at(arena->base, span->free);
        unpoison(object, slab->object_size);
        span->free = *(const ref_t *)object;
    } else {
        object = arena_at(arena->base, span->fresh);
        unpoison(object, slab->object_size);
        span->fresh += slab->object_size >> ARENA_UNIT_SHIFT;
    }
    if (++span->used == slab->per_span)
        span_unlink(arena->spans, &slab->partial, span);
    add(&slab->used, 1);
    return object;
}

void *slab_alloc(struct slab *slab) {
    void *object = arena_fails(slab->arena) ? NULL : slab_take(slab);
    if (__builtin_expect(!object, 0))
        add(&slab->failed, 1);
    return object;
}

void slab_free(struct slab *slab, void *object) {
    struct arena *arena = slab->arena;
    struct span *span = span_of(arena, object, slab->span_order);
    *(ref_t *)object = span->free;
    span->free = arena_ref(arena->base, object);
    add(&slab->used, (uint64_t)-1);
    if (!(slab->flags & SLAB_KEEP))
        poison(object, slab->object_size);

    /* A span with one free object comes first: full spans stay full and the others run empty. */
    if (span->used-- == slab->per_span)
        span_push(arena->spans, &slab->partial, span);
    /* The last span with room stays even when it is empty, so that a slab whose use swings around
     * nothing, or around whole spans, does not call the arena each time. It then is the last in the
     * ring, where slab_trim finds it. */
    if (span->used == 0 && span->next != (uint32_t)(span - arena->spans) &&
        !(slab->flags & SLAB_KEEP))
        give_back(slab, span);
}

bool slab_trim(struct slab *slab) {
    if (!slab->partial || (slab->flags & SLAB_KEEP))
        return false;
    struct span *last = &slab->arena->spans[slab->partial->prev];
    if (last->used != 0)
        return false;
    give_back(slab, last);
    return true;
}

bool slab_holds(const struct slab *slab, const void *object) {
    const struct arena *arena = slab->arena;
    uintptr_t offset = (uintptr_t)object - (uintptr_t)arena->base;
    if (offset >> ARENA_SPAN_SHIFT >= arena->pages)
        return false;
    uintptr_t page = (uintptr_t)object >> (ARENA_SPAN_SHIFT + slab->span_order) << slab->span_order;
    if (page < arena->first_page)
        return false;
    const struct span *span = &arena->spans[page - arena->first_page];
    if (span->state != SPAN_USED || span->slab != slab)
        return false;
    uint32_t within = (uint32_t)((uintptr_t)object & (span_bytes(slab) - 1));
    return within % slab->object_size == 0 && (offset >> ARENA_UNIT_SHIFT) < span->fresh;
}
