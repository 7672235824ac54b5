/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/tcp/flow.h"

static uint64_t mix(uint64_t x) {
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

static bool match_number(const void *argument, const void *key, uint32_t ref) {
    return *(const uint32_t *)key == ref;
}

static uint32_t find(const struct flow *flow, uint64_t hash, uint32_t ref) {
    return flow_find(flow, hash, match_number, NULL, &ref);
}

static void what_was_inserted_is_found_until_removed(void **state) {
    enum { N = 100000 };
    struct flow flow;
    assert_true(flow_init(&flow, N));
    for (uint32_t i = 1; i <= N; i++)
        assert_true(flow_insert(&flow, mix(i), i));
    assert_int_equal(flow.entries, N);
    for (uint32_t i = 1; i <= N; i++)
        assert_int_equal(find(&flow, mix(i), i), i);
    for (uint32_t i = 1; i <= N; i += 2)
        assert_true(flow_remove(&flow, mix(i), i));
    for (uint32_t i = 1; i <= N; i++)
        assert_int_equal(find(&flow, mix(i), i), i % 2 ? 0 : i);
    for (uint32_t i = 1; i <= N; i += 2)
        assert_true(flow_insert(&flow, mix(i), i));
    for (uint32_t i = 1; i <= N; i++)
        assert_true(flow_remove(&flow, mix(i), i));
    assert_int_equal(flow.entries, 0);
    for (uint64_t at = 0; at < flow_positions(&flow); at++)
        assert_int_equal(flow_at(&flow, at), 0);
    for (uint32_t i = 0; i < flow.count; i++)
        assert_int_equal(flow.buckets[i].reach, 0);
    flow_fini(&flow);
}

static void equal_hashes_are_told_apart_by_the_match(void **state) {
    struct flow flow;
    assert_true(flow_init(&flow, 1000));
    /* More than a bucket holds, of one and the same hash. */
    for (uint32_t i = 1; i <= 100; i++)
        assert_true(flow_insert(&flow, 42, i));
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(find(&flow, 42, i), i);
    assert_int_equal(find(&flow, 42, 101), 0);
    assert_false(flow_remove(&flow, 42, 101));
    assert_true(flow_replace(&flow, 42, 55, 1055));
    assert_int_equal(find(&flow, 42, 1055), 1055);
    assert_int_equal(find(&flow, 42, 55), 0);
    flow_fini(&flow);
}

static void an_insert_beyond_reach_fails_and_changes_nothing(void **state) {
    enum { NEAR = (FLOW_REACH_MAX + 1) * FLOW_BUCKET_ENTRIES };
    struct flow flow;
    assert_true(flow_init(&flow, 100000));
    for (uint32_t i = 1; i <= NEAR; i++)
        assert_true(flow_insert(&flow, 7, i));
    assert_false(flow_insert(&flow, 7, NEAR + 1));
    assert_int_equal(flow.entries, NEAR);
    assert_true(flow_remove(&flow, 7, 3));
    assert_true(flow_insert(&flow, 7, NEAR + 1));
    assert_int_equal(find(&flow, 7, NEAR + 1), NEAR + 1);
    flow_fini(&flow);
}

static void the_last_bucket_overflows_within_the_table(void **state) {
    struct flow flow;
    assert_true(flow_init(&flow, 1));
    for (uint32_t i = 1; i <= 50; i++)
        assert_true(flow_insert(&flow, UINT64_MAX, i));
    for (uint32_t i = 1; i <= 50; i++)
        assert_int_equal(find(&flow, UINT64_MAX, i), i);
    flow_fini(&flow);
}

static void a_hash_whose_tag_is_zero_is_an_entry_like_others(void **state) {
    struct flow flow;
    assert_true(flow_init(&flow, 10));
    assert_true(flow_insert(&flow, UINT64_C(0x1234567800000000), 9));
    assert_int_equal(find(&flow, UINT64_C(0x1234567800000000), 9), 9);
    assert_int_equal(flow_first(&flow, UINT64_C(0x1234567800000000)), 9);
    flow_fini(&flow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_inserted_is_found_until_removed),
        cmocka_unit_test(equal_hashes_are_told_apart_by_the_match),
        cmocka_unit_test(an_insert_beyond_reach_fails_and_changes_nothing),
        cmocka_unit_test(the_last_bucket_overflows_within_the_table),
        cmocka_unit_test(a_hash_whose_tag_is_zero_is_an_entry_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
