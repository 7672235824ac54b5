/* SPDX-License-Identifier: Apache-2.0 */
/* What was published with RETAIN reaches a new subscription once: from the store or live. */
#include "world.h"

static const struct router_limits many = {16, 1000, 100000, 4};

static void a_new_subscription_gets_what_is_stored(void **state) {
    publish_retained(0, "a/b", 1);
    publish_retained(0, "a/c", 2);
    publish_retained(0, "x", 3);
    world_settle();
    subscribe(1, 1, "a/b", 0);
    subscribe(1, 2, "a/#", 2);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 1, true), 1);
    assert_int_equal(delivered(1, 1, 2), 0);
    assert_int_equal(delivered_as(1, 2, 1, true), 1);
    assert_int_equal(delivered_as(1, 2, 2, true), 1);
    assert_int_equal(delivered(1, 2, 3), 0);
    for (unsigned i = 0; i < world.threads[1].deliveries_count; i++) {
        const struct delivery *delivery = &world.threads[1].deliveries[i];
        assert_int_equal(delivery->qos, delivery->to.ref == 1 ? 0 : 1);
    }
    assert_int_equal(counted(1, COUNTER_TOPICS_RETAINED), 3);
}

static void the_store_is_asked_where_the_topic_is_or_everywhere(void **state) {
    subscribe(1, 1, "a/b", 0);
    world_settle();
    assert_int_equal(world.threads[SHARD].queried + world.threads[SHARD + 1].queried, 1);
    uint64_t shard = topic_hash((const uint8_t *)"a/b", 3) % SHARDS;
    assert_int_equal(world.threads[SHARD + shard].queried, 1);
    subscribe(1, 1, "a/+", 0);
    world_settle();
    assert_int_equal(world.threads[SHARD].queried + world.threads[SHARD + 1].queried, 3);
}

static void what_comes_while_the_route_is_unknown_is_not_delivered_twice(void **state) {
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a", 0);
    publish_retained(1, "a", 7);
    assert_int_equal(delivered(1, 1, 7), 0);
    world_settle();
    assert_int_equal(delivered(1, 1, 7), 0);
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(delivered_as(1, 1, 7, true), 1);
    assert_int_equal(delivered_as(1, 1, 7, false), 0);
    assert_int_equal(counted(1, COUNTER_TOPICS_HELD), 1);
}

static void what_is_published_in_the_new_epoch_comes_live(void **state) {
    subscribe(1, 1, "a", 0);
    mail_flush(world.threads[1].room);
    world_turn(SHARD); /* the route is set; thread 1 does not know yet */
    world_receive(0, 64);
    publish_retained(0, "a", 7);
    world_turn(0);
    world_receive(1, 64);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 7, false), 1);
    assert_int_equal(delivered_as(1, 1, 7, true), 0);
}

static void what_was_matched_in_the_old_epoch_comes_from_the_store(void **state) {
    router_begin(world.threads[0].router);
    subscribe(1, 1, "a", 0);
    mail_flush(world.threads[1].room);
    world_turn(SHARD);
    world_turn(1);
    /* Thread 0 still is in the epoch it began with, although the route is there already. */
    publish_retained(0, "a", 7);
    world_settle();
    assert_int_equal(counted(0, COUNTER_TOPICS_MAIL_PUBLISH), 1);
    assert_int_equal(delivered_as(1, 1, 7, false), 0);
    assert_int_equal(delivered_as(1, 1, 7, true), 1);
}

