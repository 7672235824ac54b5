/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/message/memory.h"

static void a_span_is_aligned_to_its_size(void **state) {
    for (unsigned skew = 0; skew < 4; skew++) {
        struct memory memory;
        memory_open(&memory, 63, skew);
        for (unsigned order = 0; order < 5; order++) {
            void *span = arena_span_alloc(memory.arena, order);
            assert_non_null(span);
            assert_int_equal((uintptr_t)span & (((size_t)SPAN << order) - 1), 0);
        }
        memory_close(&memory);
    }
}

static void ref_zero_is_never_handed_out(void **state) {
    struct memory memory;
    memory_open(&memory, 7, 0);
    void *base = arena_base(memory.arena);
    unsigned spans = 0;
    for (void *span; (span = arena_span_alloc(memory.arena, 0)) != NULL; spans++) {
        ref_t ref = arena_ref(base, span);
        assert_int_not_equal(ref, 0);
        assert_ptr_equal(arena_at(base, ref), span);
    }
    assert_int_equal(spans, 7);
    memory_close(&memory);
}

static void spans_do_not_overlap(void **state) {
    struct memory memory;
    memory_open(&memory, 200, 3);
    uint8_t taken[204] = {0};
    uint8_t *base = arena_base(memory.arena);
    unsigned order = 0;
    for (;;) {
        uint8_t *span = arena_span_alloc(memory.arena, order % 4);
        if (!span)
            break;
        size_t page = (size_t)(span - base) / SPAN;
        for (unsigned i = 0; i < 1u << order % 4; i++) {
            assert_true(page + i >= 1 && page + i <= 200);
            assert_int_equal(taken[page + i]++, 0);
        }
        order++;
    }
    memory_close(&memory);
}

static void freed_halves_merge_into_the_span_they_came_from(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0); /* 1 + 2 + 4 + 8 pages */
    void *whole = arena_span_alloc(memory.arena, 3);
    assert_non_null(whole);
    assert_null(arena_span_alloc(memory.arena, 3));
    arena_span_free(memory.arena, whole, 3);

    void *pages[15];
    for (unsigned i = 0; i < 15; i++)
        assert_non_null(pages[i] = arena_span_alloc(memory.arena, 0));
    assert_null(arena_span_alloc(memory.arena, 0));
    assert_int_equal(arena_used(memory.arena), 15 * SPAN);
    /* In an order that meets buddies from both sides. */
    for (unsigned i = 0; i < 15; i++)
        arena_span_free(memory.arena, pages[i * 7 % 15], 0);
    assert_int_equal(arena_used(memory.arena), 0);
    assert_ptr_equal(arena_span_alloc(memory.arena, 3), whole);
    assert_non_null(arena_span_alloc(memory.arena, 2));
    assert_non_null(arena_span_alloc(memory.arena, 1));
    assert_non_null(arena_span_alloc(memory.arena, 0));
    memory_close(&memory);
}

static void a_span_in_use_keeps_its_buddy_apart(void **state) {
    struct memory memory;
    memory_open(&memory, 3, 0); /* 1 + 2 pages */
    void *pages[3];
    for (unsigned i = 0; i < 3; i++)
        pages[i] = arena_span_alloc(memory.arena, 0);
    arena_span_free(memory.arena, pages[0], 0);
    arena_span_free(memory.arena, pages[1], 0);
    assert_null(arena_span_alloc(memory.arena, 1));
    arena_span_free(memory.arena, pages[2], 0);
    assert_non_null(arena_span_alloc(memory.arena, 1));
    memory_close(&memory);
}

static void small_spans_are_taken_from_pieces_before_large_spans_are_split(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    void *first = arena_span_alloc(memory.arena, 0);
    void *second = arena_span_alloc(memory.arena, 0);
    void *third = arena_span_alloc(memory.arena, 0);
    assert_ptr_equal((uint8_t *)second + SPAN, third);
    assert_non_null(first);
    assert_non_null(arena_span_alloc(memory.arena, 3));
    assert_non_null(arena_span_alloc(memory.arena, 2));
    memory_close(&memory);
}

