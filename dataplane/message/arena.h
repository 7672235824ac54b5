/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's memory: a single address range, reserved once at start and handed out in
 * power-of-two spans by a buddy allocator. Slabs and pools sit on top of it.
 *
 * Everything inside an arena has a 32-bit name, its `ref`: the offset from the arena's base in
 * units of 16 bytes, so one arena reaches 64 GiB and a link between objects costs four bytes.
 * Ref 0 names nothing (the first 64 KiB of an arena are never handed out, nor touched).
 *
 * Thread: the owner only. No system call after arena_init; untouched pages cost nothing.
 */
#ifndef LINEMQ_MESSAGE_ARENA_H
#define LINEMQ_MESSAGE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t ref_t; /* 16-byte units from the arena's base; 0 = none */

enum {
    ARENA_UNIT_SHIFT = 4,
    ARENA_SPAN_SHIFT = 16, /* smallest span: 64 KiB */
    ARENA_ORDERS = 16,     /* largest span: 64 KiB << 15 = 2 GiB */
};

struct arena;

/* Bytes that struct arena and its bookkeeping need for a range of `size` bytes. */
size_t arena_footprint(size_t size);

/*
 * Lays an arena over [base, base+size). `base` is aligned to 64 KiB, `size` is a multiple of it;
 * `state` points to arena_footprint(size) zeroed bytes. `limit` (bytes) is the most that may be
 * handed out, at most `size`; of a range above 64 GiB the rest is not used. Neither memory is owned
 * by the arena.
 */
struct arena *arena_init(void *state, void *base, size_t size, size_t limit);

/* A span of (64 KiB << order) bytes aligned to its size, or NULL when limit or range is used up. */
void *arena_span_alloc(struct arena *arena, unsigned order);
void arena_span_free(struct arena *arena, void *span, unsigned order);

size_t arena_used(const struct arena *arena);  /* bytes handed out; any thread may read */
size_t arena_limit(const struct arena *arena); /* bytes that may be */

void *arena_base(const struct arena *arena);

/*
 * Fault injection for tests: the n-th following slab or span allocation fails (1 = the next), once.
 * 0 switches it off. Costs one predictable branch.
 */
void arena_fail_after(struct arena *arena, uint64_t n);

static inline void *arena_at(void *base, ref_t ref) {
    return (uint8_t *)base + ((size_t)ref << ARENA_UNIT_SHIFT);
}

static inline ref_t arena_ref(const void *base, const void *object) {
    return (ref_t)((size_t)((const uint8_t *)object - (const uint8_t *)base) >> ARENA_UNIT_SHIFT);
}

#endif
