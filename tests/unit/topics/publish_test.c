/* SPDX-License-Identifier: Apache-2.0 */
/* Matching and delivery, on one thread and across threads. */
#include "world.h"

/* For tests that publish much within one turn. */
static const struct router_limits many = {16, 1000, 100000, 4};

static void a_subscriber_gets_what_matches_on_its_own_thread(void **state) {
    subscribe(0, 1, "a/b", 1);
    subscribe(0, 2, "a/+", 0);
    subscribe(0, 3, "x", 0);
    publish(0, "a/b", 7);
    assert_int_equal(delivered(0, 1, 7), 1);
    assert_int_equal(delivered(0, 2, 7), 1);
    assert_int_equal(delivered(0, 3, 7), 0);
    assert_false(world.threads[0].deliveries[0].retain);
}

static void a_publish_crosses_threads(void **state) {
    subscribe(1, 1, "a/b", 1);
    subscribe(2, 1, "a/#", 1);
    world_settle();
    publish(0, "a/b", 7);
    world_settle();
    assert_int_equal(delivered(1, 1, 7), 1);
    assert_int_equal(delivered(2, 1, 7), 1);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 2);
}

static void a_publish_visits_only_threads_that_may_match(void **state) {
    subscribe(1, 1, "one/a", 0);
    subscribe(2, 1, "two/+", 0);
    subscribe(3, 1, "+/three", 0);
    world_settle();

    publish(0, "one/a", 1);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 2); /* 1, and 3 for its `+` */
    publish(0, "two/x/y", 2);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 4); /* 2 for the prefix, 3 */
    publish(0, "four", 3);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 5); /* 3 */
    publish(0, "$x/three", 4);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 5);
    world_settle();
    assert_int_equal(delivered(1, 1, 1), 1);
    assert_int_equal(counted(1, COUNTER_TOPICS_MAIL_IN_VAIN), 0);
    assert_int_equal(counted(2, COUNTER_TOPICS_MAIL_IN_VAIN), 1);
    assert_int_equal(counted(3, COUNTER_TOPICS_MAIL_IN_VAIN), 3);

    assert_true(unsubscribe(3, 1, "+/three"));
    world_settle();
    uint64_t before = counted(0, COUNTER_TOPICS_MAIL_PUBLISH);
    publish(0, "four", 3);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), before);
}

static void a_publish_that_nobody_wants_allocates_nothing(void **state) {
    subscribe(0, 1, "a/+", 0);
    world_settle();
    struct thread *thread = &world.threads[0];
    uint64_t before = memory_objects(&thread->memory);
    struct topic_memo memo = {0};
    arena_fail_after(thread->memory.arena, 1);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(publish_with(0, "nobody/here", 5, 1, false, &memo), PUBLISH_DONE);
    assert_int_equal(memory_objects(&thread->memory), before);
    assert_int_equal(counted(0, COUNTER_TOPICS_NOBODY), 10);
}

static void the_lower_qos_is_delivered(void **state) {
    subscribe(0, 1, "a", 0);
    subscribe(0, 2, "a", 1);
    subscribe(0, 3, "a", 2);
    for (uint8_t qos = 0; qos <= 2; qos++) {
        forget_deliveries();
        publish_with(0, "a", 1, qos, false, NULL);
        const struct thread *thread = &world.threads[0];
        assert_int_equal(thread->deliveries_count, 3);
        for (unsigned i = 0; i < 3; i++) {
            uint8_t granted = (uint8_t)(thread->deliveries[i].to.ref - 1);
            assert_int_equal(thread->deliveries[i].qos, granted < qos ? granted : qos);
        }
    }
}

