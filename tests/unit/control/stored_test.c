/* SPDX-License-Identifier: Apache-2.0 */
/* The route writer, the retained store as threads ask for it, and $SYS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world world;

static void send_from(unsigned worker, const struct mail *mail) {
    assert_true(mail_send(world.workers[worker].mailroom, FIRST_SHARD, mail));
    mail_flush(world.workers[worker].mailroom);
}

/* Asks for a route; does not settle. */
static void change(unsigned worker, enum route_key_kind kind, uint64_t key, bool set,
                   uint32_t operation) {
    struct mail mail = {
        .type = MAIL_ROUTE_CHANGE,
        .route_change = {.kind = (uint8_t)kind, .key = key, .set = set, .operation = operation}};
    send_from(worker, &mail);
}

static struct mail changed(unsigned worker) {
    return desk_take(&world.workers[worker], MAIL_ROUTE_CHANGED);
}

/* As a subscription does: a route, then the question. Operation 5. Does not settle. */
static uint64_t ask(unsigned worker, const char *filter) {
    change(worker, ROUTE_ANY, 0, true, 1);
    world_turn(&world);
    desk_receive(&world.workers[worker]);
    struct mail route = changed(worker);
    struct desk *desk = &world.workers[worker];
    size_t len = strlen(filter);
    struct filter_parcel *parcel = parcel_new(&desk->parcels, sizeof *parcel + len);
    assert_non_null(parcel);
    parcel->len = (uint16_t)len;
    memcpy(parcel->bytes, filter, len);
    struct mail mail = {.type = MAIL_RETAINED_QUERY,
                        .retained_query = {.epoch = route.route_changed.epoch,
                                           .quiescent = route.route_changed.quiescent,
                                           .filter = &parcel->parcel,
                                           .operation = 5}};
    send_from(worker, &mail);
    return route.route_changed.epoch;
}

static void ask_for_more(unsigned worker) {
    struct mail mail = {.type = MAIL_RETAINED_MORE, .retained_query = {.operation = 5}};
    send_from(worker, &mail);
    world_settle(&world);
}

static void store(unsigned worker, const char *topic, const char *payload) {
    world_publish(&world, worker, topic, payload, 1, MAIL_PUBLISH_STORE);
}

static void store_at(unsigned worker, const char *topic, const char *payload, uint64_t epoch) {
    struct message *message = desk_message(&world.workers[worker], topic, payload, 1);
    struct mail mail = {.type = MAIL_PUBLISH,
                        .flags = MAIL_PUBLISH_STORE,
                        .publish = {.message = message, .epoch = epoch}};
    send_from(worker, &mail);
}

/* Takes a retained message and compares its payload. */
static void retained(unsigned worker, const char *payload) {
    struct mail mail = desk_take(&world.workers[worker], MAIL_RETAINED);
    struct message *message = mail.retained.message;
    assert_int_equal(mail.retained.operation, 5);
    assert_int_equal(message->payload_len, strlen(payload));
    assert_memory_equal(message_payload(message), payload, message->payload_len);
    parcel_release(&world.workers[worker].parcels, message);
}

static void ended(unsigned worker) {
    assert_int_equal(desk_has(&world.workers[worker], MAIL_RETAINED), 0);
    assert_int_equal(desk_take(&world.workers[worker], MAIL_RETAINED_END).retained.operation, 5);
}

