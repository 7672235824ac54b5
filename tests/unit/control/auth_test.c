/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/auth/auth.h"
#include "control/auth/password_file.h"

/* Made by mosquitto_passwd 2.0.11: secret, "pass word", legacy (-H sha512). */
static const char users[] =
    "# comment\n"
    "\n"
    "alice:$7$101$/tr+4x2FbMLCgZ2F$EqEXsCNKzD/+9QRpURBLdIZMKnzhIqwJpSxoetSf1QXLQLt/"
    "rMlTikDZlzriVGBxA7JHuQRVptEG2Ppq/TX+WQ==\n"
    "bob:$7$101$YqDEBZ7ATODN8qsQ$+l9UqRNfJiLZelblr+SRqdn3aNnv3PlNWW1XyU+1T09XGqejlAIUO9E+"
    "eKqlz7IwEs6z5Ri0+KKToxHlGzF2Ww==\r\n"
    "old:$6$xWM2+AUWx08LYkzi$8ZOOu30kryGwz8Il91YUsmFOk7WBzJLvuhR3gN0eoDRFee+"
    "pRPoNEbxQlIRNesWY7Ty0u+ObcVvxcJPO4qucsQ==";

static char file_name[] = "/tmp/linemq-passwords-XXXXXX";

static void write_file(const char *text) {
    FILE *file = fopen(file_name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct auth_request login(const char *user, const char *password) {
    return (struct auth_request){.client_id = (const uint8_t *)"c",
                                 .client_id_len = 1,
                                 .username = (const uint8_t *)user,
                                 .username_len = (uint16_t)(user != NULL ? strlen(user) : 0),
                                 .password = (const uint8_t *)password,
                                 .password_len =
                                     (uint16_t)(password != NULL ? strlen(password) : 0)};
}

static int answers, last_code;

static void done(struct auth_check *check, uint8_t code) {
    answers++;
    last_code = code;
}

/* What the client gets, however long the chain thinks. */
static int outcome(struct auth *auth, uv_loop_t *loop, const char *user, const char *password) {
    struct auth_request request = login(user, password);
    struct auth_check check = {.done = done};
    last_code = auth_start(auth, &check, &request);
    if (last_code == AUTH_PENDING)
        uv_run(loop, UV_RUN_DEFAULT);
    return last_code;
}

static struct config_auth links[2];
static struct config config = {.auth = links, .auth_count = 1};

static struct auth *chain(uv_loop_t *loop) {
    links[0] = (struct config_auth){.kind = AUTH_PASSWORD_FILE, .path = file_name};
    assert_int_equal(uv_loop_init(loop), 0);
    struct auth *auth = auth_create(&config, loop, stderr);
    assert_non_null(auth);
    return auth;
}

static void end(struct auth *auth, uv_loop_t *loop) {
    uv_run(loop, UV_RUN_DEFAULT);
    assert_true(auth_idle(auth));
    auth_destroy(auth);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void hashes_of_mosquitto_passwd_are_understood(void **state) {
    uv_loop_t loop;
    write_file(users);
    struct auth *auth = chain(&loop);
    assert_int_equal(outcome(auth, &loop, "alice", "secret"), 0);
    assert_int_equal(outcome(auth, &loop, "bob", "pass word"), 0);
    assert_int_equal(outcome(auth, &loop, "old", "legacy"), 0);
    end(auth, &loop);
}

static void a_wrong_password_an_unknown_user_and_no_password_get_code_4(void **state) {
    uv_loop_t loop;
    write_file(users);
    struct auth *auth = chain(&loop);
    assert_int_equal(outcome(auth, &loop, "alice", "Secret"), 4);
    assert_int_equal(outcome(auth, &loop, "alice", ""), 4);
    assert_int_equal(outcome(auth, &loop, "alic", "secret"), 4);
    assert_int_equal(outcome(auth, &loop, "old", "secret"), 4);
    assert_int_equal(outcome(auth, &loop, "alice", NULL), 4);
    end(auth, &loop);
}

static void whoever_no_link_knows_gets_code_5(void **state) {
    uv_loop_t loop;
    write_file(users);
    struct auth *auth = chain(&loop);
    assert_int_equal(outcome(auth, &loop, NULL, NULL), 5);
    end(auth, &loop);
}

static void anonymous_after_a_password_file_takes_only_those_without_a_name(void **state) {
    uv_loop_t loop;
    write_file(users);
    links[1] = (struct config_auth){.kind = AUTH_ANONYMOUS};
    config.auth_count = 2;
    struct auth *auth = chain(&loop);
    assert_int_equal(outcome(auth, &loop, NULL, NULL), 0);
    assert_int_equal(outcome(auth, &loop, "mallory", "x"), 4);
    end(auth, &loop);
    config.auth_count = 1;
}

static void an_unknown_user_is_compared_at_the_usual_cost(void **state) {
    write_file(users);
    struct password_file *file = password_file_load(file_name, "c.yaml:1: auth[0].path", stderr);
    assert_non_null(file);
    assert_null(password_file_find(file, (const uint8_t *)"carol", 5));
    assert_int_equal(password_file_decoy(file)->iterations,
                     password_file_find(file, (const uint8_t *)"alice", 5)->iterations);
    password_file_free(file);
}

static void every_bad_line_is_named(void **state) {
    static const struct {
        const char *line, *wrong;
    } bad[] = {
        {"alice", "is not `user:hash`"},
        {":$7$101$AAAA$AAAA", "is not `user:hash`"},
        {"alice:secret", "the hash is of no known kind"},
        {"alice:$7$0$AAAA$AAAA", "the number of iterations"},
        {"alice:$7$99999999$AAAA$AAAA", "the number of iterations"},
        {"alice:$7$x$AAAA$AAAA", "the number of iterations"},
        {"alice:$7$101$AAAA", "the salt is not"},
        {"alice:$7$101$A*AA$AAAA", "the salt is not"},
        {"alice:$7$101$AAAA$AAAA", "the hash is not 64 bytes"},
        {"alice:$7$101$AA=A$AAAA", "the salt is not"},
        {"alice:$6$$AAAA", "the salt is not"},
        {"alice:$6$AAAA$", "the hash is not 64 bytes"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256], wanted[256], *errors = NULL;
        size_t size;
        snprintf(text, sizeof text, "# first\n%s\n", bad[i].line);
        snprintf(wanted, sizeof wanted, "%s:2: %s", file_name, bad[i].wrong);
        write_file(text);
        FILE *out = open_memstream(&errors, &size);
        assert_null(password_file_load(file_name, "c.yaml:1: auth[0].path", out));
        fclose(out);
        assert_int_equal(strncmp(errors, wanted, strlen(wanted)), 0);
        free(errors);
    }
}

static void a_user_may_be_named_once(void **state) {
    char text[2048], *errors = NULL, wanted[128];
    size_t size;
    snprintf(text, sizeof text, "%s\n%s\n", users, users);
    write_file(text);
    FILE *out = open_memstream(&errors, &size);
    assert_null(password_file_load(file_name, "c.yaml:1: auth[0].path", out));
    assert_null(password_file_load("/nonexistent/passwords", "c.yaml:7: auth[0].path", out));
    fclose(out);
    snprintf(wanted, sizeof wanted, "%s:8: the user is on line 3 already", file_name);
    assert_non_null(strstr(errors, wanted));
    assert_non_null(strstr(
        errors, "c.yaml:7: auth[0].path: /nonexistent/passwords cannot be read: No such file"));
    free(errors);
}

static void a_reload_takes_effect_and_a_bad_file_changes_nothing(void **state) {
    uv_loop_t loop;
    char *errors = NULL;
    size_t size;
    write_file(users);
    struct auth *auth = chain(&loop);
    FILE *out = open_memstream(&errors, &size);
    write_file("alice:nonsense\n");
    assert_false(auth_reload(auth, out));
    assert_int_equal(outcome(auth, &loop, "alice", "secret"), 0);
    write_file("");
    assert_true(auth_reload(auth, out));
    assert_int_equal(outcome(auth, &loop, "alice", "secret"), 4);
    fclose(out);
    free(errors);
    end(auth, &loop);
}

static void a_check_that_was_cancelled_is_not_answered(void **state) {
    uv_loop_t loop;
    write_file(users);
    struct auth *auth = chain(&loop);
    answers = 0;
    for (unsigned i = 0; i < 50; i++) {
        struct auth_request request = login("alice", "secret");
        struct auth_check *check = calloc(1, sizeof *check);
        check->done = done;
        assert_int_equal(auth_start(auth, check, &request), AUTH_PENDING);
        auth_cancel(check);
        free(check); /* the thread pool works on copies */
    }
    end(auth, &loop);
    assert_int_equal(answers, 0);
}

static void a_file_may_be_reloaded_while_passwords_are_checked(void **state) {
    uv_loop_t loop;
    write_file(users);
    struct auth *auth = chain(&loop);
    struct auth_request request = login("alice", "secret");
    struct auth_check check = {.done = done};
    answers = 0;
    assert_int_equal(auth_start(auth, &check, &request), AUTH_PENDING);
    write_file("");
    assert_true(auth_reload(auth, stderr));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answers, 1);
    assert_int_equal(last_code, 0);
    end(auth, &loop);
}

/* A link that answers when the test says so. */
static struct auth_check *waiting;
static unsigned cancelled;
static int answer_inside = -1;

static enum auth_answer slow_check(void *link, struct auth_check *check,
                                   const struct auth_request *request) {
    if (answer_inside >= 0)
        auth_answer(check, (enum auth_answer)answer_inside);
    else
        waiting = check;
    return AUTH_LATER;
}

static void slow_cancel(void *link, struct auth_check *check) {
    assert_ptr_equal(check, waiting);
    waiting = NULL;
    cancelled++;
}

static void slow_destroy(void *link) {
}

static void a_slow_link_decides_later_or_hands_on(void **state) {
    uv_loop_t loop;
    static const struct auth_link slow = {
        .name = "slow", .check = slow_check, .cancel = slow_cancel, .destroy = slow_destroy};
    static const struct {
        enum auth_answer answer;
        int code;
    } cases[] = {{AUTH_YES, 0},
                 {AUTH_NOT_MINE, 0},
                 {AUTH_BAD_PASSWORD, 4},
                 {AUTH_UNAVAILABLE, 3},
                 {AUTH_REFUSED, 5}};
    struct config none = {.auth_count = 0};
    struct auth_link everybody;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct auth *auth = auth_create(&none, &loop, stderr);
    assert_true(auth_add(auth, &slow));
    assert_true(auth_anonymous(&everybody));
    assert_true(auth_add(auth, &everybody));
    struct auth_request request = login("x", "y");
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct auth_check check = {.done = done};
        answers = 0;
        answer_inside = -1;
        assert_int_equal(auth_start(auth, &check, &request), AUTH_PENDING);
        assert_int_equal(answers, 0);
        auth_answer(waiting, cases[i].answer);
        assert_int_equal(answers, 1);
        assert_int_equal(last_code, cases[i].code);
        answer_inside = cases[i].answer;
        assert_int_equal(auth_start(auth, &check, &request), cases[i].code);
        assert_int_equal(answers, 1);
    }
    answer_inside = -1;
    struct auth_check check = {.done = done};
    assert_int_equal(auth_start(auth, &check, &request), AUTH_PENDING);
    auth_cancel(&check);
    assert_int_equal(cancelled, 1);
    end(auth, &loop);
}

static int make_file(void **state) {
    int fd = mkstemp(file_name);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    return unlink(file_name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_mosquitto_passwd_are_understood),
        cmocka_unit_test(a_wrong_password_an_unknown_user_and_no_password_get_code_4),
        cmocka_unit_test(whoever_no_link_knows_gets_code_5),
        cmocka_unit_test(anonymous_after_a_password_file_takes_only_those_without_a_name),
        cmocka_unit_test(an_unknown_user_is_compared_at_the_usual_cost),
        cmocka_unit_test(every_bad_line_is_named),
        cmocka_unit_test(a_user_may_be_named_once),
        cmocka_unit_test(a_reload_takes_effect_and_a_bad_file_changes_nothing),
        cmocka_unit_test(a_check_that_was_cancelled_is_not_answered),
        cmocka_unit_test(a_file_may_be_reloaded_while_passwords_are_checked),
        cmocka_unit_test(a_slow_link_decides_later_or_hands_on),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
