/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/sessions/table.h"

enum { MANY = 100000 };

/* Handle i+1 has key i; hashes of neighbours fall together on purpose. */
static uint64_t hash_of(uint32_t key) {
    return ((uint64_t)(key / 7 * 31) << 32) | key;
}

static bool is_key(const void *context, uint32_t handle) {
    return handle - 1 == *(const uint32_t *)context;
}

static uint32_t find(const struct table *table, uint32_t key) {
    return table_find(table, hash_of(key), is_key, &key);
}

static void an_empty_table_has_nothing(void **state) {
    struct table table = {0};
    assert_int_equal(find(&table, 1), TABLE_NONE);
    assert_int_equal(table_count(&table), 0);
    table_free(&table);
}

static void what_was_inserted_is_found_while_the_table_grows(void **state) {
    struct table table = {0};
    for (uint32_t key = 0; key < MANY; key++) {
        assert_true(table_insert(&table, hash_of(key), key + 1));
        uint32_t probe = (uint32_t)((uint64_t)key * 2654435761u % (key + 1));
        assert_int_equal(find(&table, probe), probe + 1);
        assert_int_equal(find(&table, key + 1), TABLE_NONE);
    }
    assert_int_equal(table_count(&table), MANY);
    for (uint32_t key = 0; key < MANY; key++)
        assert_int_equal(find(&table, key), key + 1);
    table_free(&table);
}

static void what_was_removed_is_gone_and_the_rest_stays(void **state) {
    struct table table = {0};
    bool *there = calloc(MANY, sizeof *there);
    uint64_t random = 1;
    uint32_t count = 0;
    for (unsigned i = 0; i < 4 * MANY; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t key = (uint32_t)(random >> 33) % (i < MANY ? 500 : MANY);
        if (there[key]) {
            assert_int_equal(find(&table, key), key + 1);
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
        assert_int_equal(find(&table, key), there[key] ? key + 1 : TABLE_NONE);
    free(there);
    table_free(&table);
}

static void an_operation_moves_few_slots(void **state) {
    struct table table = {0};
    uint32_t before = 0;
    for (uint32_t key = 0; key < MANY; key++) {
        assert_true(table_insert(&table, hash_of(key), key + 1));
        if (table.old.slots != NULL && table.moved > before)
            assert_true(table.moved - before <= 32);
        before = table.moved;
    }
    table_free(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(what_was_inserted_is_found_while_the_table_grows),
        cmocka_unit_test(what_was_removed_is_gone_and_the_rest_stays),
        cmocka_unit_test(an_operation_moves_few_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