static void route_changes_of_one_turn_share_an_epoch(void **state) {
    const uint64_t exact = UINT64_C(17) << 50, prefix = UINT64_C(18) << 50;
    world_open(&world, 1);
    uint64_t before = routes_epoch(world.registry.routes);
    change(0, ROUTE_EXACT, exact, true, 1);
    change(1, ROUTE_EXACT, exact, true, 2);
    change(0, ROUTE_PREFIX, prefix, true, 0);
    change(1, ROUTE_NONE, 0, true, 3);
    world_settle(&world);
    struct mail first = changed(0), second = changed(1), third = changed(1);
    assert_int_equal(first.route_changed.operation, 1);
    assert_int_equal(second.route_changed.operation, 2);
    assert_int_equal(third.route_changed.operation, 3);
    assert_int_equal(first.route_changed.epoch, before + 1);
    assert_int_equal(second.route_changed.epoch, before + 1);
    assert_int_equal(third.route_changed.epoch, before + 1);
    assert_int_equal(desk_has(&world.workers[0], MAIL_ROUTE_CHANGED), 0);
    assert_int_equal(routes_lookup(world.registry.routes, exact, 0, false), 3);
    assert_int_equal(routes_lookup(world.registry.routes, 0, prefix, false), 1);
    change(0, ROUTE_EXACT, exact, false, 0);
    world_settle(&world);
    assert_int_equal(routes_lookup(world.registry.routes, exact, 0, false), 2);
    assert_int_equal(routes_epoch(world.registry.routes), before + 2);
}

static void a_retained_message_is_stored_replaced_and_deleted(void **state) {
    world_open(&world, 1);
    store(0, "a/b", "old");
    store(1, "a/b", "new");
    assert_int_equal(shard_gauges(world.shard[0])->retained, 1);
    ask(0, "a/b");
    world_settle(&world);
    retained(0, "new");
    ended(0);
    store(0, "a/b", "");
    assert_int_equal(shard_gauges(world.shard[0])->retained, 0);
    assert_int_equal(shard_gauges(world.shard[0])->retained_bytes, 0);
    ask(0, "a/b");
    world_settle(&world);
    ended(0);
    assert_int_equal(pool_in_use(&world.workers[1].pool), 0); /* kept as a copy */
}

static void only_messages_before_the_epoch_are_sent(void **state) {
    world_open(&world, 1);
    store(0, "a/1", "before");
    store(0, "a/2", "before too");
    uint64_t epoch = ask(1, "a/#");
    store_at(0, "a/2", "live", epoch); /* is routed to the subscriber */
    store_at(0, "a/3", "live", epoch + 1);
    store_at(0, "a/4", "late", epoch - 1);
    world_settle(&world);
    retained(1, "before");
    retained(1, "late");
    ended(1);
}

static void the_answer_waits_for_threads_that_are_before_the_epoch(void **state) {
    world_open(&world, 1);
    world.worker_stuck[1] = true;
    uint64_t epoch = ask(0, "#");
    world_settle(&world);
    assert_int_equal(desk_has(&world.workers[0], MAIL_RETAINED_END), 0);
    /* Worker 1 still publishes in the old epoch, hands its mail over and then says so. */
    store_at(1, "x", "just in time", epoch - 1);
    routes_quiescent(world.registry.routes, 1);
    world_settle(&world);
    retained(0, "just in time");
    ended(0);
}

static void wildcards_are_answered_in_batches(void **state) {
    char topic[32];
    world_open(&world, 1);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(topic, sizeof topic, "dev/%02u", i);
        store(0, topic, topic);
    }
    ask(1, "dev/+");
    world_settle(&world);
    for (unsigned i = 0; i < 100; i++) {
        if (i > 0 && i % MAIL_RETAINED_BATCH == 0) {
            assert_int_equal(desk_has(&world.workers[1], MAIL_RETAINED), 0);
            assert_int_equal(desk_has(&world.workers[1], MAIL_RETAINED_END), 0);
            ask_for_more(1);
        }
        snprintf(topic, sizeof topic, "dev/%02u", i);
        retained(1, topic);
    }
    ended(1);
}

