/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE: routes, epochs, names, memory. */
#include "world.h"

static const struct router_limits many = {16, 1000, 100000, 4};

static struct answer *answer(unsigned thread) {
    assert_int_equal(world.threads[thread].answers_count, 1);
    return &world.threads[thread].answers[0];
}

static void suback_waits_for_the_route(void **state) {
    subscribe(1, 3, "a", 1);
    mail_flush(world.threads[1].room);
    world_turn(1);
    assert_int_equal(world.threads[1].answers_count, 0);
    world_turn(SHARD);
    world_turn(1);
    assert_int_equal(answer(1)->who.ref, 3);
    assert_int_equal(answer(1)->packet_id, 3);
    assert_int_equal(answer(1)->count, 1);
    assert_int_equal(answer(1)->codes[0], 1);
}

static void one_answer_is_asked_for_with_the_last_mail(void **state) {
    struct thread *shard = &world.threads[SHARD], *thread = &world.threads[1];
    shard->routes_held = true;
    struct filter filters[] = {
        {(const uint8_t *)"a", 1, 0, 0},     {(const uint8_t *)"b/+", 3, 1, 0},
        {(const uint8_t *)"x", 1, 0, 0x80},  {(const uint8_t *)"+/b", 3, 2, 0},
        {(const uint8_t *)"b/c/#", 5, 2, 0},
    };
    router_subscribe(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 9, filters, 5);
    subscribe(1, 2, "a", 0);
    world_settle();
    static const uint8_t kinds[] = {ROUTE_EXACT, ROUTE_PREFIX, ROUTE_ANY, ROUTE_NONE};
    assert_int_equal(shard->changes_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(shard->changes[i].route_change.kind, kinds[i]);
        assert_int_equal(shard->changes[i].route_change.set, i < 3);
        assert_int_equal(shard->changes[i].route_change.operation != 0, i >= 2);
    }
    shard->routes_held = false;
    world_settle();
    assert_int_equal(thread->answers_count, 2);
    static const uint8_t codes[] = {0, 1, 0x80, 2, 2};
    assert_int_equal(thread->answers[0].count, 5);
    assert_memory_equal(thread->answers[0].codes, codes, 5);
    assert_int_equal(filters[2].code, 0x80);
    assert_int_equal(filters[3].code, 2);
}

static void a_subscribe_refused_whole_is_answered_at_once(void **state) {
    struct thread *thread = &world.threads[1];
    struct filter filters[] = {{(const uint8_t *)"a", 1, 0, 0x80},
                               {(const uint8_t *)"b", 1, 0, 0x80}};
    router_subscribe(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 9, filters, 2);
    assert_int_equal(answer(1)->count, 2);
    assert_int_equal(answer(1)->codes[1], 0x80);
    assert_int_equal(thread->heads[1], 0);
}

static void a_message_without_retain_is_delivered_before_the_suback(void **state) {
    subscribe(1, 1, "a", 0);
    publish(1, "a", 5);
    assert_int_equal(delivered(1, 1, 5), 1);
    assert_int_equal(world.threads[1].answers_count, 0);
}

static void the_route_goes_with_the_last_subscription_of_its_key(void **state) {
    subscribe(1, 1, "a/b", 0);
    subscribe(1, 2, "a/b", 0);
    subscribe(1, 1, "p/+", 0);
    subscribe(1, 2, "p/#", 0);
    subscribe(1, 2, "p/+", 0);
    subscribe(1, 1, "+", 0);
    subscribe(1, 2, "#", 0);
    world_settle();
    assert_int_equal(routes_count(world.routes), 2);
    assert_true(unsubscribe(1, 1, "a/b"));
    assert_true(unsubscribe(1, 1, "p/+"));
    assert_true(unsubscribe(1, 2, "p/#"));
    assert_true(unsubscribe(1, 1, "+"));
    world_settle();
    assert_int_equal(routes_count(world.routes), 2);
    publish(0, "z", 1);
    world_settle();
    assert_int_equal(delivered(1, 2, 1), 1);
    assert_true(unsubscribe(1, 2, "a/b"));
    assert_true(unsubscribe(1, 2, "p/+"));
    assert_true(unsubscribe(1, 2, "#"));
    assert_false(unsubscribe(1, 2, "#"));
    assert_false(unsubscribe(1, 9, "a/b"));
    world_settle();
    assert_int_equal(routes_count(world.routes), 0);
    publish(0, "z", 2);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 1);
}

