/* SPDX-License-Identifier: Apache-2.0 */
/* Short memory: what peers may still pile up, and that those who use little go on. */
#include "tests/unit/mqtt/fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { SPANS_MAX = 256 };

static void *spans[SPANS_MAX];
static unsigned spans_count;

/* Leaves `parts` of 16 parts of the memory. */
static void fill(unsigned parts) {
    struct arena *arena = f.worker.arena;
    size_t limit = arena_limit(arena);

    while (arena_used(arena) < limit - limit / 16 * parts) {
        spans[spans_count] = arena_span_alloc(arena, 0);
        assert_non_null(spans[spans_count]);
        spans_count++;
    }
}

static void drain(void) {
    while (spans_count > 0)
        arena_span_free(f.worker.arena, spans[--spans_count], 0);
}

static int close_filled(void **state) {
    drain();
    return fixture_close(state);
}

#define SHORT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, close_filled)

static void old_and_new_clients_work_on(void **state) {
    struct peer *old = connected_client("old");

    subscribed(old, "t", 1);
    fill(3);
    struct peer *new = connected_client("new");
    subscribed(new, "t", 2);
    send_publish(new, "t", "x", 2, 1);
    uint16_t id = expect_publish(new, "t", "x", 2);
    expect_ack(new, PACKET_PUBACK, 1);
    send_ack(new, PACKET_PUBACK, id);
    id = expect_publish(old, "t", "x", 2);
    send_ack(old, PACKET_PUBACK, id);
    send_publish(old, "t", "y", 0, 0);
    expect_publish(old, "t", "y", 0);
    expect_publish(new, "t", "y", 0);
    assert_int_equal(counter(COUNTER_MQTT_NO_MEMORY_DELIVER), 0);
}

/* Of messages of 1000 bytes, how many find room in a queue. */
static unsigned queued_of(unsigned sent, uint8_t qos) {
    struct peer *from = connected_client("from"), *slow = connected_client("slow");
    char text[1001];
    uint64_t before = counter(COUNTER_MQTT_NO_MEMORY_DELIVER);

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    subscribed(slow, "s", qos);
    slow->silent = true;
    for (unsigned i = 0; i < sent; i++) {
        send_publish(from, "s", text, (uint8_t)(qos << 1), (uint16_t)(i + 1));
        turn();
    }
    peer_reset(f.tcp, slow, TCP_CLOSED_RESET);
    peer_free(slow);
    return sent - (unsigned)(counter(COUNTER_MQTT_NO_MEMORY_DELIVER) - before);
}

static void who_does_not_read_gets_little_memory(void **state) {
    assert_int_equal(queued_of(15, 0), 15);
    assert_int_equal(queued_of(15, 1), 15);
    fill(3);
    assert_in_range(queued_of(15, 0), 4, 6);
    assert_in_range(queued_of(15, 1), 4, 7);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_SEND_QUEUE), 0);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_QUEUED), 0);
    drain();
    assert_int_equal(queued_of(15, 0), 15);
}

static void a_client_keeps_a_few_subscriptions(void **state) {
    struct peer *client = connected_client("a");
    char filter[8];

    fill(3);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(filter, sizeof filter, "f%u", i);
        send_subscribe(client, 5, filter, 1);
        EXPECT(client, 0x90, 3, 0, 5, i < 16 ? 1 : 0x80);
    }
    assert_int_equal(counter(COUNTER_TOPICS_SUBSCRIBE_NO_MEMORY), 4);
    subscribed(client, "f3", 0); /* it has that one */
    drain();
    subscribed(client, "f19", 1);
}

static void identifiers_are_bounded(void **state) {
    struct peer *client;
    unsigned taken = 0;

    f.config.limits.qos2_received = 1000;
    fixture_start();
    client = connected_client("a");
    fill(3);
    for (uint16_t id = 1; id <= 100; id++) {
        send_publish(client, "t", "x", 4, id);
        turn();
        taken += client->conn != NULL;
    }
    assert_int_equal(taken, 64);
    assert_int_equal(counter(COUNTER_MQTT_NO_MEMORY_CLOSE), 1);
}

static void a_large_will_is_refused(void **state) {
    uint8_t packet[3000],
        body[3000] = {0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0, 0, 0, 1, 'w', 0, 1, 't'};
    struct peer *client = new_client();

    store_be16(body + 16, 2000);
    packet[0] = 0x10;
    packet[1] = ((18 + 2000) & 0x7f) | 0x80;
    packet[2] = (18 + 2000) >> 7;
    memcpy(packet + 3, body, 18 + 2000);
    fill(3);
    peer_send(f.tcp, client, packet, 3 + 18 + 2000);
    EXPECT(client, 0x20, 2, 0, CONNACK_UNAVAILABLE);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_NO_MEMORY_WILL), 1);
    client = new_client(); /* a small one is welcome */
    send_connect(client, "w", CONNECT_CLEAN_SESSION | CONNECT_WILL, 0);
    EXPECT(client, 0x20, 2, 0, 0);
}

static void who_does_not_read_acknowledgements_is_closed(void **state) {
    struct peer *client = connected_client("a");

    client->silent = true;
    fill(3);
    for (unsigned i = 0; i < 3000 && client->conn != NULL; i++) {
        send_publish(client, "t", "x", 2, 1);
        turn();
    }
    assert_null(client->conn);
    assert_int_equal(counter(COUNTER_MQTT_HELD), 0);
}

/* Half packets make room for the others, but for a quarter of their budget. */
static void half_packets_give_way(void **state) {
    uint8_t packet[60100], *payload = calloc(1, 60000);
    struct mqtt_stats stats;

    make_publish(packet, "half", payload, 60000, 2, 1);
    for (unsigned i = 0; i < 40; i++) {
        peer_send(f.tcp, connected_client("h"), packet, 40000);
        turn();
    }
    mqtt_stats(f.mqtt, &stats);
    assert_in_range(stats.partial_bytes, 2 << 20, 4 << 20);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_PARTIAL), 0);
    fill(1);
    for (unsigned i = 0; i < 10; i++)
        turn();
    mqtt_stats(f.mqtt, &stats);
    assert_in_range(stats.partial_bytes, 1, 2 << 20);
    assert_true(counter(COUNTER_MQTT_LIMIT_PARTIAL) > 0);
    /* They did not make memory short for anybody else. */
    assert_int_equal(queued_of(15, 0), 15);
    free(payload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHORT_TEST(old_and_new_clients_work_on),
        SHORT_TEST(who_does_not_read_gets_little_memory),
        SHORT_TEST(a_client_keeps_a_few_subscriptions),
        cmocka_unit_test_setup_teardown(identifiers_are_bounded, fixture_prepare, close_filled),
        SHORT_TEST(a_large_will_is_refused),
        SHORT_TEST(who_does_not_read_acknowledgements_is_closed),
        SHORT_TEST(half_packets_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