static void overlapping_subscriptions_give_one_delivery_with_the_highest_qos(void **state) {
    subscribe(0, 1, "a/b", 0);
    subscribe(0, 1, "a/+", 2);
    subscribe(0, 1, "#", 1);
    subscribe(0, 2, "a/#", 1);
    for (unsigned i = 0; i < 3; i++) { /* afresh, and from the cache */
        forget_deliveries();
        publish_with(0, "a/b", 7, 2, false, NULL);
        assert_int_equal(delivered(0, 1, 7), 1);
        assert_int_equal(delivered(0, 2, 7), 1);
        for (unsigned j = 0; j < 2; j++) {
            const struct delivery *delivery = &world.threads[0].deliveries[j];
            assert_int_equal(delivery->qos, delivery->to.ref == 1 ? 2 : 1);
        }
    }
}

static void two_generations_of_a_subscriber_are_two(void **state) {
    struct thread *thread = &world.threads[0];
    ref_t head = 0;
    struct filter filter = {(const uint8_t *)"a/+", 3, 0, 0};
    subscribe(0, 1, "a/b", 0);
    router_subscribe(thread->router, (struct subscriber){1, 2}, &head, 1, &filter, 1);
    publish(0, "a/b", 7);
    assert_int_equal(delivered(0, 1, 7), 2);
    assert_true(router_unsubscribe_all(thread->router, (struct subscriber){1, 2}, &head, 10));
}

static void a_cached_result_is_forgotten_when_subscriptions_change(void **state) {
    struct topic_memo memo = {0};
    subscribe(0, 1, "a/+", 0);
    subscribe(0, 2, "a/b", 0);
    for (unsigned i = 0; i < 3; i++)
        publish_with(0, "a/b", 1, 2, false, &memo);
    assert_int_equal(delivered(0, 1, 1), 3);
    assert_int_equal(delivered(0, 2, 1), 3);

    subscribe(0, 3, "a/b", 0); /* exact */
    publish_with(0, "a/b", 2, 2, false, &memo);
    assert_int_equal(delivered(0, 3, 2), 1);
    subscribe(0, 4, "#", 0); /* wildcard */
    publish_with(0, "a/b", 3, 2, false, &memo);
    assert_int_equal(delivered(0, 4, 3), 1);
    unsubscribe(0, 2, "a/b");
    publish_with(0, "a/b", 4, 2, false, &memo);
    assert_int_equal(delivered(0, 2, 4), 0);
    unsubscribe(0, 1, "a/+");
    publish_with(0, "a/b", 5, 2, false, &memo);
    assert_int_equal(delivered(0, 1, 5), 0);
    assert_int_equal(delivered(0, 3, 5), 1);
    assert_int_equal(delivered(0, 4, 5), 1);
    subscribe(0, 4, "#", 2); /* another QoS */
    forget_deliveries();
    publish_with(0, "a/b", 6, 2, false, &memo);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(world.threads[0].deliveries[i].qos,
                         world.threads[0].deliveries[i].to.ref == 4 ? 2 : 0);

    struct router_stats stats;
    router_stats(world.threads[0].router, &stats);
    assert_in_range(stats.memo_hits, 1, 10);
    assert_in_range(stats.cache_hits, 1, 10);
}

static void the_cache_and_the_memo_follow_changes_of_routes(void **state) {
    struct topic_memo memo = {0}, other = {0};
    subscribe(0, 1, "a/+", 0); /* so that there is a use for the cache */
    world_settle();
    for (unsigned i = 0; i < 3; i++) {
        publish_with(0, "a/b", 1, 0, false, &memo);  /* with the cache */
        publish_with(2, "a/b", 1, 0, false, &other); /* without */
    }
    world_settle();
    subscribe(1, 1, "a/b", 0);
    world_settle();
    publish_with(0, "a/b", 2, 0, false, &memo);
    publish_with(2, "a/b", 3, 0, false, &other);
    world_settle();
    assert_int_equal(delivered(1, 1, 2), 1);
    assert_int_equal(delivered(1, 1, 3), 1);
    unsubscribe(1, 1, "a/b");
    world_settle();
    uint64_t before = counted(0, COUNTER_TOPICS_MAIL_PUBLISH);
    publish_with(0, "a/b", 4, 0, false, &memo);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), before);
}

