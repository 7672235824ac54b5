/* SPDX-License-Identifier: Apache-2.0 */
/* The admin thread on its socket: taking it, bad input, slow and silent peers. */
#include "tests/unit/admin/test.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/admin/peer.h"

static int set_up(void **state) {
    *state = world_running();
    return 0;
}

static int tear_down(void **state) {
    world_destroy(*state);
    return 0;
}

/* --- a peer ---------------------------------------------------------------------------------- */

/* Reads up to the last line of an answer; its exit code, its error in `error`; -1: hung up. */
static int peer_answer(int fd, char error[512]) {
    for (;;) {
        char *line = peer_line(fd);
        if (line == NULL)
            return -1;
        json_t *answer = json_loads(line, 0, NULL);
        free(line);
        assert_non_null(answer);
        json_t *exit = json_object_get(answer, "exit");
        int code = exit != NULL ? (int)json_integer_value(exit) : -2;
        const char *text = json_string_value(json_object_get(answer, "error"));
        snprintf(error, 512, "%s", text != NULL ? text : "");
        json_decref(answer);
        if (code != -2)
            return code;
    }
}

static void assert_served(const struct world *world) {
    char error[512];
    int fd = peer_open(world);
    peer_send(fd, "{\"version\":1,\"command\":\"status\"}\n");
    assert_int_equal(peer_answer(fd, error), 0);
    close(fd);
}

/* --- taking the socket ----------------------------------------------------------------------- */

static void the_socket_is_for_its_group_only(void **state) {
    struct world *world = *state;
    struct stat status;
    assert_int_equal(stat(world->socket, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0660);
}

static void the_group_is_set_or_named_as_missing(void **state) {
    struct world *world = *state;
    char error[512], path[108];
    struct admin_socket taken;
    snprintf(path, sizeof path, "%s/other.sock", world->directory);
    struct group *group = getgrgid(getgid());
    assert_true(admin_socket_take(&taken, path, group->gr_name, error, sizeof error));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_gid, getgid());
    close(taken.fd);
    admin_socket_remove(&taken);
    assert_false(admin_socket_take(&taken, path, "no-such-group-here", error, sizeof error));
    assert_contains(error, "there is no group 'no-such-group-here'");
    assert_int_equal(access(path, F_OK), -1);
}

static void a_second_instance_is_told_at_once(void **state) {
    struct world *world = *state;
    char error[512] = "";
    assert_null(admin_create(&world->registry, error, sizeof error));
    assert_contains(error, "another instance is running");
    assert_contains(error, world->socket);
    assert_served(world); /* and the first is unharmed */
}

static void an_instance_that_has_not_started_yet_counts(void **state) {
    struct world *world = world_create();
    char error[512] = "";
    assert_null(admin_create(&world->registry, error, sizeof error));
    assert_contains(error, "another instance is running");
    world_destroy(world);
}

static void a_dead_socket_is_replaced(void **state) {
    struct world *world = *state;
    char error[512], path[108];
    struct admin_socket taken;
    snprintf(path, sizeof path, "%s/dead.sock", world->directory);
    assert_true(admin_socket_take(&taken, path, NULL, error, sizeof error));
    close(taken.fd); /* as after a kill: the file stays, nobody answers */
    struct admin_socket again;
    assert_true(admin_socket_take(&again, path, NULL, error, sizeof error));
    /* The first can't remove what is not its own any more. */
    admin_socket_remove(&taken);
    assert_int_equal(access(path, F_OK), 0);
    close(again.fd);
    admin_socket_remove(&again);
    assert_int_equal(access(path, F_OK), -1);
}

