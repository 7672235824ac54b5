/* SPDX-License-Identifier: Apache-2.0 */
/* Captures from the control plane's side: the file, its owner, limits, and who waits for what. */
#include "tests/unit/admin/test.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/admin/peer.h"

enum { FRAMES = 100, GIVE_UP = 20 /* seconds */ };

static struct world *world;
static char path[128];

static int set_up(void **state) {
    world = world_create();
    world_client(world, "alice", true, true, 0, "");
    world->workers[0].frames = world->workers[1].frames = FRAMES;
    world_start(world);
    snprintf(path, sizeof path, "%s/x.pcapng", world->directory);
    return 0;
}

static int tear_down(void **state) {
    unlink(path);
    world_destroy(world);
    return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static json_t *line(int fd) {
    char *text = peer_line(fd);
    assert_non_null(text);
    json_t *answer = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(answer);
    return answer;
}

static void request(int fd, const char *command, const char *arguments) {
    char text[2048];
    snprintf(text, sizeof text, "{\"version\":1,\"command\":\"%s\",\"arguments\":{%s}}\n", command,
             arguments);
    peer_send(fd, text);
}

static json_t *last_row;
static char error[512];

/* The exit code; the last row and the error are kept. */
static int ask(const char *command, const char *arguments) {
    int fd = peer_open(world);
    json_t *answer, *code = NULL;
    request(fd, command, arguments);
    json_decref(last_row);
    last_row = NULL;
    for (; code == NULL; json_decref(answer)) {
        answer = line(fd);
        json_t *rows = json_object_get(answer, "rows");
        if (rows != NULL) {
            json_decref(last_row);
            last_row = json_incref(json_array_get(rows, json_array_size(rows) - 1));
        }
        const char *text = json_string_value(json_object_get(answer, "error"));
        snprintf(error, sizeof error, "%s", text != NULL ? text : "");
        code = json_incref(json_object_get(answer, "exit"));
    }
    int exit = (int)json_integer_value(code);
    json_decref(code);
    close(fd);
    return exit;
}

static const char *text_of(const char *key) {
    const char *text = json_string_value(json_object_get(last_row, key));
    return text != NULL ? text : "";
}

static uint64_t number_of(const char *key) {
    return (uint64_t)json_integer_value(json_object_get(last_row, key));
}

static int start(const char *more) {
    char arguments[512];
    snprintf(arguments, sizeof arguments, "\"file\":\"%s\"%s", path, more);
    return ask("capture start", arguments);
}

static void wait_until_ended(void) {
    for (unsigned i = 0; i < GIVE_UP * 1000; i += 5) {
        assert_int_equal(ask("capture status", ""), 0);
        if (strcmp(text_of("state"), "ended") == 0)
            return;
        poll(NULL, 0, 5);
    }
    fail_msg("the capture does not end");
}

/* --- reading the file ------------------------------------------------------------------------ */

static uint32_t word(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* Packets of the file, those of each worker in order of time; the statistics block comes last, if
 * `complete`. */
static unsigned packets_in_file(bool complete) {
    static uint8_t bytes[4 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(size > 0 && size < (ssize_t)sizeof bytes);
    unsigned packets = 0;
    uint32_t last = 0;
    uint64_t times[WORLD_WORKERS] = {0};
    for (ssize_t at = 0; at < size;) {
        uint32_t type = word(bytes + at), len = word(bytes + at + 4);
        assert_true(len >= 12 && len % 4 == 0 && at + len <= size);
        assert_int_equal(word(bytes + at + len - 4), len);
        if (type == 6) {
            uint64_t when = (uint64_t)word(bytes + at + 12) << 32 | word(bytes + at + 16);
            assert_true(when >= times[bytes[at + 28]]);
            times[bytes[at + 28]] = when;
            assert_int_equal(word(bytes + at + 20), 60);
            assert_int_equal(word(bytes + at + 24), 1514);
            packets++;
        }
        last = type;
        at += len;
    }
    assert_int_equal(last == 5, complete);
    return packets;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void frames_of_all_workers_are_written_each_in_its_order(void **state) {
    assert_int_equal(start(""), 0);
    assert_string_equal(text_of("state"), "running");
    assert_string_equal(text_of("filter"), "all");
    assert_int_equal(ask("capture stop", ""), 0);
    assert_string_equal(text_of("state"), "ended");
    assert_string_equal(text_of("reason"), "ctl capture stop");
    assert_int_equal(number_of("packets"), 2 * FRAMES);
    assert_int_equal(packets_in_file(true), 2 * FRAMES);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(number_of("bytes"), status.st_size);
    assert_int_equal(ask("capture stop", "\"capture\":1"), 0); /* once more does no harm */
    assert_int_equal(ask("capture list", ""), 0);
    assert_int_equal(number_of("capture"), 1);
}

static void a_single_worker_is_asked_alone(void **state) {
    assert_int_equal(start(",\"worker\":1"), 0);
    assert_int_equal(ask("capture stop", ""), 0);
    assert_int_equal(packets_in_file(true), FRAMES);
    assert_int_equal(start(",\"worker\":2"), 4);
    assert_contains(error, "there is no worker 2");
}

static void the_file_is_private_and_never_overwritten(void **state) {
    assert_int_equal(start(""), 0);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(ask("capture stop", ""), 0);
    assert_int_equal(start(""), 1);
    assert_contains(error, "a capture never overwrites a file");
    assert_int_equal(packets_in_file(true), 2 * FRAMES);
    unlink(path);
    assert_int_equal(symlink("/tmp/linemq-no-such-file", path), 0);
    assert_int_equal(start(""), 1);
    assert_int_equal(ask("capture start", "\"file\":\"x.pcapng\""), 2);
    assert_contains(error, "from / on");
    assert_int_equal(ask("capture start", "\"file\":\"/nonexistent/x\""), 1);
    assert_contains(error, "No such file or directory");
}

static void limits_end_a_capture(void **state) {
    assert_int_equal(start(",\"packets\":7"), 0);
    wait_until_ended();
    assert_string_equal(text_of("reason"), "it has as many packets as it may");
    assert_int_equal(packets_in_file(true), 7);
    unlink(path);
    assert_int_equal(start(",\"bytes\":4096"), 0);
    wait_until_ended();
    assert_string_equal(text_of("reason"), "its file is as large as it may be");
    assert_in_range(number_of("bytes"), 3000, 4096 + 200);
    unlink(path);
    world->workers[0].frames = world->workers[1].frames = 0;
    assert_int_equal(start(",\"seconds\":1"), 0);
    wait_until_ended();
    assert_string_equal(text_of("reason"), "its time is over");
    assert_int_equal(packets_in_file(true), 0);
}

static void what_the_ring_had_no_room_for_is_told(void **state) {
    world->workers[0].frames = 20000;
    assert_int_equal(start(""), 0);
    assert_int_equal(ask("capture stop", ""), 0);
    assert_true(number_of("missed") > 0);
    assert_int_equal(number_of("packets") + number_of("missed"), 20000 + FRAMES);
}

static void addresses_are_checked(void **state) {
    static const char *const bad[] = {"x",          "10.1.2",      "10.0.0.0/33", "10.0.0.0/",
                                      "fd88::/129", "10.0.0.0/-1", "10.0.0.0/8x", ""};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        char more[128];
        snprintf(more, sizeof more, ",\"address\":\"%s\"", bad[i]);
        assert_int_equal(start(more), 2);
        assert_contains(error, "--address must be");
    }
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(start(",\"address\":\"fd88::/64\",\"port\":1883,\"client\":\"alice\""), 0);
    assert_string_equal(text_of("filter"), "client alice, address fd88::/64, port 1883");
}

static void four_run_at_once_and_no_more(void **state) {
    char arguments[1024], names[CAPTURE_POINTS][160];
    for (unsigned i = 0; i < CAPTURE_POINTS; i++) {
        snprintf(names[i], sizeof names[i], "%s.%u", path, i);
        snprintf(arguments, sizeof arguments, "\"file\":\"%s\"", names[i]);
        assert_int_equal(ask("capture start", arguments), 0);
    }
    assert_int_equal(start(""), 1);
    assert_contains(error, "4 captures run already");
    assert_int_equal(access(path, F_OK), -1);
    for (unsigned i = 0; i < CAPTURE_POINTS; i++) {
        assert_int_equal(ask("capture stop", ""), 0);
        assert_int_equal(number_of("capture"), CAPTURE_POINTS - i);
        unlink(names[i]);
    }
    assert_int_equal(start(""), 0);
}

static void old_captures_are_forgotten(void **state) {
    for (unsigned i = 0; i < CAPTURES_KEPT + 3; i++) {
        assert_int_equal(start(""), 0);
        assert_int_equal(ask("capture stop", ""), 0);
        unlink(path);
    }
    assert_int_equal(ask("capture status", "\"capture\":1"), 4);
    assert_int_equal(ask("capture status", "\"capture\":35"), 0);
    assert_int_equal(ask("capture list", ""), 0);
    assert_int_equal(number_of("capture"), 35 - CAPTURES_KEPT + 1);
}

static void who_follows_takes_the_capture_with_him(void **state) {
    char arguments[256];
    snprintf(arguments, sizeof arguments, "\"file\":\"%s\",\"follow\":true", path);
    int fd = peer_open(world);
    request(fd, "capture start", arguments);
    for (unsigned i = 0; i < 2; i++) {
        json_t *answer = line(fd);
        json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
        assert_string_equal(json_string_value(json_object_get(row, "state")), "running");
        json_decref(answer);
    }
    close(fd);
    wait_until_ended();
    assert_string_equal(text_of("reason"), "the ctl that followed it has gone");
    assert_int_equal(packets_in_file(true), 2 * FRAMES);
}

static void a_worker_that_does_not_let_go_does_not_hold_up_the_file(void **state) {
    __atomic_store_n(&world->workers[1].greedy, true, __ATOMIC_RELAXED);
    assert_int_equal(start(""), 0);
    assert_int_equal(ask("capture stop", ""), 0);
    assert_string_equal(text_of("state"), "ended");
    assert_int_equal(packets_in_file(true), 2 * FRAMES);
}

static void the_end_of_the_broker_completes_the_file(void **state) {
    assert_int_equal(start(""), 0);
    admin_stop(world->admin);
    assert_int_equal(packets_in_file(true), 2 * FRAMES);
}

static void without_a_capture_there_is_none(void **state) {
    assert_int_equal(ask("capture status", ""), 4);
    assert_int_equal(ask("capture stop", "\"capture\":3"), 4);
    assert_contains(error, "there is no capture 3");
    assert_int_equal(ask("capture list", ""), 0);
    assert_null(last_row);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(frames_of_all_workers_are_written_each_in_its_order),
        TEST(a_single_worker_is_asked_alone),
        TEST(the_file_is_private_and_never_overwritten),
        TEST(limits_end_a_capture),
        TEST(what_the_ring_had_no_room_for_is_told),
        TEST(addresses_are_checked),
        TEST(four_run_at_once_and_no_more),
        TEST(old_captures_are_forgotten),
        TEST(who_follows_takes_the_capture_with_him),
        TEST(a_worker_that_does_not_let_go_does_not_hold_up_the_file),
        TEST(the_end_of_the_broker_completes_the_file),
        TEST(without_a_capture_there_is_none),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(last_row);
    return failed;
}
