/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "world.h"

static struct world world;

static struct client_view view_of(const char *id) {
    struct client_view view = {0};
    unsigned shard = client_shard((const uint8_t *)id, strlen(id), world.registry.shard_key,
                                  world.registry.shards);
    if (!shard_client(world.shard[shard], (const uint8_t *)id, strlen(id), &view))
        view.session = 0;
    return view;
}

static struct mail verdict(unsigned worker) {
    return desk_take(&world.workers[worker], MAIL_VERDICT);
}

static void a_client_is_let_in_and_seen(void **state) {
    world_open(&world, 1);
    struct client_at client = world_login(&world, 1, "dev", CLEAN, "alice", "secret");
    world_settle(&world);
    struct mail mail = verdict(1);
    assert_int_equal(mail.code, 0);
    assert_int_equal(mail.conn, client.conn);
    assert_int_equal(mail.verdict.keep_alive, 60);
    assert_int_equal(mail.verdict.inflight_max, 20);
    assert_int_equal(mail.verdict.session_present, 0);
    struct client_view view = view_of("dev");
    assert_int_equal(view.session, mail.session);
    assert_true(view.connected);
    assert_true(view.clean_session);
    assert_int_equal(view.level, 4);
    assert_int_equal(view.worker, 1);
    assert_int_equal(view.remote_port, 40000);
    assert_int_equal(view.username_len, 5);
    assert_memory_equal(view.username, "alice", 5);
    assert_int_equal(view.since, world.wall_clock);
    assert_int_equal(shard_gauges(world.shard[0])->connected, 1);
    client.session = mail.session;
    world_disconnect(&world, &client);
    assert_int_equal(view_of("dev").session, 0);
    assert_int_equal(shard_gauges(world.shard[0])->clients, 0);
}

static void a_long_keep_alive_is_cut(void **state) {
    world.config->mqtt.keep_alive_max = 30;
    world_open(&world, 1);
    world_ask(&world, 0, "dev", CLEAN);
    world_settle(&world);
    assert_int_equal(verdict(0).verdict.keep_alive, 30);
}

static bool seen(void *argument, const struct client_view *view) {
    unsigned shard = client_shard(view->client_id, view->client_id_len, world.registry.shard_key,
                                  world.registry.shards);
    struct client_view again;
    assert_true(shard_client(world.shard[shard], view->client_id, view->client_id_len, &again));
    ++*(unsigned *)argument;
    return true;
}

static void clients_without_identifier_get_different_ones_of_their_shard(void **state) {
    world_open(&world, 2);
    for (unsigned i = 0; i < 20; i++)
        world_connect(&world, 0, "", CLEAN, NULL);
    uint32_t position = 0;
    unsigned count = 0;
    shard_clients(world.shard[0], &position, 100, seen, &count);
    shard_clients(world.shard[1], &position, 100, seen, &count);
    assert_int_equal(count, 20);
}

static void no_identifier_is_refused_without_clean_session_or_by_setting(void **state) {
    world_open(&world, 1);
    world_ask(&world, 0, "", PERSISTENT);
    world_settle(&world);
    assert_int_equal(verdict(0).code, 2);
    world.config->mqtt.allow_empty_client_id = false;
    world_ask(&world, 0, "", CLEAN);
    world_settle(&world);
    assert_int_equal(verdict(0).code, 2);
}

static void a_takeover_waits_for_the_old_connections_end(void **state) {
    world_open(&world, 1);
    struct client_at old = world_connect(&world, 0, "dev", CLEAN, NULL);
    struct client_at new = world_ask(&world, 1, "dev", CLEAN);
    world_settle(&world);
    struct mail kick = desk_take(&world.workers[0], MAIL_KICK);
    assert_int_equal(kick.code, CLOSE_TAKEOVER);
    assert_int_equal(kick.conn, old.conn);
    assert_int_equal(kick.generation, old.generation);
    assert_int_equal(desk_has(&world.workers[1], MAIL_VERDICT), 0);
    world_disconnect(&world, &old);
    struct mail mail = verdict(1);
    assert_int_equal(mail.code, 0);
    assert_int_equal(mail.conn, new.conn);
    assert_int_equal(view_of("dev").worker, 1);
    assert_int_equal(shard_gauges(world.shard[0])->connected, 1);
    assert_int_equal(COUNT_OF(&world, TAKEOVERS), 1);
}

static void of_many_connects_with_one_identifier_only_the_last_survives(void **state) {
    world_open(&world, 1);
    struct client_at old = world_connect(&world, 0, "dev", CLEAN, NULL), last;
    for (unsigned i = 0; i < 10; i++)
        last = world_ask(&world, i % 2, "dev", CLEAN);
    world_settle(&world);
    /* The old one once, and nine that came too early. */
    assert_int_equal(
        desk_has(&world.workers[0], MAIL_KICK) + desk_has(&world.workers[1], MAIL_KICK), 10);
    world_disconnect(&world, &old);
    assert_int_equal(
        desk_has(&world.workers[0], MAIL_VERDICT) + desk_has(&world.workers[1], MAIL_VERDICT), 1);
    struct mail mail = verdict(last.worker);
    assert_int_equal(mail.code, 0);
    assert_int_equal(mail.conn, last.conn);
    assert_int_equal(shard_gauges(world.shard[0])->authenticating, 0);
}

