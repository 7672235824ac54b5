/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/message/memory.h"

static void objects_of_256_bytes_fill_their_span(void **state) {
    struct memory memory;
    memory_open(&memory, 31, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "connection", 256, SLAB_KEEP);
    for (unsigned i = 0; i < SPAN / 256; i++) {
        void *object = slab_alloc(&slab);
        assert_non_null(object);
        assert_int_equal((uintptr_t)object & 63, 0);
        memset(object, 0xa5, 256);
    }
    assert_int_equal(slab.spans, 1);
    assert_int_equal(arena_used(memory.arena), SPAN);
    assert_non_null(slab_alloc(&slab));
    assert_int_equal(slab.spans, 2);
    memory_close(&memory);
}

static void no_object_size_wastes_more_than_a_sixteenth(void **state) {
    struct memory memory;
    memory_open(&memory, 1, 0);
    for (size_t size = 1; size <= 32768; size++) {
        struct slab slab;
        slab_init(&slab, memory.arena, "any", size, 0);
        size_t span = (size_t)SPAN << slab.span_order;
        assert_true(slab.object_size >= size && slab.object_size < size + 16);
        assert_true(slab.per_span >= 1);
        assert_true(span - (size_t)slab.per_span * slab.object_size <= span / 16);
        if (size <= 1024)
            assert_true(span - (size_t)slab.per_span * slab.object_size <= span / 50);
    }
    memory_close(&memory);
}

static void objects_do_not_overlap_and_are_used_again(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "small", 40, 0);
    assert_int_equal(slab.object_size, 48);
    static uint64_t *objects[5000];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            objects[i] = slab_alloc(&slab);
            assert_non_null(objects[i]);
            for (unsigned j = 0; j < 5; j++)
                objects[i][j] = i;
        }
        assert_int_equal(slab.used, 5000);
        for (unsigned i = 0; i < 5000; i++)
            for (unsigned j = 0; j < 5; j++)
                assert_int_equal(objects[i][j], i);
        for (unsigned i = 0; i < 5000; i++)
            slab_free(&slab, objects[i * 7 % 5000]);
        assert_int_equal(slab.used, 0);
    }
    assert_int_equal(slab.spans, 1);
    memory_close(&memory);
}

static void empty_spans_go_back_but_for_one(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "objects", 16384, 0);
    void *objects[12];
    for (unsigned i = 0; i < 12; i++)
        objects[i] = slab_alloc(&slab);
    assert_int_equal(slab.spans, 3);
    for (unsigned i = 0; i < 12; i++)
        slab_free(&slab, objects[i]);
    assert_int_equal(slab.spans, 1);
    assert_int_equal(arena_used(memory.arena), SPAN);
    assert_true(slab_trim(&slab));
    assert_false(slab_trim(&slab));
    assert_int_equal(slab.spans, 0);
    assert_int_equal(arena_used(memory.arena), 0);
    assert_non_null(slab_alloc(&slab));
    assert_false(slab_trim(&slab));
    memory_close(&memory);
}

static void a_use_that_swings_around_a_whole_span_does_not_call_the_arena(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "objects", 16384, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(slab_alloc(&slab));
    void *first = slab_alloc(&slab);
    for (unsigned i = 0; i < 10; i++) {
        slab_free(&slab, first);
        assert_int_equal(slab.spans, 2);
        assert_ptr_equal(slab_alloc(&slab), first);
    }
    memory_close(&memory);
}

static void allocation_prefers_the_fuller_span(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "objects", 16384, 0);
    void *objects[8];
    for (unsigned i = 0; i < 8; i++)
        objects[i] = slab_alloc(&slab);
    slab_free(&slab, objects[0]);
    slab_free(&slab, objects[1]);
    slab_free(&slab, objects[2]);
    slab_free(&slab, objects[7]);
    assert_ptr_equal(slab_alloc(&slab), objects[7]);
    slab_free(&slab, objects[3]);
    memory_close(&memory);
}

