/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arena, slab and pool share and nobody else sees: the books of an arena.
 *
 * The books lie apart from the memory they describe: one struct span for each 64 KiB page, that of
 * a span's first page speaking for the span. So objects start at the span's first byte and lose no
 * room to a header, and the books of ten million 256-byte objects are 1.2 MB that stay in cache.
 *
 * A span is aligned to its size by absolute address: the span of an object is found by a shift.
 */
#ifndef LINEMQ_MESSAGE_SPAN_H
#define LINEMQ_MESSAGE_SPAN_H

#include "dataplane/message/slab.h"

enum span_state {
    SPAN_NONE = 0, /* not the first page of a span */
    SPAN_FREE,     /* in the arena's free list of its order */
    SPAN_USED,     /* handed out */
};

struct span {
    uint32_t next,
        prev;      /* pages: ring of the free spans of an order, or of a slab's partial spans */
    ref_t free;    /* slab: freed objects, linked through their first four bytes */
    ref_t fresh;   /* slab: objects from here on were never handed out */
    uint16_t used; /* slab: objects handed out */
    uint8_t order;
    uint8_t state;           /* enum span_state */
    const struct slab *slab; /* whose span this is, or NULL */
};
_Static_assert(sizeof(struct span) == 32, "two spans to a cache line");

struct arena {
    uint8_t *base;
    struct span *spans;   /* one for each page */
    uintptr_t first_page; /* base's page number in the address space */
    uint32_t pages;
    uint32_t orders;     /* bitmap of orders that have free spans */
    uint64_t fail_after; /* fault injection; 0 = off */
    size_t used, limit;  /* bytes */
    struct span *free[ARENA_ORDERS];
};

/* arena_span_alloc without fault injection. */
void *arena_take(struct arena *arena, unsigned order);

/* Counts down the fault injection; true: this allocation is the one that fails. */
bool arena_injected(struct arena *arena);

static inline bool arena_fails(struct arena *arena) {
    return __builtin_expect(arena->fail_after != 0, 0) && arena_injected(arena);
}

/* The span of 2^order pages that `memory` lies in. */
static inline struct span *span_of(const struct arena *arena, const void *memory, unsigned order) {
    uintptr_t page = (uintptr_t)memory >> (ARENA_SPAN_SHIFT + order) << order;
    return &arena->spans[page - arena->first_page];
}

static inline void *span_memory(const struct arena *arena, const struct span *span) {
    return arena->base + ((size_t)(span - arena->spans) << ARENA_SPAN_SHIFT);
}

/* Rings of spans: *head is the first, NULL when empty; the first's prev is the last. */
static inline void span_push(struct span *spans, struct span **head, struct span *span) {
    uint32_t page = (uint32_t)(span - spans);
    struct span *first = *head;
    if (!first) {
        span->next = span->prev = page;
    } else {
        span->next = (uint32_t)(first - spans);
        span->prev = first->prev;
        spans[span->prev].next = page;
        first->prev = page;
    }
    *head = span;
}

static inline void span_unlink(struct span *spans, struct span **head, struct span *span) {
    struct span *next = &spans[span->next];
    if (next == span) {
        *head = NULL;
        return;
    }
    next->prev = span->prev;
    spans[span->prev].next = span->next;
    if (*head == span)
        *head = next;
}

/* slab_alloc without fault injection. */
void *slab_take(struct slab *slab);

#endif