static void a_large_store_is_walked_in_small_steps(void **state) {
    enum { TOPICS = 20000 };
    char topic[32];
    world_open(&world, 1);
    for (unsigned i = 0; i < TOPICS; i++) {
        snprintf(topic, sizeof topic, "%05u/x", i);
        struct message *message = desk_message(&world.workers[0], topic, "v", 0);
        struct message *kept = shard_keep(world.shard[0], message);
        assert_int_equal(retained_put(world.shard[0]->retained, kept, 1), RETAINED_STORED);
        parcel_release(&world.shard[0]->parcels, kept);
        shard_keep_end(world.shard[0]);
        mail_flush(world.shard[0]->mailroom);
        parcel_release(&world.workers[0].parcels, message);
        desk_receive(&world.workers[0]);
    }
    ask(0, "+/y");
    unsigned turns = 0;
    while (desk_has(&world.workers[0], MAIL_RETAINED_END) == 0) {
        routes_quiescent(world.registry.routes, 0);
        routes_quiescent(world.registry.routes, 1);
        world_turn(&world);
        desk_receive(&world.workers[0]);
        turns++;
    }
    assert_true(turns >= TOPICS / QUERIES_STEPS);
    ended(0);
}

static void as_many_topics_as_allowed_are_kept(void **state) {
    world.config->mqtt.retained_messages = 2;
    world_open(&world, 1);
    store(0, "a", "1");
    store(0, "b", "1");
    store(0, "c", "1");
    store(0, "a", "2");
    assert_int_equal(shard_gauges(world.shard[0])->retained, 2);
    assert_int_equal(COUNT_OF(&world, RETAINED_FULL), 1);
}

static void without_memory_an_old_retained_message_is_not_served(void **state) {
    world_open(&world, 1);
    static char payload[100001];
    memset(payload, 'x', sizeof payload - 1);
    store(0, "a", "old");
    arena_fail_after(world.shard[0]->arena, 1);
    store(0, "a", payload);
    arena_fail_after(world.shard[0]->arena, 0);
    assert_int_equal(COUNT_OF(&world, RETAINED_NO_MEMORY), 1);
    assert_int_equal(shard_gauges(world.shard[0])->retained, 0);
}

static void a_question_without_memory_is_ended_at_once(void **state) {
    world_open(&world, 1);
    store(0, "a", "x");
    arena_fail_after(world.shard[0]->arena, 1); /* the slab of questions has no span yet */
    ask(0, "a");
    world_settle(&world);
    ended(0);
    assert_int_equal(COUNT_OF(&world, RETAINED_QUERY_NO_MEMORY), 1);
}

static void an_answer_waits_for_memory(void **state) {
    world_open(&world, 1);
    static char payload[300001];
    memset(payload, 'x', sizeof payload - 1);
    store(0, "a", payload);
    ask(0, "nothing");
    world_settle(&world);
    ended(0);
    ask(0, "a");
    arena_fail_after(world.shard[0]->arena,
                     3); /* the question takes two; the copy for the worker fails */
    world_settle(&world);
    retained(0, payload);
    ended(0);
}

/* --- publishing ------------------------------------------------------------------------------ */

static void a_new_subscription_gets_retained_messages_once(void **state) {
    world_open(&world, 1);
    struct client_at client = world_connect(&world, 0, "dev", PERSISTENT, NULL);
    store(1, "a/1", "one");
    store(1, "a/2", "two");
    world_subscribe(&world, &client, "a/+", 1, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct mail mail = desk_take(&world.workers[0], MAIL_DELIVER);
        assert_int_equal(mail.deliver.retain, 1);
        parcel_release(&world.workers[0].parcels, mail.deliver.message);
    }
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
    world_publish(&world, 1, "a/1", "live", 1, MAIL_PUBLISH_MATCH | MAIL_PUBLISH_STORE);
    struct mail mail = desk_take(&world.workers[0], MAIL_DELIVER);
    assert_int_equal(mail.deliver.retain, 0);
    parcel_release(&world.workers[0].parcels, mail.deliver.message);
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
}

