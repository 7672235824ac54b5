/* SPDX-License-Identifier: Apache-2.0 */
/* Live messages that wait for the stores' answer to a new subscription: how many, in which order,
 * and what becomes of those beyond that. */
#include "dataplane/topics/arrival.h"
#include "world.h"

static const struct router_limits many = {16, 1000, 100000, 4};

static void a_live_message_waits_for_the_stores_answer(void **state) {
    publish_retained(0, "a", 1);
    world_settle();
    subscribe(1, 1, "a", 0);
    mail_flush(world.threads[1].room);
    world_turn(SHARD);
    world_turn(1); /* asks the store */
    world_receive(0, 64);
    publish_retained(0, "a", 2);
    assert_int_equal(publish_with(0, "a", 3, 0, false, NULL), PUBLISH_DONE);
    mail_flush(world.threads[0].room);
    world_turn(1);
    assert_int_equal(world.threads[1].deliveries_count, 0);
    world_settle();
    assert_in_order(1);
    for (uint32_t i = 2; i <= 3; i++)
        assert_int_equal(delivered_as(1, 1, i, false), 1);
}

static void messages_behind_a_held_one_keep_their_order(void **state) {
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a", 0);
    publish_retained(1, "a", 1);
    publish(1, "a", 2);
    assert_int_equal(delivered(1, 1, 2), 0);
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(delivered(1, 1, 1), 1);
    assert_int_equal(delivered(1, 1, 2), 1);
    assert_in_order(1);
}

static void a_subscription_in_force_is_not_held_up_by_one_that_arrives(void **state) {
    subscribe(1, 1, "a", 0);
    world_settle();
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a/#", 2);
    publish_retained(1, "a", 5);
    assert_int_equal(delivered_as(1, 1, 5, false), 1);
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(delivered_as(1, 1, 5, false), 1);
    assert_int_equal(delivered_as(1, 1, 5, true), 1); /* for the new one, from the store */
}

static void too_many_to_hold_before_the_answer_are_left_to_the_stores(void **state) {
    world_reopen(&many, 1024);
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a/#", 0);
    for (uint32_t i = 1; i <= 100; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "a/%u", i);
        publish_retained(1, topic, i);
    }
    assert_int_equal(counted(1, COUNTER_TOPICS_HOLD_OVERFLOWS), 36);
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(world.threads[1].deliveries_count, 100);
    for (uint32_t i = 1; i <= 100; i++)
        assert_int_equal(delivered_as(1, 1, i, true), 1);
}

static void without_memory_to_hold_it_a_message_is_left_to_the_stores(void **state) {
    struct thread *thread = &world.threads[1];
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a", 0);
    world_settle();
    /* The message, its copy for the store, and what holds it. */
    arena_fail_after(thread->memory.arena, 3);
    publish_retained(1, "a", 1);
    arena_fail_after(thread->memory.arena, 0);
    assert_int_equal(counted(1, COUNTER_TOPICS_HOLD_OVERFLOWS), 1);
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(delivered_as(1, 1, 1, true), 1);
    assert_int_equal(world.threads[1].deliveries_count, 1);
}

/* Each subscriber's deliveries on each topic have numbers without a gap, none twice. */
static void assert_no_gap(unsigned number) {
    const struct thread *thread = &world.threads[number];
    for (unsigned i = 0; i < thread->deliveries_count; i++) {
        const struct delivery *later = &thread->deliveries[i];
        for (unsigned j = i; j-- > 0;) {
            const struct delivery *earlier = &thread->deliveries[j];
            if (earlier->to.ref != later->to.ref || strcmp(earlier->topic, later->topic) != 0)
                continue;
            assert_int_equal(later->payload, earlier->payload + 1);
            assert_false(later->retain);
            break;
        }
    }
}

static void what_was_left_to_the_stores_in_the_new_epoch_is_asked_for(void **state) {
    struct thread *thread = &world.threads[1];
    for (uint32_t later = 0; later <= 3; later += 3) {
        world_reopen(&many, 1024);
        subscribe(1, 1, "a", 2);
        subscribe(1, 2, "+", 2);
        mail_flush(thread->room);
        world_turn(SHARD); /* the routes are set; the answers are in the box */
        router_begin(thread->router);
        for (uint32_t i = 1; i <= 100; i++)
            publish_retained(1, "a", i);
        world_receive(1, 64);
        /* Not in force yet: the answers do not cover what was left to the stores. */
        assert_int_equal(thread->answers_count, 0);
        mail_flush(thread->room);
        world_turn(SHARD);
        router_begin(thread->router);
        for (uint32_t i = 1; i <= later; i++)
            publish_retained(1, "a", 100 + i);
        assert_int_equal(thread->deliveries_count, 0);
        world_settle();
        assert_int_equal(thread->answers_count, 2);
        for (uint32_t ref = 1; ref <= 2; ref++) {
            assert_int_equal(delivered_as(1, ref, 100, true), later == 0);
            for (uint32_t i = 1; i <= later; i++)
                assert_int_equal(delivered_as(1, ref, 100 + i, false), 1);
        }
        assert_int_equal(thread->deliveries_count, later == 0 ? 2 : 2 * later);
    }
}