static void a_memo_of_another_topic_does_no_harm(void **state) {
    struct topic_memo memo = {0};
    world_reopen(&many, 0);
    subscribe(0, 1, "a", 0);
    subscribe(0, 2, "b", 0);
    subscribe(0, 3, "+", 0);
    for (uint32_t i = 1; i < 100; i++)
        publish_with(0, i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", i, 0, false, &memo);
    for (uint32_t i = 1; i < 100; i++) {
        assert_int_equal(delivered(0, 1, i), i % 3 == 0);
        assert_int_equal(delivered(0, 2, i), i % 3 == 1);
        assert_int_equal(delivered(0, 3, i), 1);
    }
}

static void the_original_goes_to_the_last_thread_when_nobody_here_keeps_it(void **state) {
    subscribe(1, 1, "a", 0);
    world_settle();
    uint64_t before = memory_objects(&world.threads[0].memory);
    publish(0, "a", 1);
    assert_int_equal(memory_objects(&world.threads[0].memory), before + 1);
    world_settle();
    assert_int_equal(memory_objects(&world.threads[0].memory), before);
}

static void a_message_is_copied_for_each_thread_but_not_for_each_subscriber(void **state) {
    struct thread *thread = &world.threads[0];
    for (uint32_t ref = 1; ref < 20; ref++)
        subscribe(0, ref, "a", 0);
    subscribe(1, 1, "a", 0);
    world_settle();
    uint64_t before = memory_objects(&thread->memory);
    thread->keep = true;
    publish(0, "a", 1);
    assert_int_equal(memory_objects(&thread->memory), before + 2);
    assert_int_equal(thread->kept_count, 19);
    assert_int_equal(thread->kept[0]->parcel.refs, 19);
}

static void a_ready_message_is_used_and_given_back_only_for_later(void **state) {
    struct thread *thread = &world.threads[0];
    subscribe(1, 1, "a/b", 1);
    world_settle();
    uint64_t before = memory_objects(&thread->memory);
    struct message *ready = message_new(&thread->parcels, 3, 4);
    uint32_t number = 9;
    memcpy(ready->bytes + 2, "a/b", 3);
    memcpy(ready->bytes + 5, &number, 4);
    struct publish publish = {.topic = message_topic(ready),
                              .payload = message_payload(ready),
                              .topic_len = 3,
                              .payload_len = 4,
                              .qos = 1,
                              .ready = ready};
    assert_int_equal(router_publish(thread->router, &publish, NULL), PUBLISH_DONE);
    assert_int_equal(memory_objects(&thread->memory), before + 1);
    world_settle();
    assert_int_equal(delivered(1, 1, 9), 1);
    assert_int_equal(memory_objects(&thread->memory), before);

    /* Somebody here still holds this one: the other thread gets a copy. */
    ready = message_new(&thread->parcels, 3, 0);
    memcpy(ready->bytes + 2, "a/b", 3);
    message_ref(ready);
    publish = (struct publish){.topic = message_topic(ready), .topic_len = 3, .ready = ready};
    assert_int_equal(router_publish(thread->router, &publish, NULL), PUBLISH_DONE);
    assert_int_equal(ready->parcel.refs, 1);
    world_settle();
    assert_int_equal(memory_objects(&thread->memory), before + 1);
    parcel_release(&thread->parcels, ready);

    /* Nobody wants this one. */
    ready = message_new(&thread->parcels, 1, 0);
    ready->bytes[2] = 'x';
    publish = (struct publish){.topic = message_topic(ready), .topic_len = 1, .ready = ready};
    assert_int_equal(router_publish(thread->router, &publish, NULL), PUBLISH_DONE);
    assert_int_equal(memory_objects(&thread->memory), before);
}

static void a_publish_without_memory_is_put_off_whole(void **state) {
    struct thread *thread = &world.threads[0];
    subscribe(0, 1, "a", 1);
    subscribe(1, 1, "a", 1);
    subscribe(2, 1, "a", 1);
    world_settle();
    /* One for here and one for each of two others. */
    for (uint64_t n = 1; n <= 3; n++) {
        uint64_t before = memory_objects(&thread->memory);
        arena_fail_after(thread->memory.arena, n);
        assert_int_equal(publish_with(0, "a", 5, 1, false, NULL), PUBLISH_TRY_AGAIN);
        assert_int_equal(memory_objects(&thread->memory), before);
        world_settle();
        assert_int_equal(delivered(0, 1, 5) + delivered(1, 1, 5) + delivered(2, 1, 5), 0);
    }
    arena_fail_after(thread->memory.arena, 0);
    assert_int_equal(publish_with(0, "a", 5, 1, false, NULL), PUBLISH_DONE);
    world_settle();
    assert_int_equal(delivered(0, 1, 5), 1);
    assert_int_equal(delivered(1, 1, 5), 1);
    assert_int_equal(delivered(2, 1, 5), 1);
    assert_int_equal(counted(0, COUNTER_TOPICS_PUT_OFF), 3);
}

static void a_cache_without_memory_costs_no_message(void **state) {
    struct thread *thread = &world.threads[0];
    subscribe(0, 1, "a/+", 1);
    world_settle();
    /* The message is the first allocation; the cache's own follow. */
    for (uint64_t n = 2; n <= 4; n++) {
        arena_fail_after(thread->memory.arena, n);
        assert_int_equal(publish_with(0, "a/b", (uint32_t)n, 1, false, NULL), PUBLISH_DONE);
        assert_int_equal(delivered(0, 1, (uint32_t)n), 1);
    }
    arena_fail_after(thread->memory.arena, 0);
}

static void a_pressed_mailbox_puts_a_publish_off(void **state) {
    world_reopen(&many, 0);
    subscribe(0, 1, "a", 0);
    subscribe(1, 1, "a", 0);
    subscribe(0, 1, "mine", 0);
    world_settle();
    uint32_t done = 1;
    while (publish_with(0, "a", done, 0, false, NULL) == PUBLISH_DONE)
        done++;
    assert_int_equal(delivered(0, 1, done), 0);
    /* What does not go there is not held up. */
    publish(0, "mine", 100000);
    assert_int_equal(delivered(0, 1, 100000), 1);
    world_settle();
    assert_int_equal(publish_with(0, "a", done, 0, false, NULL), PUBLISH_DONE);
    world_settle();
    for (uint32_t i = 1; i <= done; i++)
        assert_int_equal(delivered(1, 1, i), 1);
    assert_in_order(1);
}

static void a_retained_message_is_stored_with_the_shard_of_its_topic(void **state) {
    for (uint32_t i = 1; i <= 20; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "t/%u", i);
        publish_retained(i % THREADS, topic, i); /* from shards too: mail to themselves */
    }
    subscribe(SHARD + 1, 1, "t/+", 0); /* so that one mail says both */
    world_settle();
    publish_retained(0, "t/1", 100);
    world_settle();
    assert_int_equal(delivered_as(SHARD + 1, 1, 100, false), 1);
    for (unsigned shard = 0; shard < SHARDS; shard++)
        for (unsigned i = 0; i < world.threads[SHARD + shard].store_count; i++)
            assert_int_equal(world.threads[SHARD + shard].store[i].message->topic_hash % SHARDS,
                             shard);
    assert_int_equal(world.threads[SHARD].store_count + world.threads[SHARD + 1].store_count, 20);
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_STORE), 6);
}

