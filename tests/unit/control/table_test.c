/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/sessions/table.h"
#include "desk.h"

enum { MANY = 100000 };

static struct mailboxes *mailboxes;
static struct desk desk;
static struct table table;

/* Handle i+1 has key i; seven neighbours have one tag on purpose. */
static uint64_t hash_of(uint32_t key) {
    return (key / 7 + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 32 << 32 | key;
}

static bool is_key(const void *context, uint32_t handle) {
    return handle - 1 == *(const uint32_t *)context;
}

static uint32_t find(uint32_t key) {
    return table_find(&table, hash_of(key), is_key, &key);
}

static void an_empty_table_has_nothing(void **state) {
    assert_int_equal(find(1), TABLE_NONE);
    assert_int_equal(table_count(&table), 0);
}

static void what_was_inserted_is_found_while_the_table_grows(void **state) {
    for (uint32_t key = 0; key < MANY; key++) {
        assert_true(table_insert(&table, hash_of(key), key + 1));
        uint32_t probe = (uint32_t)((uint64_t)key * 2654435761u % (key + 1));
        assert_int_equal(find(probe), probe + 1);
        assert_int_equal(find(key + 1), TABLE_NONE);
    }
    assert_int_equal(table_count(&table), MANY);
    for (uint32_t key = 0; key < MANY; key++)
        assert_int_equal(find(key), key + 1);
}

static void what_was_removed_is_gone_and_the_rest_stays(void **state) {
    bool *there = calloc(MANY, sizeof *there);
    uint64_t random = 1;
    uint32_t count = 0;
    for (unsigned i = 0; i < 4 * MANY; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t key = (uint32_t)(random >> 33) % (i < MANY ? 500 : MANY);
        if (there[key]) {
            assert_int_equal(find(key), key + 1);
            table_remove(&table, hash_of(key), key + 1);
            count--;
        } else {
            assert_true(table_insert(&table, hash_of(key), key + 1));
            count++;
        }
        there[key] = !there[key];
        assert_int_equal(table_count(&table), count);
    }
    for (uint32_t key = 0; key < MANY; key++)
        assert_int_equal(find(key), there[key] ? key + 1 : TABLE_NONE);
    free(there);
}

static void an_insertion_without_memory_changes_nothing(void **state) {
    unsigned failed = 0;
    for (uint32_t key = 0; key < 20000; key++) {
        arena_fail_after(desk.arena, 1);
        if (!table_insert(&table, hash_of(key), key + 1)) {
            failed++;
            assert_int_equal(find(key), TABLE_NONE);
            assert_int_equal(table_count(&table), key);
            arena_fail_after(desk.arena, 0);
            assert_true(table_insert(&table, hash_of(key), key + 1));
        }
    }
    arena_fail_after(desk.arena, 0);
    assert_true(failed > 0);
    for (uint32_t key = 0; key < 20000; key++)
        assert_int_equal(find(key), key + 1);
}

static void one_that_was_never_set_up_can_be_freed(void **state) {
    struct table none = {0};
    table_free(&none);
}

static int set_up(void **state) {
    mailboxes = mailboxes_create(1, 64);
    desk_open(&desk, mailboxes, 0);
    table_init(&table, &desk.pool);
    return 0;
}

static int tear_down(void **state) {
    table_free(&table);
    desk_close(&desk);
    mailboxes_destroy(mailboxes);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_empty_table_has_nothing),
        TEST(what_was_inserted_is_found_while_the_table_grows),
        TEST(what_was_removed_is_gone_and_the_rest_stays),
        TEST(an_insertion_without_memory_changes_nothing),
        cmocka_unit_test(one_that_was_never_set_up_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
