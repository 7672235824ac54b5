/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tcp/rto.h"

static const struct rto_limits limits = {.min = 400000, .max = 60000000, .initial = 1000000};

static void without_a_sample_the_initial_timeout_holds(void **state) {
    assert_int_equal(rto_timeout(0, 0, 0, &limits), 1000000);
    assert_int_equal(rto_timeout(0, 0, 2, &limits), 4000000);
}

static void the_first_sample_sets_both(void **state) {
    uint32_t srtt = 0, rttvar = 0;
    rto_sample(&srtt, &rttvar, 600000, 1);
    assert_int_equal(srtt, 600000);
    assert_int_equal(rttvar, 300000);
    assert_int_equal(rto_timeout(srtt, rttvar, 0, &limits), 1800000);
}

static void a_steady_path_converges_to_its_round_trip(void **state) {
    uint32_t srtt = 0, rttvar = 0;
    for (unsigned i = 0; i < 100; i++)
        rto_sample(&srtt, &rttvar, 700000, 1);
    assert_in_range(srtt, 699000, 701000);
    assert_in_range(rto_timeout(srtt, rttvar, 0, &limits), 700000, 710000);
}

static void many_samples_a_round_trip_weigh_like_one(void **state) {
    uint32_t one = 100000, variation = 0, many = 100000, variation_many = 0;
    rto_sample(&one, &variation, 900000, 1);
    for (unsigned i = 0; i < 10; i++)
        rto_sample(&many, &variation_many, 900000, 10);
    assert_in_range(many, one - 20000, one + 20000);
}

static void timeouts_stay_within_limits(void **state) {
    assert_int_equal(rto_timeout(1000, 10, 0, &limits), 400000);
    assert_int_equal(rto_timeout(1000, 10, 1, &limits), 800000);
    for (unsigned backoff = 8; backoff < 64; backoff++)
        assert_int_equal(rto_timeout(1000, 10, backoff, &limits), 60000000);
    assert_int_equal(rto_timeout(UINT32_MAX, UINT32_MAX, 0, &limits), 60000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_sample_the_initial_timeout_holds),
        cmocka_unit_test(the_first_sample_sets_both),
        cmocka_unit_test(a_steady_path_converges_to_its_round_trip),
        cmocka_unit_test(many_samples_a_round_trip_weigh_like_one),
        cmocka_unit_test(timeouts_stay_within_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
