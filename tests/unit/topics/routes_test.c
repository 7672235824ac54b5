/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <pthread.h>

#include "dataplane/mail/mail.h"
#include "dataplane/topics/routes.h"

enum { THREADS = 4 };

static int open_routes(void **state) {
    *state = routes_create(THREADS);
    return *state ? 0 : -1;
}

static int close_routes(void **state) {
    routes_destroy(*state);
    return 0;
}

/* Keys as hashes are: spread over all bits. */
static uint64_t key(uint64_t n) {
    uint64_t z = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 27);
}

static uint32_t exact(const struct routes *routes, uint64_t k) {
    return routes_lookup(routes, k, key(1u << 30), false);
}

static void the_three_kinds_are_joined(void **state) {
    struct routes *routes = *state;
    assert_int_equal(routes_lookup(routes, key(1), key(2), false), 0);
    assert_true(routes_change(routes, ROUTE_EXACT, key(1), 0, true));
    assert_true(routes_change(routes, ROUTE_PREFIX, key(2), 1, true));
    assert_true(routes_change(routes, ROUTE_ANY, 0, 2, true));
    assert_true(routes_change(routes, ROUTE_NONE, 0, 3, true));
    assert_int_equal(routes_lookup(routes, key(1), key(2), false), 7);
    assert_int_equal(routes_lookup(routes, key(1), key(3), false), 5);
    assert_int_equal(routes_lookup(routes, key(3), key(2), false), 6);
    assert_int_equal(routes_lookup(routes, key(2), key(1), false), 4);
    assert_int_equal(routes_count(routes), 2);
}

static void dollar_topics_are_not_for_leading_wildcards(void **state) {
    struct routes *routes = *state;
    routes_change(routes, ROUTE_ANY, 0, 2, true);
    routes_change(routes, ROUTE_PREFIX, key(2), 1, true);
    assert_int_equal(routes_lookup(routes, key(1), key(2), true), 2);
    routes_change(routes, ROUTE_ANY, 0, 2, false);
    assert_int_equal(routes_lookup(routes, key(1), key(2), false), 2);
}

static void clearing_takes_one_threads_bit_only(void **state) {
    struct routes *routes = *state;
    routes_change(routes, ROUTE_EXACT, key(9), 0, true);
    routes_change(routes, ROUTE_EXACT, key(9), 3, true);
    routes_change(routes, ROUTE_EXACT, key(9), 0, false);
    assert_int_equal(exact(routes, key(9)), 8);
    routes_change(routes, ROUTE_EXACT, key(9), 0, false);
    routes_change(routes, ROUTE_EXACT, key(10), 0, false);
    assert_int_equal(exact(routes, key(9)), 8);
    assert_int_equal(routes_count(routes), 1);
    routes_change(routes, ROUTE_EXACT, key(9), 3, false);
    assert_int_equal(exact(routes, key(9)), 0);
    assert_int_equal(routes_count(routes), 0);
    routes_change(routes, ROUTE_EXACT, key(9), 1, true);
    assert_int_equal(exact(routes, key(9)), 2);
}

static void all_keys_are_found_after_growth(void **state) {
    struct routes *routes = *state;
    enum { KEYS = 200000 };
    for (uint64_t i = 0; i < KEYS; i++)
        assert_true(routes_change(routes, ROUTE_EXACT, key(i), i % THREADS, true));
    for (uint64_t i = 0; i < KEYS; i++)
        assert_int_equal(exact(routes, key(i)), 1u << i % THREADS);
    for (uint64_t i = KEYS; i < KEYS + 1000; i++)
        assert_int_equal(exact(routes, key(i)), 0);
    routes_reclaim(routes);
    assert_int_equal(routes_count(routes), KEYS);
    assert_in_range(routes_bytes(routes) / KEYS, 10, 13);
}