static void an_empty_retained_message_deletes_and_is_delivered(void **state) {
    publish_retained(0, "t", 1);
    subscribe(1, 1, "t", 0);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 1, true), 1);
    publish_retained(0, "t", 0);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 0, false), 1);
    assert_int_equal(world.threads[SHARD].store_count + world.threads[SHARD + 1].store_count, 0);
    subscribe(1, 2, "t", 0);
    world_settle();
    assert_int_equal(delivered(1, 2, 1) + delivered(1, 2, 0), 0);
}

static void the_match_of_a_hostile_filter_set_is_cut_and_counted(void **state) {
    world_reopen(&(struct router_limits){16, 20, 64, 4}, 0);
    /* All filters of `+` and `a` over five levels: 2^5 paths. */
    for (unsigned n = 0; n < 32; n++) {
        char filter[16];
        for (unsigned i = 0; i < 5; i++) {
            filter[2 * i] = n >> i & 1 ? '+' : 'a';
            filter[2 * i + 1] = '/';
        }
        filter[9] = 0;
        subscribe(0, 1 + n, filter, 0);
    }
    publish(0, "a/a/a/a/a", 1);
    assert_int_equal(counted(0, COUNTER_TOPICS_MATCH_CUT), 1);
    assert_in_range(world.threads[0].deliveries_count, 1, 31);
}

