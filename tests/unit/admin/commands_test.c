/* SPDX-License-Identifier: Apache-2.0 */
/* The command table, the command line, help, and values as text. */
#include "tests/unit/admin/test.h"

#include "tools/ctl/ctl.h"

static char error[1024];

static bool parse(struct invocation *invocation, const char *line) {
    static char text[256];
    static const char *words[32];
    unsigned count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    return invocation_parse(invocation, words, count, error, sizeof error);
}

static void command_lines_are_understood(void **state) {
    static const struct {
        const char *line, *command, *arguments;
    } cases[] = {
        {"status", "status", "{}"},
        {"st", "status", "{}"},
        {"cl l", "client list", "{}"},
        {"client list --prefix car/ --connected --limit 10", "client list",
         "{\"prefix\":\"car/\",\"connected\":true,\"limit\":10}"},
        {"client list --pre=car/ --conn", "client list",
         "{\"prefix\":\"car/\",\"connected\":true}"},
        {"client show -- -odd-", "client show", "{\"client\":\"-odd-\"}"},
        {"cl k x", "client kick", "{\"client\":\"x\"}"},
        {"-j client show x", "client show", "{\"client\":\"x\"}"},
        {"t m a/b --limit 3", "topic match", "{\"topic\":\"a/b\",\"limit\":3}"},
        {"pub a --qos 2 --retain --message hi", "publish",
         "{\"topic\":\"a\",\"qos\":2,\"retain\":true,\"message\":\"hi\"}"},
        {"log level", "log level", "{}"},
        {"log l debug", "log level", "{\"level\":\"debug\"}"},
        {"conf check f.yaml", "config check", "{\"file\":\"f.yaml\"}"},
        {"drops --all -w 2", "drops", "{\"all\":true}"},
        {"cou --prefix tcp.", "counters", "{\"prefix\":\"tcp.\"}"},
        {"v", "version", "{}"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invocation invocation;
        if (!parse(&invocation, cases[i].line))
            fail_msg("%s: %s", cases[i].line, error);
        char name[64];
        command_name(invocation.command, name, sizeof name);
        assert_string_equal(name, cases[i].command);
        json_t *expected = json_loads(cases[i].arguments, 0, NULL);
        if (!json_equal(expected, invocation.arguments))
            fail_msg("%s: other arguments", cases[i].line);
        json_decref(expected);
        invocation_free(&invocation);
    }
}

static void wrong_command_lines_are_told_what_is_right(void **state) {
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"nonsense", "there is no command 'nonsense'; there are status, client"},
        {"c", "'c' could be client, capture, counters, config"},
        {"client", "client needs a verb: list, show, kick"},
        {"client nonsense", "client has no verb 'nonsense'; it has list, show, kick"},
        {"client show", "ID is missing"},
        {"client show a b", "unexpected argument 'b'"},
        {"client list --nonsense", "client list has no option '--nonsense'"},
        {"client list --prefix", "--prefix needs a value"},
        {"client list --connected=1", "--connected takes no value"},
        {"client list --limit x", "--limit must be a whole number from 1 to"},
        {"client list --limit 0", "--limit must be a whole number from 1 to"},
        {"client list --limit -1", "--limit must be a whole number from 1 to"},
        {"client list --limit 99999999999999999999", "--limit must be a whole number from 1 to"},
        {"publish a --message x --qos 3", "--qos must be a whole number from 0 to 2"},
        {"publish a --message x --base64 eA==", "no option '--base64'"},
        {"log level loud", "level must be one of error, warning, info, debug"},
        {"status --watch 0", "--watch must be a number of seconds"},
        {"status --watch x", "--watch must be a number of seconds"},
        {"status --watch nan", "--watch must be a number of seconds"},
        {"status --socket", "--socket needs a value"},
        {"--nonsense status", "unknown option '--nonsense'"},
        {"client show \xff\xfe", "client must be text in UTF-8"},
        {"help nonsense", "there is no command 'nonsense'"},
        {"help client list more", "unexpected argument 'more'"},
        {"help status more", "unexpected argument 'more'"},
        {"help --json", "help is text, once: no --json, no --watch"},
        {"help client list --watch 1", "help is text, once: no --json, no --watch"},
        {"client list --help --json", "help is text, once: no --json, no --watch"},
        {"--j client --help", "help is text, once: no --json, no --watch"},
        {"publish a --s", "'--s' could be --stdin, --socket"},
        {"status --nons", "status has no option '--nons'"},
        {"publish a --message x --watch 1", "--watch is for commands that show something"},
        {"--watch 1 client kick a", "not for client kick"},
        {"log level debug -w 1", "not for log level"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invocation invocation;
        if (parse(&invocation, cases[i].line))
            fail_msg("'%s' was taken", cases[i].line);
        if (strstr(error, cases[i].error) == NULL)
            fail_msg("'%s' says: %s", cases[i].line, error);
        invocation_free(&invocation);
    }
}