static void unsubscribe_is_in_force_at_once(void **state) {
    subscribe(1, 1, "a", 0);
    subscribe(1, 1, "a/#", 0);
    world_settle();
    publish(1, "a", 1);
    assert_true(unsubscribe(1, 1, "a"));
    assert_true(unsubscribe(1, 1, "a/#"));
    publish(1, "a", 2);
    assert_int_equal(delivered(1, 1, 1), 1);
    assert_int_equal(delivered(1, 1, 2), 0);
}

static void a_subscription_that_goes_before_its_route_comes_is_answered_and_cleared(void **state) {
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a", 0);
    publish_retained(1, "a", 7);
    assert_true(unsubscribe(1, 1, "a"));
    subscribe(1, 1, "a", 1);
    assert_true(unsubscribe(1, 1, "a"));
    world_settle();
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(world.threads[1].answers_count, 2);
    assert_int_equal(routes_count(world.routes), 0);
    assert_int_equal(world.threads[1].deliveries_count, 0);
}

static void a_subscription_is_replaced_in_its_place(void **state) {
    struct thread *thread = &world.threads[1];
    subscribe(1, 1, "a", 0);
    subscribe(1, 1, "b/+", 1);
    subscribe(1, 1, "c", 0);
    world_settle();
    subscribe(1, 1, "b/+", 2);
    world_settle();
    static const char *const order[] = {"c", "b/+", "a"};
    static const uint8_t qos[] = {0, 2, 0};
    ref_t position = thread->heads[1];
    struct filter filter;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(router_list(thread->router, &position, &filter));
        assert_int_equal(filter.len, strlen(order[i]));
        assert_memory_equal(filter.bytes, order[i], filter.len);
        assert_int_equal(filter.qos, qos[i]);
    }
    assert_false(router_list(thread->router, &position, &filter));
    struct router_stats stats;
    router_stats(thread->router, &stats);
    assert_int_equal(stats.subscriptions, 3);
    assert_int_equal(stats.exact_filters, 2);
    assert_int_equal(stats.wildcard_filters, 1);
}

static void a_filter_twice_in_one_subscribe_counts_once(void **state) {
    struct thread *thread = &world.threads[1];
    struct filter filters[] = {{(const uint8_t *)"a", 1, 0, 0}, {(const uint8_t *)"a", 1, 2, 0}};
    router_subscribe(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 9, filters, 2);
    world_settle();
    assert_int_equal(answer(1)->codes[0], 0);
    assert_int_equal(answer(1)->codes[1], 2);
    publish_with(1, "a", 3, 2, false, NULL);
    assert_int_equal(delivered(1, 1, 3), 1);
    assert_int_equal(thread->deliveries[0].qos, 2);
}

static void all_subscriptions_of_a_subscriber_go_in_slices(void **state) {
    struct thread *thread = &world.threads[1];
    for (unsigned i = 0; i < 25; i++) {
        char filter[16];
        snprintf(filter, sizeof filter, i % 2 ? "t/%u" : "t/%u/+", i);
        subscribe(1, 1, filter, 0);
    }
    subscribe(1, 2, "t/1", 0);
    unsigned slices = 1;
    while (
        !router_unsubscribe_all(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 10))
        slices++;
    assert_int_equal(slices, 3);
    assert_int_equal(thread->heads[1], 0);
    world_settle();
    /* The SUBSCRIBEs that waited are dropped with it; the other subscriber's is not. */
    assert_int_equal(answer(1)->who.ref, 2);
    publish(1, "t/1", 1);
    assert_int_equal(delivered(1, 1, 1), 0);
    assert_int_equal(delivered(1, 2, 1), 1);
    assert_int_equal(routes_count(world.routes), 1);
}

static void a_renamed_subscriber_gets_all_under_its_new_name(void **state) {
    struct thread *thread = &world.threads[1];
    struct subscriber to = {40, 7};
    for (unsigned i = 1; i <= 3; i++)
        publish_retained(0, "r", i);
    world_settle();
    subscribe(1, 1, "a", 1);
    subscribe(1, 1, "a/#", 1);
    subscribe(1, 2, "a/+", 1);
    world_settle();
    publish(1, "a", 1);      /* into the cache */
    subscribe(1, 1, "r", 1); /* still arriving */
    router_rename(thread->router, thread->heads[1], to);
    thread->answers_count = 0;
    publish(1, "a", 2);
    world_settle();
    assert_int_equal(delivered(1, 1, 1), 1);
    assert_int_equal(delivered(1, 1, 2), 0);
    assert_int_equal(delivered(1, 40, 2), 1);
    assert_int_equal(delivered_as(1, 40, 3, true), 1);
    assert_int_equal(answer(1)->who.ref, 40);
    assert_int_equal(answer(1)->who.generation, 7);
    for (unsigned i = 0; i < thread->deliveries_count; i++)
        if (thread->deliveries[i].to.ref == 40)
            assert_int_equal(thread->deliveries[i].to.generation, 7);
    /* A second time, with nothing on its way. */
    router_rename(thread->router, thread->heads[1], (struct subscriber){1, 1});
    publish(1, "a", 3);
    assert_int_equal(delivered(1, 1, 3), 1);
}

