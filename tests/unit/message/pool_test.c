/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/message/memory.h"

static void every_size_gets_the_smallest_class_that_holds_it(void **state) {
    struct memory memory;
    memory_open(&memory, 63, 0);
    static struct pool pool;
    pool_init(&pool, memory.arena);
    assert_int_equal(pool.classes[0].object_size, 16);
    assert_int_equal(pool.classes[POOL_CLASSES - 1].object_size, POOL_SLAB_MAX);
    unsigned class = 0;
    for (size_t size = 1; size <= POOL_SLAB_MAX; size++) {
        if (size > pool.classes[class].object_size)
            class ++;
        void *object = pool_alloc(&pool, size);
        assert_non_null(object);
        assert_int_equal((uintptr_t)object & 15, 0);
        assert_int_equal(pool.classes[class].used, 1);
        pool_free(&pool, object, size);
        assert_int_equal(pool.classes[class].used, 0);
        /* Four classes to a power of two: less than a fifth is lost, and never more than 15 bytes
         * up to 128. */
        size_t lost = pool.classes[class].object_size - size;
        assert_true(lost < 16 || lost * 5 < pool.classes[class].object_size);
    }
    assert_int_equal(class, POOL_CLASSES - 1);
    memory_close(&memory);
}

static void classes_are_named_by_their_size(void **state) {
    struct memory memory;
    memory_open(&memory, 1, 0);
    static struct pool pool;
    pool_init(&pool, memory.arena);
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        char name[24];
        snprintf(name, sizeof name, "pool-%u", pool.classes[i].object_size);
        assert_string_equal(pool.classes[i].name, name);
    }
    memory_close(&memory);
}

static void large_sizes_get_whole_spans(void **state) {
    struct memory memory;
    memory_open(&memory, 31, 0);
    static struct pool pool;
    pool_init(&pool, memory.arena);
    static const struct {
        size_t size, used;
    } cases[] = {
        {POOL_SLAB_MAX + 1, SPAN}, {SPAN, SPAN},         {SPAN + 1, 2 * SPAN},
        {2 * SPAN, 2 * SPAN},      {3 * SPAN, 4 * SPAN}, {8 * SPAN + 1, 16 * SPAN},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *memory_of_case = pool_alloc(&pool, cases[i].size);
        assert_non_null(memory_of_case);
        memset(memory_of_case, 0x5a, cases[i].size);
        assert_int_equal(arena_used(memory.arena), cases[i].used);
        pool_free(&pool, memory_of_case, cases[i].size);
        assert_int_equal(arena_used(memory.arena), 0);
    }
    assert_null(pool_alloc(&pool, 64 * (size_t)SPAN));
    assert_null(pool_alloc(&pool, (size_t)1 << 40));
    memory_close(&memory);
}

static void spans_in_hand_are_given_up_when_memory_is_short(void **state) {
    struct memory memory;
    memory_open(&memory, 1, 0);
    static struct pool pool;
    pool_init(&pool, memory.arena);
    void *object = pool_alloc(&pool, 100);
    pool_free(&pool, object, 100);
    assert_int_equal(arena_used(memory.arena), SPAN);
    object = pool_alloc(&pool, 1000);
    assert_non_null(object);
    pool_free(&pool, object, 1000);
    object = pool_alloc(&pool, SPAN);
    assert_non_null(object);
    assert_null(pool_alloc(&pool, 1000));
    assert_null(pool_alloc(&pool, SPAN));
    pool_free(&pool, object, SPAN);
    assert_int_equal(arena_used(memory.arena), 0);
    assert_false(pool_trim(&pool));
    memory_close(&memory);
}

static void an_injected_failure_is_not_made_good(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    static struct pool pool;
    pool_init(&pool, memory.arena);
    void *object = pool_alloc(&pool, 100);
    pool_free(&pool, object, 100);
    arena_fail_after(memory.arena, 1);
    assert_null(pool_alloc(&pool, 200));
    assert_non_null(pool_alloc(&pool, 200));
    arena_fail_after(memory.arena, 1);
    assert_null(pool_alloc(&pool, SPAN));
    assert_non_null(pool_alloc(&pool, SPAN));
    memory_close(&memory);
}

static void mixed_sizes_keep_their_contents(void **state) {
    struct memory memory;
    memory_open(&memory, 255, 0);
    static struct pool pool;
    pool_init(&pool, memory.arena);
    static struct {
        uint8_t *memory;
        size_t size;
        uint8_t mark;
    } held[256];
    memset(held, 0, sizeof held);
    uint32_t random = 7;
    for (unsigned step = 0; step < 50000; step++) {
        random = random * 1664525 + 1013904223;
        unsigned slot = random >> 24;
        if (held[slot].memory) {
            assert_int_equal(held[slot].memory[0], held[slot].mark);
            assert_int_equal(held[slot].memory[held[slot].size - 1], held[slot].mark);
            assert_int_equal(held[slot].memory[held[slot].size / 2], held[slot].mark);
            pool_free(&pool, held[slot].memory, held[slot].size);
            held[slot].memory = NULL;
        } else {
            held[slot].size = 1 + (random & ((1u << (random >> 12 & 15)) - 1));
            held[slot].mark = (uint8_t)step;
            held[slot].memory = pool_alloc(&pool, held[slot].size);
            assert_non_null(held[slot].memory);
            memset(held[slot].memory, held[slot].mark, held[slot].size);
        }
    }
    for (unsigned slot = 0; slot < 256; slot++)
        if (held[slot].memory)
            pool_free(&pool, held[slot].memory, held[slot].size);
    pool_trim(&pool);
    assert_int_equal(arena_used(memory.arena), 0);
    memory_close(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_gets_the_smallest_class_that_holds_it),
        cmocka_unit_test(classes_are_named_by_their_size),
        cmocka_unit_test(large_sizes_get_whole_spans),
        cmocka_unit_test(spans_in_hand_are_given_up_when_memory_is_short),
        cmocka_unit_test(an_injected_failure_is_not_made_good),
        cmocka_unit_test(mixed_sizes_keep_their_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