/* Mail from a publisher that was overtaken by the store's answer. */
static void what_arrives_late_from_an_old_epoch_is_not_delivered_twice(void **state) {
    struct thread *thread = &world.threads[1];
    uint64_t old = routes_epoch(world.routes);
    subscribe(1, 1, "a", 0);
    subscribe(1, 2, "a/#", 0);
    world_settle();
    for (unsigned i = 0; i < 4; i++) {
        bool retain = i % 2 == 0, late = i < 2;
        struct message *message = message_new(&thread->parcels, 1, 4);
        uint32_t number = 1 + i;
        message->bytes[2] = 'a';
        memcpy(message->bytes + 3, &number, 4);
        message->topic_hash = topic_hash(message_topic(message), 1);
        message->flags = retain ? MESSAGE_RETAIN : 0;
        struct mail mail = {.type = MAIL_PUBLISH, .flags = MAIL_PUBLISH_MATCH};
        mail.publish.message = message;
        mail.publish.epoch = late ? old : routes_epoch(world.routes);
        router_mail(thread->router, &mail);
        assert_int_equal(delivered(1, 1, number), !(retain && late));
        assert_int_equal(delivered(1, 2, number), !(retain && late));
    }
}

static void a_replaced_subscription_gets_retained_messages_again_and_misses_none(void **state) {
    publish_retained(0, "a", 1);
    subscribe(1, 1, "a", 0);
    world_settle();
    forget_deliveries();
    world.threads[SHARD].routes_held = true;
    subscribe(1, 1, "a", 1);
    publish_retained(1, "a", 2);
    publish_retained(1, "a", 3);
    /* The flow is not interrupted (MQTT-3.8.4-3). */
    assert_int_equal(delivered_as(1, 1, 2, false), 1);
    assert_int_equal(delivered_as(1, 1, 3, false), 1);
    world.threads[SHARD].routes_held = false;
    world_settle();
    assert_int_equal(delivered_as(1, 1, 3, true), 1);
    assert_int_equal(delivered(1, 1, 1), 0);
    assert_int_equal(world.threads[1].deliveries_count, 3);
    assert_int_equal(world.threads[1].answers_count, 1);
}

static void a_subscribe_repeated_before_its_answer_gets_retained_messages_twice(void **state) {
    publish_retained(0, "a", 1);
    world_settle();
    subscribe(1, 1, "a", 0);
    subscribe(1, 1, "a", 1);
    world_settle();
    assert_int_equal(world.threads[1].answers_count, 2);
    assert_int_equal(delivered_as(1, 1, 1, true), 2);
    publish_retained(0, "a", 2);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 2, false), 1);
}

static void fill_store(unsigned messages) {
    for (uint32_t i = 1; i <= messages; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "s/%u", i);
        publish_retained(0, topic, i);
        if (i % 20 == 0)
            world_settle();
    }
    world_settle();
}

static void retained_messages_come_in_batches_as_the_subscriber_is_ready(void **state) {
    struct thread *thread = &world.threads[1];
    fill_store(40);
    thread->not_ready = true;
    subscribe(1, 1, "s/#", 0);
    world_settle();
    /* A batch from each store. */
    assert_int_equal(thread->deliveries_count, SHARDS * world.limits.retained_batch);
    assert_int_equal(thread->answers_count, 1);
    router_retained_resume(thread->router, (struct subscriber){1, 1});
    world_settle();
    assert_int_equal(thread->deliveries_count, SHARDS * world.limits.retained_batch);
    thread->not_ready = false;
    router_retained_resume(thread->router, (struct subscriber){2, 1});
    router_retained_resume(thread->router, (struct subscriber){1, 2});
    assert_int_equal(mail_flush(thread->room), 0);
    router_retained_resume(thread->router, (struct subscriber){1, 1});
    world_settle();
    for (uint32_t i = 1; i <= 40; i++)
        assert_int_equal(delivered_as(1, 1, i, true), 1);
}

static void a_slow_subscriber_is_asked_again_each_turn(void **state) {
    struct thread *thread = &world.threads[1];
    fill_store(40);
    thread->not_ready = true;
    subscribe(1, 1, "s/#", 0);
    world_settle();
    assert_false(router_turn(thread->router)); /* nothing to do at once: the thread may sleep */
    thread->not_ready = false;
    world_settle();
    assert_int_equal(thread->deliveries_count, 40);
}

