/* SPDX-License-Identifier: Apache-2.0 */
/* What --set changes, and the mistakes that can be made with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_file.h"

#define OVERRIDES(...)                                                                             \
    (const char *const[]){__VA_ARGS__},                                                            \
        sizeof(const char *const[]){__VA_ARGS__} / sizeof(const char *)

/* A file that all overrides below would change. */
static const char two_ports[] = "workers: {count: 2, cpus: 2-5, idle: spin}\n"
                                "ports:\n"
                                "  - {kind: ring, device: r0, address: 10.0.0.1/8}\n"
                                "  - {kind: ring, device: r1, address: 10.0.0.2/8, mtu: 9000}\n"
                                "mqtt: {refuse_subscriptions: [a, b]}\n";

static void overrides_change_single_values_of_the_file(void **state) {
    char *errors;
    struct config *config =
        load_with(two_ports,
                  OVERRIDES("workers.count=4", "workers.cpus=null", "workers.prefault=yes",
                            "workers.eal=--no-huge -m 128", "ports[1].device=lq1",
                            "ports[1].address6=fd88::2/64", "ports[1].mac=02:00:00:00:00:07",
                            "ports[0].options=a=b,c=[d]", "listeners[0].port=1884",
                            "control.socket=\"/run/a # b\"", "log.level=debug"),
                  &errors);
    assert_string_equal(errors, "");
    assert_non_null(config);
    assert_int_equal(config->workers.count, 4);
    assert_null(config->workers.cpus);
    assert_true(config->workers.prefault);
    assert_string_equal(config->workers.eal, "--no-huge -m 128");
    assert_string_equal(config->ports[1].device, "lq1");
    assert_string_equal(config->ports[1].address6, "fd88::2/64");
    assert_string_equal(config->ports[1].mac, "02:00:00:00:00:07");
    assert_string_equal(config->ports[0].options, "a=b,c=[d]");
    assert_int_equal(config->listeners[0].port, 1884);
    assert_string_equal(config->control.socket, "/run/a # b");
    assert_int_equal(config->log.level, LOG_LEVEL_DEBUG);
    /* The rest stands. */
    assert_int_equal(config->workers.idle, IDLE_SPIN);
    assert_int_equal(config->ports_count, 2);
    assert_string_equal(config->ports[0].device, "r0");
    assert_int_equal(config->ports[1].mtu, 9000);
    assert_string_equal(config->path, config_file);
    free(errors);
    config_free(config);
}

static void overrides_change_the_defaults_when_there_is_no_file(void **state) {
    struct config *config =
        config_load(NULL, OVERRIDES("ports[0].device=lq1", "tcp.mss=1400"), stderr);
    assert_non_null(config);
    assert_string_equal(config->ports[0].device, "lq1");
    assert_string_equal(config->ports[0].address, "10.88.0.2/24");
    assert_int_equal(config->tcp.mss, 1400);
    char *text = printed(config);
    assert_non_null(strstr(text, "device: \"lq1\""));
    assert_non_null(strstr(text, "mss: 1400"));
    free(text);
    config_free(config);
}

static void the_last_override_of_a_value_counts(void **state) {
    struct config *config = config_load(
        NULL, OVERRIDES("workers.count=2", "log.level=debug", "workers.count=3"), stderr);
    assert_int_equal(config->workers.count, 3);
    config_free(config);
}

static void a_list_of_texts_is_replaced_by_a_sequence_or_by_one_text(void **state) {
    static const struct {
        const char *override;
        unsigned count;
        const char *last;
    } lists[] = {
        {"mqtt.refuse_subscriptions=[]", 0, NULL},
        {"mqtt.refuse_subscriptions=c/d", 1, "c/d"},
        {"mqtt.refuse_subscriptions='#'", 1, "#"},
        {"mqtt.refuse_subscriptions=[c, +/d, \"#\"]", 3, "#"},
    };
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char *errors;
        struct config *config = load_with(two_ports, &lists[i].override, 1, &errors);
        assert_string_equal(errors, "");
        assert_int_equal(config->mqtt.refuse_subscriptions_count, lists[i].count);
        if (lists[i].count > 0) {
            assert_string_equal(config->mqtt.refuse_subscriptions[lists[i].count - 1],
                                lists[i].last);
        }
        free(errors);
        config_free(config);
    }
}