static void the_question_for_a_later_epoch_waits_for_memory(void **state) {
    struct thread *thread = &world.threads[1];
    world_reopen(&many, 1024);
    subscribe(1, 1, "a", 2);
    subscribe(1, 2, "a", 2);
    subscribe(1, 3, "a", 2);
    mail_flush(thread->room);
    world_turn(SHARD);
    router_begin(thread->router);
    for (uint32_t i = 1; i <= 100; i++)
        publish_retained(1, "a", i);
    /* Mail to the writer's thread takes all the room that is set aside for it. */
    struct mail mail = {.type = MAIL_RETAINED_MORE};
    arena_fail_after(thread->memory.arena, 1);
    while (mail_send(thread->room, SHARD, &mail))
        arena_fail_after(thread->memory.arena, 1);
    for (unsigned i = 0; i < 64; i++) {
        arena_fail_after(thread->memory.arena, 1);
        world_receive(1, 1);
    }
    assert_true(router_turn(thread->router));
    assert_true(router_unsubscribe_all(thread->router, (struct subscriber){2, 1}, &thread->heads[2],
                                       UINT32_MAX));
    arena_fail_after(thread->memory.arena, 0);
    world_settle();
    assert_int_equal(thread->answers_count, 2);
    assert_int_equal(thread->deliveries_count, 2);
    assert_int_equal(delivered_as(1, 1, 100, true), 1);
    assert_int_equal(delivered_as(1, 3, 100, true), 1);
}

/* Subscriber 1 of thread 1 has its route, and the stores have been asked but do not answer. */
static void subscribe_with_slow_stores(const char *filter) {
    subscribe(1, 1, filter, 2);
    mail_flush(world.threads[1].room);
    world_turn(SHARD);
    world_turn(1);
    assert_int_equal(world.threads[1].answers_count, 1);
    router_begin(world.threads[1].router);
}

static void what_the_store_sends_late_of_an_overtaken_topic_is_left_out(void **state) {
    struct thread *thread = &world.threads[1];
    world_reopen(&many, 1024);
    publish_retained(0, "a/x", 9);
    publish_retained(0, "a/y", 7);
    world_settle();
    subscribe_with_slow_stores("a/#");
    for (unsigned i = 0; i < 5; i++) { /* the answers are on their way */
        world_turn(0);
        world_turn(SHARD);
        world_turn(SHARD + 1);
    }
    for (uint32_t i = 10; i < 110; i++)
        publish_retained(1, "a/x", i);
    assert_int_equal(thread->deliveries_count, 100);
    assert_int_equal(counted(1, COUNTER_TOPICS_HOLD_OVERFLOWS), 1);
    world_settle();
    publish_retained(1, "a/x", 110);
    assert_int_equal(counted(1, COUNTER_TOPICS_RETAINED_OVERTAKEN), 1);
    assert_int_equal(counted(1, COUNTER_TOPICS_HELD_MISORDERED), 0);
    assert_int_equal(delivered(1, 1, 9), 0);
    assert_int_equal(delivered_as(1, 1, 7, true), 1);
    for (uint32_t i = 10; i <= 110; i++)
        assert_int_equal(delivered_as(1, 1, i, false), 1);
    assert_no_gap(1);
}

static void a_message_without_retain_overtakes_no_stored_one(void **state) {
    world_reopen(&many, 1024);
    publish_retained(0, "a/y", 7);
    world_settle();
    subscribe_with_slow_stores("a/+");
    char topic[16] = "a/x";
    unsigned shard = topic_hash((const uint8_t *)"a/y", 3) % SHARDS;
    for (unsigned i = 0; topic_hash((const uint8_t *)topic, strlen(topic)) % SHARDS != shard; i++)
        snprintf(topic, sizeof topic, "a/x%u", i);
    publish_retained(1, topic, 1000);
    for (uint32_t i = 10; i < 110; i++)
        publish(1, "a/y", i);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 7, true), 1);
    assert_live_in_order(1);
    assert_int_equal(world.threads[1].deliveries_count, 102);
}

