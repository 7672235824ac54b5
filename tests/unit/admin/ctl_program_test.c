/* SPDX-License-Identifier: Apache-2.0 */
/* ctl as a program: exit codes, its output in a pipe, --watch, the prompt, and who answers. */
#include "tests/unit/admin/test.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/admin/ctl.h"

/* --- exit codes ------------------------------------------------------------------------------ */

static void exit_codes_are_fixed(void **state) {
    struct world *world = *state;
    assert_int_equal(ctl(world, "status"), 0);
    assert_int_equal(ctl(world, "help"), 0);
    assert_int_equal(ctl(world, "client --help"), 0);
    assert_int_equal(ctl(world, "--version"), 0);
    assert_int_equal(ctl(world, "config check /nonexistent.yaml"), 1);
    assert_int_equal(ctl(world, "publish a --file /nonexistent"), 1);
    assert_int_equal(ctl(world, ""), 2);
    assert_int_equal(ctl(world, "nonsense"), 2);
    assert_int_equal(ctl(world, "--socket /nonexistent/socket"), 2); /* no terminal, no prompt */
    assert_contains(err, "no command given");
    assert_int_equal(ctl(world, "--json"), 2);
    assert_contains(err, "no command given");
    assert_int_equal(ctl(world, "client nonsense"), 2);
    assert_int_equal(ctl(world, "publish a"), 2);
    assert_int_equal(ctl(world, "publish a/# --message x"), 2);
    assert_int_equal(ctl(world, "topic match a/+"), 2);
    assert_int_equal(ctl(world, "status --socket /nonexistent/socket"), 3);
    assert_int_equal(ctl(world, "version --socket /nonexistent/socket"), 3);
    assert_contains(out, "ctl     ");
    assert_int_equal(ctl(world, "client show nobody"), 4);
    assert_contains(err, "there is no client 'nobody'");
    assert_int_equal(ctl(world, "client kick nobody"), 4);
    assert_int_equal(ctl(world, "client kick carol"), 4); /* offline */
    assert_int_equal(ctl(world, "sub list --client nobody"), 4);
}

static void a_result_that_can_not_be_written_is_a_failure(void **state) {
    static const char *const cases[] = {"help", "version", "status", "drops --all --json"};
    struct world *world = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[512];
        snprintf(command, sizeof command, "%s --socket %s %s >/dev/full 2>&1", CTL_PATH,
                 world->socket, cases[i]);
        int status = system(command);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
    }
}

/* --- watch ----------------------------------------------------------------------------------- */

/* `ctl LINE --watch 0.1` until `enough` says so; it ends by SIGINT, with exit code 0. */
static void watch_until(struct world *world, const char *line, bool (*enough)(FILE *in)) {
    char text[256], *words[16] = {(char *)(uintptr_t) "ctl"};
    unsigned count = 1;
    snprintf(text, sizeof text, "-s %s %s --watch 0.1", world->socket, line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        execv(CTL_PATH, words);
        _exit(127);
    }
    close(pipes[1]);
    FILE *in = fdopen(pipes[0], "r");
    if (!enough(in))
        fail_msg("%s", line);
    kill(pid, SIGINT);
    int status;
    waitpid(pid, &status, 0);
    fclose(in);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool two_documents(FILE *in) {
    for (unsigned i = 0; i < 2; i++) {
        json_t *document = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL);
        if (document == NULL)
            return false;
        json_decref(document);
    }
    return true;
}

/* An empty line stands between two of them, and in some answers. */
static bool two_texts(FILE *in) {
    char line[4096], first[4096] = "";
    unsigned times = 0;
    while (times < 2 && fgets(line, sizeof line, in) != NULL) {
        if (first[0] == 0)
            strcpy(first, line);
        times += strcmp(line, first) == 0;
    }
    return times == 2;
}

static void watch_asks_again_until_interrupted(void **state) {
    static const char *const lines[] = {
        "status",      "version",     "client list",     "client show alice", "sub list",
        "worker list", "port list",   "topic match a/b", "memory show",       "drops",
        "counters",    "config show", "log level"};
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s --json", lines[i]);
        watch_until(*state, line, two_documents);
    }
    watch_until(*state, "status", two_texts);
    watch_until(*state, "client list", two_texts);
}

static void what_acts_is_not_watched(void **state) {
    assert_int_equal(ctl(*state, "help client kick"), 0);
    assert_null(strstr(out, "--watch"));
    assert_int_equal(ctl(*state, "help client show"), 0);
    assert_contains(out, "--watch N");
    static const char *const lines[] = {"publish a/b --message x --watch 1",
                                        "client kick alice --watch 1", "log level debug --watch 1"};
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(ctl(*state, lines[i]), 2);
        assert_contains(err, "--watch is for commands that show something");
    }
    assert_int_equal(ctl(*state, "log level"), 0);
    assert_contains(out, "info");
    assert_int_equal(ctl(*state, "client show alice"), 0);
    assert_contains(out, "connected");
}

/* --- a pipe ---------------------------------------------------------------------------------- */