static void many_retained_messages_wait_for_room_in_the_queue(void **state) {
    char topic[32];
    world.config->mqtt.queued = 40;
    world_open(&world, 1);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(topic, sizeof topic, "dev/%03u", i);
        store(1, topic, topic);
    }
    struct client_at client = world_connect(&world, 0, "dev", PERSISTENT, NULL);
    world_subscribe(&world, &client, "#", 1, 1);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(topic, sizeof topic, "dev/%03u", i);
        uint16_t id = world_delivered(&world, &client, topic, 1, false);
        world_ack(&world, &client, 4 /* PUBACK */, id);
    }
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
    assert_int_equal(COUNT_OF(&world, QUEUE_FULL), 0);
}

static void the_administrator_can_publish(void **state) {
    world_open(&world, 1);
    struct client_at client = world_connect(&world, 0, "dev", PERSISTENT, NULL);
    world_subscribe(&world, &client, "t", 2, 2);
    const uint8_t *topic = (const uint8_t *)"t", *payload = (const uint8_t *)"hello";
    assert_true(shard_publish(world.shard[0], topic, 1, payload, 5, 1, true));
    world_settle(&world);
    world_delivered(&world, &client, "hello", 1, false);
    assert_int_equal(shard_gauges(world.shard[0])->retained, 1);
    assert_false(shard_publish(world.shard[0], (const uint8_t *)"t/#", 3, payload, 5, 1, false));
    assert_false(shard_publish(world.shard[0], topic, 0, payload, 5, 1, false));
    assert_false(shard_publish(world.shard[0], topic, 1, payload, 5, 3, false));
}

static void shards_share_clients_routes_and_retained_messages(void **state) {
    world_open(&world, 2);
    struct client_at clients[8];
    char text[16];
    unsigned on_second = 0;
    for (unsigned i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "kept/%u", i);
        assert_true(shard_publish(world.shard[0], (const uint8_t *)text, strlen(text),
                                  (const uint8_t *)"x", 1, 0, true));
    }
    world_settle(&world);
    assert_true(shard_gauges(world.shard[0])->retained > 0);
    assert_true(shard_gauges(world.shard[1])->retained > 0);
    for (unsigned i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "dev%u", i);
        clients[i] = world_connect(&world, 0, text, PERSISTENT, NULL);
        world_subscribe(&world, &clients[i], "+/#", 0, 0);
        on_second += clients[i].shard == FIRST_SHARD + 1;
        for (unsigned n = 0; n < 20; n++)
            world_delivered(&world, &clients[i], "x", 0, false);
    }
    assert_true(on_second > 0 && on_second < 8);
    assert_true(shard_publish(world.shard[1], (const uint8_t *)"a", 1, (const uint8_t *)"to all", 6,
                              1, false));
    world_settle(&world);
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 8);
}

static unsigned sys_published(const char *topic, const char *payload) {
    struct desk *desk = &world.workers[0];
    unsigned count = 0;
    for (unsigned i = 0; i < desk->count; i++) {
        if (desk->mails[i].type != MAIL_PUBLISH)
            continue;
        const struct message *message = desk->mails[i].publish.message;
        assert_int_equal(message->flags, MESSAGE_SYS | MESSAGE_RETAIN);
        count += message->topic_len == strlen(topic) &&
                 memcmp(message_topic(message), topic, message->topic_len) == 0 &&
                 message->payload_len == strlen(payload) &&
                 memcmp(message_payload(message), payload, message->payload_len) == 0;
    }
    return count;
}

/* The last one published there. */
static uint64_t sys_number(const char *topic) {
    struct desk *desk = &world.workers[0];
    for (unsigned i = desk->count; i-- > 0;) {
        const struct message *message = desk->mails[i].publish.message;
        if (desk->mails[i].type == MAIL_PUBLISH && message->topic_len == strlen(topic) &&
            memcmp(message_topic(message), topic, message->topic_len) == 0) {
            char text[24] = "";
            memcpy(text, message_payload(message), message->payload_len);
            return strtoull(text, NULL, 10);
        }
    }
    fail_msg("nothing published at %s", topic);
    return 0;
}