static void live_messages_pass_while_a_slow_subscriber_is_waited_for(void **state) {
    struct thread *thread = &world.threads[1];
    fill_store(40);
    thread->not_ready = true;
    subscribe(1, 1, "s/#", 0);
    world_settle();
    forget_deliveries();
    publish_retained(0, "s/new", 100);
    publish(0, "s/new", 101);
    world_settle();
    assert_int_equal(delivered_as(1, 1, 100, false), 1);
    assert_int_equal(delivered_as(1, 1, 101, false), 1);
    thread->not_ready = false;
    world_settle();
    assert_int_equal(delivered(1, 1, 100), 1);
}

static void a_store_is_told_to_stop_when_the_subscription_goes(void **state) {
    for (unsigned heeds = 0; heeds < 2; heeds++) {
        world_reopen(NULL, 0);
        struct thread *thread = &world.threads[1];
        world.threads[SHARD].heeds_stop = world.threads[SHARD + 1].heeds_stop = heeds;
        fill_store(60);
        thread->not_ready = true;
        subscribe(1, 1, "s/#", 0);
        world_settle();
        unsigned had = thread->deliveries_count;
        assert_true(unsubscribe(1, 1, "s/#"));
        world_settle();
        assert_int_equal(thread->deliveries_count, had);
        assert_true(world.threads[SHARD].stops > 0);
        for (unsigned shard = SHARD; shard < THREADS; shard++)
            for (unsigned i = 0; i < world.threads[shard].queries_count; i++)
                assert_int_equal(world.threads[shard].queries[i].mail.type, 0);
        assert_true((counted(1, COUNTER_TOPICS_RETAINED_STRAY) == 0) == heeds);
    }
}

static void a_query_without_memory_is_sent_later(void **state) {
    struct thread *thread = &world.threads[1];
    publish_retained(0, "a/b", 1);
    world_settle();
    for (uint64_t n = 1; n <= 2; n++) {
        subscribe(1, 1, "a/+", 0);
        mail_flush(thread->room);
        world_turn(SHARD);
        arena_fail_after(thread->memory.arena, n);
        world_receive(1, 64);
        world_turn(1);
        arena_fail_after(thread->memory.arena, 0);
        world_settle();
        assert_int_equal(delivered_as(1, 1, 1, true), 1);
        unsubscribe(1, 1, "a/+");
        world_settle();
        forget_deliveries();
    }
}

/*
 * Publishers, subscribers and stores interleave at random. Each message has a topic of its own, so
 * the stores lose none: every subscriber gets every message exactly once, whenever it subscribed.
 */
static void each_message_comes_exactly_once_however_threads_interleave(void **state) {
    enum { MESSAGES = 400, REFS = 12 };
    for (uint64_t run = 1; run <= 30; run++) {
        world_reopen(&many, 1024);
        uint64_t seed = run;
        unsigned subscribed = 0;
        for (uint32_t i = 1; i <= MESSAGES;) {
            switch (random_below(&seed, 8)) {
            case 0:
            case 1: {
                char topic[32];
                snprintf(topic, sizeof topic, "s/%u/x", i);
                publish_retained(random_below(&seed, THREADS), topic, i++);
                break;
            }
            case 2:
                if (subscribed < REFS && random_below(&seed, 6) == 0) {
                    static const char *const filters[] = {"s/#", "+/+/x", "#"};
                    unsigned n = subscribed++;
                    subscribe(n % THREADS, 1 + n, filters[n % 3], 1);
                }
                break;
            case 3:
                world_receive(random_below(&seed, THREADS), 1 + random_below(&seed, 8));
                break;
            case 4:
                mail_flush(world.threads[random_below(&seed, THREADS)].room);
                break;
            case 5:
                router_begin(world.threads[random_below(&seed, THREADS)].router);
                break;
            default:
                world_turn(random_below(&seed, THREADS));
                break;
            }
        }
        world_settle();
        uint64_t overflows = 0;
        for (unsigned thread = 0; thread < THREADS; thread++)
            overflows += counted(thread, COUNTER_TOPICS_HOLD_OVERFLOWS);
        assert_int_equal(overflows, 0);
        for (unsigned n = 0; n < subscribed; n++)
            for (uint32_t i = 1; i <= MESSAGES; i++)
                if (delivered(n % THREADS, 1 + n, i) != 1)
                    fail_msg("run %u: subscriber %u got message %u %u times", (unsigned)run, n, i,
                             delivered(n % THREADS, 1 + n, i));
    }
}

