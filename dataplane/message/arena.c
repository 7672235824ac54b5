/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/message/arena.h"

#include "dataplane/message/poison.h"
#include "dataplane/message/span.h"

/* Refs reach 64 GiB; without the last page, the ref behind any span is one too. */
enum { PAGES_MAX = (1 << (32 + ARENA_UNIT_SHIFT - ARENA_SPAN_SHIFT)) - 1 };

static const size_t page_size = (size_t)1 << ARENA_SPAN_SHIFT;

size_t arena_footprint(size_t size) {
    return sizeof(struct arena) + (size >> ARENA_SPAN_SHIFT) * sizeof(struct span);
}

static void put(struct arena *arena, uint32_t page, unsigned order) {
    struct span *span = &arena->spans[page];
    span->state = SPAN_FREE;
    span->order = (uint8_t)order;
    span->slab = NULL;
    span_push(arena->spans, &arena->free[order], span);
    arena->orders |= 1u << order;
}

static void take(struct arena *arena, struct span *span, unsigned order) {
    span_unlink(arena->spans, &arena->free[order], span);
    span->state = SPAN_NONE;
    if (!arena->free[order])
        arena->orders &= ~(1u << order);
}

struct arena *arena_init(void *state, void *base, size_t size, size_t limit) {
    struct arena *arena = state;
    arena->base = base;
    arena->spans = (struct span *)(arena + 1);
    arena->first_page = (uintptr_t)base >> ARENA_SPAN_SHIFT;
    arena->pages =
        size >> ARENA_SPAN_SHIFT < PAGES_MAX ? (uint32_t)(size >> ARENA_SPAN_SHIFT) : PAGES_MAX;
    arena->limit = limit < size ? limit : size;

    /* The first page is kept back: its first unit would be ref 0. It is never touched. The rest is
     * cut into the largest spans that its alignment allows; pushed last to first, so that the
     * lowest addresses of an order are used first. */
    uint32_t end = arena->pages;
    while (end > 1) {
        unsigned order = 0;
        while (order + 1 < ARENA_ORDERS) {
            uint32_t length = 2u << order;
            if (length > end - 1 || ((arena->first_page + end) & (length - 1)) != 0)
                break;
            order++;
        }
        end -= 1u << order;
        put(arena, end, order);
    }
    return arena;
}

bool arena_injected(struct arena *arena) {
    return --arena->fail_after == 0;
}

void arena_fail_after(struct arena *arena, uint64_t n) {
    arena->fail_after = n;
}

void *arena_take(struct arena *arena, unsigned order) {
    size_t size = page_size << order;
    uint32_t orders = arena->orders >> order << order;
    if (orders == 0 || size > arena->limit - arena->used)
        return NULL;

    /* Smallest span that will do; what is too much goes back half by half, the upper half each
     * time. */
    unsigned from = (unsigned)__builtin_ctz(orders);
    struct span *span = arena->free[from];
    uint32_t page = (uint32_t)(span - arena->spans);
    take(arena, span, from);
    while (from > order) {
        from--;
        put(arena, page + (1u << from), from);
    }
    span->state = SPAN_USED;
    span->order = (uint8_t)order;
    __atomic_store_n(&arena->used, arena->used + size, __ATOMIC_RELAXED);
    void *memory = span_memory(arena, span);
    unpoison(memory, size);
    return memory;
}

void *arena_span_alloc(struct arena *arena, unsigned order) {
    if (order >= ARENA_ORDERS || arena_fails(arena))
        return NULL;
    return arena_take(arena, order);
}

void arena_span_free(struct arena *arena, void *memory, unsigned order) {
    size_t size = page_size << order;
    poison(memory, size);
    __atomic_store_n(&arena->used, arena->used - size, __ATOMIC_RELAXED);

    uint32_t page = (uint32_t)(((uintptr_t)memory >> ARENA_SPAN_SHIFT) - arena->first_page);
    arena->spans[page].state = SPAN_NONE;
    while (order + 1 < ARENA_ORDERS) {
        uintptr_t absolute = (arena->first_page + page) ^ ((uintptr_t)1 << order);
        uintptr_t buddy = absolute - arena->first_page;
        if (buddy >= arena->pages || arena->spans[buddy].state != SPAN_FREE ||
            arena->spans[buddy].order != order)
            break;
        take(arena, &arena->spans[buddy], order);
        if (buddy < page)
            page = (uint32_t)buddy;
        order++;
    }
    put(arena, page, order);
}

size_t arena_used(const struct arena *arena) {
    return __atomic_load_n(&arena->used, __ATOMIC_RELAXED);
}

size_t arena_limit(const struct arena *arena) {
    return arena->limit;
}

void *arena_base(const struct arena *arena) {
    return arena->base;
}