static void sys_tells_the_memory_in_use_and_the_most_of_it(void **state) {
    world.config->control.sys_interval = 10;
    world_open(&world, 1);
    world_settle(&world);
    change(0, ROUTE_PREFIX, topic_prefix_hash((const uint8_t *)"$SYS", 4), true, 0);
    world_settle(&world);
    void *span = arena_span_alloc(world.shard[0]->arena, 8); /* 16 MiB */
    assert_non_null(span);
    world_settle(&world); /* it tells what was at the end of the turn before */
    world.now += 10000000;
    world_settle(&world);
    uint64_t most = sys_number("$SYS/broker/heap/current");
    assert_true(most > shard_gauges(world.shard[0])->memory_used); /* the heap is some more */
    assert_true(most < shard_gauges(world.shard[0])->memory_used + (64 << 20));
    assert_int_equal(sys_number("$SYS/broker/heap/maximum"), most);
    arena_span_free(world.shard[0]->arena, span, 8);
    world_settle(&world);
    world.now += 10000000;
    world_settle(&world);
    assert_true(sys_number("$SYS/broker/heap/current") < most - (8 << 20));
    assert_int_equal(sys_number("$SYS/broker/heap/maximum"), most);
}

static void sys_topics_are_published_retained_and_again_when_they_change(void **state) {
    world.config->control.sys_interval = 10;
    world_open(&world, 1);
    world_settle(&world); /* the first interval; nobody has a route */
    change(0, ROUTE_PREFIX, topic_prefix_hash((const uint8_t *)"$SYS", 4), true, 0);
    world_settle(&world);
    uint64_t topics = shard_gauges(world.shard[0])->retained;
    assert_true(topics > 40);
    world_connect(&world, 1, "dev", PERSISTENT, NULL);
    world.now += 10000000;
    world.wall_clock += 10000000;
    world_settle(&world);
    assert_int_equal(sys_published("$SYS/broker/uptime", "10 seconds"), 1);
    assert_int_equal(sys_published("$SYS/broker/clients/connected", "1"), 1);
    assert_int_equal(sys_published("$SYS/broker/clients/total", "1"), 1);
    assert_int_equal(sys_published("$SYS/broker/clients/maximum", "1"), 1);
    assert_int_equal(sys_published("$SYS/broker/clients/disconnected", "0"), 0); /* as before */
    assert_int_equal(sys_published("$SYS/broker/version", "LineMQ test"), 0);
    assert_int_equal(shard_gauges(world.shard[0])->retained, topics);
    world.now += 9000000;
    unsigned before = world.workers[0].count;
    world_settle(&world);
    assert_int_equal(world.workers[0].count, before);
    ask(1, "$SYS/broker/version");
    world_settle(&world);
    retained(1, "LineMQ test");
    ended(1);
}

static int set_up(void **state) {
    world_prepare(&world);
    return 0;
}

static int tear_down(void **state) {
    world_close(&world);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(route_changes_of_one_turn_share_an_epoch),
        TEST(a_retained_message_is_stored_replaced_and_deleted),
        TEST(only_messages_before_the_epoch_are_sent),
        TEST(the_answer_waits_for_threads_that_are_before_the_epoch),
        TEST(wildcards_are_answered_in_batches),
        TEST(a_large_store_is_walked_in_small_steps),
        TEST(as_many_topics_as_allowed_are_kept),
        TEST(without_memory_an_old_retained_message_is_not_served),
        TEST(a_question_without_memory_is_ended_at_once),
        TEST(an_answer_waits_for_memory),
        TEST(a_new_subscription_gets_retained_messages_once),
        TEST(many_retained_messages_wait_for_room_in_the_queue),
        TEST(the_administrator_can_publish),
        TEST(shards_share_clients_routes_and_retained_messages),
        TEST(sys_tells_the_memory_in_use_and_the_most_of_it),
        TEST(sys_topics_are_published_retained_and_again_when_they_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
