/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/loadgen/checker.h"

static struct slot slot;
static struct verdicts verdicts;

static int begin(void **state) {
    slot = (struct slot){0};
    verdicts = (struct verdicts){0};
    return 0;
}

static void verdicts_are(uint64_t received, uint64_t gaps, uint64_t misordered,
                         uint64_t duplicates) {
    assert_int_equal(verdicts.received, received);
    assert_int_equal(verdicts.gaps, gaps);
    assert_int_equal(verdicts.misordered, misordered);
    assert_int_equal(verdicts.duplicates, duplicates);
}

static void takes_what_comes_in_order(void **state) {
    for (uint32_t seq = 0; seq < 1000; seq++)
        assert_int_equal(slot_take(&slot, seq, &verdicts), 1);
    verdicts_are(1000, 0, 0, 0);
}

static void counts_what_is_passed_over(void **state) {
    slot_take(&slot, 0, &verdicts);
    assert_int_equal(slot_take(&slot, 5, &verdicts), 5);
    verdicts_are(2, 4, 0, 0);
}

static void tells_late_from_again(void **state) {
    slot_take(&slot, 0, &verdicts);
    slot_take(&slot, 2, &verdicts);
    assert_int_equal(slot_take(&slot, 1, &verdicts), 0);
    verdicts_are(3, 0, 1, 0);
    slot_take(&slot, 1, &verdicts);
    slot_take(&slot, 0, &verdicts);
    slot_take(&slot, 2, &verdicts);
    verdicts_are(3, 0, 1, 3);
}

static void remembers_thirty_two_back(void **state) {
    slot_take(&slot, 31, &verdicts); /* 0 to 30 have not come */
    verdicts_are(1, 31, 0, 0);
    for (uint32_t seq = 0; seq < 31; seq++)
        slot_take(&slot, seq, &verdicts);
    verdicts_are(32, 0, 31, 0);
}

static void counts_what_is_too_late_as_a_duplicate(void **state) {
    slot_take(&slot, 100, &verdicts);
    verdicts_are(1, 100, 0, 0);
    slot_take(&slot, 3, &verdicts);
    verdicts_are(1, 100, 0, 1);
}

static void goes_round_with_the_numbers(void **state) {
    slot.next = UINT32_MAX - 1;
    for (uint32_t i = 0; i < 4; i++)
        slot_take(&slot, UINT32_MAX - 1 + i, &verdicts);
    verdicts_are(4, 0, 0, 0);
}

/* Against a table that remembers everything. */
static void agrees_with_a_table(void **state) {
    enum { NUMBERS = 5000 };
    static uint8_t came[NUMBERS];
    srand(7);
    uint64_t different = 0, again = 0;
    uint32_t at = 0, top = 0;
    while (at < NUMBERS - 40) {
        uint32_t seq = at + (uint32_t)rand() % 8, back = (uint32_t)rand() % 4;
        at += (uint32_t)rand() % 3;
        seq = back == 0 && seq > 8 ? seq - (uint32_t)rand() % 8 : seq;
        slot_take(&slot, seq, &verdicts);
        again += came[seq];
        different += !came[seq];
        came[seq] = 1;
        top = seq > top ? seq : top;
    }
    verdicts_are(different, top + 1 - different, verdicts.misordered, again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_what_comes_in_order, begin),
        cmocka_unit_test_setup(counts_what_is_passed_over, begin),
        cmocka_unit_test_setup(tells_late_from_again, begin),
        cmocka_unit_test_setup(remembers_thirty_two_back, begin),
        cmocka_unit_test_setup(counts_what_is_too_late_as_a_duplicate, begin),
        cmocka_unit_test_setup(goes_round_with_the_numbers, begin),
        cmocka_unit_test_setup(agrees_with_a_table, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