static const struct {
    const char *override, *error;
} override_mistakes[] = {
    {"workers.count=0", "workers.count: 0 is out of range; give a whole number from 1 to 30"},
    {"workers.count=", "workers.count: has no value; give a whole number from 1 to 30"},
    {"workers.count=[4]", "workers.count: is a list; give a whole number from 1 to 30"},
    {"workers.count=4: 5", "workers.count: is a mapping; give a whole number from 1 to 30"},
    {"log.level=[info",
     "log.level: is not YAML: did not find expected ',' or ']'; give one of error, warning, info, "
     "debug"},
    {"log.level=info\n---\ndebug",
     "log.level: is more than one value; give one of error, warning, info, debug"},
    {"log.level=@", "log.level: is not YAML: found character that cannot start any token; give one "
                    "of error, warning, info, debug"},
    {"mqqt.inflight=3", "mqqt: there is no such key; did you mean `mqtt`?"},
    {"mqtt.inflght=3", "mqtt.inflght: there is no such key; did you mean `inflight`?"},
    {"log.colour=red", "log.colour: there is no such key; there are: level, format"},
    {"ports[1].devise=x", "ports[1].devise: there is no such key; did you mean `device`?"},
    {"ports[2].device=x",
     "ports[2]: there is no such entry; the last is ports[1], more come into the file"},
    {"ports[99999999999999999999999].device=x",
     "ports[99999999999999999999999]: there is no such entry; the last is ports[1], more come into "
     "the file"},
    {"ports.device=x", "ports: is a list; name the entry, such as ports[0].device"},
    {"workers[0].count=1", "workers: is not a list; give workers.count"},
    {"ports[1].device=r0", "ports[1].device: `r0` is ports[0] already; name each device once"},
    {"ports[0].mtu=1300", "tcp.mss: 1360 does not fit the MTU 1300 of ports[0]; at most 1260"},
    {"auth[0].kind=password_file", "auth[0].path: is missing; give the password file's name"},
    {"mqtt.refuse_subscriptions=",
     "mqtt.refuse_subscriptions: has no value; give a list of texts, such as [\"a/b\", \"c\"]"},
    {"mqtt.refuse_subscriptions=[a, [b]]", "mqtt.refuse_subscriptions[1]: is a list; give a text"},
    {"mqtt.refuse_subscriptions=''",
     "mqtt.refuse_subscriptions: is empty; give a list of texts, such as [\"a/b\", \"c\"]"},
};

static void every_mistake_of_an_override_is_named_with_it(void **state) {
    for (unsigned i = 0; i < sizeof override_mistakes / sizeof override_mistakes[0]; i++) {
        char *errors, wanted[512];
        assert_null(load_with(two_ports, &override_mistakes[i].override, 1, &errors));
        snprintf(wanted, sizeof wanted, "--set %s: %s\n", override_mistakes[i].override,
                 override_mistakes[i].error);
        for (char *c = wanted; c[1] != '\0'; c++)
            if (*c == '\n')
                *c = '?';
        assert_string_equal(errors, wanted);
        free(errors);
    }
}

static void a_mistake_of_a_whole_entry_is_named_where_the_entry_stands(void **state) {
    char *errors;
    assert_null(load_with(two_ports, OVERRIDES("ports[0].address=null"), &errors));
    assert_string_equal(errors,
                        "3: ports[0]: has no address; give `address`, `address6` or both\n");
    free(errors);
}

static void what_is_not_an_override_is_told_the_form(void **state) {
    static const char *const bad[] = {"",
                                      "=",
                                      "workers",
                                      "workers.count",
                                      "workers=4",
                                      ".count=4",
                                      "workers.=4",
                                      "workers=a.b=c",
                                      "ports[0=4",
                                      "ports[].a=",
                                      "ports[0]mtu=4",
                                      "ports[-1].a=",
                                      "ports[a].b=",
                                      "[0].a=1",
                                      "ports[0]=x"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *errors, wanted[256];
        assert_null(load_with("", &bad[i], 1, &errors));
        snprintf(wanted, sizeof wanted,
                 "--set %s: is not an override; give SECTION.KEY=VALUE, such as log.level=debug, "
                 "or SECTION[INDEX].KEY=VALUE, such as ports[0].mtu=1400\n",
                 bad[i]);
        assert_string_equal(errors, wanted);
        free(errors);
    }
}

static void mistakes_of_the_file_come_before_those_of_the_overrides(void **state) {
    char *errors;
    assert_null(load_with("\nlog: {level: loud}\nports: []\n",
                          OVERRIDES("workers.count=0", "ports[0].mtu=1", "log.levle=info"),
                          &errors));
    /* An entry of a list that is wrong itself cannot be looked for. */
    assert_string_equal(errors,
                        "2: log.level: `loud` is not known here; give one of error, warning, info, "
                        "debug\n"
                        "3: ports: has 0 entries; give 1 to 16\n"
                        "--set workers.count=0: workers.count: 0 is out of range; give a whole "
                        "number from 1 to 30\n"
                        "--set log.levle=info: log.levle: there is no such key; did you mean "
                        "`level`?\n");
    free(errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides_change_single_values_of_the_file),
        cmocka_unit_test(overrides_change_the_defaults_when_there_is_no_file),
        cmocka_unit_test(the_last_override_of_a_value_counts),
        cmocka_unit_test(a_list_of_texts_is_replaced_by_a_sequence_or_by_one_text),
        cmocka_unit_test(every_mistake_of_an_override_is_named_with_it),
        cmocka_unit_test(a_mistake_of_a_whole_entry_is_named_where_the_entry_stands),
        cmocka_unit_test(what_is_not_an_override_is_told_the_form),
        cmocka_unit_test(mistakes_of_the_file_come_before_those_of_the_overrides),
    };
    return cmocka_run_group_tests(tests, config_file_make, config_file_remove);
}
