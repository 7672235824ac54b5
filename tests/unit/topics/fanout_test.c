/* SPDX-License-Identifier: Apache-2.0 */
/* Deliveries bounded by the turn, in order. */
#include "world.h"

enum { SLICE = 64, GROUP = 300 }; /* GROUP subscribers do not fit into a turn */

static struct router *router(void) {
    return world.threads[0].router;
}

static unsigned deliveries(void) {
    return world.threads[0].deliveries_count;
}

/* GROUP subscribers to `filter`, told apart by their generations: ref 1 to 50, generation 10 and
 * more. */
static ref_t group[GROUP];

static struct subscriber member(unsigned i) {
    return (struct subscriber){1 + i % 50, 10 + i / 50};
}

static void join(unsigned first, unsigned count, const char *text, uint8_t qos) {
    for (unsigned i = first; i < first + count; i++) {
        struct filter filter = {(const uint8_t *)text, (uint16_t)strlen(text), qos, 0};
        router_subscribe(router(), member(i), &group[i], 1, &filter, 1);
        if (i % 100 == 0)
            world_settle();
    }
    world_settle();
}

static void leave(void) {
    for (unsigned i = 0; i < GROUP; i++)
        router_unsubscribe_all(router(), member(i), &group[i], 100);
    world_settle();
}

static unsigned got(unsigned i, uint32_t number) {
    const struct thread *thread = &world.threads[0];
    unsigned found = 0;
    for (unsigned n = 0; n < thread->deliveries_count; n++)
        found += thread->deliveries[n].payload == number &&
                 thread->deliveries[n].to.ref == member(i).ref &&
                 thread->deliveries[n].to.generation == member(i).generation;
    return found;
}

static void a_turn_delivers_at_most_a_slice(void **state) {
    join(0, GROUP, "a", 0);
    publish(0, "a", 1);
    assert_int_equal(deliveries(), SLICE);
    unsigned turns = 0;
    for (unsigned before = deliveries(); router_turn(router()); before = deliveries(), turns++)
        assert_in_range(deliveries() - before, 1, SLICE);
    assert_int_equal(deliveries(), GROUP);
    assert_in_range(turns, 3, 5);
    for (unsigned i = 0; i < GROUP; i++)
        assert_int_equal(got(i, 1), 1);
    assert_int_equal(counted(0, COUNTER_TOPICS_FANOUTS_CONTINUED), 1);
    leave();
}

static void many_small_messages_of_one_turn_are_bounded_too(void **state) {
    subscribe(0, 1, "a", 0);
    subscribe(0, 2, "+", 0);
    world_settle();
    for (uint32_t i = 1; i <= 100; i++)
        publish(0, "a", i);
    assert_in_range(deliveries(), 1, SLICE);
    while (router_turn(router()))
        ;
    for (uint32_t i = 1; i <= 100; i++) {
        assert_int_equal(delivered(0, 1, i), 1);
        assert_int_equal(delivered(0, 2, i), 1);
    }
    assert_in_order(0);
}

static void later_messages_wait_behind_a_large_fanout(void **state) {
    join(0, GROUP, "a/b", 0);
    subscribe(0, 60, "a/+", 0);
    subscribe(0, 61, "x", 0);
    world_settle();
    for (uint32_t i = 1; i <= 5; i++) {
        publish(0, "a/b", i);
        publish(0, "x", i);
        publish(0, "a/c", i);
    }
    world_settle();
    assert_in_order(0);
    for (uint32_t i = 1; i <= 5; i++) {
        for (unsigned n = 0; n < GROUP; n++)
            assert_int_equal(got(n, i), 1);
        assert_int_equal(delivered(0, 60, i), 2);
        assert_int_equal(delivered(0, 61, i), 1);
    }
    leave();
}

static void when_the_owner_is_full_everything_waits_in_order(void **state) {
    struct thread *thread = &world.threads[0];
    join(0, GROUP, "a", 0);
    subscribe(0, 60, "x", 0);
    subscribe(0, 61, "+", 0);
    world_settle();
    for (uint32_t i = 1; i <= 20; i++) {
        publish(0, "x", i);
        publish(0, "a", i);
    }
    for (unsigned turns = 0; router_turn(router()); turns++) {
        /* Ten and a few more in each turn: a message for several goes whole. */
        thread->full_at = thread->deliveries_count + 10;
        router_turn(router());
        assert_true(thread->deliveries_count < thread->full_at + SLICE);
        unsigned before = thread->deliveries_count;
        thread->full_at = before > 0 ? before : 1;
        router_turn(router());
        assert_int_equal(thread->deliveries_count, before);
        thread->full_at = 0;
        assert_true(turns < 10000);
    }
    for (uint32_t i = 1; i <= 20; i++) {
        assert_int_equal(delivered(0, 60, i), 1);
        assert_int_equal(delivered(0, 61, i), 2);
        assert_int_equal(got(GROUP - 1, i), 1);
    }
    assert_in_order(0);
    assert_int_equal(counted(0, COUNTER_TOPICS_FANOUTS_RUSHED), 0);
    leave();
}