/* The same on few topics, the numbers of which never go back: where all messages have RETAIN, and
 * among the live ones where only some have. */
static void each_topic_keeps_its_order_however_threads_interleave(void **state) {
    enum { MESSAGES = 400, REFS = 12, TOPICS = 4 };
    for (uint64_t run = 1; run <= 30; run++) {
        world_reopen(&many, 1024);
        uint64_t seed = 1000 + run;
        unsigned subscribed = 0;
        for (uint32_t i = 1; i <= MESSAGES;) {
            switch (random_below(&seed, 8)) {
            case 0:
            case 1: {
                char topic[32];
                unsigned n = random_below(&seed, TOPICS);
                snprintf(topic, sizeof topic, "s/%u", n);
                /* One publisher for each topic. */
                assert_int_equal(
                    publish_with(n, topic, i, 1, run % 2 || random_below(&seed, 3) != 0, NULL),
                    PUBLISH_DONE);
                i++;
                break;
            }
            case 2:
                if (subscribed < REFS && random_below(&seed, 6) == 0) {
                    static const char *const filters[] = {"s/#", "+/+", "#", "s/1", "s/2"};
                    unsigned n = subscribed++;
                    subscribe(n % THREADS, 1 + n, filters[n % 5], 1);
                }
                break;
            case 3:
                world_receive(random_below(&seed, THREADS), 1 + random_below(&seed, 8));
                break;
            default:
                world_turn(random_below(&seed, THREADS));
                break;
            }
        }
        world_settle();
        for (unsigned thread = 0; thread < THREADS; thread++)
            run % 2 ? assert_in_order(thread) : assert_live_in_order(thread);
        for (unsigned n = 0; n < TOPICS; n++) {
            char topic[32];
            snprintf(topic, sizeof topic, "s/%u", n);
            publish_retained(n, topic, MESSAGES + 1);
        }
        world_settle();
        for (unsigned n = 0; n < subscribed; n++)
            assert_int_equal(delivered_as(n % THREADS, 1 + n, MESSAGES + 1, false),
                             n % 5 < 3 ? TOPICS : 1);
    }
}

int main(void) {
#define world_test(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        world_test(a_new_subscription_gets_what_is_stored),
        world_test(the_store_is_asked_where_the_topic_is_or_everywhere),
        world_test(what_comes_while_the_route_is_unknown_is_not_delivered_twice),
        world_test(what_is_published_in_the_new_epoch_comes_live),
        world_test(what_was_matched_in_the_old_epoch_comes_from_the_store),
        world_test(what_arrives_late_from_an_old_epoch_is_not_delivered_twice),
        world_test(a_replaced_subscription_gets_retained_messages_again_and_misses_none),
        world_test(a_subscribe_repeated_before_its_answer_gets_retained_messages_twice),
        world_test(retained_messages_come_in_batches_as_the_subscriber_is_ready),
        world_test(a_slow_subscriber_is_asked_again_each_turn),
        world_test(live_messages_pass_while_a_slow_subscriber_is_waited_for),
        world_test(a_store_is_told_to_stop_when_the_subscription_goes),
        world_test(a_query_without_memory_is_sent_later),
        world_test(each_message_comes_exactly_once_however_threads_interleave),
        world_test(each_topic_keeps_its_order_however_threads_interleave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