static void every_option_may_be_shortened_while_it_stays_clear(void **state) {
    static const char *const lines[] = {
        "status --j --wa 2 --so /a/socket", "--jso --w=2 --sock=/a/socket status",
        "client list --js --pre x --con --li 3 --watc 2 --s /a/socket"};
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct invocation invocation;
        if (!parse(&invocation, lines[i]))
            fail_msg("'%s' says: %s", lines[i], error);
        assert_true(invocation.json);
        assert_true(invocation.watch == 2);
        assert_string_equal(invocation.socket, "/a/socket");
        invocation_free(&invocation);
    }
    struct invocation invocation;
    assert_true(parse(&invocation, "publish a --std --so /a/socket"));
    assert_true(invocation.from_stdin);
    invocation_free(&invocation);
    assert_true(parse(&invocation, "log level --watch 1")); /* shows it */
    invocation_free(&invocation);
}

static void long_texts_are_cut_between_characters(void **state) {
    static const char *const cases[][2] = {
        {"abcde", "abcde"},
        {"abcdef", "ab..."},
        {"\u00e4\u20ac\U0001f600cd", "\u00e4\u20ac\U0001f600cd"},
        {"\u00e4\u20ac\U0001f600cde", "\u00e4\u20ac..."},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", cases[i][0]);
        format_cut(text, 5);
        assert_string_equal(text, cases[i][1]);
    }
}