static void a_subscribe_without_memory_is_refused_and_leaves_nothing(void **state) {
    struct thread *thread = &world.threads[1];
    static const char *const texts[] = {"fail/exact", "fail/+/x", "#", "old"};
    unsigned refused = 0;
    subscribe(1, 1, "old", 0);
    world_settle();
    for (uint64_t n = 1; n < 60; n++) {
        struct filter filters[4];
        for (unsigned i = 0; i < 4; i++)
            filters[i] =
                (struct filter){(const uint8_t *)texts[i], (uint16_t)strlen(texts[i]), 1, 0};
        forget_deliveries();
        uint64_t objects = memory_objects(&thread->memory);
        arena_fail_after(thread->memory.arena, n);
        router_subscribe(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 9, filters,
                         4);
        arena_fail_after(thread->memory.arena, 0);
        unsigned granted = 0;
        for (unsigned i = 0; i < 4; i++)
            granted += filters[i].code == 1;
        for (unsigned i = 0; i < 4; i++)
            assert_true(filters[i].code == 1 || filters[i].code == 0x80);
        refused += 4 - granted;
        world_settle();
        assert_int_equal(thread->answers_count, 1);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(thread->answers[0].codes[i], filters[i].code);
        publish_with(1, "fail/exact", 3, 2, false, NULL);
        publish_with(1, "fail/y/x", 4, 2, false, NULL);
        assert_int_equal(delivered(1, 1, 3), filters[0].code == 1 || filters[2].code == 1);
        assert_int_equal(delivered(1, 1, 4), filters[1].code == 1 || filters[2].code == 1);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(unsubscribe(1, 1, texts[i]), filters[i].code == 1);
        /* The old one is as it was, or replaced. */
        ref_t position = thread->heads[1];
        struct filter filter;
        assert_true(router_list(thread->router, &position, &filter));
        assert_int_equal(filter.qos, filters[3].code == 1);
        subscribe(1, 1, "old", 0);
        world_settle();
        if (granted == 0)
            assert_int_equal(memory_objects(&thread->memory), objects);
        struct router_stats stats;
        router_stats(thread->router, &stats);
        assert_int_equal(stats.subscriptions, 1);
        assert_int_equal(stats.trie_nodes, 0);
        assert_int_equal(routes_count(world.routes), 1);
    }
    assert_int_equal(counted(1, COUNTER_TOPICS_SUBSCRIBE_NO_MEMORY), refused);
    assert_in_range(refused, 20, 100);
}

/* As many mails to the route writer as its reserve has room for, and some more. */
static void fill_reserve(struct thread *thread, unsigned more) {
    struct mail mail = {.type = MAIL_ROUTE_CHANGE, .route_change = {.kind = ROUTE_NONE}};
    for (unsigned i = 0; i < MAILROOM_RESERVE + more; i++)
        assert_true(mail_send(thread->room, SHARD, &mail));
}

static void a_subscribe_whose_mail_is_refused_is_rolled_back(void **state) {
    static const char *const texts[] = {"m/exact", "m/+/x", "+/y", "old", "arriving"};
    world_reopen(&many, 4096);
    struct thread *thread = &world.threads[1];
    subscribe(1, 1, "old", 0);
    world_settle();
    unsigned refused = 0;
    /* Memory for mails is taken by the page: with some there already, it is the second or third
     * mail that is refused. */
    enum { PAGE_MAILS = 4096 / sizeof(struct mail) - 1, FAILURES = 40 };
    for (uint64_t run = 0; run < 4 * FAILURES; run++) {
        uint64_t n = 1 + run % FAILURES;
        unsigned there = run < FAILURES ? 0 : PAGE_MAILS - 3 + (unsigned)(run / FAILURES);
        subscribe(1, 1, "arriving", 0);
        struct filter filters[5];
        for (unsigned i = 0; i < 5; i++)
            filters[i] =
                (struct filter){(const uint8_t *)texts[i], (uint16_t)strlen(texts[i]), 1, 0};
        fill_reserve(thread, there);
        arena_fail_after(thread->memory.arena, n);
        router_subscribe(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 9, filters,
                         5);
        arena_fail_after(thread->memory.arena, 0);
        if (filters[0].code == 0x80 && filters[3].code == 0x80 && filters[4].code == 0x80) {
            refused++;
            struct filter filter;
            for (ref_t position = thread->heads[1];
                 router_list(thread->router, &position, &filter);)
                assert_int_equal(filter.qos, 0);
        }
        world_settle();
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(unsubscribe(1, 1, texts[i]), filters[i].code == 1);
        assert_true(unsubscribe(1, 1, "arriving"));
        subscribe(1, 1, "old", 0);
        world_settle();
        assert_int_equal(routes_count(world.routes), 1);
        struct router_stats stats;
        router_stats(thread->router, &stats);
        assert_int_equal(stats.subscriptions, 1);
        publish(0, "old", (uint32_t)run + 1);
        world_settle();
        assert_int_equal(delivered(1, 1, (uint32_t)run + 1), 1);
    }
    assert_in_range(refused, 4, 40);
    assert_int_equal(counted(1, COUNTER_TOPICS_ROUTES_LEFT), 0);
}