static void a_route_costs_about_the_same_at_any_size(void **state) {
    struct routes *routes = *state;
    size_t before = 0, largest = 0;
    for (uint64_t i = 0; i < 400000; i++) {
        assert_true(routes_change(routes, ROUTE_EXACT, key(i), 0, true));
        routes_reclaim(routes);
        size_t bytes = routes_bytes(routes);
        if (i >= 50000 && bytes > before) {
            assert_in_range(bytes, i * 10, i * 14 + sizeof(void *) * 2 * 1024);
            largest = bytes - before > largest ? bytes - before : largest;
        }
        before = bytes;
    }
    /* One part of a thousand grows at a time, and by a quarter at most. */
    assert_in_range(largest, 1, before / 1024 / 4 * 2);
}

/* 42 bits of a hash are its name. */
static void keys_with_one_name_have_one_route(void **state) {
    struct routes *routes = *state;
    uint64_t one = key(1), twin = one ^ 1, other = one ^ UINT64_C(1) << 22;
    routes_change(routes, ROUTE_EXACT, one, 0, true);
    routes_change(routes, ROUTE_EXACT, twin, 1, true);
    assert_int_equal(exact(routes, one), 3);
    assert_int_equal(exact(routes, twin), 3);
    assert_int_equal(exact(routes, other), 0);
    assert_int_equal(routes_count(routes), 1);
}

static void a_key_with_a_name_of_zeros_is_kept_like_others(void **state) {
    struct routes *routes = *state;
    uint64_t zeros = UINT64_C(5) << 54; /* its part is the sixth */
    for (uint64_t i = 0; i < 20; i++)
        routes_change(routes, ROUTE_EXACT, zeros + (i << 22), 0, true);
    routes_change(routes, ROUTE_EXACT, zeros, 0, false);
    for (uint64_t i = 2; i < 20; i++)
        assert_int_equal(exact(routes, zeros + (i << 22)), 1);
    assert_int_equal(exact(routes, zeros), 0);
    assert_int_equal(routes_name(zeros), routes_name(zeros + (1 << 22)));
}

static void cleared_keys_make_way_for_others(void **state) {
    struct routes *routes = *state;
    size_t most = 0;
    for (uint64_t round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < 10000; i++)
            routes_change(routes, ROUTE_EXACT, key(round * 10000 + i), 1, true);
        for (uint64_t i = 0; i < 10000; i++)
            routes_change(routes, ROUTE_EXACT, key(round * 10000 + i), 1, false);
        routes_reclaim(routes);
        if (round == 2)
            most = routes_bytes(routes);
    }
    assert_int_equal(routes_count(routes), 0);
    assert_in_range(routes_bytes(routes), 0, 2 * most);
}

static void a_growth_without_memory_changes_nothing(void **state) {
    struct routes *routes = *state;
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t before = routes_count(routes);
        routes_fail_after(routes, 1);
        if (!routes_change(routes, ROUTE_EXACT, key(i), 0, true)) {
            assert_int_equal(routes_count(routes), before);
            assert_int_equal(exact(routes, key(i)), 0);
            assert_true(routes_change(routes, ROUTE_EXACT, key(i), 0, true));
        }
        routes_fail_after(routes, 0);
    }
    for (uint64_t i = 0; i < 5000; i++)
        assert_int_equal(exact(routes, key(i)), 1);
}

static void the_epoch_advances_with_each_call(void **state) {
    struct routes *routes = *state;
    uint64_t token, epoch = routes_epoch(routes);
    assert_true(epoch > 0);
    assert_true(routes_advance(routes, &token) == epoch + 1);
    assert_true(routes_epoch(routes) == epoch + 1);
}

