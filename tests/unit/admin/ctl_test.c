/* SPDX-License-Identifier: Apache-2.0 */
/* The real ctl against the real admin thread, whose shards and workers are played. */
#include "tests/unit/admin/test.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/log/log.h"
#include "tests/unit/admin/world.h"

static char *out, *err; /* of the last ctl */

static char *slurp(int fd) {
    size_t used = 0, size = 65536;
    char *text = malloc(size);
    lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = read(fd, text + used, size - used - 1)) > 0;) {
        used += (size_t)n;
        if (used + 1 == size)
            text = realloc(text, size *= 2);
    }
    text[used] = 0;
    close(fd);
    return text;
}

/* Runs `ctl WORDS...` (split at blanks) with `input`; returns its exit code. */
static int ctl_input(const char *socket, const char *line, const char *input) {
    char text[512], *words[32] = {(char *)(uintptr_t)CTL_PATH};
    unsigned count = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    free(out);
    free(err);
    int in_fd = memfd_create("in", 0), out_fd = memfd_create("out", 0),
        err_fd = memfd_create("err", 0);
    if (write(in_fd, input, strlen(input)) < 0)
        abort();
    lseek(in_fd, 0, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in_fd, 0);
        dup2(out_fd, 1);
        dup2(err_fd, 2);
        setenv("LINEMQ_SOCKET", socket, 1);
        execv(CTL_PATH, words);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    close(in_fd);
    out = slurp(out_fd);
    err = slurp(err_fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ctl(struct world *world, const char *line) {
    return ctl_input(world->socket, line, "");
}

static int set_up(void **state) {
    *state = world_running();
    return 0;
}

static int tear_down(void **state) {
    world_destroy(*state);
    free(out);
    free(err);
    out = err = NULL;
    return 0;
}

/* --- every command --------------------------------------------------------------------------- */

/* In text, in JSON with all keys of the table, and with its exit code. */
static void every_command_answers_in_text_and_in_json(void **state) {
    static const struct {
        const char *line, *command, *contains; /* in the text */
    } cases[] = {
        {"status", "status", "Clients connected"},
        {"version", "version", "broker  0.1.0"},
        {"client list", "client list", "10.88.0.1"},
        {"client show alice", "client show", "ESTABLISHED"},
        {"client show carol", "client show", "offline"},
        {"client kick alice", "client kick", "alice"},
        {"client trace alice", "client trace", "tcp.retransmissions"},
        {"sub list", "sub list", "a/#"},
        {"topic match a/b", "topic match", "carol"},
        {"publish a/b --message x", "publish", "a/b"},
        {"worker list", "worker list", "BUSY"},
        {"port list", "port list", "linemq0"},
        {"memory show", "memory show", "connections"},
        {"drops", "drops", "42"},
        {"counters", "counters", "tcp.segments_in"},
        {"config show", "config show", "mqtt:"},
        {"log level", "log level", "info"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (ctl(*state, cases[i].line) != 0)
            fail_msg("%s: %s", cases[i].line, err);
        assert_string_equal(err, "");
        if (strstr(out, cases[i].contains) == NULL)
            fail_msg("%s: '%s' is missing in\n%s", cases[i].line, cases[i].contains, out);
        assert_null(strchr(out, '\033'));

        char line[128];
        snprintf(line, sizeof line, "--json %s", cases[i].line);
        assert_int_equal(ctl(*state, line), 0);
        json_error_t detail;
        json_t *document = json_loads(out, JSON_REJECT_DUPLICATES, &detail);
        if (document == NULL)
            fail_msg("%s: %s in\n%s", line, detail.text, out);
        const struct command *command = command_by_name(cases[i].command);
        assert_int_equal(json_is_array(document), command->output == OUTPUT_LIST);
        json_t *row = json_is_array(document) ? json_array_get(document, 0) : document;
        assert_true(json_is_object(row));
        /* No key that the table does not have. */
        const char *key;
        json_t *value;
        json_object_foreach(row, key, value) {
            size_t len = strlen(key);
            const struct column *column = command->columns;
            while (column->key != NULL && (strncmp(column->key, key, len) != 0 ||
                                           (column->key[len] != 0 && column->key[len] != '.')))
                column++;
            if (column->key == NULL)
                fail_msg("%s: key '%s' is not in the table", line, key);
        }
        /* And those of the table, where a connection is not needed. */
        for (const struct column *column = command->columns; column->key != NULL; column++)
            if (command->output == OUTPUT_LIST && strchr(column->key, '.') == NULL &&
                json_object_get(row, column->key) == NULL)
                fail_msg("%s: key '%s' is missing", line, column->key);
        json_decref(document);
    }
}

static void every_command_of_the_table_has_a_case(void **state) {
    assert_int_equal(ctl(*state, "config check /nonexistent.yaml"), 1);
    unsigned count = 0;
    for (const struct command *command = commands; command->noun != NULL; command++)
        count += (command->flags & COMMAND_LOCAL) == 0;
    /* Those of captures are in capture_test.c. */
    assert_int_equal(count, 16 + 4);
}

static void columns_line_up(void **state) {
    assert_int_equal(ctl(*state, "client list"), 0);
    const char *heading = strstr(out, "ADDRESS");
    assert_non_null(heading);
    assert_ptr_equal(strstr(out, "CLIENT"), out);
    size_t at = (size_t)(heading - out);
    unsigned addresses = 0;
    for (const char *line = strchr(out, '\n') + 1; *line != 0; line = strchr(line, '\n') + 1)
        addresses += strncmp(line + at, "10.88.0.1", 9) == 0;
    assert_int_equal(addresses, 4);
}

static void hostile_client_identifiers_are_shown_escaped(void **state) {
    assert_int_equal(ctl(*state, "client list --prefix evil"), 0);
    assert_contains(out, "evil\\x1b[31m\\x0aroot\\u{202e}");
    assert_int_equal(ctl(*state, "client list --prefix evil --json"), 0);
    assert_contains(out, "evil\\u001B[31m\\nroot\\u202E");
}

static void a_long_client_identifier_does_not_widen_the_table(void **state) {
    struct world *world = world_create();
    char id[64], cut[64];
    memset(id, 'x', 63);
    id[63] = 0;
    snprintf(cut, sizeof cut, "%.45s...  connected", id);
    world_client(world, id, true, true, 0, "t");
    world_client(world, "short", true, true, 0, "t");
    world_start(world);
    assert_int_equal(ctl(world, "client list"), 0);
    assert_contains(out, cut);
    assert_null(strstr(out, id));
    assert_int_equal(ctl(world, "client list --json"), 0);
    assert_contains(out, id);
    world_destroy(world);
}

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

static void topics_are_measured_alike_by_every_command(void **state) {
    struct world *world = *state;
    world->config.mqtt.topic_length = 16;
    for (unsigned i = 0; i < 2; i++) {
        const char *const topics[] = {"0123456789abcdef", "0123456789abcdefg"};
        for (unsigned k = 0; k < 2; k++) {
            char line[128];
            snprintf(line, sizeof line, i == 0 ? "topic match %s" : "publish %s --message x",
                     topics[k]);
            assert_int_equal(ctl(world, line), k == 0 ? 0 : 2);
            if (k == 1)
                assert_contains(err, "TOPIC must be a topic name: 1 to 16 bytes");
        }
    }
}

static void a_shard_that_is_silent_makes_the_command_fail_in_time(void **state) {
    struct world *world = *state;
    world->admin->limits.answer_ms = 300;
    __atomic_store_n(&world->shards[1].thread.mute, true, __ATOMIC_RELAXED);
    assert_int_equal(ctl(world, "client list"), 1);
    assert_contains(err, "no answer from shard 1 within 300 ms");
    assert_int_equal(ctl(world, "status"), 0);
}

static void a_worker_that_is_silent_makes_the_command_fail_in_time(void **state) {
    struct world *world = *state;
    world->admin->limits.answer_ms = 300;
    __atomic_store_n(&world->workers[0].thread.mute, true, __ATOMIC_RELAXED);
    assert_int_equal(ctl(world, "memory show"), 1);
    assert_contains(err, "no answer from worker 0 within 300 ms");
    assert_int_equal(ctl(world, "client show bob"), 0); /* on worker 1 */
    assert_int_equal(ctl(world, "worker list"), 0);
}

/* --- what they do ---------------------------------------------------------------------------- */

static void clients_are_filtered(void **state) {
    assert_int_equal(ctl(*state, "client list --json --connected"), 0);
    json_t *list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), 4);
    json_decref(list);
    assert_int_equal(ctl(*state, "client list --json --limit 2"), 0);
    list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    assert_int_equal(ctl(*state, "client list --prefix nobody"), 0);
    assert_string_equal(out, "(none)\n");
    assert_int_equal(ctl(*state, "client list --prefix nobody --json"), 0);
    assert_string_equal(out, "[]\n");
}

static void a_client_is_shown_with_its_tcp_connection_in_units(void **state) {
    assert_int_equal(ctl(*state, "client show alice"), 0);
    assert_contains(out, "\nTCP connection\n");
    assert_contains(out, "Last drops of this connection\nNAME");
    assert_contains(out, "tcp.drop_paws      2  1.5 ms");
    assert_contains(out, "Broker's address");
    assert_int_equal(ctl(*state, "client show alice --json"), 0);
    json_t *row = json_loads(out, 0, NULL);
    json_t *tcp = json_object_get(row, "tcp");
    assert_int_equal(json_integer_value(json_object_get(tcp, "srtt_us")), 250);
    assert_int_equal(json_integer_value(json_object_get(tcp, "mss_bytes")), 1460);
    assert_int_equal(json_integer_value(json_object_get(tcp, "retransmissions")), 3);
    json_t *drop = json_array_get(json_object_get(tcp, "drops"), 0);
    assert_string_equal(json_string_value(json_object_get(drop, "name")), "tcp.drop_paws");
    assert_int_equal(json_integer_value(json_object_get(drop, "ago_us")), 1500);
    /* Each member of the object has its line in the table, and each line its member. */
    const struct command *command = command_by_name("client show");
    unsigned lines = 0;
    for (const struct column *column = command->columns; column->key != NULL; column++) {
        if (strncmp(column->key, "tcp.", 4) != 0)
            continue;
        lines++;
        assert_non_null(json_object_get(tcp, column->key + 4));
    }
    assert_int_equal(json_object_size(tcp), lines);
    json_decref(row);
}

static void traces_of_all_workers_are_printed_the_oldest_first(void **state) {
    assert_int_equal(ctl(*state, "client trace alice"), 0);
    assert_contains(out, "CONN          AT  EVENT");
    assert_contains(out, "1  0.000000 s  begin                10.88.0.7 port 40000; 67 events are");
    assert_contains(out, "1  0.000000 s  tcp.retransmissions  seq 300, len 100");
    assert_contains(out, "3  1.234567 s  segment_in           seq 10, len 7");
    assert_contains(out, "3  2.000000 s  closed               reset by the client");
    assert_int_equal(ctl(*state, "client trace alice --json"), 0);
    json_t *rows = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(rows), 3 * 4);
    json_t *row = json_array_get(rows, 1);
    assert_int_equal(json_integer_value(json_object_get(row, "in_flight_bytes")), 100);
    assert_int_equal(json_integer_value(json_object_get(row, "acked_bytes")), 300);
    assert_int_equal(json_integer_value(json_object_get(row, "received_bytes")), 10);
    json_t *values = json_object_get(row, "values");
    assert_int_equal(json_integer_value(json_object_get(values, "seq")), 300);
    assert_int_equal(json_integer_value(json_object_get(values, "len")), 100);
    values = json_object_get(json_array_get(rows, 0), "values");
    assert_int_equal(json_integer_value(json_object_get(values, "events_lost")), 67);
    json_decref(rows);
}

