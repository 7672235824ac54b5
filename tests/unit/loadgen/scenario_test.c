/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/loadgen/scenario.h"

/* The scenario that a file of this content means; what was printed goes to `said`. */
static struct scenario *load(const char *content, const char *override, char said[1024]) {
    char path[] = "/tmp/loadgen-scenario.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
    memset(said, 0, 1024);
    FILE *errors = fmemopen(said, 1024, "w");
    struct scenario *scenario = scenario_load(path, &override, override != NULL, errors);
    fclose(errors);
    unlink(path);
    return scenario;
}

static void mistake_is(const char *content, const char *override, const char *expected) {
    char said[1024];
    assert_null(load(content, override, said));
    if (strstr(said, expected) == NULL)
        fail_msg("`%s` does not say `%s`", said, expected);
}

static void has_defaults(void **state) {
    struct scenario *scenario = scenario_load(NULL, NULL, 0, stderr);
    assert_non_null(scenario);
    assert_int_equal(scenario->fleet.groups, 1);
    assert_int_equal(scenario->publish.payload, 64);
    assert_true(scenario->run.duration == 10);
    assert_true(scenario->tcp.timestamps);
    assert_null(scenario->fleet.username);
    scenario_free(scenario);
}

static void reads_every_type(void **state) {
    char said[1024];
    struct scenario *scenario = load("name: mine\nfleet: {groups: 5, username: 'me'}\n"
                                     "publish:\n  rate: 12.5\n  filter: null\n"
                                     "tcp: {timestamps: false}\n",
                                     NULL, said);
    assert_non_null(scenario);
    assert_string_equal(scenario->name, "mine");
    assert_int_equal(scenario->fleet.groups, 5);
    assert_string_equal(scenario->fleet.username, "me");
    assert_true(scenario->publish.rate == 12.5);
    assert_null(scenario->publish.filter);
    assert_false(scenario->tcp.timestamps);
    scenario_free(scenario);
}

static void lets_overrides_win(void **state) {
    char said[1024];
    struct scenario *scenario = load("fleet: {groups: 5}\n", "fleet.groups=7", said);
    assert_non_null(scenario);
    assert_int_equal(scenario->fleet.groups, 7);
    scenario_free(scenario);
    scenario = load("fleet: {username: me}\n", "fleet.username=null", said);
    assert_null(scenario->fleet.username);
    scenario_free(scenario);
}

static void names_mistakes_with_their_line(void **state) {
    mistake_is("fleet:\n  grups: 5\n", NULL, ":2: fleet.grups: there is no such key");
    mistake_is("fleet:\n  groups: 0\n", NULL, ":2: fleet.groups: `0`");
    mistake_is("fleet:\n  groups: 1.5\n", NULL, "whole number");
    mistake_is("fleet:\n  groups: many\n", NULL, "`many`");
    mistake_is("tcp: {timestamps: yes}\n", NULL, "neither true nor false");
    mistake_is("publish: {qos: null}\n", NULL, "needs a value");
    mistake_is("a: b: c\n", NULL, "is not YAML");
    mistake_is("- a\n", NULL, "is no mapping");
    mistake_is("", "fleet.groups", "--set: `fleet.groups`");
    mistake_is("", "fleet.grups=1", "--set: `fleet.grups=1`");
    mistake_is("", "groups=1", "--set");
}

static void refuses_what_cannot_be(void **state) {
    mistake_is("fleet: {publishers: 0, subscribers: 0}\n", NULL, "0; give 1 to 50000000 devices");
    mistake_is("fleet: {groups: 1000000, publishers: 1000}\n", NULL, "50000000 devices");
    mistake_is("fleet: {subscribers: 0}\n", NULL, "without subscribers");
    mistake_is("network: {first_port: 60000}\n", NULL, "beyond 65535");
    mistake_is("publish: {commands_percent: 5}\n", NULL, "commands need a rate");
    mistake_is("publish: {topic: null}\n", NULL, "null is no value");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults),           cmocka_unit_test(reads_every_type),
        cmocka_unit_test(lets_overrides_win),     cmocka_unit_test(names_mistakes_with_their_line),
        cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