static void a_takeover_does_not_wait_for_ever_nor_longer_for_a_storm(void **state) {
    world_open(&world, 1);
    world_connect(&world, 0, "dev", CLEAN, NULL);
    world_ask(&world, 1, "dev", CLEAN);
    world_settle(&world);
    world.now += 3000000;
    struct client_at last = world_ask(&world, 1, "dev", CLEAN);
    world_settle(&world);
    assert_int_equal(desk_has(&world.workers[1], MAIL_VERDICT), 0);
    world.now += 2000000;
    world_settle(&world);
    assert_int_equal(verdict(1).conn, last.conn);
    assert_int_equal(COUNT_OF(&world, TAKEOVER_TIMEOUT), 1);
}

static void whoever_leaves_while_waiting_is_forgotten(void **state) {
    world_open(&world, 1);
    struct client_at old = world_connect(&world, 0, "dev", CLEAN, NULL);
    struct client_at new = world_ask(&world, 1, "dev", CLEAN);
    world_settle(&world);
    world_disconnect(&world, &new);
    world_disconnect(&world, &old);
    assert_int_equal(desk_has(&world.workers[1], MAIL_VERDICT), 0);
    assert_int_equal(shard_gauges(world.shard[0])->clients, 0);
}

static void mail_of_an_earlier_connection_changes_nothing(void **state) {
    world_open(&world, 1);
    struct client_at client = world_connect(&world, 0, "dev", CLEAN, NULL);
    struct client_at stale = client;
    stale.generation--;
    world_disconnect(&world, &stale);
    stale = client;
    stale.session = 0;
    world_disconnect(&world, &stale);
    stale.session = 4711;
    world_disconnect(&world, &stale);
    assert_true(view_of("dev").connected);
    assert_int_equal(COUNT_OF(&world, STALE_MAIL), 2);
}

static void a_handle_is_used_again_after_all_others(void **state) {
    world_open(&world, 1);
    struct client_at first = world_connect(&world, 0, "a", CLEAN, NULL);
    struct client_at second = world_connect(&world, 0, "b", CLEAN, NULL);
    world_disconnect(&world, &first);
    world_disconnect(&world, &second);
    assert_int_equal(world_connect(&world, 0, "c", CLEAN, NULL).session, first.session);
    assert_int_equal(world_connect(&world, 0, "a", CLEAN, NULL).session, second.session);
}

static void an_administrator_can_close_a_connection(void **state) {
    world_open(&world, 1);
    struct client_at client = world_connect(&world, 0, "dev", CLEAN, NULL);
    assert_false(shard_kick(world.shard[0], (const uint8_t *)"nobody", 6));
    assert_true(shard_kick(world.shard[0], (const uint8_t *)"dev", 3));
    world_settle(&world);
    assert_int_equal(desk_take(&world.workers[0], MAIL_KICK).code, CLOSE_ADMIN);
    world_disconnect(&world, &client);
    assert_false(shard_kick(world.shard[0], (const uint8_t *)"dev", 3));
}

/* A link that answers when the test says so. */
static struct auth_check *slow[4];
static unsigned slow_count, cancelled;

static enum auth_answer slow_check(void *link, struct auth_check *check,
                                   const struct auth_request *request) {
    slow[slow_count++] = check;
    return AUTH_LATER;
}

static void slow_cancel(void *link, struct auth_check *check) {
    cancelled++;
}

static void slow_destroy(void *link) {
}

static void open_slow(void) {
    static const struct auth_link link = {
        .name = "slow", .check = slow_check, .cancel = slow_cancel, .destroy = slow_destroy};
    slow_count = cancelled = 0;
    world.config->auth_count = 0;
    world_open(&world, 1);
    assert_true(auth_add(world.shard[0]->auth, &link));
}

static void the_loop_goes_on_while_a_login_is_checked(void **state) {
    open_slow();
    world_ask(&world, 0, "dev", CLEAN);
    world_ask(&world, 0, "other", CLEAN);
    world_settle(&world);
    assert_int_equal(slow_count, 2);
    assert_int_equal(shard_gauges(world.shard[0])->authenticating, 2);
    auth_answer(slow[1], AUTH_REFUSED);
    auth_answer(slow[0], AUTH_YES);
    world_settle(&world);
    assert_int_equal(verdict(0).code, 5);
    assert_int_equal(verdict(0).code, 0);
}

static void whoever_leaves_while_being_checked_is_cancelled(void **state) {
    open_slow();
    struct client_at client = world_ask(&world, 0, "dev", CLEAN);
    world_settle(&world);
    world_disconnect(&world, &client);
    assert_int_equal(cancelled, 1);
    assert_int_equal(shard_gauges(world.shard[0])->authenticating, 0);
    assert_int_equal(desk_has(&world.workers[0], MAIL_VERDICT), 0);
}

