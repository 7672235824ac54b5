/* SPDX-License-Identifier: Apache-2.0 */
/* What commands answer and do: the real ctl against the real admin thread, whose shards and workers
 * are played. */
#include "tests/unit/admin/test.h"

#include <unistd.h>

#include "control/log/log.h"
#include "tests/unit/admin/ctl.h"

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

/* --- limits ---------------------------------------------------------------------------------- */

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

static void memory_by_client_is_not_told_of_a_few(void **state) {
    assert_int_equal(ctl(*state, "memory show --json"), 0);
    json_t *row = json_loads(out, 0, NULL);
    json_t *process = json_object_get(row, "process");
    assert_true(json_is_null(json_object_get(process, "resident_per_client")));
    json_decref(row);
    assert_int_equal(ctl(*state, "memory show"), 0);
    assert_contains(out, "Resident per client  -");
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
    ctl_forget();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_world(every_command_answers_in_text_and_in_json),
        in_world(every_command_of_the_table_has_a_case),
        in_world(columns_line_up),
        in_world(hostile_client_identifiers_are_shown_escaped),
        in_world(topics_are_measured_alike_by_every_command),
        cmocka_unit_test(a_long_client_identifier_does_not_widen_the_table),
        in_world(a_shard_that_is_silent_makes_the_command_fail_in_time),
        in_world(a_worker_that_is_silent_makes_the_command_fail_in_time),
        in_world(clients_are_filtered),
        in_world(a_client_is_shown_with_its_tcp_connection_in_units),
        in_world(traces_of_all_workers_are_printed_the_oldest_first),
        in_world(a_connection_is_traced_though_its_worker_does_not_know_its_name),
        in_world(a_kick_reaches_the_shard_of_the_client),
        in_world(match_names_clients_of_workers_and_shards),
        in_world(subscriptions_of_one_client_come_from_where_its_session_is),
        in_world(payloads_arrive_byte_by_byte),
        in_world(the_log_level_is_set),
        in_world(drops_leaves_out_zeros_unless_told),
        in_world(a_configuration_is_checked_without_a_broker),
        in_world(memory_by_client_is_not_told_of_a_few),
        cmocka_unit_test(a_hundred_thousand_clients_come_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
