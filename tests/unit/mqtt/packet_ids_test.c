/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/mqtt/packet_ids.h"
#include "tests/unit/mqtt/memory.h"

static struct memory memory;

static int open_memory(void **state) {
    memory_open(&memory, 8 << 20, 0);
    return 0;
}

static int close_memory(void **state) {
    assert_int_equal(memory_objects(&memory), 0);
    memory_close(&memory);
    return 0;
}

static void what_is_added_is_held_until_it_is_removed(void **state) {
    struct packet_id_set set = {0};

    assert_false(packet_ids_hold(&set, 5));
    assert_true(packet_ids_add(&set, &memory.pool, 5));
    assert_true(packet_ids_add(&set, &memory.pool, 65535));
    assert_true(packet_ids_add(&set, &memory.pool, 1));
    assert_true(packet_ids_add(&set, &memory.pool, 5));
    assert_int_equal(set.count, 3);
    assert_true(packet_ids_hold(&set, 5));
    assert_false(packet_ids_hold(&set, 4));
    assert_true(packet_ids_remove(&set, &memory.pool, 5));
    assert_false(packet_ids_remove(&set, &memory.pool, 5));
    assert_true(packet_ids_hold(&set, 1));
    assert_true(packet_ids_hold(&set, 65535));
    packet_ids_clear(&set, &memory.pool);
}

static void an_empty_set_holds_no_memory(void **state) {
    struct packet_id_set set = {0};

    assert_true(packet_ids_add(&set, &memory.pool, 1));
    assert_int_equal(memory_objects(&memory), 1);
    assert_true(packet_ids_remove(&set, &memory.pool, 1));
    assert_int_equal(memory_objects(&memory), 0);
}

static void all_identifiers_fit_in_any_order(void **state) {
    struct packet_id_set set = {0};

    for (uint32_t i = 0; i < 65535; i++)
        assert_true(packet_ids_add(&set, &memory.pool, (uint16_t)((i * 7919u) % 65535u + 1)));
    assert_int_equal(set.count, 65535);
    for (uint32_t id = 1; id <= 65535; id++)
        assert_true(packet_ids_hold(&set, (uint16_t)id));
    assert_false(packet_ids_hold(&set, 0));
    packet_ids_clear(&set, &memory.pool);
}

static void without_memory_nothing_is_added(void **state) {
    struct packet_id_set set = {0};

    arena_fail_after(memory.arena, 1);
    assert_false(packet_ids_add(&set, &memory.pool, 1));
    assert_false(packet_ids_hold(&set, 1));
    for (uint16_t id = 1; id <= 8; id++)
        assert_true(packet_ids_add(&set, &memory.pool, id));
    arena_fail_after(memory.arena, 1);
    assert_false(packet_ids_add(&set, &memory.pool, 9));
    assert_int_equal(set.count, 8);
    assert_true(packet_ids_add(&set, &memory.pool, 9));
    packet_ids_clear(&set, &memory.pool);
}

static void after_reserving_an_addition_cannot_fail(void **state) {
    struct packet_id_set set = {0};

    for (uint16_t id = 1; id <= 100; id++) {
        assert_true(packet_ids_reserve(&set, &memory.pool));
        arena_fail_after(memory.arena, 1);
        assert_true(packet_ids_add(&set, &memory.pool, id));
        arena_fail_after(memory.arena, 0);
    }
    packet_ids_clear(&set, &memory.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_added_is_held_until_it_is_removed, open_memory,
                                        close_memory),
        cmocka_unit_test_setup_teardown(an_empty_set_holds_no_memory, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(all_identifiers_fit_in_any_order, open_memory,
                                        close_memory),
        cmocka_unit_test_setup_teardown(without_memory_nothing_is_added, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(after_reserving_an_addition_cannot_fail, open_memory,
                                        close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