static void mail_waits_behind_a_large_fanout(void **state) {
    join(0, GROUP, "a", 0);
    subscribe(0, 60, "x", 0);
    world_settle();
    publish(1, "x", 1);
    publish(1, "a", 2);
    publish(1, "x", 3);
    mail_flush(world.threads[1].room);
    world_receive(0, 64);
    assert_int_equal(delivered(0, 60, 1), 1);
    assert_int_equal(delivered(0, 60, 3), 0);
    world_settle();
    assert_int_equal(delivered(0, 60, 3), 1);
    assert_in_order(0);
    leave();
}

static void a_subscriber_of_several_filters_is_served_once_with_its_highest_qos(void **state) {
    join(0, GROUP, "a/b", 0);
    join(100, 100, "a/+", 2);
    join(150, 100, "#", 1);
    publish_with(0, "a/b", 9, 2, false, NULL);
    world_settle();
    for (unsigned i = 0; i < GROUP; i++)
        assert_int_equal(got(i, 9), 1);
    const struct thread *thread = &world.threads[0];
    for (unsigned n = 0; n < thread->deliveries_count; n++) {
        const struct delivery *delivery = &thread->deliveries[n];
        unsigned i = delivery->to.ref - 1 + (delivery->to.generation - 10) * 50;
        unsigned qos = i >= 100 && i < 200 ? 2 : i >= 200 && i < 250 ? 1 : 0;
        assert_int_equal(delivery->qos, qos);
    }
    leave();
}

static void without_memory_to_tell_them_apart_nobody_is_left_out(void **state) {
    join(0, GROUP, "a/b", 0);
    join(0, GROUP, "a/+", 0);
    /* The message first, then the set of those served. */
    arena_fail_after(world.threads[0].memory.arena, 2);
    publish(0, "a/b", 9);
    arena_fail_after(world.threads[0].memory.arena, 0);
    world_settle();
    unsigned twice = 0;
    for (unsigned i = 0; i < GROUP; i++) {
        assert_in_range(got(i, 9), 1, 2);
        twice += got(i, 9) == 2;
    }
    assert_int_equal(twice, counted(0, COUNTER_TOPICS_OVERLAPS_UNCHECKED));
    assert_int_equal(twice, 1);
    leave();
}

static void subscriptions_may_go_during_a_fanout(void **state) {
    uint64_t seed = 4;
    for (unsigned run = 0; run < 20; run++) {
        bool gone[GROUP] = {false};
        forget_deliveries();
        join(0, GROUP, "a/b", 0);
        join(0, GROUP / 2, "a/+", 1);
        publish_with(0, "a/b", run + 1, 1, false, NULL);
        do {
            for (unsigned n = 0; n < 20; n++) {
                unsigned i = random_below(&seed, GROUP);
                gone[i] = true;
                router_unsubscribe_all(router(), member(i), &group[i], 100);
            }
        } while (router_turn(router()));
        for (unsigned i = 0; i < GROUP; i++)
            if (gone[i])
                assert_in_range(got(i, run + 1), 0, 1);
            else
                assert_int_equal(got(i, run + 1), 1);
        leave();
    }
}

static void all_subscriptions_may_go_during_a_fanout(void **state) {
    join(0, GROUP, "a/b", 0);
    join(0, GROUP, "a/+", 0);
    publish(0, "a/b", 1);
    assert_int_equal(deliveries(), SLICE);
    leave();
    assert_int_equal(deliveries(), SLICE);
    assert_false(router_turn(router()));
}

static void subscribers_that_come_during_a_fanout_do_not_disturb_it(void **state) {
    join(0, GROUP - 50, "a/b", 0);
    publish(0, "a/b", 1);
    struct filter filter = {(const uint8_t *)"a/b", 3, 0, 0};
    for (unsigned i = GROUP - 50; i < GROUP; i++)
        router_subscribe(router(), member(i), &group[i], 1, &filter, 1);
    world_settle();
    for (unsigned i = 0; i < GROUP; i++)
        assert_int_equal(got(i, 1), i < GROUP - 50);
    leave();
}