static void a_kept_slab_never_gives_memory_back(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "connections", 16384, SLAB_KEEP);
    void *objects[12];
    for (unsigned i = 0; i < 12; i++) {
        objects[i] = slab_alloc(&slab);
        memset(objects[i], (int)i, 16384);
    }
    for (unsigned i = 0; i < 12; i++)
        slab_free(&slab, objects[i]);
    assert_int_equal(slab.spans, 3);
    assert_false(slab_trim(&slab));
    /* What a freed object held can still be read, but for the link in its first four bytes. */
    for (unsigned i = 0; i < 12; i++)
        for (unsigned j = 4; j < 16384; j++)
            assert_int_equal(((uint8_t *)objects[i])[j], i);
    memory_close(&memory);
}

static void a_slab_knows_its_own_objects(void **state) {
    struct memory memory;
    memory_open(&memory, 15, 1);
    struct slab kept, other;
    slab_init(&kept, memory.arena, "kept", 192, SLAB_KEEP);
    slab_init(&other, memory.arena, "other", 192, 0);
    uint8_t *mine = slab_alloc(&kept);
    uint8_t *foreign = slab_alloc(&other);
    assert_true(slab_holds(&kept, mine));
    assert_false(slab_holds(&kept, mine + 16));
    assert_false(slab_holds(&kept, mine + 192)); /* never handed out */
    assert_false(slab_holds(&kept, foreign));
    slab_free(&kept, mine);
    assert_true(slab_holds(&kept, mine));

    uint8_t *base = arena_base(memory.arena);
    assert_false(slab_holds(&kept, base));
    assert_false(slab_holds(&kept, NULL));
    assert_false(slab_holds(&kept, base - 192));
    assert_false(slab_holds(&kept, base + 16 * SPAN));
    assert_false(slab_holds(&kept, arena_at(base, UINT32_MAX)));

    slab_free(&other, foreign);
    slab_trim(&other);
    assert_false(slab_holds(&other, foreign));
    memory_close(&memory);
}

static void a_pointer_into_a_large_span_is_judged_by_its_first_page(void **state) {
    struct memory memory;
    memory_open(&memory, 31, 1);
    struct slab slab;
    slab_init(&slab, memory.arena, "large", 28672, SLAB_KEEP);
    assert_int_equal(slab.span_order, 2);
    uint8_t *objects[18];
    for (unsigned i = 0; i < 18; i++) {
        objects[i] = slab_alloc(&slab);
        assert_true(slab_holds(&slab, objects[i]));
        assert_false(slab_holds(&slab, objects[i] + 4096));
    }
    assert_int_equal(slab.spans, 2);
    memory_close(&memory);
}

static void exhaustion_is_counted_and_passes(void **state) {
    struct memory memory;
    memory_open(&memory, 1, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "objects", 16384, 0);
    void *objects[4];
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(objects[i] = slab_alloc(&slab));
    assert_null(slab_alloc(&slab));
    assert_null(slab_alloc(&slab));
    assert_int_equal(slab.failed, 2);
    assert_int_equal(slab.used, 4);
    slab_free(&slab, objects[2]);
    assert_ptr_equal(slab_alloc(&slab), objects[2]);
    memory_close(&memory);
}

static void an_injected_failure_meets_objects_in_hand_too(void **state) {
    struct memory memory;
    memory_open(&memory, 3, 0);
    struct slab slab;
    slab_init(&slab, memory.arena, "objects", 64, 0);
    arena_fail_after(memory.arena, 2);
    assert_non_null(slab_alloc(&slab)); /* needs a span as well: counts once */
    assert_null(slab_alloc(&slab));
    assert_non_null(slab_alloc(&slab));
    assert_int_equal(slab.failed, 1);
    memory_close(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_of_256_bytes_fill_their_span),
        cmocka_unit_test(no_object_size_wastes_more_than_a_sixteenth),
        cmocka_unit_test(objects_do_not_overlap_and_are_used_again),
        cmocka_unit_test(empty_spans_go_back_but_for_one),
        cmocka_unit_test(a_use_that_swings_around_a_whole_span_does_not_call_the_arena),
        cmocka_unit_test(allocation_prefers_the_fuller_span),
        cmocka_unit_test(a_kept_slab_never_gives_memory_back),
        cmocka_unit_test(a_slab_knows_its_own_objects),
        cmocka_unit_test(a_pointer_into_a_large_span_is_judged_by_its_first_page),
        cmocka_unit_test(exhaustion_is_counted_and_passes),
        cmocka_unit_test(an_injected_failure_meets_objects_in_hand_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
