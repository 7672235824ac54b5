/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/worker/standstill.h"

#define SECOND UINT64_C(1000000)
#define START  (1000 * SECOND)

enum { WORKERS = 3 };

static struct standstill all;
static struct running own[WORKERS];
static uint64_t now[WORKERS];

static int open_workers(void **state) {
    all = (struct standstill){0};
    for (unsigned i = 0; i < WORKERS; i++) {
        own[i] = (struct running){0};
        now[i] = standstill_begin(&all, &own[i], START);
    }
    return 0;
}

/* One's turn; time never runs backwards. */
static uint64_t turn(unsigned worker, uint64_t clock) {
    uint64_t before = now[worker];
    now[worker] = standstill_now(&all, &own[worker], clock);
    assert_true(now[worker] >= before);
    return now[worker];
}

static void time_goes_on_while_workers_have_turns(void **state) {
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(now[i], START);
    for (uint64_t clock = START; clock < START + 60 * SECOND; clock += SECOND + SECOND / 2)
        for (unsigned i = 0; i < WORKERS; i++)
            assert_int_equal(turn(i, clock + i), clock + i);
    assert_int_equal(standstill_times(&all), 0);
}

static void what_set_up_takes_is_no_gap(void **state) {
    assert_int_equal(standstill_begin(&all, &own[0], START + 60 * SECOND), START + 60 * SECOND);
    assert_int_equal(standstill_times(&all), 0);
}

static void a_gap_of_all_is_taken_out_once_whoever_comes_back_first(void **state) {
    static const unsigned orders[][WORKERS] = {{0, 1, 2}, {2, 0, 1}, {1, 2, 0}};
    for (unsigned order = 0; order < 3; order++) {
        open_workers(state);
        for (unsigned i = 0; i < WORKERS; i++)
            turn(i, START + i);
        uint64_t clock = START + 3600 * SECOND;
        for (unsigned i = 0; i < WORKERS; i++) {
            uint64_t found = turn(orders[order][i], clock + i);
            assert_in_range(found, START, START + STANDSTILL_LEFT_US + WORKERS);
        }
        for (uint64_t passed = 0; passed < 10 * SECOND; passed += SECOND)
            for (unsigned i = 0; i < WORKERS; i++)
                turn(i, clock + passed);
        assert_in_range(now[0], START + 9 * SECOND, START + 10 * SECOND);
        assert_int_equal(now[0], now[1]);
        assert_int_equal(now[0], now[2]);
        assert_int_equal(standstill_times(&all), 1);
        assert_in_range(standstill_total(&all), 3598 * SECOND, 3600 * SECOND);
    }
}

static void a_gap_of_one_worker_among_others_stays(void **state) {
    for (uint64_t passed = 0; passed <= 60 * SECOND; passed += SECOND)
        turn(1, START + passed);
    assert_int_equal(turn(0, START + 60 * SECOND), START + 60 * SECOND);
    assert_int_equal(standstill_times(&all), 0);
}

static void short_gaps_stay(void **state) {
    turn(0, START + STANDSTILL_MIN_US - 1);
    assert_int_equal(now[0], START + STANDSTILL_MIN_US - 1);
    assert_int_equal(standstill_times(&all), 0);
}

static void one_gap_after_another_is_taken_out(void **state) {
    uint64_t clock = START;
    for (unsigned times = 1; times <= 10; times++) {
        clock += 600 * SECOND;
        for (unsigned i = 0; i < WORKERS; i++)
            turn(i, clock);
        assert_int_equal(standstill_times(&all), times);
        assert_in_range(now[0], START, START + 2 * times * SECOND);
        clock += SECOND;
        for (unsigned i = 0; i < WORKERS; i++)
            turn(i, clock);
    }
}

/* One whose last turn before the gap was later than the others know of. */
static void time_stands_rather_than_running_backwards(void **state) {
    turn(0, START);
    turn(1, START + STANDSTILL_ALIVE_US - 1);
    turn(0, START + 100 * SECOND);
    turn(1, START + 100 * SECOND);
    turn(2, START + 100 * SECOND - 50); /* its clock is late by a little */
    assert_int_equal(standstill_times(&all), 1);
    assert_in_range(now[1], START, START + STANDSTILL_LEFT_US);
}

static void a_clock_that_was_set_back_is_followed(void **state) {
    turn(0, START + SECOND);
    turn(0, 5 * SECOND);
    assert_in_range(now[0], START + SECOND, START + SECOND + STANDSTILL_LEFT_US);
    for (unsigned i = 1; i < WORKERS; i++)
        turn(i, 5 * SECOND + i);
    uint64_t then = now[0];
    for (uint64_t passed = 0; passed <= 5 * SECOND; passed += SECOND)
        for (unsigned i = 0; i < WORKERS; i++)
            turn(i, 5 * SECOND + passed);
    assert_in_range(now[0], then + 3 * SECOND, then + 5 * SECOND);
    assert_int_equal(now[0], now[2]);
    assert_int_equal(standstill_times(&all), 1);
}

/* The race in which two come back at once: the second has read `alive_at` before the first wrote.
 */
static void of_two_who_find_the_gap_at_once_one_takes_it_out(void **state) {
    uint64_t clock = START + 500 * SECOND;
    standstill_gap(&all, &own[0], clock);
    uint64_t total = standstill_total(&all);
    all.alive_at = START;
    standstill_gap(&all, &own[1], clock);
    assert_int_equal(standstill_total(&all), total);
    assert_int_equal(standstill_times(&all), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, open_workers)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(time_goes_on_while_workers_have_turns),
        TEST(what_set_up_takes_is_no_gap),
        TEST(a_gap_of_all_is_taken_out_once_whoever_comes_back_first),
        TEST(a_gap_of_one_worker_among_others_stays),
        TEST(short_gaps_stay),
        TEST(one_gap_after_another_is_taken_out),
        TEST(time_stands_rather_than_running_backwards),
        TEST(a_clock_that_was_set_back_is_followed),
        TEST(of_two_who_find_the_gap_at_once_one_takes_it_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
