/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tools/loadgen/topic.h"

static void writes_eight_digits(void **state) {
    for (uint32_t number = 0; number < 100000000; number = number * 5 / 3 + 1) {
        char text[32];
        uint64_t digits = digits8(number);
        snprintf(text, sizeof text, "%08u", number);
        assert_memory_equal(text, &digits, 8);
    }
    uint64_t last = digits8(99999999);
    assert_memory_equal("99999999", &last, 8);
}

static void fills_the_fields(void **state) {
    struct form form;
    char error[128];
    uint8_t name[FORM_MAX];
    const uint32_t values[FIELDS] = {
        [FIELD_GROUP] = 12, [FIELD_PUBLISHER] = 345, [FIELD_DEVICE] = 99999999};
    assert_true(form_parse(&form, "a/{group}/b/{publisher}{device}", error, sizeof error));
    form_make(&form, name, values);
    assert_int_equal(form.len, strlen("a/00000012/b/0000034599999999"));
    assert_memory_equal(name, "a/00000012/b/0000034599999999", form.len);
    assert_true(form_has(&form, FIELD_DEVICE));
    assert_false(form_has(&form, FIELD_TOPIC));
}

static void knows_its_names_from_others(void **state) {
    struct form form;
    char error[128];
    uint8_t name[FORM_MAX];
    uint32_t values[FIELDS] = {[FIELD_GROUP] = 7, [FIELD_TOPIC] = 8};
    assert_true(form_parse(&form, "x{group}y{topic}z", error, sizeof error));
    form_make(&form, name, values);
    assert_true(form_is(&form, name, form.len, values));
    assert_false(form_is(&form, name, form.len - 1u, values));
    for (unsigned i = 0; i < form.len; i++) {
        name[i] ^= 1;
        assert_false(form_is(&form, name, form.len, values));
        name[i] ^= 1;
    }
    values[FIELD_TOPIC] = 9;
    assert_false(form_is(&form, name, form.len, values));
}

static void refuses_what_it_does_not_know(void **state) {
    struct form form;
    char error[256], text[FORM_MAX + 2];
    assert_false(form_parse(&form, "a/{nobody}", error, sizeof error));
    assert_non_null(strstr(error, "{nobody}"));
    assert_false(form_parse(&form, "", error, sizeof error));
    assert_false(form_parse(&form, "{group}{group}{group}{group}{group}", error, sizeof error));
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_false(form_parse(&form, text, error, sizeof error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_eight_digits),
        cmocka_unit_test(fills_the_fields),
        cmocka_unit_test(knows_its_names_from_others),
        cmocka_unit_test(refuses_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