/* The store is asked on and answers before the mail of a publisher that it has to store. */
static void what_passed_while_a_batch_was_due_is_not_followed_by_an_older_one(void **state) {
    enum { SLOTS = 64 };
    struct thread *thread = &world.threads[1];
    char last[16];
    unsigned shard = topic_hash((const uint8_t *)"s", 1) % SHARDS, stored = 0;
    world_reopen(NULL, SLOTS);
    for (unsigned i = 0; stored < 5; i++) {
        snprintf(last, sizeof last, "s/%u", i);
        if (topic_hash((const uint8_t *)last, strlen(last)) % SHARDS != shard)
            continue;
        stored++;
        publish_retained(0, last, 1);
        world_settle();
    }
    thread->not_ready = true;
    subscribe(1, 1, "s/+", 2);
    world_settle();
    assert_int_equal(thread->deliveries_count, 4); /* a batch; the last topic is to come */
    /* The box of the store is full, so the message reaches the subscriber sooner. */
    struct mail mail = {.type = MAIL_RETAINED_MORE};
    for (unsigned i = 0; i < 2 * SLOTS; i++)
        assert_true(mail_send(world.threads[0].room, SHARD + shard, &mail));
    publish_retained(0, last, 2);
    mail_flush(world.threads[0].room);
    thread->not_ready = false;
    world_turn(1);
    assert_int_equal(delivered_as(1, 1, 2, false), 1);
    world_turn(SHARD + shard);
    world_settle();
    assert_int_equal(counted(1, COUNTER_TOPICS_RETAINED_OVERTAKEN), 1);
    assert_int_equal(thread->deliveries_count, 5);
}

static void beyond_the_topics_remembered_nothing_is_missed_and_it_is_counted(void **state) {
    enum { TOPICS = OVERTAKEN_MAX + 100 };
    struct thread *thread = &world.threads[1];
    world_reopen(&(struct router_limits){16, 1000, 100000, 64}, 8192);
    char topic[16];
    for (uint32_t i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof topic, "a/%u", i);
        publish_retained(0, topic, 1);
        if (i % 32 == 0)
            world_settle();
    }
    world_settle();
    subscribe_with_slow_stores("a/#");
    for (uint32_t i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof topic, "a/%u", i);
        publish_retained(1, topic, 2);
        if (i % 32 == 0)
            mail_flush(thread->room);
    }
    world_settle();
    assert_int_equal(delivered_as(1, 1, 2, false), TOPICS);
    uint64_t misordered = counted(1, COUNTER_TOPICS_HELD_MISORDERED);
    assert_in_range(misordered, 1, 100);
    assert_int_equal(delivered_as(1, 1, 1, true), 0); /* the stores have the newer ones by then */
    assert_int_equal(thread->deliveries_count, TOPICS);
}

static void one_subscriber_cannot_use_up_the_room_for_held_messages(void **state) {
    struct thread *thread = &world.threads[1];
    world_reopen(&many, 8192);
    world.threads[SHARD].routes_held = true;
    enum { FILTERS = 20 };
    char topic[32];
    for (unsigned n = 0; n < FILTERS; n++) {
        snprintf(topic, sizeof topic, "greedy/%u", n);
        subscribe(1, 1, topic, 0);
    }
    subscribe(1, 2, "modest", 0);
    for (uint32_t i = 1; i <= 60; i++)
        for (unsigned n = 0; n < FILTERS; n++) {
            snprintf(topic, sizeof topic, "greedy/%u", n);
            publish_retained(1, topic, i);
            mail_flush(thread->room);
        }
    uint64_t overflows = counted(1, COUNTER_TOPICS_HOLD_OVERFLOWS);
    assert_true(overflows >= FILTERS * 60 - SHARE_HELD_MAX);
    for (uint32_t i = 1; i <= ARRIVAL_HELD_MAX; i++)
        publish_retained(1, "modest", 100 + i);
    assert_int_equal(counted(1, COUNTER_TOPICS_HOLD_OVERFLOWS), overflows);
    /* Its share goes with it when it gets another name. */
    router_rename(thread->router, thread->heads[1], (struct subscriber){3, 1});
    thread->heads[3] = thread->heads[1];
    thread->heads[1] = 0;
    publish_retained(1, "greedy/0", 61);
    assert_int_equal(counted(1, COUNTER_TOPICS_HOLD_OVERFLOWS), overflows + 1);
    world.threads[SHARD].routes_held = false;
    world_settle();
    for (unsigned n = 0; n < FILTERS; n++)
        assert_int_equal(delivered(1, 3, n == 0 ? 61 : 60), n == 0 ? 1 : FILTERS - 1);
    assert_int_equal(delivered_as(1, 2, 100 + ARRIVAL_HELD_MAX, true), 1);
}

