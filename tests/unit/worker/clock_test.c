/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/worker/clock.h"

enum { SECONDS_A_YEAR = 31557600 };

/* In place of EAL's: the machine whose clock is read. */
static uint64_t tsc_hz;

uint64_t rte_get_tsc_hz(void) {
    return tsc_hz;
}

static const uint64_t machines[] = {1000000000, 2099998000, 2494140123, 3700000000, 5999999999};

enum { MACHINES = sizeof machines / sizeof machines[0] };

static struct clock clock_of(unsigned machine) {
    struct clock clock = {0};
    tsc_hz = machines[machine];
    clock_init(&clock);
    return clock;
}

static uint64_t exact(uint64_t cycles) {
    return (uint64_t)((__uint128_t)cycles * 1000000 / tsc_hz);
}

static void cycles_become_microseconds(void **state) {
    for (unsigned i = 0; i < MACHINES; i++) {
        struct clock clock = clock_of(i);
        assert_int_equal(clock.hz, machines[i]);
        assert_int_equal(clock_microseconds(&clock, 0), 0);
        assert_in_range(clock_microseconds(&clock, tsc_hz / 1000), 999, 1000);
        assert_in_range(clock_microseconds(&clock, tsc_hz), 999998, 1000000);
    }
}

static void years_do_not_overflow_and_lose_less_than_a_second_in_a_week(void **state) {
    for (unsigned i = 0; i < MACHINES; i++) {
        struct clock clock = clock_of(i);
        for (uint64_t year = 1; year <= 90 && year * SECONDS_A_YEAR < UINT64_MAX / tsc_hz; year++) {
            uint64_t cycles = year * SECONDS_A_YEAR * tsc_hz;
            uint64_t found = clock_microseconds(&clock, cycles);
            assert_true(found <= exact(cycles));
            assert_true(exact(cycles) - found <= exact(cycles) / 604800);
        }
        assert_true(clock_microseconds(&clock, UINT64_MAX) > exact(UINT64_MAX) / 2);
    }
}

static void time_never_runs_backwards(void **state) {
    for (unsigned i = 0; i < MACHINES; i++) {
        struct clock clock = clock_of(i);
        for (unsigned bit = 12; bit < 64; bit++) {
            uint64_t last = 0;
            for (uint64_t cycles = (1ull << bit) - 2000; cycles != (1ull << bit) + 2000; cycles++) {
                uint64_t now = clock_microseconds(&clock, cycles);
                assert_true(now >= last);
                last = now;
            }
        }
    }
}

static void the_wall_clock_goes_on_from_where_it_was_set(void **state) {
    static const uint64_t wall_clocks[] = {1767225600000000, 1700000000000000, 5, 0};
    tsc_hz = 2000000000;
    struct clock clock = {0};
    clock_init(&clock);
    /* Set anew it jumps, also back, and before the machine was started. */
    for (unsigned i = 0; i < sizeof wall_clocks / sizeof wall_clocks[0]; i++) {
        uint64_t before = clock_microseconds(&clock, rte_rdtsc());
        clock_set_wall(&clock, wall_clocks[i]);
        uint64_t after = clock_microseconds(&clock, rte_rdtsc());
        uint64_t shift = clock_wall(&clock, after + 1000000) - wall_clocks[i];
        assert_in_range(shift, 1000000, 1000000 + after - before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycles_become_microseconds),
        cmocka_unit_test(years_do_not_overflow_and_lose_less_than_a_second_in_a_week),
        cmocka_unit_test(time_never_runs_backwards),
        cmocka_unit_test(the_wall_clock_goes_on_from_where_it_was_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
