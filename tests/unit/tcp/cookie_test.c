/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/tcp/cookie.h"

enum { MSS_MAX = 1360, IRS = 123456 };

static const uint8_t secret[16] = "cookie secret..";
static const uint64_t START = UINT64_C(1000) * COOKIE_SLOT_US + 5;

static struct cookie_base base_of(uint16_t port) {
    struct tcp_tuple tuple = {.remote = {1, 2, 3}, .local = {4, 5, 6}, .remote_port = port};
    return cookie_base(secret, &tuple);
}

static enum cookie_verdict check(const struct cookie_base *base, uint32_t irs, uint32_t isn,
                                 uint64_t now) {
    uint16_t mss;
    return cookie_check(secret, base, irs, isn, MSS_MAX, now, &mss);
}

static void a_cookie_is_good_for_its_slot_and_the_next(void **state) {
    struct cookie_base base = base_of(1000);
    uint32_t isn = cookie_make(secret, &base, IRS, 1460, MSS_MAX, START);
    assert_int_equal(check(&base, IRS, isn, START), COOKIE_VALID);
    assert_int_equal(check(&base, IRS, isn, START + COOKIE_SLOT_US), COOKIE_VALID);
    assert_int_equal(check(&base, IRS, isn, START + 2 * COOKIE_SLOT_US - 6), COOKIE_VALID);
    assert_int_equal(check(&base, IRS, isn, START + 2 * COOKIE_SLOT_US), COOKIE_FOREIGN);
    /* Not when the slot number comes round either. */
    assert_int_equal(check(&base, IRS, isn, START + UINT64_C(32) * COOKIE_SLOT_US), COOKIE_FOREIGN);
}

static void another_tuple_or_number_is_refused(void **state) {
    struct cookie_base base = base_of(1000), other = base_of(1001);
    uint32_t isn = cookie_make(secret, &base, IRS, 1460, MSS_MAX, START);
    assert_int_equal(check(&other, IRS, isn, START), COOKIE_FOREIGN);
    assert_int_equal(check(&base, IRS, isn + 2, START), COOKIE_FOREIGN);
}

/* Later segments of a handshake, and keep-alives before its first, are neither valid nor foreign.
 */
static void other_segments_of_a_handshake_are_recognised(void **state) {
    struct cookie_base base = base_of(1000);
    for (uint16_t mss = 100; mss < 1500; mss = (uint16_t)(mss + 100)) {
        uint32_t isn = cookie_make(secret, &base, IRS, mss, MSS_MAX, START);
        for (uint32_t ahead = 1; ahead < 65535; ahead += 13)
            assert_int_equal(check(&base, IRS + ahead, isn, START + COOKIE_SLOT_US),
                             COOKIE_HANDSHAKE);
        assert_int_equal(check(&base, IRS - 1, isn, START), COOKIE_HANDSHAKE);
        assert_int_equal(check(&base, IRS - 2, isn, START), COOKIE_FOREIGN);
        assert_int_equal(check(&base, IRS + 70000, isn, START), COOKIE_FOREIGN);
    }
}

static void guessing_does_not_pay(void **state) {
    struct cookie_base base = base_of(1000);
    unsigned valid = 0;
    uint32_t isn = 1;
    for (unsigned i = 0; i < 2000000; i++) {
        isn = isn * 1664525 + 1013904223;
        valid += check(&base, IRS, isn, START) == COOKIE_VALID;
    }
    assert_int_equal(valid, 0);
}

static void the_mss_comes_back_rounded_down_and_clamped(void **state) {
    struct cookie_base base = base_of(1000);
    const struct {
        uint16_t asked, got;
    } cases[] = {{0, 64},      {1, 64},      {536, 536},   {1219, 1000}, {1220, 1220},
                 {1300, 1300}, {1359, 1300}, {1360, 1360}, {1460, 1360}, {65535, 1360}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t mss = 0;
        uint32_t isn = cookie_make(secret, &base, IRS, cases[i].asked, MSS_MAX, START);
        assert_int_equal(cookie_check(secret, &base, IRS, isn, MSS_MAX, START, &mss), COOKIE_VALID);
        assert_int_equal(mss, cases[i].got);
    }
}

static void numbers_of_a_tuple_advance_with_time(void **state) {
    struct cookie_base base = base_of(1000);
    uint32_t before = cookie_make(secret, &base, IRS, 1460, MSS_MAX, START);
    for (unsigned slot = 1; slot < 70; slot++) {
        uint32_t isn =
            cookie_make(secret, &base, IRS, 1460, MSS_MAX, START + (uint64_t)slot * COOKIE_SLOT_US);
        assert_true((int32_t)(isn - before) > 0);
        before = isn;
    }
}

/* RFC 6528 3, RFC 7323 5.4: who knows one connection's numbers knows nothing of another's. */
static void numbers_and_time_stamp_offsets_differ_between_tuples(void **state) {
    struct cookie_base first = base_of(1000);
    uint32_t isn = cookie_make(secret, &first, IRS, 1460, MSS_MAX, START);
    for (uint16_t port = 1001; port < 3000; port++) {
        struct cookie_base other = base_of(port);
        assert_int_not_equal(other.ts_offset, first.ts_offset);
        uint32_t distance = cookie_make(secret, &other, IRS, 1460, MSS_MAX, START) - isn;
        assert_in_range(distance, 1000, UINT32_MAX - 1000);
    }
}

static void options_survive_in_the_time_stamp_which_never_runs_ahead(void **state) {
    for (uint32_t clock = 0xffffff00; clock != 0x100; clock++) {
        for (uint8_t wscale = 0; wscale <= COOKIE_WSCALE_NONE; wscale++) {
            if (wscale == 15 && COOKIE_WSCALE_NONE != 15)
                continue;
            for (unsigned sack = 0; sack < 2; sack++) {
                uint32_t ts = cookie_timestamp(clock, wscale, sack);
                assert_true((uint32_t)(clock - ts) < 64);
                uint8_t wscale_back;
                bool sack_back;
                bool has = cookie_timestamp_options(ts, &wscale_back, &sack_back);
                assert_int_equal(sack_back, sack);
                assert_int_equal(has, wscale != COOKIE_WSCALE_NONE);
                assert_int_equal(wscale_back, has ? wscale : 0);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_is_good_for_its_slot_and_the_next),
        cmocka_unit_test(another_tuple_or_number_is_refused),
        cmocka_unit_test(other_segments_of_a_handshake_are_recognised),
        cmocka_unit_test(guessing_does_not_pay),
        cmocka_unit_test(the_mss_comes_back_rounded_down_and_clamped),
        cmocka_unit_test(numbers_of_a_tuple_advance_with_time),
        cmocka_unit_test(numbers_and_time_stamp_offsets_differ_between_tuples),
        cmocka_unit_test(options_survive_in_the_time_stamp_which_never_runs_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
