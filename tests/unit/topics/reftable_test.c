/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdlib.h>

#include "dataplane/topics/reftable.h"
#include "memory.h"

static struct memory memory;
static struct reftable table;

static int open_table(void **state) {
    memory_open(&memory, 64 << 20);
    reftable_init(&table, &memory.topics);
    return 0;
}

static int close_table(void **state) {
    arena_fail_after(memory.arena, 0);
    reftable_free(&table);
    assert_int_equal(memory_objects(&memory), 0);
    assert_int_equal(memory.topics.bytes, 0);
    memory_close(&memory);
    return 0;
}

static uint32_t tag_of(uint32_t n) {
    return (uint32_t)((n * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static bool has(uint32_t tag, ref_t ref) {
    struct reftable_probe probe;
    for (ref_t found = reftable_first(&table, tag, &probe); found != 0;
         found = reftable_next(&probe))
        if (found == ref)
            return true;
    return false;
}

static void an_empty_table_holds_no_memory(void **state) {
    assert_false(has(1, 1));
    assert_false(reftable_remove(&table, 1, 1));
    assert_int_equal(memory.topics.bytes, 0);
}

static void refs_with_one_tag_are_all_found(void **state) {
    for (ref_t ref = 1; ref <= 40; ref++)
        assert_true(reftable_insert(&table, 7, ref));
    for (ref_t ref = 1; ref <= 40; ref++)
        assert_true(has(7, ref));
    assert_false(has(7, 41));
    assert_true(reftable_remove(&table, 7, 20));
    assert_false(reftable_remove(&table, 7, 20));
    assert_false(has(7, 20));
    assert_true(has(7, 21));
    assert_int_equal(table.count, 39);
}

static void all_are_found_while_it_grows_and_shrinks(void **state) {
    enum { N = 300000 };
    for (uint32_t i = 1; i <= N; i++)
        assert_true(reftable_insert(&table, tag_of(i), i));
    for (uint32_t i = 1; i <= N; i++)
        assert_true(has(tag_of(i), i));
    for (uint32_t i = N + 1; i <= N + 1000; i++)
        assert_false(has(tag_of(i), i));
    for (uint32_t i = 1; i <= N; i += 2)
        assert_true(reftable_remove(&table, tag_of(i), i));
    for (uint32_t i = 1; i <= N; i++)
        assert_int_equal(has(tag_of(i), i), i % 2 == 0);
    uint64_t half = memory.topics.bytes;
    for (uint32_t i = 2; i <= N; i += 2)
        assert_true(reftable_remove(&table, tag_of(i), i));
    assert_int_equal(table.count, 0);
    /* Only the directory is left. */
    assert_in_range(memory.topics.bytes, 0, half / 100);
}

static void memory_for_an_entry_stays_near_twelve_bytes(void **state) {
    enum { N = 500000 };
    for (uint32_t i = 1; i <= N; i++) {
        assert_true(reftable_insert(&table, tag_of(i), i));
        if (i > 50000 && i % 1000 == 0)
            assert_in_range(memory.topics.bytes / i, 8, 13);
    }
}

static void one_insertion_allocates_a_few_segments_at_most(void **state) {
    uint64_t largest = 0;
    for (uint32_t i = 1; i <= 200000; i++) {
        uint64_t before = memory.topics.bytes;
        assert_true(reftable_insert(&table, tag_of(i), i));
        if (memory.topics.bytes - before < UINT64_C(1) << 63 &&
            memory.topics.bytes - before > largest)
            largest = memory.topics.bytes - before;
    }
    assert_in_range(largest, 1, 2 * POOL_SLAB_MAX);
}

static void walking_meets_each_ref_once(void **state) {
    enum { N = 20000 };
    static uint8_t met[N + 1];
    memset(met, 0, sizeof met);
    for (uint32_t i = 1; i <= N; i++)
        assert_true(reftable_insert(&table, tag_of(i), i));
    uint64_t position = 0;
    unsigned count = 0;
    for (ref_t ref; (ref = reftable_walk(&table, &position)) != 0; count++)
        met[ref]++;
    assert_int_equal(count, N);
    for (uint32_t i = 1; i <= N; i++)
        assert_int_equal(met[i], 1);
}

static void equal_tags_without_end_are_refused_not_looped_over(void **state) {
    uint32_t i = 1;
    while (i < 20000 && reftable_insert(&table, 5, i))
        i++;
    assert_in_range(i, 3000, 4096);
    for (uint32_t j = 1; j < i; j++)
        assert_true(has(5, j));
    assert_false(has(5, i));
    for (uint32_t j = 1; j < i; j++)
        assert_true(reftable_remove(&table, 5, j));
}

static void without_memory_nothing_is_lost(void **state) {
    uint64_t seed = 3;
    uint32_t count = 0;
    for (uint32_t i = 1; i <= 30000; i++) {
        arena_fail_after(memory.arena, 1 + random_below(&seed, 3));
        bool inserted = reftable_insert(&table, tag_of(i), i);
        arena_fail_after(memory.arena, 0);
        if (!inserted) {
            assert_false(has(tag_of(i), i));
            assert_true(reftable_insert(&table, tag_of(i), i));
        }
        assert_int_equal(table.count, ++count);
    }
    for (uint32_t i = 1; i <= 30000; i++)
        assert_true(has(tag_of(i), i));
    for (uint32_t i = 1; i <= 30000; i++) {
        arena_fail_after(memory.arena, 1);
        assert_true(reftable_remove(&table, tag_of(i), i));
    }
}

/* Against a plain list. */
static void random_changes_agree_with_a_plain_list(void **state) {
    enum { N = 512 };
    static uint32_t counts[N];
    memset(counts, 0, sizeof counts);
    uint64_t seed = 11;
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t ref = 1 + random_below(&seed, N - 1), tag = tag_of(ref % 64);
        if (random_below(&seed, 2) == 0) {
            if (counts[ref] == 0) {
                assert_true(reftable_insert(&table, tag, ref));
                counts[ref] = 1;
            }
        } else {
            assert_int_equal(reftable_remove(&table, tag, ref), counts[ref]);
            counts[ref] = 0;
        }
        ref = 1 + random_below(&seed, N - 1);
        assert_int_equal(has(tag_of(ref % 64), ref), counts[ref]);
    }
}

int main(void) {
#define table_test(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)
    const struct CMUnitTest tests[] = {
        table_test(an_empty_table_holds_no_memory),
        table_test(refs_with_one_tag_are_all_found),
        table_test(all_are_found_while_it_grows_and_shrinks),
        table_test(memory_for_an_entry_stays_near_twelve_bytes),
        table_test(one_insertion_allocates_a_few_segments_at_most),
        table_test(walking_meets_each_ref_once),
        table_test(equal_tags_without_end_are_refused_not_looped_over),
        table_test(without_memory_nothing_is_lost),
        table_test(random_changes_agree_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
