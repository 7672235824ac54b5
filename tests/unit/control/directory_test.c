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

static const uint8_t ipv4[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7};
static const uint8_t ipv6[16] = {0x20, 1, 0xd, 0xb8, [15] = 9};

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

/* Identifiers of 36 bytes, IPv4: a record of 80 bytes, 8 for the handle, 10 to 13 in the table. */
static void a_client_costs_its_record_its_handle_and_its_place(void **state) {
    char id[37];
    size_t before = arena_used(desk.arena), most = 0;
    for (unsigned i = 0; i < MANY; i++) {
        size_t used = arena_used(desk.arena);
        snprintf(id, sizeof id, "%036u", i);
        struct client *client = add(id);
        assert_non_null(client);
        assert_ptr_equal(directory_describe(&directory, client, ipv4, NULL, 0), client);
        if (arena_used(desk.arena) > used + most)
            most = arena_used(desk.arena) - used;
    }
    pool_trim(&desk.pool);
    assert_in_range(arena_used(desk.arena) - before, MANY * 98ul, MANY * 102ul + (1 << 20));
    assert_in_range(most, 1, 1 << 20); /* at one step: no table is doubled */
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%036u", i);
        directory_remove(&directory, find(id));
    }
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

static struct client *describe(struct client *client, const uint8_t remote[16],
                               const char *username) {
    return directory_describe(&directory, client, remote, (const uint8_t *)username,
                              username != NULL ? (uint16_t)strlen(username) : 0);
}

static void is_described(const struct client *client, const uint8_t remote[16],
                         const char *username) {
    uint8_t found[16];
    assert_ptr_equal(find("dev"), client);
    assert_ptr_equal(directory_at(&directory, client->handle), client);
    assert_memory_equal(client_id(client), "dev", 3);
    client_remote(client, found);
    assert_memory_equal(found, remote, 16);
    if (username == NULL) {
        assert_null(client_username(client));
        assert_int_equal(client->username_len, 0);
        return;
    }
    assert_int_equal(client->username_len, strlen(username));
    assert_memory_equal(client_username(client), username, strlen(username));
}

static void addresses_and_user_names_come_and_go(void **state) {
    static const char *const names[] = {
        NULL, "alice", "", "a name of forty and some more characters", "bob", "twelve more bytes"};
    struct client *client = add("dev");
    assert_null(client_username(client));
    client->since = 7;
    client->sequence = 8;
    for (unsigned i = 0; i < 6 * 6 * 4; i++) {
        const uint8_t *remote = i & 1 ? ipv6 : ipv4;
        client = describe(client, remote, names[i / 4 % 6]);
        is_described(client, remote, names[i / 4 % 6]);
        remote = i & 2 ? ipv6 : ipv4;
        client = describe(client, remote, names[i / 24]);
        is_described(client, remote, names[i / 24]);
    }
    /* As long as before, with an address that is longer by what the name is shorter. */
    client = describe(client, ipv4, "thirteen more");
    assert_ptr_equal(describe(client, ipv6, "t"), client);
    is_described(client, ipv6, "t");
    assert_int_equal(client->since, 7);
    assert_int_equal(client->sequence, 8);
    directory_remove(&directory, client);
}

static void a_waiting_connect_goes_with_the_handle(void **state) {
    struct client *client = add("dev");
    uint32_t handle = client->handle;
    assert_int_equal(directory_waiting(&directory, client), 0);
    directory_wait(&directory, client, 99);
    client = describe(client, ipv6, "somebody");
    assert_int_equal(directory_waiting(&directory, client), 99);
    directory_remove(&directory, client);
    client = add("other");
    assert_int_equal(client->handle, handle);
    assert_int_equal(directory_waiting(&directory, client), 0);
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
    for (unsigned n = 1; n <= 3; n++) { /* handles, record, table */
        arena_fail_after(desk.arena, n);
        assert_null(add("dev"));
        assert_null(find("dev"));
        assert_int_equal(directory.count, 0);
        arena_fail_after(desk.arena, 0);
        struct client *client = add("dev");
        assert_non_null(client);
        arena_fail_after(desk.arena, 1);
        assert_null(describe(client, ipv6, "a name that needs other memory"));
        arena_fail_after(desk.arena, 0);
        assert_null(client_username(client));
        assert_ptr_equal(find("dev"), client);
        directory_remove(&directory, client);
        directory_free(&directory);
        directory_init(&directory, &desk.pool);
    }
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
        TEST(a_client_costs_its_record_its_handle_and_its_place),
        TEST(handles_of_nobody_are_nobody),
        TEST(a_freed_handle_is_used_again_last),
        TEST(addresses_and_user_names_come_and_go),
        TEST(a_waiting_connect_goes_with_the_handle),
        TEST(identifiers_may_hold_any_bytes),
        TEST(without_memory_nobody_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