static void a_check_that_took_longer_does_not_displace_a_later_client(void **state) {
    open_slow();
    struct client_at first = world_ask(&world, 0, "dev", CLEAN);
    struct client_at second = world_ask(&world, 1, "dev", CLEAN);
    world_settle(&world);
    auth_answer(slow[1], AUTH_YES);
    auth_answer(slow[0], AUTH_YES);
    world_settle(&world);
    assert_int_equal(verdict(1).conn, second.conn);
    assert_int_equal(desk_take(&world.workers[0], MAIL_KICK).conn, first.conn);
    assert_int_equal(desk_has(&world.workers[1], MAIL_KICK), 0);
}

static void a_wrong_password_is_refused_with_code_4(void **state) {
    char name[] = "/tmp/linemq-users-XXXXXX";
    int fd = mkstemp(name);
    static const char line[] =
        "alice:$7$101$/tr+4x2FbMLCgZ2F$EqEXsCNKzD/+9QRpURBLdIZMKnzhIqwJpSxoetSf1QXLQLt/"
        "rMlTikDZlzriVGBxA7JHuQRVptEG2Ppq/TX+WQ==\n";
    assert_int_equal(write(fd, line, sizeof line - 1), sizeof line - 1);
    close(fd);
    struct config_auth link = {.kind = AUTH_PASSWORD_FILE, .path = name};
    world.config->auth = &link;
    world_open(&world, 1);
    const struct {
        const char *user, *password;
        uint8_t code;
    } cases[] = {{"alice", "secret", 0}, {"alice", "public", 4}, {NULL, NULL, 5}};
    for (unsigned i = 0; i < 3; i++) {
        world_login(&world, 0, "dev", CLEAN, cases[i].user, cases[i].password);
        world_settle(&world);
        while (desk_has(&world.workers[0], MAIL_VERDICT) == 0) { /* hashing has its own thread */
            uv_run(&world.loop, UV_RUN_ONCE);
            world_settle(&world);
        }
        assert_int_equal(verdict(0).code, cases[i].code);
        world.now += 10000000; /* no old connection is waited for */
    }
    unlink(name);
}

static void a_shard_with_a_bad_password_file_is_not_made(void **state) {
    struct config_auth link = {.kind = AUTH_PASSWORD_FILE,
                               .path = "/nonexistent/users",
                               .place = "c.yaml:2: auth[0].path"};
    char error[256];
    world_open(&world, 1);
    world.config->auth = &link;
    assert_null(shard_make(&world.registry, 0, &world.loop, error, sizeof error));
    assert_string_equal(error, "c.yaml:2: auth[0].path: /nonexistent/users cannot be read: No such "
                               "file or directory; give a readable file");
}

static void without_memory_a_client_is_told_to_come_back(void **state) {
    world_open(&world, 1);
    world_connect(&world, 0, "first", PERSISTENT, NULL); /* slabs that are kept have a span each */
    uint64_t refused = 0;
    for (unsigned n = 1; n < 12; n++) {
        char id[16];
        snprintf(id, sizeof id, "dev%u", n);
        arena_fail_after(world.shard[0]->arena, n);
        world_login(&world, 0, id, PERSISTENT, "a user name that needs room", NULL);
        world_settle(&world);
        arena_fail_after(world.shard[0]->arena, 0);
        struct mail mail = verdict(0);
        assert_true(mail.code == 0 || mail.code == 3);
        assert_int_equal(mail.code == 0, view_of(id).session != 0);
        refused += mail.code != 0;
    }
    assert_true(refused > 2);
    assert_int_equal(COUNT_OF(&world, CONNECT_OVERLOAD) + COUNT_OF(&world, CONNECT_NO_MEMORY),
                     refused);
}

static int set_up(void **state) {
    world_prepare(&world);
    return 0;
}

static int tear_down(void **state) {
    world_close(&world);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_let_in_and_seen),
        TEST(a_long_keep_alive_is_cut),
        TEST(clients_without_identifier_get_different_ones_of_their_shard),
        TEST(no_identifier_is_refused_without_clean_session_or_by_setting),
        TEST(a_takeover_waits_for_the_old_connections_end),
        TEST(of_many_connects_with_one_identifier_only_the_last_survives),
        TEST(a_takeover_does_not_wait_for_ever_nor_longer_for_a_storm),
        TEST(whoever_leaves_while_waiting_is_forgotten),
        TEST(mail_of_an_earlier_connection_changes_nothing),
        TEST(a_handle_is_used_again_after_all_others),
        TEST(an_administrator_can_close_a_connection),
        TEST(the_loop_goes_on_while_a_login_is_checked),
        TEST(whoever_leaves_while_being_checked_is_cancelled),
        TEST(a_check_that_took_longer_does_not_displace_a_later_client),
        TEST(a_wrong_password_is_refused_with_code_4),
        TEST(a_shard_with_a_bad_password_file_is_not_made),
        TEST(without_memory_a_client_is_told_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