static void what_is_no_socket_is_left_alone(void **state) {
    struct world *world = *state;
    char error[512], path[108];
    struct admin_socket taken;
    snprintf(path, sizeof path, "%s/file", world->directory);
    fclose(fopen(path, "w"));
    assert_false(admin_socket_take(&taken, path, NULL, error, sizeof error));
    assert_contains(error, "no socket");
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

static void paths_that_cannot_be_are_refused(void **state) {
    char error[512], path[200];
    struct admin_socket taken;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_false(admin_socket_take(&taken, path, NULL, error, sizeof error));
    assert_contains(error, "longer than 107 bytes");
    assert_false(
        admin_socket_take(&taken, "/nonexistent/deep/ctl.sock", NULL, error, sizeof error));
    assert_contains(error, "directory");
}

static void stopping_leaves_nothing_behind(void **state) {
    struct world *world = world_running();
    char socket[108], directory[108];
    strcpy(socket, world->socket);
    snprintf(directory, sizeof directory, "%s/run", world->directory);
    assert_int_equal(access(socket, F_OK), 0);
    int fd = peer_open(world);
    admin_stop(world->admin);
    assert_int_equal(access(socket, F_OK), -1);
    assert_int_equal(access(directory, F_OK), -1); /* made for the socket */
    assert_null(peer_line(fd));
    close(fd);
    world_destroy(world);
}

static void stopping_does_not_wait_for_answers(void **state) {
    struct world *world = world_running();
    for (unsigned i = 0; i < WORLD_SHARDS; i++)
        __atomic_store_n(&world->shards[i].thread.mute, true, __ATOMIC_RELAXED);
    int fd = peer_open(world);
    peer_send(fd, "{\"version\":1,\"command\":\"client list\"}\n"
                  "{\"version\":1,\"command\":\"memory show\"}\n");
    assert_served(world);
    world_destroy(world);
    close(fd);
}

/* --- bad input ------------------------------------------------------------------------------- */

static void malformed_requests_are_told_what_is_wrong(void **state) {
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"", "the request is not JSON"},
        {"nonsense", "the request is not JSON"},
        {"{\"version\":1", "the request is not JSON"},
        {"{\"version\":1,\"version\":1}", "the request is not JSON"},
        {"{\"version\":1,\"command\":\"\\ud800\"}", "the request is not JSON"},
        {"[1]", "a request is a JSON object"},
        {"{}", "'version' must be 1"},
        {"{\"version\":2,\"command\":\"status\"}", "'version' must be 1"},
        {"{\"version\":\"1\",\"command\":\"status\"}", "'version' must be 1"},
        {"{\"version\":1}", "'command' is missing"},
        {"{\"version\":1,\"command\":7}", "'command' is missing"},
        {"{\"version\":1,\"command\":\"cl l\"}", "there is no command 'cl l'"},
        {"{\"version\":1,\"command\":\"config check\"}", "there is no command 'config check'"},
        {"{\"version\":1,\"command\":\"status\",\"arguments\":7}", "must be an object"},
        {"{\"version\":1,\"command\":\"status\",\"arguments\":{\"x\":1}}", "no argument 'x'"},
        {"{\"version\":1,\"command\":\"publish\",\"arguments\":{\"topic\":\"a\"}}",
         "the payload is missing"},
        {"{\"version\":1,\"command\":\"publish\",\"arguments\":{\"topic\":\"a\",\"base64\":\"a\"}}",
         "must be base64"},
        {"{\"version\":1,\"command\":\"publish\",\"arguments\":{\"topic\":\"a\",\"base64\":"
         "\"=aaa\"}}",
         "must be base64"},
        {"{\"version\":1,\"command\":\"publish\",\"arguments\":{\"topic\":\"a\",\"base64\":"
         "\"a=a=\"}}",
         "must be base64"},
    };
    int fd = peer_open(*state);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[512];
        peer_send(fd, cases[i].line);
        peer_send(fd, "\n");
        assert_int_equal(peer_answer(fd, error), PROTOCOL_USAGE);
        if (strstr(error, cases[i].error) == NULL)
            fail_msg("'%s' says: %s", cases[i].line, error);
    }
    /* The connection is still good. */
    char error[512];
    peer_send(fd, "{\"version\":1,\"command\":\"status\"}\n");
    assert_int_equal(peer_answer(fd, error), 0);
    close(fd);
}

static void a_request_without_end_is_cut_off(void **state) {
    struct world *world = *state;
    int fd = peer_open(world);
    char block[65536];
    memset(block, 'x', sizeof block);
    size_t sent = 0;
    for (ssize_t n; sent < (size_t)PROTOCOL_REQUEST_MAX * 4; sent += (size_t)n)
        if ((n = send(fd, block, sizeof block, MSG_NOSIGNAL)) <= 0)
            break;
    assert_true(sent < (size_t)PROTOCOL_REQUEST_MAX * 4);
    char error[512];
    assert_int_equal(peer_answer(fd, error), PROTOCOL_USAGE);
    assert_contains(error, "too long");
    assert_null(peer_line(fd));
    close(fd);
    assert_served(world);
}

