/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/log/log.h"

enum { NOON = 1000000 };

static char line[LOG_LINE_MAX + 1];

static const char *text_line(const char *text) {
    size_t len = log_format(line, LOG_FORMAT_TEXT, NOON, LOG_LEVEL_INFO, "test", text);
    line[len] = '\0';
    return line;
}

static void a_text_line_has_time_level_part_and_text(void **state) {
    assert_string_equal(text_line("all is well"),
                        "1970-01-01T00:00:01.000000Z info test: all is well\n");
}

static void control_characters_are_escaped_and_utf8_is_not(void **state) {
    assert_string_equal(text_line("a\nb\x1b[31m\x7f \xc3\xa4 \xff \xc2\x9b"),
                        "1970-01-01T00:00:01.000000Z info test: a\\x0ab\\x1b[31m\\x7f \xc3\xa4 "
                        "\\xff \\xc2\\x9b\n");
}

static void a_json_line_is_json_whatever_the_text(void **state) {
    static const char *const texts[] = {"plain", "q\"uo\\te\n\x01", "\xff\xc3", "\xed\xa0\x80"};
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_error_t error;
        size_t len = log_format(line, LOG_FORMAT_JSON, NOON, LOG_LEVEL_ERROR, "test", texts[i]);
        assert_int_equal(line[len - 1], '\n');
        assert_ptr_equal(memchr(line, '\n', len), line + len - 1);
        json_t *object = json_loadb(line, len, 0, &error);
        assert_non_null(object);
        assert_string_equal(json_string_value(json_object_get(object, "level")), "error");
        assert_string_equal(json_string_value(json_object_get(object, "part")), "test");
        assert_true(json_is_string(json_object_get(object, "text")));
        json_decref(object);
    }
}

static void a_long_text_is_cut_and_the_line_still_ends(void **state) {
    static char text[3 * LOG_LINE_MAX];
    memset(text, '"', sizeof text - 1);
    size_t len = log_format(line, LOG_FORMAT_JSON, NOON, LOG_LEVEL_INFO, "test", text);
    assert_true(len <= LOG_LINE_MAX);
    assert_int_equal(memcmp(line + len - 6, "...\"}\n", 6), 0);
    json_t *object = json_loadb(line, len, 0, NULL);
    assert_non_null(object);
    json_decref(object);
    len = log_format(line, LOG_FORMAT_TEXT, NOON, LOG_LEVEL_INFO, "test", text);
    assert_int_equal(memcmp(line + len - 4, "...\n", 4), 0);
}

static void hostile_values_are_quoted_and_bounded(void **state) {
    assert_string_equal(log_quoted("dev\n\"7\"\\", 8).text, "\"dev\\x0a\\\"7\\\"\\\\\"");
    assert_string_equal(log_quoted("", 0).text, "\"\"");
    uint8_t many[1000];
    memset(many, '\n', sizeof many);
    struct log_quoted quoted = log_quoted(many, sizeof many);
    size_t len = strlen(quoted.text);
    assert_true(len < sizeof quoted.text);
    assert_string_equal(quoted.text + len - 4, "...\"");
}

static void addresses_are_printed_as_people_write_them(void **state) {
    static const uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 88, [15] = 2};
    static const uint8_t ipv6[16] = {0xfd, 0x88, [15] = 2};
    assert_string_equal(log_address(ipv4, 1883).text, "10.88.0.2:1883");
    assert_string_equal(log_address(ipv6, 1883).text, "[fd88::2]:1883");
}

static void the_level_can_be_changed_at_any_time(void **state) {
    enum config_log_level level;
    assert_true(log_level_by_name("debug", &level));
    log_set_level(level);
    assert_true(log_enabled(LOG_LEVEL_DEBUG));
    log_set_level(LOG_LEVEL_ERROR);
    assert_false(log_enabled(LOG_LEVEL_WARNING));
    assert_false(log_level_by_name("loud", &level));
}

static void each_line_is_one_write(void **state) {
    int pipes[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    log_set_level(LOG_LEVEL_INFO);
    log_debug("test", "not written");
    log_info("test", "client %s", log_quoted("x\ny", 3).text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    ssize_t len = read(pipes[0], line, sizeof line - 1);
    assert_true(len > 0);
    line[len] = '\0';
    assert_non_null(strstr(line, " info test: client \"x\\x0ay\"\n"));
    assert_int_equal(read(pipes[0], line, 1), 0);
    close(pipes[0]);
}

static void noisy_events_are_limited_and_counted(void **state) {
    struct log_limit limit = {0};
    unsigned left_out = 99, passed = 0;
    for (unsigned i = 0; i < 10; i++)
        passed += log_pass(&limit, 1000 + i, 100, 2, &left_out);
    assert_int_equal(passed, 2);
    assert_int_equal(left_out, 0);
    assert_true(log_pass(&limit, 1100, 100, 2, &left_out));
    assert_int_equal(left_out, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_part_and_text),
        cmocka_unit_test(control_characters_are_escaped_and_utf8_is_not),
        cmocka_unit_test(a_json_line_is_json_whatever_the_text),
        cmocka_unit_test(a_long_text_is_cut_and_the_line_still_ends),
        cmocka_unit_test(hostile_values_are_quoted_and_bounded),
        cmocka_unit_test(addresses_are_printed_as_people_write_them),
        cmocka_unit_test(the_level_can_be_changed_at_any_time),
        cmocka_unit_test(each_line_is_one_write),
        cmocka_unit_test(noisy_events_are_limited_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
