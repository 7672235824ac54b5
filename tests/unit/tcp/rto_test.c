/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tcp/newreno.h"
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

static void the_initial_window_is_that_of_rfc_6928(void **state) {
    assert_int_equal(newreno_initial_window(1460), 14600);
    assert_int_equal(newreno_initial_window(536), 5360);
    assert_int_equal(newreno_initial_window(9000), 18000);
}

static void slow_start_doubles_and_avoidance_adds_one_segment_a_round(void **state) {
    struct congestion now = {.cwnd = 10000, .ssthresh = 100000};
    for (unsigned i = 0; i < 10; i++)
        now = newreno_acked(now, 1000, 10000, 1000);
    assert_int_equal(now.cwnd, 20000);
    now.ssthresh = 20000;
    for (unsigned i = 0; i < 20; i++)
        now = newreno_acked(now, 1000, 20000, 1000);
    assert_in_range(now.cwnd, 20900, 21000);
}

static void a_window_that_is_not_used_does_not_grow(void **state) {
    struct congestion now = {.cwnd = 10000, .ssthresh = 100000};
    now = newreno_acked(now, 1000, 1000, 1000);
    assert_int_equal(now.cwnd, 10000);
}

static void a_timeout_leaves_one_segment_and_halves_once(void **state) {
    struct congestion now = {.cwnd = 10000, .ssthresh = 100000};
    now = newreno_timeout(now, 8000, 1000, 0);
    assert_int_equal(now.cwnd, 1000);
    assert_int_equal(now.ssthresh, 4000);
    now = newreno_timeout(now, 1000, 1000, 1);
    assert_int_equal(now.ssthresh, 4000);
    now = newreno_timeout(now, 1000, 1000, 0);
    assert_int_equal(now.ssthresh, 2000);
}

static void fast_recovery_inflates_deflates_and_ends_at_ssthresh(void **state) {
    struct congestion now = {.cwnd = 20000, .ssthresh = 100000};
    now = newreno_enter(now, 20000, 1000);
    assert_int_equal(now.ssthresh, 10000);
    assert_int_equal(now.cwnd, 13000);
    now = newreno_inflate(now, 1000);
    assert_int_equal(now.cwnd, 14000);
    now = newreno_partial(now, 3000, 1000);
    assert_int_equal(now.cwnd, 12000);
    now = newreno_partial(now, 500000, 1000);
    assert_int_equal(now.cwnd, 1000);
    now.cwnd = 12000;
    assert_int_equal(newreno_leave(now, 20000, 1000).cwnd, 10000);
    assert_int_equal(newreno_leave(now, 0, 1000).cwnd, 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_sample_the_initial_timeout_holds),
        cmocka_unit_test(the_first_sample_sets_both),
        cmocka_unit_test(a_steady_path_converges_to_its_round_trip),
        cmocka_unit_test(many_samples_a_round_trip_weigh_like_one),
        cmocka_unit_test(timeouts_stay_within_limits),
        cmocka_unit_test(the_initial_window_is_that_of_rfc_6928),
        cmocka_unit_test(slow_start_doubles_and_avoidance_adds_one_segment_a_round),
        cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
        cmocka_unit_test(a_timeout_leaves_one_segment_and_halves_once),
        cmocka_unit_test(fast_recovery_inflates_deflates_and_ends_at_ssthresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