/* Publishers count up, each on topics of its own, in bursts larger than what can be held, while
 * others subscribe and any thread may be slow. */
static void floods_are_in_order_without_gaps_however_threads_interleave(void **state) {
    enum { REFS = 24, TOPICS = 6, STEPS = 400 };
    uint64_t overflows = 0, overtaken = 0;
    for (uint64_t run = 1; run <= 30; run++) {
        world_reopen(&(struct router_limits){16, 1000, 100000, 2}, 4096);
        uint64_t seed = 5000 + run;
        unsigned subscribed = 0;
        uint32_t numbers[TOPICS] = {0};
        for (unsigned step = 0; step < STEPS; step++) {
            unsigned n = random_below(&seed, TOPICS), thread = random_below(&seed, THREADS);
            char topic[32];
            snprintf(topic, sizeof topic, "s/%u", n);
            switch (random_below(&seed, 8)) {
            case 0:
                for (unsigned burst = random_below(&seed, 90); burst > 0; burst--)
                    if (publish_with(n % THREADS, topic, numbers[n] + 1, n % 3, true, NULL) ==
                        PUBLISH_DONE)
                        numbers[n]++;
                break;
            case 1:
                if (subscribed < REFS && random_below(&seed, 2) == 0) {
                    static const char *const filters[] = {"s/#", "+/+", "#", "s/1", "s/2"};
                    n = subscribed++;
                    subscribe(n % THREADS, 1 + n, filters[n % 5], 2);
                }
                break;
            case 2:
            case 3:
                world_receive(thread, 1 + random_below(&seed, 64));
                break;
            case 4:
                router_begin(world.threads[thread].router);
                break;
            default:
                world_turn(thread);
                router_begin(world.threads[thread].router);
                break;
            }
        }
        world_settle();
        for (unsigned n = 0; n < TOPICS; n++) {
            char topic[32];
            snprintf(topic, sizeof topic, "s/%u", n);
            publish_retained(n % THREADS, topic, numbers[n] + 1);
        }
        world_settle();
        for (unsigned thread = 0; thread < THREADS; thread++) {
            assert_no_gap(thread);
            assert_int_equal(counted(thread, COUNTER_TOPICS_HELD_MISORDERED), 0);
            overflows += counted(thread, COUNTER_TOPICS_HOLD_OVERFLOWS);
            overtaken += counted(thread, COUNTER_TOPICS_RETAINED_OVERTAKEN);
        }
        for (unsigned n = 0; n < subscribed; n++) {
            const struct thread *thread = &world.threads[n % THREADS];
            unsigned last = 0;
            for (unsigned i = 0; i < thread->deliveries_count; i++) {
                const struct delivery *delivery = &thread->deliveries[i];
                last += delivery->to.ref == 1 + n &&
                        delivery->payload == numbers[delivery->topic[2] - '0'] + 1;
            }
            assert_int_equal(last, n % 5 < 3 ? TOPICS : 1);
        }
    }
    assert_true(overflows > 100);
    assert_true(overtaken > 0);
}

int main(void) {
#define world_test(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        world_test(a_live_message_waits_for_the_stores_answer),
        world_test(messages_behind_a_held_one_keep_their_order),
        world_test(a_subscription_in_force_is_not_held_up_by_one_that_arrives),
        world_test(too_many_to_hold_before_the_answer_are_left_to_the_stores),
        world_test(without_memory_to_hold_it_a_message_is_left_to_the_stores),
        world_test(what_was_left_to_the_stores_in_the_new_epoch_is_asked_for),
        world_test(the_question_for_a_later_epoch_waits_for_memory),
        world_test(what_the_store_sends_late_of_an_overtaken_topic_is_left_out),
        world_test(a_message_without_retain_overtakes_no_stored_one),
        world_test(what_passed_while_a_batch_was_due_is_not_followed_by_an_older_one),
        world_test(beyond_the_topics_remembered_nothing_is_missed_and_it_is_counted),
        world_test(one_subscriber_cannot_use_up_the_room_for_held_messages),
        world_test(floods_are_in_order_without_gaps_however_threads_interleave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