static void deep_json_is_refused(void **state) {
    int fd = peer_open(*state);
    char *text = malloc(100001);
    memset(text, '[', 100000);
    text[100000] = 0;
    peer_send(fd, text);
    peer_send(fd, "\n");
    free(text);
    char error[512];
    assert_int_equal(peer_answer(fd, error), PROTOCOL_USAGE);
    close(fd);
}

static void a_request_may_come_byte_by_byte_and_end_without_newline(void **state) {
    int fd = peer_open(*state);
    const char *request = "{\"version\":1,\"command\":\"version\"}";
    for (const char *c = request; *c != 0; c++)
        assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
    shutdown(fd, SHUT_WR);
    char error[512];
    assert_int_equal(peer_answer(fd, error), 0);
    assert_null(peer_line(fd));
    close(fd);
}

static void requests_sent_ahead_are_answered_in_order(void **state) {
    int fd = peer_open(*state);
    peer_send(fd, "{\"version\":1,\"command\":\"client list\"}\n"
                  "{\"version\":1,\"command\":\"nonsense\"}\n"
                  "{\"version\":1,\"command\":\"client show\",\"arguments\":{\"client\":\"x\"}}\n");
    char error[512];
    assert_int_equal(peer_answer(fd, error), 0);
    assert_int_equal(peer_answer(fd, error), PROTOCOL_USAGE);
    assert_int_equal(peer_answer(fd, error), PROTOCOL_NOT_FOUND);
    close(fd);
}

/* --- slow, silent, many ---------------------------------------------------------------------- */

static void two_peers_are_served_at_once(void **state) {
    struct world *world = *state;
    char error[512];
    world->admin->limits.answer_ms = 10000;
    __atomic_store_n(&world->shards[0].thread.mute, true, __ATOMIC_RELAXED);
    __atomic_store_n(&world->shards[1].thread.mute, true, __ATOMIC_RELAXED);
    int waiting = peer_open(world);
    peer_send(waiting, "{\"version\":1,\"command\":\"client list\"}\n");
    int other = peer_open(world);
    peer_send(other, "{\"version\":1,\"command\":\"status\"}\n");
    assert_int_equal(peer_answer(other, error), 0);
    struct pollfd poll_fd = {.fd = waiting, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 0), 0);
    close(waiting);
    close(other);
}

static void a_peer_that_does_not_read_holds_up_only_itself(void **state) {
    enum { CLIENTS = 50000 };
    struct world *world = world_create();
    for (unsigned i = 0; i < CLIENTS; i++) {
        char id[32];
        snprintf(id, sizeof id, "client-%u", i);
        world_client(world, id, true, true, 0, "");
    }
    world_start(world);
    int slow = peer_open(world);
    peer_send(slow, "{\"version\":1,\"command\":\"client list\"}\n");
    for (unsigned i = 0; i < 20; i++)
        assert_served(world);
    /* It was not made ready far ahead of the reader: the shards have not been walked to the end. */
    unsigned calls = world->shards[0].calls + world->shards[1].calls;
    assert_true(calls < CLIENTS / 1000 / 2);
    /* When it reads at last it gets all. */
    unsigned rows = 0;
    for (;;) {
        char *line = peer_line(slow);
        json_t *answer = json_loads(line, 0, NULL);
        free(line);
        rows += (unsigned)json_array_size(json_object_get(answer, "rows"));
        bool last = json_object_get(answer, "exit") != NULL;
        json_decref(answer);
        if (last)
            break;
    }
    assert_int_equal(rows, CLIENTS);
    close(slow);
    world_destroy(world);
}

static void a_peer_that_never_reads_is_hung_up_on(void **state) {
    struct world *world = world_create();
    for (unsigned i = 0; i < 20000; i++) {
        char id[32];
        snprintf(id, sizeof id, "client-%u", i);
        world_client(world, id, true, true, 0, "");
    }
    world->admin->limits.stalled_ms = 50;
    world_start(world);
    int fd = peer_open(world);
    peer_send(fd, "{\"version\":1,\"command\":\"client list\"}\n");
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    assert_int_equal(poll(&poll_fd, 1, 20000), 1);
    close(fd);
    assert_served(world);
    world_destroy(world);
}

