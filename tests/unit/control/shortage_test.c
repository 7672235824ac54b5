/* SPDX-License-Identifier: Apache-2.0 */
/* A control shard whose memory is short: what it drops, what waits, and what is kept for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/sessions/session.h"
#include "world.h"

enum { PUBACK = 4 };

static struct world world;

static void publish(const char *topic, const char *payload, uint8_t qos) {
    world_publish(&world, 0, topic, payload, qos, MAIL_PUBLISH_MATCH);
}

static void without_memory_messages_are_dropped_and_counted(void **state) {
    world_open(&world, 1);
    struct client_at client = world_connect(&world, 0, "dev", PERSISTENT, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    world_disconnect(&world, &client);
    static char payload[100001];
    memset(payload, 'x', sizeof payload - 1);
    uint64_t kept = 0;
    for (unsigned n = 1; n < 6; n++) {
        arena_fail_after(world.shard[0]->arena, n);
        publish("t", payload, 1);
        kept = shard_gauges(world.shard[0])->queued;
        arena_fail_after(world.shard[0]->arena, 0);
        assert_int_equal(kept + COUNT_OF(&world, QUEUE_NO_MEMORY), n);
    }
    assert_true(COUNT_OF(&world, QUEUE_NO_MEMORY) > 0);
    assert_true(kept > 0);
}

static void without_memory_a_delivery_waits(void **state) {
    world_open(&world, 1);
    struct client_at client = world_connect(&world, 0, "dev", PERSISTENT, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    static char payload[300001];
    memset(payload, 'x', sizeof payload - 1);
    arena_fail_after(world.shard[0]->arena,
                     3); /* session's copy, window; the worker's copy fails */
    publish("t", payload, 1);
    world_settle(&world);
    world_delivered(&world, &client, payload, 1, false);
    assert_int_equal(COUNT_OF(&world, QUEUE_NO_MEMORY), 0);
}

/* Spans of the shard's until less than 1/part is left. */
static unsigned fill(void **spans, unsigned part) {
    struct arena *arena = world.shard[0]->arena;
    size_t limit = arena_limit(arena);
    unsigned n = 0;
    while (arena_used(arena) <= limit - limit / part) {
        spans[n] = arena_span_alloc(arena, 2);
        assert_non_null(spans[n++]);
    }
    return n;
}

static void short_memory_is_kept_for_clients_and_sessions(void **state) {
    static void *spans[1024];
    char filter[8], large[5000];
    world_open(&world, 1);
    struct client_at away = world_connect(&world, 0, "dev", PERSISTENT, NULL);
    world_subscribe(&world, &away, "t", 1, 1);
    world_disconnect(&world, &away);
    unsigned n = fill(spans, SHORT_PART);
    publish("t", "one", 1);
    publish("t", "two", 1);
    assert_int_equal(COUNT_OF(&world, QUEUE_NO_MEMORY), 1);
    world_publish(&world, 0, "r", "retained", 0, MAIL_PUBLISH_STORE);
    assert_int_equal(COUNT_OF(&world, RETAINED_NO_MEMORY), 1);
    assert_int_equal(shard_gauges(world.shard[0])->retained, 0);
    /* A new session works; one with much to send and one with little. */
    struct client_at client = world_connect(&world, 1, "new", PERSISTENT, NULL);
    for (unsigned i = 0; i < SHORT_SUBSCRIPTIONS; i++) {
        snprintf(filter, sizeof filter, "f%u", i);
        world_subscribe(&world, &client, filter, 1, 1);
    }
    world_subscribe(&world, &client, "more", 1, 0x80);
    assert_int_equal(COUNT_OF(&world, SUBSCRIBE_NO_MEMORY), 1);
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    publish("f1", large, 1);
    world_ack(&world, &client, PUBACK, world_delivered(&world, &client, large, 1, false));
    unsigned more = fill(spans + n, SEND_PART);
    publish("f1", large, 1);
    assert_int_equal(desk_has(&world.workers[1], MAIL_DELIVER), 0);
    while (more > 0)
        arena_span_free(world.shard[0]->arena, spans[n + --more], 2);
    world_settle(&world);
    world_delivered(&world, &client, large, 1, false);
    while (n > 0)
        arena_span_free(world.shard[0]->arena, spans[--n], 2);
}

static void empty_spans_are_given_back_in_a_quiet_turn(void **state) {
    world_open(&world, 1);
    struct shard *shard = world.shard[0];
    world_settle(&world);
    size_t before = arena_used(shard->arena);
    pool_free(&shard->pool, pool_alloc(&shard->pool, 30000), 30000);
    size_t kept = arena_used(shard->arena);
    assert_true(kept > before);
    world_settle(&world);
    assert_int_equal(arena_used(shard->arena), kept);
    world.now += TRIM_US;
    world_settle(&world);
    assert_true(arena_used(shard->arena) <= before);
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
        TEST(empty_spans_are_given_back_in_a_quiet_turn),
        TEST(without_memory_messages_are_dropped_and_counted),
        TEST(without_memory_a_delivery_waits),
        TEST(short_memory_is_kept_for_clients_and_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