static void a_token_is_passed_when_every_online_thread_was_quiescent(void **state) {
    struct routes *routes = *state;
    uint64_t token, later;
    routes_online(routes, 0);
    routes_online(routes, 1);
    routes_advance(routes, &token);
    assert_false(routes_passed(routes, token));
    routes_quiescent(routes, 0);
    assert_false(routes_passed(routes, token));
    routes_quiescent(routes, 1);
    assert_true(routes_passed(routes, token));
    routes_advance(routes, &later);
    assert_true(routes_passed(routes, token));
    assert_false(routes_passed(routes, later));
    routes_offline(routes, 0);
    routes_offline(routes, 1);
    assert_true(routes_passed(routes, later));
}

static void a_thread_that_never_came_online_is_not_waited_for(void **state) {
    struct routes *routes = *state;
    uint64_t token;
    routes_advance(routes, &token);
    assert_true(routes_passed(routes, token));
    /* Nor does a report bring it online. */
    routes_quiescent(routes, 2);
    routes_offline(routes, 2);
    routes_quiescent(routes, 2);
    routes_advance(routes, &token);
    assert_true(routes_passed(routes, token));
}

static void a_table_is_not_freed_while_a_reader_may_look_at_it(void **state) {
    struct routes *routes = *state;
    routes_online(routes, 0);
    for (uint64_t i = 0; i < 50000; i++)
        routes_change(routes, ROUTE_EXACT, key(i), 1, true);
    size_t before = routes_bytes(routes);
    routes_reclaim(routes);
    assert_int_equal(routes_bytes(routes), before);
    routes_quiescent(routes, 0);
    routes_reclaim(routes);
    assert_true(routes_bytes(routes) < before);
}

/* What has been set stays found while the table grows under its readers. */
struct race {
    struct routes *routes;
    uint64_t set; /* keys below are set for good */
    bool done;
};

static void *read_routes(void *argument) {
    struct race *race = argument;
    uintptr_t missed = 0;
    unsigned thread = 1;
    routes_online(race->routes, thread);
    for (uint64_t i = 0; !__atomic_load_n(&race->done, __ATOMIC_ACQUIRE); i++) {
        uint64_t set = __atomic_load_n(&race->set, __ATOMIC_ACQUIRE);
        for (unsigned n = 0; n < 64 && set != 0; n++)
            missed += exact(race->routes, key((i * 64 + n) % set)) != 1;
        routes_quiescent(race->routes, thread);
    }
    routes_offline(race->routes, thread);
    return (void *)missed;
}

static void readers_find_every_key_while_the_table_grows(void **state) {
    struct race race = {.routes = *state};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_routes, &race), 0);
    for (uint64_t i = 0; i < 300000; i++) {
        routes_change(race.routes, ROUTE_EXACT, key(i), 0, true);
        __atomic_store_n(&race.set, i + 1, __ATOMIC_RELEASE);
        if (i % 64 == 0)
            routes_reclaim(race.routes);
    }
    __atomic_store_n(&race.done, true, __ATOMIC_RELEASE);
    void *missed;
    pthread_join(reader, &missed);
    assert_null(missed);
}

int main(void) {
#define routes_test(name) cmocka_unit_test_setup_teardown(name, open_routes, close_routes)
    const struct CMUnitTest tests[] = {
        routes_test(the_three_kinds_are_joined),
        routes_test(dollar_topics_are_not_for_leading_wildcards),
        routes_test(clearing_takes_one_threads_bit_only),
        routes_test(all_keys_are_found_after_growth),
        routes_test(a_route_costs_about_the_same_at_any_size),
        routes_test(keys_with_one_name_have_one_route),
        routes_test(a_key_with_a_name_of_zeros_is_kept_like_others),
        routes_test(cleared_keys_make_way_for_others),
        routes_test(a_growth_without_memory_changes_nothing),
        routes_test(the_epoch_advances_with_each_call),
        routes_test(a_token_is_passed_when_every_online_thread_was_quiescent),
        routes_test(a_thread_that_never_came_online_is_not_waited_for),
        routes_test(a_table_is_not_freed_while_a_reader_may_look_at_it),
        routes_test(readers_find_every_key_while_the_table_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