static void a_publisher_is_pressed_before_the_queue_is_full(void **state) {
    subscribe(0, 60, "x", 0);
    join(0, GROUP, "a", 0);
    publish(0, "a", 1);
    assert_false(router_pressed(router()));
    uint32_t i = 1;
    while (publish_with(0, "x", i, 0, false, NULL) == PUBLISH_DONE)
        i++;
    assert_true(router_pressed(router()));
    assert_in_range(i, 100, 4096);
    while (router_pressed(router()))
        router_turn(router());
    publish(0, "x", i);
    world_settle();
    for (uint32_t n = 1; n <= i; n++)
        assert_int_equal(delivered(0, 60, n), 1);
    assert_in_order(0);
    leave();
}

static void mail_beyond_the_queue_is_worked_off_at_once_and_nothing_is_lost(void **state) {
    world_reopen(NULL, 8192);
    subscribe(0, 60, "x", 0);
    join(0, GROUP, "a", 0);
    publish(0, "a", 1);
    enum { MESSAGES = 6000 };
    for (uint32_t i = 1; i <= MESSAGES; i++) {
        publish(1, "x", i);
        if (i % 64 == 0) {
            mail_flush(world.threads[1].room);
            world_receive(0, 64); /* and never a turn of the router */
        }
    }
    assert_int_equal(counted(0, COUNTER_TOPICS_FANOUTS_RUSHED) > 0, 1);
    world_settle();
    assert_int_equal(deliveries(), MESSAGES + GROUP);
    assert_in_order(0);
    leave();
}

static void retained_flags_are_heeded_in_a_large_fanout(void **state) {
    join(0, GROUP - 1, "a/b", 0);
    join(0, 10, "a/+", 1);
    world.threads[SHARD].routes_held = true;
    struct filter filter = {(const uint8_t *)"a/b", 3, 0, 0};
    router_subscribe(router(), member(GROUP - 1), &group[GROUP - 1], 1, &filter, 1);
    publish_retained(0, "a/b", 5);
    while (router_turn(router()))
        ;
    assert_int_equal(got(GROUP - 1, 5), 0);
    world.threads[SHARD].routes_held = false;
    world_settle();
    for (unsigned i = 0; i < GROUP; i++)
        assert_int_equal(got(i, 5), 1);
    leave();
}

static void a_renamed_subscriber_is_found_by_the_running_fanout(void **state) {
    join(0, GROUP, "a", 0);
    publish(0, "a", 1);
    router_rename(router(), group[0], (struct subscriber){63, 99}); /* first in, last in the list */
    world_settle();
    assert_int_equal(delivered(0, 63, 1), 1);
    assert_int_equal(got(0, 1), 0);
    router_rename(router(), group[0], member(0));
    leave();
}

static void what_still_waits_when_the_router_goes_is_released(void **state) {
    join(0, GROUP, "a", 0);
    join(0, GROUP, "+", 0);
    publish(0, "a", 1);
    publish(0, "a", 2);
    publish(0, "b", 3);
    router_destroy(router());
    assert_int_equal(world.threads[0].memory.topics.bytes, 0);
    mail_flush(world.threads[0].room);
    assert_int_equal(memory_objects(&world.threads[0].memory), 0);
    struct thread *thread = &world.threads[0];
    thread->router = router_create(&thread->parcels, thread->room, world.routes, SHARD, SHARDS,
                                   &world.limits, &thread->owner, &thread->counters);
    /* The routes are left to the world's end. */
    routes_change(world.routes, ROUTE_EXACT, topic_hash((const uint8_t *)"a", 1), 0, false);
}

int main(void) {
#define world_test(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        world_test(a_turn_delivers_at_most_a_slice),
        world_test(many_small_messages_of_one_turn_are_bounded_too),
        world_test(later_messages_wait_behind_a_large_fanout),
        world_test(when_the_owner_is_full_everything_waits_in_order),
        world_test(mail_waits_behind_a_large_fanout),
        world_test(a_subscriber_of_several_filters_is_served_once_with_its_highest_qos),
        world_test(without_memory_to_tell_them_apart_nobody_is_left_out),
        world_test(subscriptions_may_go_during_a_fanout),
        world_test(all_subscriptions_may_go_during_a_fanout),
        world_test(subscribers_that_come_during_a_fanout_do_not_disturb_it),
        world_test(a_publisher_is_pressed_before_the_queue_is_full),
        world_test(mail_beyond_the_queue_is_worked_off_at_once_and_nothing_is_lost),
        world_test(retained_flags_are_heeded_in_a_large_fanout),
        world_test(a_renamed_subscriber_is_found_by_the_running_fanout),
        world_test(what_still_waits_when_the_router_goes_is_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
