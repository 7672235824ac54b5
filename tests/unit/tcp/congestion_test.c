/* SPDX-License-Identifier: Apache-2.0 */
/* How the congestion window moves: RFC 5681, 6928, 9438; in recovery RFC 9937. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tcp/congestion.h"
#include "dataplane/tcp/prr.h"

enum { MSS = 1000, MS = 1000 };

static const struct congestion_ack one = {.acked = MSS, .mss = MSS, .srtt = 100 * MS, .now = 1};

static void the_initial_window_is_that_of_rfc_6928(void **state) {
    assert_int_equal(congestion_initial_window(1460), 14600);
    assert_int_equal(congestion_initial_window(536), 5360);
    assert_int_equal(congestion_initial_window(9000), 18000);
}

static void slow_start_doubles_and_avoidance_adds_one_segment_a_round(void **state) {
    struct congestion now = {.cwnd = 10000, .ssthresh = 100000};
    struct cubic cubic = {0};
    for (unsigned i = 0; i < 10; i++)
        congestion_acked(&congestion_newreno, &now, &cubic, 10000, &one);
    assert_int_equal(now.cwnd, 20000);
    now.ssthresh = 20000;
    for (unsigned i = 0; i < 20; i++)
        congestion_acked(&congestion_newreno, &now, &cubic, 20000, &one);
    assert_in_range(now.cwnd, 20900, 21000);
}

static void a_window_that_is_not_used_does_not_grow(void **state) {
    struct congestion now = {.cwnd = 10000, .ssthresh = 100000};
    struct cubic cubic = {0};
    congestion_acked(&congestion_newreno, &now, &cubic, 1000, &one);
    assert_int_equal(now.cwnd, 10000);
}

static void a_timeout_leaves_one_segment_and_halves_once(void **state) {
    struct congestion now = {.cwnd = 10000, .ssthresh = 100000};
    struct cubic cubic = {0};
    congestion_timeout(&congestion_newreno, &now, &cubic, 8000, MSS, false);
    assert_int_equal(now.cwnd, 1000);
    assert_int_equal(now.ssthresh, 4000);
    congestion_timeout(&congestion_newreno, &now, &cubic, 1000, MSS, true);
    assert_int_equal(now.ssthresh, 4000);
    congestion_timeout(&congestion_newreno, &now, &cubic, 1000, MSS, false);
    assert_int_equal(now.ssthresh, 2000);
}

/* A round trip of full windows, every `round` microseconds. */
static uint32_t grow(struct congestion *now, struct cubic *cubic, uint32_t *time, uint32_t round) {
    uint32_t segments = now->cwnd / MSS;
    for (unsigned i = 0; i < segments; i++) {
        struct congestion_ack ack = {.acked = MSS, .mss = MSS, .srtt = round, .now = *time};
        congestion_acked(&congestion_cubic, now, cubic, now->cwnd, &ack);
    }
    *time += round;
    return now->cwnd;
}

/* RFC 9438 4.2: from 70 segments back to 100 in K = cbrt(30 / 0.4) = 4.2 s, flat there, and beyond
 * faster and faster. */
static void cubic_is_back_at_w_max_after_k(void **state) {
    struct congestion now = {.cwnd = 100 * MSS, .ssthresh = CWND_MAX};
    struct cubic cubic = {0};
    uint32_t time = 1;
    now.ssthresh = congestion_cubic.reduce(&now, &cubic, now.cwnd, MSS);
    assert_int_equal(now.ssthresh, 70 * MSS);
    now.cwnd = now.ssthresh;
    while (time < 2100 * MS)
        grow(&now, &cubic, &time, 200 * MS);
    assert_in_range(now.cwnd, 93 * MSS, 99 * MSS);
    while (time < 4300 * MS)
        grow(&now, &cubic, &time, 200 * MS);
    assert_in_range(now.cwnd, 99 * MSS, 101 * MSS);
    while (time < 8500 * MS)
        grow(&now, &cubic, &time, 200 * MS);
    assert_in_range(now.cwnd, 120 * MSS, 140 * MSS);
}

/* RFC 9438 4.3: where NewReno would be faster, it is as fast. */
static void cubic_is_not_slower_than_newreno_on_short_paths(void **state) {
    struct congestion now = {.cwnd = 20 * MSS, .ssthresh = CWND_MAX};
    struct cubic cubic = {0};
    uint32_t time = 1;
    now.ssthresh = congestion_cubic.reduce(&now, &cubic, now.cwnd, MSS);
    now.cwnd = now.ssthresh;
    for (unsigned i = 0; i < 200; i++)
        grow(&now, &cubic, &time, 10 * MS);
    /* 0.53 segments a round up to 20, then one. */
    assert_in_range(now.cwnd, 150 * MSS, 220 * MSS);
}

