/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "dataplane/base/counters.h"

static void every_counter_has_a_name_of_its_own(void **state) {
    for (unsigned i = 0; i < COUNTERS; i++) {
        const char *name = counter_descriptions[i].name;
        assert_non_null(name);
        assert_non_null(strchr(name, '.'));
        for (const char *c = name; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '.' ||
                        *c == '_');
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name, counter_descriptions[j].name);
    }
}

static void every_counter_is_explained_by_a_sentence(void **state) {
    for (unsigned i = 0; i < COUNTERS; i++) {
        const char *text = counter_descriptions[i].text;
        assert_non_null(text);
        assert_true(isupper((unsigned char)text[0]) || isdigit((unsigned char)text[0]));
        assert_int_equal(text[strlen(text) - 1], '.');
    }
}

static void counting_adds_to_one_counter_only(void **state) {
    struct counters counters = {0};
    count(&counters, COUNTER_TCP_SEGMENTS_IN);
    count_add(&counters, COUNTER_TCP_SEGMENTS_IN, 41);
    for (unsigned i = 0; i < COUNTERS; i++)
        assert_int_equal(counter_read(&counters, i), i == COUNTER_TCP_SEGMENTS_IN ? 42 : 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_a_name_of_its_own),
        cmocka_unit_test(every_counter_is_explained_by_a_sentence),
        cmocka_unit_test(counting_adds_to_one_counter_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