static void sentences_are_whole_in_a_pipe(void **state) {
    static const char *const lines[] = {"counters", "drops --all"};
    for (unsigned i = 0; i < 2; i++) {
        unsigned rows = 0;
        assert_int_equal(ctl(*state, lines[i]), 0);
        for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"), rows++)
            if (rows > 0 && line[strlen(line) - 1] != '.')
                fail_msg("%s", line);
            else if (strstr(line, "...") != NULL)
                fail_msg("%s", line);
        assert_true(rows > 10);
    }
}

/* --- the prompt ------------------------------------------------------------------------------ */

/* Reads from a terminal until `text` has been seen; what comes after it is kept in `seen`. */
static bool terminal_shows(int fd, char seen[8192], const char *text) {
    size_t used = strlen(seen);
    char *at;
    while ((at = strstr(seen, text)) == NULL && used + 1 < 8192) {
        ssize_t n = read(fd, seen + used, 8192 - used - 1);
        if (n <= 0)
            return false;
        used += (size_t)n;
        seen[used] = 0;
    }
    if (at != NULL)
        memmove(seen, at + strlen(text), strlen(at + strlen(text)) + 1);
    return at != NULL;
}

static void terminal_type(int fd, const char *text) {
    if (write(fd, text, strlen(text)) < 0)
        abort();
}

/* ctl without a command on a terminal of its own, with one socket in its environment and, unless
 * that is NULL, another on its command line. */
static pid_t prompt_open(int *fd, const char *environment, const char *socket) {
    pid_t pid = forkpty(fd, NULL, NULL, NULL);
    if (pid == 0) {
        setenv("LINEMQ_SOCKET", environment, 1);
        setenv("TERM", "dumb", 1);
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* libedit keeps some to the end */
        execl(CTL_PATH, "ctl", socket != NULL ? "--socket" : NULL, socket, NULL);
        _exit(127);
    }
    return pid;
}

static void prompt_exit(int fd, pid_t pid) {
    terminal_type(fd, "exit\r");
    int status;
    waitpid(pid, &status, 0);
    close(fd);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_prompt_completes_and_runs_commands(void **state) {
    struct world *world = *state;
    char seen[8192] = "";
    int fd;
    pid_t pid = prompt_open(&fd, world->socket, NULL);
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "vers\t\r");
    assert_true(terminal_shows(fd, seen, "broker  0.1.0"));
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "client show \"carol\"\r");
    assert_true(terminal_shows(fd, seen, "offline"));
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "client show \"carol\r");
    assert_true(terminal_shows(fd, seen, "not closed"));
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "version\r");
    assert_true(terminal_shows(fd, seen, "linemq> "));
    prompt_exit(fd, pid);
}

static void the_prompt_keeps_to_the_socket_it_was_given(void **state) {
    struct world *world = *state;
    char seen[8192] = "";
    int fd;
    pid_t pid = prompt_open(&fd, "/nonexistent/socket", world->socket);
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "version\r");
    assert_true(terminal_shows(fd, seen, "broker  0.1.0"));
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "--json\r");
    assert_true(terminal_shows(fd, seen, "no command given"));
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "--socket /tmp/x\r");
    assert_true(terminal_shows(fd, seen, "no command given"));
    assert_true(terminal_shows(fd, seen, "linemq> "));
    terminal_type(fd, "version\r");
    assert_true(terminal_shows(fd, seen, "broker  0.1.0"));
    prompt_exit(fd, pid);
}

/* --- a broken broker ------------------------------------------------------------------------- */

/* What ctl makes of something else on the socket. */
static void a_broken_broker_is_named(void **state) {
    static const struct {
        const char *answer, *error;
        int exit;
    } cases[] = {
        {"", "hung up before the answer was complete", 3},
        {"{\"rows\":[{\"client\":\"a\"}]}\n", "hung up before the answer was complete", 3},
        {"HTTP/1.1 400 Bad Request\r\n", "does not speak LineMQ's protocol", 3},
        {"{}\n", "does not speak LineMQ's protocol", 3},
        {"{\"version\":1,\"exit\":4,\"error\":\"gone\"}\n", "gone", 4},
        {"{\"version\":1,\"exit\":1}\n", "the broker said no more", 1},
    };
    struct world *world = *state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[108], error[256];
        struct admin_socket taken;
        snprintf(path, sizeof path, "%s/broken.sock", world->directory);
        assert_true(admin_socket_take(&taken, path, NULL, error, sizeof error));
        pid_t pid = fork();
        if (pid == 0) {
            char request[1024];
            fcntl(taken.fd, F_SETFL, 0);
            int fd = accept(taken.fd, NULL, NULL);
            if (read(fd, request, sizeof request) < 0 ||
                write(fd, cases[i].answer, strlen(cases[i].answer)) < 0)
                _exit(1);
            _exit(0);
        }
        close(taken.fd);
        assert_int_equal(ctl_input(path, "client list", ""), cases[i].exit);
        assert_contains(err, cases[i].error);
        waitpid(pid, NULL, 0);
        admin_socket_remove(&taken);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(a_result_that_can_not_be_written_is_a_failure),
        in_world(the_prompt_keeps_to_the_socket_it_was_given),
        in_world(exit_codes_are_fixed),
        in_world(watch_asks_again_until_interrupted),
        in_world(what_acts_is_not_watched),
        in_world(sentences_are_whole_in_a_pipe),
        in_world(the_prompt_completes_and_runs_commands),
        in_world(a_broken_broker_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