/* `count` levels of `word`, with `last` at the end. */
static char *levels(char *text, unsigned count, char word, const char *last) {
    for (unsigned i = 0; i + 1 < count; i++) {
        text[2 * i] = word;
        text[2 * i + 1] = '/';
    }
    strcpy(text + 2 * (count - 1), last);
    return text;
}

static void names_and_filters_of_128_levels_match(void **state) {
    world_reopen(&(struct router_limits){128, 4096, 256, 4}, 0);
    char text[320];
    subscribe(1, 1, levels(text, 128, 'a', "a"), 0);
    subscribe(1, 2, levels(text, 128, '+', "+"), 0);
    subscribe(1, 3, levels(text, 128, 'a', "#"), 0);
    subscribe(1, 4, levels(text, 128, 'a', "+"), 0);
    subscribe(1, 5, levels(text, 127, '+', "+"), 0);
    subscribe(1, 6, levels(text, 128, 'a', "b"), 0);
    /* One for each depth, as many more nodes as levels. */
    for (unsigned depth = 2; depth <= 128; depth++)
        subscribe(1, 7, levels(text, depth, 'a', "#"), 0);
    for (unsigned depth = 2; depth <= 128; depth++)
        subscribe(1, 8, levels(text, depth, '+', "#"), 0);
    world_settle();
    publish(0, levels(text, 128, 'a', "a"), 1);
    publish(0, levels(text, 127, 'a', "a"), 2);
    world_settle();
    for (uint32_t ref = 1; ref <= 8; ref++) {
        assert_int_equal(delivered(1, ref, 1), ref != 5 && ref != 6);
        /* 127 levels: the parent of a filter with `#` at level 128 (MQTT 4.7.1.2). */
        assert_int_equal(delivered(1, ref, 2), ref == 3 || ref == 5 || ref >= 7);
    }
    assert_int_equal(counted(1, COUNTER_TOPICS_MATCH_CUT), 0);
    levels(text, 129, 'a', "a");
    assert_false(topic_name_valid((const uint8_t *)text, strlen(text), 128));
    assert_false(topic_filter_valid((const uint8_t *)text, strlen(text), 128));
}

static unsigned visited;

static void visit(void *argument, struct subscriber who, const struct filter *filter) {
    assert_true(
        topic_matches(filter->bytes, filter->len, (const uint8_t *)argument, strlen(argument)));
    visited++;
}

static void router_match_visits_each_matching_subscription_once(void **state) {
    subscribe(0, 1, "a/b", 0);
    subscribe(0, 1, "a/+", 0);
    subscribe(0, 2, "a/b", 0);
    subscribe(0, 2, "b", 0);
    subscribe(0, 3, "#", 0);
    visited = 0;
    router_match(world.threads[0].router, (const uint8_t *)"a/b", 3, visit, (char *)"a/b");
    assert_int_equal(visited, 4);
}

/* Random subscriptions come and go on all threads; each publish reaches exactly those who have a
 * filter that matches by definition. */