static void a_route_whose_clearing_is_refused_costs_mails_only(void **state) {
    struct thread *thread = &world.threads[1];
    world_reopen(NULL, 4096);
    subscribe(1, 1, "a", 0);
    world_settle();
    fill_reserve(thread, 0);
    arena_fail_after(thread->memory.arena, 1);
    assert_true(unsubscribe(1, 1, "a"));
    arena_fail_after(thread->memory.arena, 0);
    world_settle();
    assert_int_equal(counted(1, COUNTER_TOPICS_ROUTES_LEFT), 1);
    publish(0, "a", 1);
    world_settle();
    assert_int_equal(counted(1, COUNTER_TOPICS_MAIL_IN_VAIN), 1);
    subscribe(1, 1, "a", 0);
    world_settle();
    publish(0, "a", 2);
    world_settle();
    assert_int_equal(delivered(1, 1, 2), 1);
}

static void many_filters_in_one_subscribe_are_all_served(void **state) {
    enum { FILTERS = 200 };
    static char texts[FILTERS][16];
    struct filter filters[FILTERS];
    struct thread *thread = &world.threads[1];
    world_reopen(&many, 0);
    for (unsigned i = 0; i < FILTERS; i++) {
        snprintf(texts[i], sizeof texts[i], "many/%u", i);
        filters[i] = (struct filter){(const uint8_t *)texts[i], (uint16_t)strlen(texts[i]), 1, 0};
        publish_retained(0, texts[i], i + 1);
        if (i % 50 == 0)
            world_settle();
    }
    world_settle();
    router_subscribe(thread->router, (struct subscriber){1, 1}, &thread->heads[1], 9, filters,
                     FILTERS);
    world_settle();
    assert_int_equal(answer(1)->count, FILTERS);
    for (uint32_t i = 1; i <= FILTERS; i++)
        assert_int_equal(delivered_as(1, 1, i, true), 1);
}

static void bytes_are_counted_and_come_back(void **state) {
    struct thread *thread = &world.threads[1];
    struct router_stats stats;
    router_stats(thread->router, &stats);
    uint64_t before = stats.bytes;
    subscribe(1, 1, "a/b/c", 0);
    subscribe(1, 1, "a/+/c", 0);
    world_settle();
    router_stats(thread->router, &stats);
    assert_in_range(stats.bytes - before, 100, 1000);
    unsubscribe(1, 1, "a/b/c");
    unsubscribe(1, 1, "a/+/c");
    world_settle();
    router_stats(thread->router, &stats);
    assert_int_equal(stats.bytes, before);
}

int main(void) {
#define world_test(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        world_test(suback_waits_for_the_route),
        world_test(one_answer_is_asked_for_with_the_last_mail),
        world_test(a_subscribe_refused_whole_is_answered_at_once),
        world_test(a_message_without_retain_is_delivered_before_the_suback),
        world_test(the_route_goes_with_the_last_subscription_of_its_key),
        world_test(unsubscribe_is_in_force_at_once),
        world_test(a_subscription_that_goes_before_its_route_comes_is_answered_and_cleared),
        world_test(a_subscription_is_replaced_in_its_place),
        world_test(a_filter_twice_in_one_subscribe_counts_once),
        world_test(all_subscriptions_of_a_subscriber_go_in_slices),
        world_test(a_renamed_subscriber_gets_all_under_its_new_name),
        world_test(a_subscribe_without_memory_is_refused_and_leaves_nothing),
        world_test(a_subscribe_whose_mail_is_refused_is_rolled_back),
        world_test(a_route_whose_clearing_is_refused_costs_mails_only),
        world_test(many_filters_in_one_subscribe_are_all_served),
        world_test(bytes_are_counted_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
