/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/loadgen/histogram.h"

static struct histogram histogram;

static int begin(void **state) {
    histogram = (struct histogram){0};
    return 0;
}

static void is_empty_at_first(void **state) {
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
}

static void is_exact_for_small_values(void **state) {
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
    assert_int_equal(histogram_quantile(&histogram, 1), 100);
    assert_int_equal(histogram_quantile(&histogram, 0), 1);
}

static void is_never_low_and_at_most_a_step_high(void **state) {
    for (uint64_t value = 1; value < UINT64_C(1) << 40; value = value * 9 / 8 + 1) {
        histogram = (struct histogram){0};
        histogram_add(&histogram, value);
        histogram_add(&histogram, value * 2); /* so that the maximum does not cap it */
        uint64_t read = histogram_quantile(&histogram, 0.5);
        assert_true(read >= value && read - value <= value / HISTOGRAM_STEPS);
    }
}

static void counts_what_is_too_large_as_the_largest(void **state) {
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram.max, UINT64_MAX);
    assert_true(histogram_quantile(&histogram, 0.5) >= (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1);
}

static void tells_the_maximum_exactly(void **state) {
    histogram_add(&histogram, 1000003);
    assert_int_equal(histogram_quantile(&histogram, 0.999), 1000003);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(is_empty_at_first, begin),
        cmocka_unit_test_setup(is_exact_for_small_values, begin),
        cmocka_unit_test_setup(is_never_low_and_at_most_a_step_high, begin),
        cmocka_unit_test_setup(counts_what_is_too_large_as_the_largest, begin),
        cmocka_unit_test_setup(tells_the_maximum_exactly, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