static void the_limit_bounds_what_is_handed_out(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    free(memory.state);
    memory.state = calloc(1, arena_footprint(16 * SPAN));
    memory.arena = arena_init(memory.state, memory.range, 16 * SPAN, 5 * SPAN + 100);
    assert_int_equal(arena_limit(memory.arena), 5 * SPAN + 100);
    void *four = arena_span_alloc(memory.arena, 2);
    assert_non_null(four);
    assert_null(arena_span_alloc(memory.arena, 1));
    assert_non_null(arena_span_alloc(memory.arena, 0));
    assert_null(arena_span_alloc(memory.arena, 0));
    arena_span_free(memory.arena, four, 2);
    assert_non_null(arena_span_alloc(memory.arena, 1));
    memory_close(&memory);
}

static void an_impossible_order_is_refused(void **state) {
    struct memory memory;
    memory_open(&memory, 7, 0);
    assert_null(arena_span_alloc(memory.arena, ARENA_ORDERS));
    assert_null(arena_span_alloc(memory.arena, ARENA_ORDERS - 1));
    memory_close(&memory);
}

static void the_nth_allocation_fails_once_when_asked_to(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    arena_fail_after(memory.arena, 3);
    assert_non_null(arena_span_alloc(memory.arena, 0));
    assert_non_null(arena_span_alloc(memory.arena, 0));
    assert_null(arena_span_alloc(memory.arena, 0));
    assert_non_null(arena_span_alloc(memory.arena, 0));
    arena_fail_after(memory.arena, 1);
    arena_fail_after(memory.arena, 0);
    assert_non_null(arena_span_alloc(memory.arena, 0));
    memory_close(&memory);
}

/* Against a plain model: whatever is taken and freed in whatever order, nothing overlaps, and all
 * of it comes together again. */
static void random_use_leaves_no_fragments(void **state) {
    struct memory memory;
    memory_open(&memory, 255, 0);
    struct {
        void *span;
        unsigned order;
    } held[64] = {0};
    uint8_t taken[256] = {0};
    uint32_t random = 1;
    size_t used = 0;
    for (unsigned step = 0; step < 100000; step++) {
        random = random * 1664525 + 1013904223;
        unsigned slot = random >> 26;
        if (held[slot].span) {
            size_t page = (size_t)((uint8_t *)held[slot].span - (uint8_t *)memory.range) / SPAN;
            memset(taken + page, 0, (size_t)1 << held[slot].order);
            used -= (size_t)SPAN << held[slot].order;
            arena_span_free(memory.arena, held[slot].span, held[slot].order);
            held[slot].span = NULL;
        } else {
            held[slot].order = random >> 8 & 3;
            held[slot].span = arena_span_alloc(memory.arena, held[slot].order);
            if (!held[slot].span)
                continue;
            size_t page = (size_t)((uint8_t *)held[slot].span - (uint8_t *)memory.range) / SPAN;
            for (unsigned i = 0; i < 1u << held[slot].order; i++)
                assert_int_equal(taken[page + i]++, 0);
            used += (size_t)SPAN << held[slot].order;
        }
        assert_int_equal(arena_used(memory.arena), used);
    }
    for (unsigned slot = 0; slot < 64; slot++)
        if (held[slot].span)
            arena_span_free(memory.arena, held[slot].span, held[slot].order);
    for (unsigned order = 0; order < 8; order++)
        assert_non_null(arena_span_alloc(memory.arena, 7 - order));
    memory_close(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_aligned_to_its_size),
        cmocka_unit_test(ref_zero_is_never_handed_out),
        cmocka_unit_test(spans_do_not_overlap),
        cmocka_unit_test(freed_halves_merge_into_the_span_they_came_from),
        cmocka_unit_test(a_span_in_use_keeps_its_buddy_apart),
        cmocka_unit_test(small_spans_are_taken_from_pieces_before_large_spans_are_split),
        cmocka_unit_test(the_limit_bounds_what_is_handed_out),
        cmocka_unit_test(an_impossible_order_is_refused),
        cmocka_unit_test(the_nth_allocation_fails_once_when_asked_to),
        cmocka_unit_test(random_use_leaves_no_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