static void a_second_loss_below_the_first_makes_room(void **state) {
    struct congestion now = {.cwnd = 100 * MSS, .ssthresh = CWND_MAX};
    struct cubic cubic = {0};
    congestion_cubic.reduce(&now, &cubic, now.cwnd, MSS);
    assert_int_equal(cubic.w_max, 100 * MSS);
    now.cwnd = 80 * MSS;
    congestion_cubic.reduce(&now, &cubic, now.cwnd, MSS);
    assert_int_equal(cubic.w_max, 68 * MSS);
}

/* What outlives a flight is ssthresh: W_max is had back from it. */
static void a_new_flight_remembers_w_max_by_ssthresh(void **state) {
    struct congestion now = {.cwnd = 70 * MSS, .ssthresh = 70 * MSS};
    struct cubic cubic = {0};
    uint32_t time = 1;
    grow(&now, &cubic, &time, 100 * MS);
    assert_in_range(cubic.w_max, 99 * MSS, 100 * MSS);
    assert_in_range(cubic.k, 4200, 4230);
    /* But not after a timeout (4.8). */
    struct cubic timed_out = {0};
    congestion_cubic.restart(&timed_out, true);
    grow(&now, &timed_out, &time, 100 * MS);
    assert_int_equal(timed_out.k, 0);
}

static void an_absurd_time_does_not_overflow(void **state) {
    struct congestion now = {.cwnd = 10 * MSS, .ssthresh = 10 * MSS};
    struct cubic cubic = {0};
    uint32_t time = 1;
    grow(&now, &cubic, &time, 100 * MS);
    time += UINT32_MAX / 2;
    uint32_t before = now.cwnd;
    grow(&now, &cubic, &time, UINT32_MAX);
    assert_in_range(now.cwnd, before, 2 * before);
}

/* Twenty segments, one lost, ssthresh ten: every second ACK lets one out (RFC 9937 6.2). */
static void prr_reduces_in_proportion(void **state) {
    struct prr prr = {.recover_fs = 20 * MSS};
    uint32_t pipe = 19 * MSS, sent = 0;
    for (unsigned ack = 0; ack < 19; ack++) {
        pipe -= MSS;
        uint32_t window = prr_window(&prr, MSS, pipe, 10 * MSS, MSS, false);
        while (pipe + MSS <= window) {
            pipe += MSS;
            prr.out += MSS;
            sent++;
        }
    }
    assert_int_equal(sent, 10);
    assert_int_equal(pipe, 10 * MSS);
}

static void prr_sends_the_first_retransmission_at_once(void **state) {
    struct prr prr = {.recover_fs = 20 * MSS};
    assert_int_equal(prr_window(&prr, 0, 18 * MSS, 10 * MSS, MSS, false), 19 * MSS);
}

/* More was lost than the reduction asks for: a segment for a segment, one more when all goes well.
 */
static void prr_below_ssthresh_is_bounded_by_what_was_delivered(void **state) {
    struct prr prr = {.recover_fs = 20 * MSS, .delivered = 2 * MSS, .out = 2 * MSS};
    assert_int_equal(prr_window(&prr, MSS, 3 * MSS, 10 * MSS, MSS, false), 4 * MSS);
    prr.out += MSS;
    assert_int_equal(prr_window(&prr, MSS, 3 * MSS, 10 * MSS, MSS, true), 5 * MSS);
    prr.out += 2 * MSS;
    assert_int_equal(prr_window(&prr, 9 * MSS, 9 * MSS, 10 * MSS, MSS, true), 10 * MSS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initial_window_is_that_of_rfc_6928),
        cmocka_unit_test(slow_start_doubles_and_avoidance_adds_one_segment_a_round),
        cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
        cmocka_unit_test(a_timeout_leaves_one_segment_and_halves_once),
        cmocka_unit_test(cubic_is_back_at_w_max_after_k),
        cmocka_unit_test(cubic_is_not_slower_than_newreno_on_short_paths),
        cmocka_unit_test(a_second_loss_below_the_first_makes_room),
        cmocka_unit_test(a_new_flight_remembers_w_max_by_ssthresh),
        cmocka_unit_test(an_absurd_time_does_not_overflow),
        cmocka_unit_test(prr_reduces_in_proportion),
        cmocka_unit_test(prr_sends_the_first_retransmission_at_once),
        cmocka_unit_test(prr_below_ssthresh_is_bounded_by_what_was_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