static void help_is_asked_for_in_many_ways(void **state) {
    static const struct {
        const char *line, *noun, *command;
    } cases[] = {
        {"help", NULL, NULL},
        {"--help", NULL, NULL},
        {"-h", NULL, NULL},
        {"help client", "client", NULL},
        {"client --help", "client", NULL},
        {"client -h", "client", NULL},
        {"--help client", "client", NULL},
        {"help client list", NULL, "client list"},
        {"client list --help", NULL, "client list"},
        {"client show -h", NULL, "client show"},
        {"help cl l", NULL, "client list"},
        {"help status", NULL, "status"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invocation invocation;
        if (!parse(&invocation, cases[i].line))
            fail_msg("%s: %s", cases[i].line, error);
        assert_int_equal(invocation.what, INVOKE_HELP);
        if (cases[i].noun != NULL)
            assert_string_equal(invocation.noun, cases[i].noun);
        assert_int_equal(invocation.command != NULL, cases[i].command != NULL);
        if (cases[i].command != NULL)
            assert_ptr_equal(invocation.command, command_by_name(cases[i].command));
        invocation_free(&invocation);
    }
}

static void each_command_has_complete_help(void **state) {
    char *overview;
    size_t size;
    FILE *out = open_memstream(&overview, &size);
    help_overview(out);
    fclose(out);
    for (const struct command *command = commands; command->noun != NULL; command++) {
        char name[64], *text;
        command_name(command, name, sizeof name);
        assert_contains(overview, name);
        out = open_memstream(&text, &size);
        help_command(command, out);
        fclose(out);
        assert_contains(text, command->summary);
        assert_contains(text, command->example);
        for (const struct argument *argument = command->arguments; argument->name != NULL;
             argument++)
            if ((argument->flags & ARGUMENT_WIRE) == 0)
                assert_contains(text, argument->text);
        for (const struct column *column = command->columns; column->key != NULL; column++) {
            assert_contains(text, column->key);
            assert_contains(text, column->text);
        }
        for (const char *line = text; *line != 0; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 110);
        free(text);
    }
    free(overview);
}

/* --- requests -------------------------------------------------------------------------------- */

static void arguments_of_requests_are_checked(void **state) {
    static const struct {
        const char *command, *arguments, *error; /* NULL: good */
    } cases[] = {
        {"client list", "{}", NULL},
        {"client list", "{\"limit\":5,\"connected\":false}", NULL},
        {"client list", "[]", "'arguments' must be an object"},
        {"client list", "{\"limit\":\"5\"}", "--limit must be a whole number"},
        {"client list", "{\"limit\":-5}", "--limit must be a whole number"},
        {"client list", "{\"limit\":1.5}", "--limit must be a whole number"},
        {"client list", "{\"connected\":1}", "'connected' must be true or false"},
        {"client list", "{\"prefix\":null}", "'prefix' must be a string"},
        {"client list", "{\"nonsense\":1}", "there is no argument 'nonsense'"},
        {"client show", "{}", "ID is missing"},
        {"publish", "{\"topic\":\"a\",\"base64\":\"eA==\"}", NULL},
        {"publish", "{\"topic\":\"a\",\"file\":\"/etc/shadow\"}", "there is no argument 'file'"},
        {"log level", "{\"level\":\"loud\"}", "level must be one of"},
        {"log level", "{\"level\":7}", "level must be one of"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *arguments = json_loads(cases[i].arguments, 0, NULL);
        bool good =
            command_check(command_by_name(cases[i].command), arguments, error, sizeof error);
        assert_int_equal(good, cases[i].error == NULL);
        if (!good)
            assert_contains(error, cases[i].error);
        json_decref(arguments);
    }
    assert_true(command_check(command_by_name("status"), NULL, error, sizeof error));
}

/* --- completion ------------------------------------------------------------------------------ */

static void join(void *argument, const char *text) {
    char *all = argument;
    strcat(all, text);
    strcat(all, " ");
}

static void tab_completes_from_the_table(void **state) {
    static const struct {
        const char *words[4];
        const char *candidates;
    } cases[] = {
        {{"cl"}, "client "},
        {{"co"}, "counters config "},
        {{"h"}, "help "},
        {{"client", ""}, "list show kick trace "},
        {{"client", "s"}, "show "},
        {{"help", "cl"}, "client "},
        {{"help", "client", "k"}, "kick "},
        {{"client", "list", "--"}, "--prefix --connected --limit --json --watch --help "},
        {{"client", "list", "--p"}, "--prefix "},
        {{"cl", "l", "--c"}, "--connected "},
        {{"log", "level", ""}, "error warning info debug "},
        {{"log", "level", "d"}, "debug "},
        {{"nonsense", "x"}, ""},
        {{"client", "show", ""}, ""},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char all[512] = "";
        unsigned count = 0;
        while (count < 4 && cases[i].words[count] != NULL)
            count++;
        command_complete(cases[i].words, count, join, all);
        assert_string_equal(all, cases[i].candidates);
    }
}

/* --- values ---------------------------------------------------------------------------------- */

static void values_read_well(void **state) {
    static const struct {
        enum column_format format;
        const char *json, *text;
    } cases[] = {
        {COLUMN_NUMBER, "0", "0"},
        {COLUMN_NUMBER, "999", "999"},
        {COLUMN_NUMBER, "1000", "1,000"},
        {COLUMN_NUMBER, "9223372036854775807", "9,223,372,036,854,775,807"},
        {COLUMN_NUMBER, "null", "-"},
        {COLUMN_PORT, "1883", "1883"},
        {COLUMN_BYTES, "0", "0 B"},
        {COLUMN_BYTES, "1023", "1023 B"},
        {COLUMN_BYTES, "1024", "1.0 KiB"},
        {COLUMN_BYTES, "1048575", "1.0 MiB"},
        {COLUMN_BYTES, "1610612736", "1.5 GiB"},
        {COLUMN_PERCENT, "12.345", "12.3 %"},
        {COLUMN_RATE, "0.0", "0"},
        {COLUMN_RATE, "0.26", "0.3"},
        {COLUMN_RATE, "123456.7", "123,457"},
        {COLUMN_SECONDS, "59", "59s"},
        {COLUMN_SECONDS, "61", "1m 1s"},
        {COLUMN_SECONDS, "3661", "1h 1m"},
        {COLUMN_SECONDS, "90000", "1d 1h"},
        {COLUMN_MICROSECONDS, "250", "250 us"},
        {COLUMN_MICROSECONDS, "12345", "12.3 ms"},
        {COLUMN_MICROSECONDS, "1500000", "1.5 s"},
        {COLUMN_MICROSECONDS, "61000000", "1m 1s"},
        {COLUMN_FLAG, "true", "yes"},
        {COLUMN_FLAG, "false", "no"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct column column = {.key = "k", .format = cases[i].format};
        json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        char text[64];
        format_value(&column, value, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        json_decref(value);
    }
}

static void text_cannot_steer_a_terminal(void **state) {
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\033[2J", "\\x1b[2J"},
        {"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\u{9b}31m"},
        {"\xe2\x80\xaegnp", "\\u{202e}gnp"},
        {"\xe2\x80\x8b", "\\u{200b}"},
        {"\xef\xbb\xbf", "\\u{feff}"},
        {"back\\slash", "back\\\\slash"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = format_safe(cases[i].from, false);
        assert_string_equal(text, cases[i].to);
        free(text);
    }
    char *lines = format_safe("a\n\\b\033\n", true);
    assert_string_equal(lines, "a\n\\b\\x1b\n");
    free(lines);
    assert_int_equal(format_width("gr\xc3\xbc\xc3\x9f"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_understood),
        cmocka_unit_test(wrong_command_lines_are_told_what_is_right),
        cmocka_unit_test(every_option_may_be_shortened_while_it_stays_clear),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(help_is_asked_for_in_many_ways),
        cmocka_unit_test(each_command_has_complete_help),
        cmocka_unit_test(arguments_of_requests_are_checked),
        cmocka_unit_test(tab_completes_from_the_table),
        cmocka_unit_test(values_read_well),
        cmocka_unit_test(text_cannot_steer_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
