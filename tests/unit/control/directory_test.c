/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/sessions/directory.h"
#include "desk.h"

enum { MANY = 50000 };

static struct mailboxes *mailboxes;
static struct desk desk;
static struct directory directory;

static struct client *add(const char *id) {
    return directory_add(&directory, (const uint8_t *)id, (uint16_t)strlen(id));
}

static struct client *find(const char *id) {
    return directory_find(&directory, (const uint8_t *)id, strlen(id));
}

static const char *name(unsigned i) {
    static char id[16];
    snprintf(id, sizeof id, "client-%u", i);
    return id;
}

static void clients_are_found_by_identifier_and_by_handle(void **state) {
    for (unsigned i = 0; i < MANY; i++) {
        assert_null(find(name(i)));
        struct client *client = add(name(i));
        assert_non_null(client);
        assert_ptr_equal(find(name(i)), client);
        assert_ptr_equal(directory_at(&directory, client->handle), client);
    }
    for (unsigned i = 0; i < MANY; i += 2)
        directory_remove(&directory, find(name(i)));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(find(name(i)) != NULL, i % 2);
    assert_int_equal(directory.count, MANY / 2);
    for (unsigned i = 1; i < MANY; i += 2)
        directory_remove(&directory, find(name(i)));
}

static void a_client_costs_its_entry_its_name_and_its_place(void **state) {
    size_t before = arena_used(desk.arena);
    for (unsigned i = 0; i < MANY; i++)
        assert_non_null(add(name(i)));
    size_t bytes = arena_used(desk.arena) - before;
    assert_true(bytes <= MANY * (sizeof(struct client) + 16) * 102 / 100 + (2u << 16));
    assert_true(directory.table.now.size * sizeof(struct table_slot) <= MANY * 22);
    for (unsigned i = 0; i < MANY; i++)
        directory_remove(&directory, find(name(i)));
}

static void handles_of_nobody_are_nobody(void **state) {
    struct client *client = add("a");
    uint32_t handle = client->handle;
    assert_null(directory_at(&directory, 0));
    assert_null(directory_at(&directory, handle + 1));
    assert_null(directory_at(&directory, UINT32_MAX));
    directory_remove(&directory, client);
    assert_null(directory_at(&directory, handle));
}

static void a_freed_handle_is_used_again_last(void **state) {
    uint32_t first = add("1")->handle, second = add("2")->handle;
    directory_remove(&directory, find("1"));
    directory_remove(&directory, find("2"));
    assert_int_equal(add("3")->handle, first);
    assert_int_equal(add("4")->handle, second);
    directory_remove(&directory, find("3"));
    directory_remove(&directory, find("4"));
}

static void a_user_name_comes_and_goes(void **state) {
    struct client *client = add("dev");
    assert_null(client_username(&directory, client));
    assert_true(client_set_username(&directory, client, (const uint8_t *)"alice", 5));
    assert_memory_equal(client_username(&directory, client), "alice", 5);
    assert_ptr_equal(find("dev"), client);
    assert_true(client_set_username(&directory, client, (const uint8_t *)"", 0));
    assert_non_null(client_username(&directory, client));
    assert_int_equal(client->username_len, 0);
    assert_true(client_set_username(&directory, client, NULL, 0));
    assert_null(client_username(&directory, client));
    assert_true(client_set_username(&directory, client, (const uint8_t *)"bob", 3));
    directory_remove(&directory, client);
}

static void identifiers_may_hold_any_bytes(void **state) {
    static const uint8_t id[] = {0xff, 0, '/', 0};
    struct client *client = directory_add(&directory, id, sizeof id);
    assert_ptr_equal(directory_find(&directory, id, sizeof id), client);
    assert_null(directory_find(&directory, id, 2));
    directory_remove(&directory, client);
}

static void without_memory_nobody_is_added(void **state) {
    arena_fail_after(desk.arena, 1);
    assert_null(add("dev"));
    assert_null(find("dev"));
    assert_int_equal(directory.count, 0);
    struct client *client = add("dev");
    assert_non_null(client);
    arena_fail_after(desk.arena, 1);
    assert_false(client_set_username(&directory, client,
                                     (const uint8_t *)"a name that needs other memory", 30));
    assert_null(client_username(&directory, client));
    directory_remove(&directory, client);
}

static int set_up(void **state) {
    mailboxes = mailboxes_create(1, 64);
    desk_open(&desk, mailboxes, 0);
    directory_init(&directory, &desk.pool);
    return 0;
}

static int tear_down(void **state) {
    directory_free(&directory);
    desk_close(&desk);
    mailboxes_destroy(mailboxes);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(clients_are_found_by_identifier_and_by_handle),
        TEST(a_client_costs_its_entry_its_name_and_its_place),
        TEST(handles_of_nobody_are_nobody),
        TEST(a_freed_handle_is_used_again_last),
        TEST(a_user_name_comes_and_goes),
        TEST(identifiers_may_hold_any_bytes),
        TEST(without_memory_nobody_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