static void half_a_request_is_not_waited_for_for_ever(void **state) {
    struct world *world = world_create();
    world->admin->limits.request_ms = 50;
    world_start(world);
    int fd = peer_open(world);
    peer_send(fd, "{\"version\":1,");
    assert_null(peer_line(fd));
    close(fd);
    assert_served(world);
    world_destroy(world);
}

static void a_peer_that_says_nothing_is_hung_up_on(void **state) {
    struct world *world = world_create();
    world->admin->limits.idle_ms = 50;
    world_start(world);
    int fd = peer_open(world);
    assert_null(peer_line(fd));
    close(fd);
    world_destroy(world);
}

static void a_peer_may_go_in_the_middle_of_an_answer(void **state) {
    enum { CLIENTS = 20000 };
    struct world *world = world_create();
    for (unsigned i = 0; i < CLIENTS; i++) {
        char id[32];
        snprintf(id, sizeof id, "client-%u", i);
        world_client(world, id, true, true, 0, "t");
    }
    world_start(world);
    for (unsigned i = 0; i < 20; i++) {
        int fd = peer_open(world);
        peer_send(fd, i % 2 == 0 ? "{\"version\":1,\"command\":\"client list\"}\n"
                                 : "{\"version\":1,\"command\":\"sub list\"}\n");
        char byte;
        if (i % 3 == 0)
            assert_int_equal(read(fd, &byte, 1), 1);
        close(fd);
    }
    assert_served(world);
    world_destroy(world);
}

static void too_many_peers_are_told_so(void **state) {
    struct world *world = world_create();
    world->admin->limits.callers = 2;
    world_start(world);
    int first = peer_open(world), second = peer_open(world);
    char error[512];
    peer_send(first, "{\"version\":1,\"command\":\"version\"}\n");
    assert_int_equal(peer_answer(first, error), 0);
    peer_send(second, "{\"version\":1,\"command\":\"version\"}\n");
    assert_int_equal(peer_answer(second, error), 0);
    int third = peer_open(world);
    assert_int_equal(peer_answer(third, error), PROTOCOL_FAILED);
    assert_contains(error, "too many connections");
    assert_null(peer_line(third));
    close(first);
    close(second);
    close(third);
    world_destroy(world);
}

static void answers_that_come_too_late_are_thrown_away(void **state) {
    struct world *world = *state;
    char error[512];
    world->admin->limits.answer_ms = 1;
    world->admin->limits.questions = 8;
    __atomic_store_n(&world->workers[0].thread.mute, true, __ATOMIC_RELAXED);
    int fd = peer_open(world);
    /* Unanswered questions are bounded: in the end no more are asked. */
    unsigned refused = 0;
    for (unsigned i = 0; i < 12; i++) {
        peer_send(fd, "{\"version\":1,\"command\":\"memory show\"}\n");
        assert_int_equal(peer_answer(fd, error), PROTOCOL_FAILED);
        refused += strstr(error, "unanswered") != NULL;
    }
    assert_true(refused > 0);
    peer_send(fd, "{\"version\":1,\"command\":\"status\"}\n");
    assert_int_equal(peer_answer(fd, error), 0);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_socket_is_for_its_group_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_group_is_set_or_named_as_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_instance_is_told_at_once, set_up, tear_down),
        cmocka_unit_test(an_instance_that_has_not_started_yet_counts),
        cmocka_unit_test_setup_teardown(a_dead_socket_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_socket_is_left_alone, set_up, tear_down),
        cmocka_unit_test(paths_that_cannot_be_are_refused),
        cmocka_unit_test(stopping_leaves_nothing_behind),
        cmocka_unit_test(stopping_does_not_wait_for_answers),
        cmocka_unit_test_setup_teardown(malformed_requests_are_told_what_is_wrong, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_request_without_end_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deep_json_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_may_come_byte_by_byte_and_end_without_newline,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_sent_ahead_are_answered_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_peers_are_served_at_once, set_up, tear_down),
        cmocka_unit_test(a_peer_that_does_not_read_holds_up_only_itself),
        cmocka_unit_test(a_peer_that_never_reads_is_hung_up_on),
        cmocka_unit_test(half_a_request_is_not_waited_for_for_ever),
        cmocka_unit_test(a_peer_that_says_nothing_is_hung_up_on),
        cmocka_unit_test(a_peer_may_go_in_the_middle_of_an_answer),
        cmocka_unit_test(too_many_peers_are_told_so),
        cmocka_unit_test_setup_teardown(answers_that_come_too_late_are_thrown_away, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