static void a_connection_is_traced_though_its_worker_does_not_know_its_name(void **state) {
    assert_int_equal(ctl(*state, "client trace bob --json"), 0);
    json_t *rows = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(rows), 4);
    json_decref(rows);
    assert_int_equal(ctl(*state, "client trace carol"), 4);
    assert_contains(err, "there is no trace of a client 'carol'");
}

static void a_kick_reaches_the_shard_of_the_client(void **state) {
    struct world *world = *state;
    assert_int_equal(ctl(world, "client kick dave"), 0);
    unsigned shard = client_shard((const uint8_t *)"dave", 4, NULL, WORLD_SHARDS);
    assert_string_equal(world->shards[shard].kicked, "dave");
}

static void match_names_clients_of_workers_and_shards(void **state) {
    assert_int_equal(ctl(*state, "topic match a/b --json"), 0);
    json_t *list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), 3);
    unsigned seen = 0;
    size_t index;
    json_t *row;
    json_array_foreach(list, index, row) {
        const char *client = json_string_value(json_object_get(row, "client"));
        const char *session = json_string_value(json_object_get(row, "session"));
        const char *where = json_string_value(json_object_get(row, "state"));
        if (strcmp(client, "alice") == 0 && strcmp(session, "clean") == 0 &&
            strcmp(where, "connected") == 0)
            seen |= 1;
        if (strcmp(client, "bob") == 0 && strcmp(session, "persistent") == 0 &&
            strcmp(where, "connected") == 0)
            seen |= 2;
        if (strcmp(client, "carol") == 0 && strcmp(session, "persistent") == 0 &&
            strcmp(where, "offline") == 0)
            seen |= 4;
    }
    assert_int_equal(seen, 7);
    json_decref(list);
}