static void random_publishes_reach_exactly_who_matches(void **state) {
    enum { FILTERS = 6, REFS = 10 };
    static char filters[THREADS][REFS][FILTERS][64];
    uint64_t seed = 5;
    memset(filters, 0, sizeof filters);
    struct topic_memo memos[THREADS] = {{0}};
    for (uint32_t round = 1; round <= 1500; round++) {
        for (unsigned change = 0; change < 4; change++) {
            unsigned thread = random_below(&seed, THREADS), ref = random_below(&seed, REFS);
            char *filter = filters[thread][ref][random_below(&seed, FILTERS)];
            if (filter[0]) {
                bool again = false;
                char old[64];
                strcpy(old, filter);
                filter[0] = 0;
                for (unsigned i = 0; i < FILTERS; i++)
                    again |= strcmp(filters[thread][ref][i], old) == 0;
                if (!again)
                    assert_true(unsubscribe(thread, ref + 1, old));
            } else {
                size_t len = random_filter(&seed, (uint8_t *)filter, 63);
                filter[len] = 0;
                subscribe(thread, ref + 1, filter, (uint8_t)random_below(&seed, 3));
            }
        }
        if (round % 3 == 0)
            world_settle();
        forget_deliveries();
        char topic[64];
        size_t len = random_topic(&seed, (uint8_t *)topic, 63);
        topic[len] = 0;
        unsigned from = random_below(&seed, THREADS);
        bool settled = round % 3 == 0;
        assert_int_equal(publish_with(from, topic, round, 0, false, &memos[from]), PUBLISH_DONE);
        world_settle();
        for (unsigned thread = 0; thread < THREADS; thread++)
            for (unsigned ref = 0; ref < REFS; ref++) {
                bool wanted = false;
                for (unsigned i = 0; i < FILTERS; i++) {
                    const char *filter = filters[thread][ref][i];
                    wanted |= filter[0] && topic_matches((const uint8_t *)filter, strlen(filter),
                                                         (const uint8_t *)topic, len);
                }
                unsigned got = delivered(thread, ref + 1, round);
                /* A subscription that another thread does not know yet may miss it. */
                if (settled || thread == from ? got != wanted : got > wanted)
                    fail_msg("round %u: %s got %u, wanted %d", round, topic, got, wanted);
            }
    }
    struct router_stats stats;
    router_stats(world.threads[0].router, &stats);
    assert_in_range(stats.wildcard_filters, 1, REFS * FILTERS);
}

int main(void) {
#define world_test(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        world_test(a_subscriber_gets_what_matches_on_its_own_thread),
        world_test(a_publish_crosses_threads),
        world_test(a_publish_visits_only_threads_that_may_match),
        world_test(a_publish_that_nobody_wants_allocates_nothing),
        world_test(the_lower_qos_is_delivered),
        world_test(overlapping_subscriptions_give_one_delivery_with_the_highest_qos),
        world_test(two_generations_of_a_subscriber_are_two),
        world_test(a_cached_result_is_forgotten_when_subscriptions_change),
        world_test(the_cache_and_the_memo_follow_changes_of_routes),
        world_test(a_memo_of_another_topic_does_no_harm),
        world_test(the_original_goes_to_the_last_thread_when_nobody_here_keeps_it),
        world_test(a_message_is_copied_for_each_thread_but_not_for_each_subscriber),
        world_test(a_ready_message_is_used_and_given_back_only_for_later),
        world_test(a_publish_without_memory_is_put_off_whole),
        world_test(a_cache_without_memory_costs_no_message),
        world_test(a_pressed_mailbox_puts_a_publish_off),
        world_test(a_retained_message_is_stored_with_the_shard_of_its_topic),
        world_test(an_empty_retained_message_deletes_and_is_delivered),
        world_test(the_match_of_a_hostile_filter_set_is_cut_and_counted),
        world_test(names_and_filters_of_128_levels_match),
        world_test(router_match_visits_each_matching_subscription_once),
        world_test(random_publishes_reach_exactly_who_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
