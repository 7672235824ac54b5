/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tcp/wheel.h"

enum { OBJECTS = 20000, SHIFT = 10, TICK = 1 << SHIFT, START = 5000000 };

struct object {
    uint64_t due, visited;
    struct wheel_node node;
    uint32_t rearm; /* microseconds after the visit, 0 = no */
};

struct fixture {
    struct wheel wheel;
    struct object *objects;
    uint64_t now;
    unsigned visits;
};

static uint32_t ref_of(unsigned i) {
    return (uint32_t)((i + 1) * sizeof(struct object) / 16);
}

static struct object *object_at(struct fixture *f, uint32_t ref) {
    return (struct object *)((uint8_t *)f->objects + (size_t)ref * 16);
}

static void visit(void *argument, uint32_t ref) {
    struct fixture *f = argument;
    struct object *object = object_at(f, ref);
    f->visits++;
    object->visited = f->now;
    if (object->rearm) {
        object->due = f->now + object->rearm;
        wheel_insert(&f->wheel, ref, object->due);
    } else if (object->due > f->now) {
        wheel_insert(&f->wheel, ref, object->due);
    }
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    _Static_assert(sizeof(struct object) % 16 == 0, "refs are units of 16 bytes");
    f->objects = calloc(OBJECTS + 1, sizeof *f->objects);
    f->now = START;
    wheel_init(&f->wheel, f->objects, offsetof(struct object, node), SHIFT, f->now);
    for (unsigned i = 0; i < OBJECTS; i++)
        wheel_node_init(&object_at(f, ref_of(i))->node);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    free(f->objects);
    free(f);
    return 0;
}

static void insert(struct fixture *f, unsigned i, uint64_t due) {
    object_at(f, ref_of(i))->due = due;
    wheel_insert(&f->wheel, ref_of(i), due);
}

static bool advance(struct fixture *f, uint64_t now, unsigned budget) {
    f->now = now;
    return wheel_advance(&f->wheel, now, &budget, visit, f);
}

static void a_timer_is_visited_at_its_tick_and_not_before(void **state) {
    struct fixture *f = *state;
    insert(f, 0, START + 10 * TICK + 1);
    assert_false(advance(f, START + 10 * TICK, 100));
    assert_int_equal(f->visits, 0);
    assert_false(advance(f, START + 11 * TICK + TICK, 100));
    assert_int_equal(f->visits, 1);
    assert_true(object_at(f, ref_of(0))->visited >= object_at(f, ref_of(0))->due);
    assert_int_equal(f->wheel.linked, 0);
}

static void a_timer_beyond_one_turn_is_visited_on_the_way_and_fires_on_time(void **state) {
    struct fixture *f = *state;
    uint64_t due = START + 3ull * WHEEL_SLOTS * TICK + 77 * TICK;
    insert(f, 0, due);
    for (uint64_t now = START; now < due; now += 100 * TICK)
        advance(f, now, 10);
    assert_true(wheel_linked(&object_at(f, ref_of(0))->node));
    assert_true(f->visits >= 3 && f->visits <= 4);
    advance(f, due + TICK, 10);
    assert_false(wheel_linked(&object_at(f, ref_of(0))->node));
}

static void removed_timers_are_not_visited_wherever_they_stand_in_the_slot(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++)
        insert(f, i, START + 5 * TICK);
    wheel_remove(&f->wheel, ref_of(4)); /* the first */
    wheel_remove(&f->wheel, ref_of(0)); /* the last */
    wheel_remove(&f->wheel, ref_of(2)); /* between */
    advance(f, START + 7 * TICK, 100);
    assert_int_equal(f->visits, 2);
    assert_int_equal(object_at(f, ref_of(1))->visited, f->now);
    assert_int_equal(object_at(f, ref_of(3))->visited, f->now);
    assert_int_equal(wheel_next(&f->wheel), UINT64_MAX);
}

static void a_slot_can_be_left_half_done(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < 1000; i++)
        insert(f, i, START + 5 * TICK);
    assert_true(advance(f, START + 9 * TICK, 64));
    assert_int_equal(f->visits, 64);
    /* New timers that are due join the half-done slot. */
    insert(f, 1000, START);
    unsigned calls = 1;
    while (advance(f, START + 9 * TICK, 64))
        calls++;
    assert_int_equal(f->visits, 1001);
    assert_int_equal(calls, 1001 / 64);
}

static void after_a_pause_all_are_due_and_no_call_exceeds_its_budget(void **state) {
    struct fixture *f = *state;
    for (unsigned i = 0; i < OBJECTS; i++)
        insert(f, i, START + (uint64_t)(i % 9000) * TICK);
    uint64_t now = START + UINT64_C(3600) * 1000000;
    bool more = true;
    for (unsigned calls = 0; more; calls++) {
        unsigned before = f->visits;
        more = advance(f, now, 64);
        assert_true(f->visits - before <= 64);
        assert_true(calls < 2 * OBJECTS / 64 + 10);
    }
    for (unsigned i = 0; i < OBJECTS; i++)
        assert_true(object_at(f, ref_of(i))->visited == now);
    assert_int_equal(f->wheel.linked, 0);
}

static void a_visitor_that_rearms_is_not_visited_again_in_the_same_call(void **state) {
    struct fixture *f = *state;
    object_at(f, ref_of(0))->rearm = 1;
    insert(f, 0, START + TICK);
    advance(f, START + 20 * TICK, 100);
    assert_int_equal(f->visits, 1);
    advance(f, START + 22 * TICK, 100);
    assert_int_equal(f->visits, 2);
}

static void hasten_moves_forward_only(void **state) {
    struct fixture *f = *state;
    insert(f, 0, START + 100 * TICK);
    wheel_hasten(&f->wheel, ref_of(0), START + 200 * TICK);
    assert_true(wheel_next(&f->wheel) <= START + 101 * TICK);
    wheel_hasten(&f->wheel, ref_of(0), START + 50 * TICK);
    assert_true(wheel_next(&f->wheel) <= START + 51 * TICK);
    wheel_hasten(&f->wheel, ref_of(1), START + 10 * TICK);
    assert_int_equal(f->wheel.linked, 2);
}

static void next_is_never_late(void **state) {
    struct fixture *f = *state;
    srand(7);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned i = (unsigned)rand() % 50;
        struct object *object = object_at(f, ref_of(i));
        if (wheel_linked(&object->node))
            wheel_remove(&f->wheel, ref_of(i));
        insert(f, i, f->now + (uint64_t)(rand() % 9000) * 700);
        uint64_t earliest = UINT64_MAX;
        for (unsigned k = 0; k < 50; k++) {
            struct object *other = object_at(f, ref_of(k));
            if (wheel_linked(&other->node) && other->due < earliest)
                earliest = other->due;
        }
        assert_true(wheel_next(&f->wheel) < earliest + TICK);
        unsigned before = f->visits;
        if (rand() % 3 == 0) {
            uint64_t next = wheel_next(&f->wheel);
            advance(f, next > f->now ? next : f->now, 1000);
            assert_true(f->visits > before);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_timer_is_visited_at_its_tick_and_not_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_timer_beyond_one_turn_is_visited_on_the_way_and_fires_on_time, setup, teardown),
        cmocka_unit_test_setup_teardown(
            removed_timers_are_not_visited_wherever_they_stand_in_the_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_can_be_left_half_done, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_pause_all_are_due_and_no_call_exceeds_its_budget,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_visitor_that_rearms_is_not_visited_again_in_the_same_call,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(hasten_moves_forward_only, setup, teardown),
        cmocka_unit_test_setup_teardown(next_is_never_late, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