static void subscriptions_of_one_client_come_from_where_its_session_is(void **state) {
    assert_int_equal(ctl(*state, "sub list --client alice"), 0);
    assert_contains(out, "a/#");
    assert_contains(out, "worker 0");
    assert_null(strstr(out, "bob"));
    assert_int_equal(ctl(*state, "sub list --client carol"), 0);
    assert_contains(out, "a/b");
    assert_contains(out, "shard");
    assert_null(strstr(out, "bob"));
}

static void payloads_arrive_byte_by_byte(void **state) {
    struct world *world = *state;
    struct shard *shard = &world->shards[0];
    assert_int_equal(ctl(world, "publish a/b --message hello --qos 1 --retain"), 0);
    assert_string_equal(shard->topic, "a/b");
    assert_int_equal(shard->qos, 1);
    assert_true(shard->retain);
    assert_int_equal(shard->payload_len, 5);
    assert_memory_equal(shard->payload, "hello", 5);
    static const char *const inputs[] = {"", "a", "ab", "abc", "abcd", "\xff\xfe\n\x01\x80"};
    for (unsigned i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        assert_int_equal(ctl_input(world->socket, "publish x --stdin", inputs[i]), 0);
        assert_int_equal(shard->payload_len, strlen(inputs[i]));
        assert_memory_equal(shard->payload, inputs[i], strlen(inputs[i]));
        assert_false(shard->retain);
    }
    char path[128], line[256];
    snprintf(path, sizeof path, "%s/payload", world->directory);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 200; i++)
        fputc((int)i, file);
    fclose(file);
    snprintf(line, sizeof line, "publish x --file %s", path);
    assert_int_equal(ctl(world, line), 0);
    assert_int_equal(shard->payload_len, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(shard->payload[i], i);
    unlink(path);
}

static void the_log_level_is_set(void **state) {
    assert_int_equal(ctl(*state, "log level warning"), 0);
    assert_int_equal(log_level(), LOG_LEVEL_WARNING);
    assert_int_equal(ctl(*state, "log level"), 0);
    assert_contains(out, "warning");
    log_set_level(LOG_LEVEL_INFO);
}

static void drops_leaves_out_zeros_unless_told(void **state) {
    assert_int_equal(ctl(*state, "drops --json"), 0);
    json_t *list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    assert_int_equal(ctl(*state, "drops --json --all"), 0);
    list = json_loads(out, 0, NULL);
    unsigned drops = 0;
    for (unsigned i = 0; i < COUNTERS; i++)
        drops += counter_descriptions[i].kind == COUNTER_KIND_DROP;
    assert_int_equal(json_array_size(list), drops);
    json_decref(list);
}

static void a_configuration_is_checked_without_a_broker(void **state) {
    struct world *world = *state;
    char path[128], line[256];
    snprintf(path, sizeof path, "%s/linemq.yaml", world->directory);
    FILE *file = fopen(path, "w");
    fputs("workers:\n  count: 1\n", file);
    fclose(file);
    snprintf(line, sizeof line, "config check %s", path);
    assert_int_equal(ctl_input("/nonexistent", line, ""), 0);
    assert_contains(out, "good");
    file = fopen(path, "w");
    fputs("workers:\n  cuont: 1\n", file);
    fclose(file);
    assert_int_equal(ctl_input("/nonexistent", line, ""), 1);
    assert_contains(err, ":2:");
    snprintf(line, sizeof line, "config check %s --json", path);
    assert_int_equal(ctl_input("/nonexistent", line, ""), 1);
    json_t *row = json_loads(out, 0, NULL);
    assert_true(json_is_false(json_object_get(row, "good")));
    assert_int_equal(json_array_size(json_object_get(row, "mistakes")), 1);
    json_decref(row);
    unlink(path);
}

/* --- the program ------------------------------------------------------------------------------ */

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

static void memory_by_client_is_not_told_of_a_few(void **state) {
    assert_int_equal(ctl(*state, "memory show --json"), 0);
    json_t *row = json_loads(out, 0, NULL);
    json_t *process = json_object_get(row, "process");
    assert_true(json_is_null(json_object_get(process, "resident_per_client")));
    json_decref(row);
    assert_int_equal(ctl(*state, "memory show"), 0);
    assert_contains(out, "Resident per client  -");
}

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

static void the_prompt_completes_and_runs_commands(void **state) {
    struct world *world = *state;
    char seen[8192] = "";
    int fd;
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    if (pid == 0) {
        setenv("LINEMQ_SOCKET", world->socket, 1);
        setenv("TERM", "dumb", 1);
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* libedit keeps some to the end */
        execl(CTL_PATH, "ctl", NULL);
        _exit(127);
    }
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
    terminal_type(fd, "exit\r");
    int status;
    waitpid(pid, &status, 0);
    close(fd);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_prompt_keeps_to_the_socket_it_was_given(void **state) {
    struct world *world = *state;
    char seen[8192] = "";
    int fd;
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    if (pid == 0) {
        setenv("LINEMQ_SOCKET", "/nonexistent/socket", 1);
        setenv("TERM", "dumb", 1);
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* libedit keeps some to the end */
        execl(CTL_PATH, "ctl", "--socket", world->socket, NULL);
        _exit(127);
    }
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
    terminal_type(fd, "exit\r");
    int status;
    waitpid(pid, &status, 0);
    close(fd);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

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

/* --- large lists ----------------------------------------------------------------------------- */

static void a_hundred_thousand_clients_come_in_pages(void **state) {
    enum { CLIENTS = 100000 };
    struct world *world = world_create();
    for (unsigned i = 0; i < CLIENTS; i++) {
        char id[32];
        snprintf(id, sizeof id, "client-%u", i);
        world_client(world, id, true, i % 2 == 0, i % 2, "t");
    }
    world_start(world);
    assert_int_equal(ctl(world, "client list --json"), 0);
    json_t *list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), CLIENTS);
    json_decref(list);
    /* No call kept a shard longer than a bounded number of clients. */
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        assert_true(world->shards[i].most_visits <= 1000);
        assert_true(world->shards[i].calls >= world->shards[i].clients_count / 1000);
    }
    /* --limit ends the walk early. */
    unsigned calls = world->shards[0].calls;
    assert_int_equal(ctl(world, "client list --limit 5"), 0);
    assert_int_equal(world->shards[0].calls, calls + 1);
    /* Subscriptions on workers are paged too, and resolved. */
    assert_int_equal(ctl(world, "sub list --limit 60000 --json"), 0);
    list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), 60000);
    json_decref(list);
    world_destroy(world);
    free(out);
    free(err);
    out = err = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_command_answers_in_text_and_in_json, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_command_of_the_table_has_a_case, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_line_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_client_identifiers_are_shown_escaped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_result_that_can_not_be_written_is_a_failure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(topics_are_measured_alike_by_every_command, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_prompt_keeps_to_the_socket_it_was_given, set_up,
                                        tear_down),
        cmocka_unit_test(a_long_client_identifier_does_not_widen_the_table),
        cmocka_unit_test_setup_teardown(exit_codes_are_fixed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shard_that_is_silent_makes_the_command_fail_in_time,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_is_silent_makes_the_command_fail_in_time,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(clients_are_filtered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_is_shown_with_its_tcp_connection_in_units, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(traces_of_all_workers_are_printed_the_oldest_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_connection_is_traced_though_its_worker_does_not_know_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kick_reaches_the_shard_of_the_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(match_names_clients_of_workers_and_shards, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(subscriptions_of_one_client_come_from_where_its_session_is,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(payloads_arrive_byte_by_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_level_is_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drops_leaves_out_zeros_unless_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_configuration_is_checked_without_a_broker, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(watch_asks_again_until_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_acts_is_not_watched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sentences_are_whole_in_a_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_by_client_is_not_told_of_a_few, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_prompt_completes_and_runs_commands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_broker_is_named, set_up, tear_down),
        cmocka_unit_test(a_hundred_thousand_clients_come_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
