/* SPDX-License-Identifier: Apache-2.0 */
/* Slow subscribers, and clients that do not read. */
#include "dataplane/mqtt/connection.h"
#include "tests/unit/mqtt/fixture.h"

#include <stdio.h>
#include <stdlib.h>

static char payload[1001];

static void fill(void) {
    memset(payload, 'p', sizeof payload - 1);
}

/* Lets a silent client acknowledge and take all it was sent. */
static void drain(struct peer *client) {
    client->silent = false;
    peer_acknowledge(f.tcp, client, UINT32_MAX);
    settle();
}

static void qos0_above_the_send_queue_limit_is_dropped_and_counted(void **state) {
    struct peer *from = connected_client("from"), *slow = connected_client("slow");
    struct peer *quick = connected_client("quick");

    fill();
    subscribed(slow, "t", 0);
    subscribed(quick, "t", 0);
    slow->silent = true;
    for (unsigned i = 0; i < 50; i++) {
        send_publish(from, "t", payload, 0, 0);
        turn();
    }
    uint64_t dropped = counter(COUNTER_MQTT_LIMIT_SEND_QUEUE);
    assert_true(dropped >= 25 && dropped < 35); /* 20000 bytes are about 20 of them */
    for (unsigned i = 0; i < 50; i++)
        expect_publish(quick, "t", payload, 0);
    drain(slow);
    for (unsigned i = 0; i < 50 - dropped; i++)
        expect_publish(slow, "t", payload, 0);
    expect_nothing(slow);
    send_publish(from, "t", "after", 0, 0);
    expect_publish(slow, "t", "after", 0);
}

static void a_message_longer_than_the_limit_goes_into_an_empty_queue(void **state) {
    f.config.limits.send_queue_bytes = 100;
    fixture_start();
    struct peer *from = connected_client("from"), *to = connected_client("to");
    fill();
    subscribed(to, "t", 0);
    send_publish(from, "t", payload, 0, 0);
    expect_publish(to, "t", payload, 0);
}

static void qos1_waits_in_the_window_of_a_slow_subscriber(void **state) {
    struct peer *from = connected_client("from"), *slow = connected_client("slow");

    fill();
    subscribed(slow, "t", 1);
    slow->silent = true;
    for (uint16_t i = 1; i <= 28; i++) {
        send_publish(from, "t", payload, 2, i);
        expect_ack(from, PACKET_PUBACK, i);
    }
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_QUEUED), 0);
    drain(slow);
    for (unsigned i = 0; i < 28; i++)
        send_ack(slow, PACKET_PUBACK, expect_publish(slow, "t", payload, 2));
    expect_nothing(slow);
}

static void the_newest_is_dropped_when_a_window_is_full(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");

    subscribed(to, "t", 1);
    for (uint16_t i = 1; i <= 35; i++) { /* 10 in flight, 20 behind them */
        char text[8];
        sprintf(text, "%u", i);
        send_publish(from, "t", text, 2, i);
        expect_ack(from, PACKET_PUBACK, i);
    }
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_QUEUED), 5);
    for (uint16_t i = 1; i <= 30; i++) {
        char text[8];
        sprintf(text, "%u", i);
        send_ack(to, PACKET_PUBACK, expect_publish(to, "t", text, 2));
    }
    expect_nothing(to);
}

static void the_bytes_that_wait_are_bounded_too(void **state) {
    f.config.limits.queued_bytes = 3000;
    fixture_start();
    struct peer *from = connected_client("from"), *to = connected_client("to");
    fill();
    subscribed(to, "t", 1);
    for (uint16_t i = 1; i <= 20; i++) {
        send_publish(from, "t", payload, 2, i);
        expect_ack(from, PACKET_PUBACK, i);
    }
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_QUEUED_BYTES), 8); /* 10 in flight, 2 wait */
}

static void no_more_are_in_flight_than_the_verdict_allows(void **state) {
    struct peer *from = connected_client("from");

    f.verdict.verdict.inflight_max = 2;
    struct peer *to = connected_client("to");
    subscribed(to, "t", 2);
    for (uint16_t i = 1; i <= 4; i++) {
        send_publish(from, "t", "x", 2, i);
        expect_ack(from, PACKET_PUBACK, i);
    }
    uint16_t first = expect_publish(to, "t", "x", 2);
    uint16_t second = expect_publish(to, "t", "x", 2);
    expect_nothing(to);
    send_ack(to, PACKET_PUBACK, second);
    expect_publish(to, "t", "x", 2);
    expect_nothing(to);
    send_ack(to, PACKET_PUBACK, first);
    expect_publish(to, "t", "x", 2);
}

static void an_unknown_acknowledgement_is_ignored(void **state) {
    struct peer *client = connected_client("a");

    send_ack(client, PACKET_PUBACK, 77);
    send_ack(client, PACKET_PUBCOMP, 77);
    expect_nothing(client);
    send_ack(client, PACKET_PUBREC, 77); /* the receiver is let go */
    expect_ack(client, PACKET_PUBREL, 77);
    assert_int_equal(counter(COUNTER_MQTT_UNKNOWN_ACK), 3);
    expect_open(client);
}

/* MQTT-4.8.0-1 */
static void an_acknowledgement_of_the_wrong_type_closes(void **state) {
    static const struct {
        uint8_t qos, first, wrong; /* first: 0 none */
    } cases[] = {{1, 0, PACKET_PUBREC},
                 {1, 0, PACKET_PUBCOMP},
                 {2, 0, PACKET_PUBACK},
                 {2, 0, PACKET_PUBCOMP},
                 {2, PACKET_PUBREC, PACKET_PUBACK}};
    struct peer *from = connected_client("from");

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct peer *to = connected_client("to");
        uint8_t flags = (uint8_t)(cases[i].qos << 1);

        subscribed(to, "t", cases[i].qos);
        send_publish(from, "t", "x", flags, 1);
        settle();
        send_ack(from, PACKET_PUBREL, 1);
        uint16_t id = expect_publish(to, "t", "x", flags);
        if (cases[i].first) {
            send_ack(to, cases[i].first, id);
            expect_ack(to, PACKET_PUBREL, id);
            send_ack(to, cases[i].first, id); /* again: answered again */
            expect_ack(to, PACKET_PUBREL, id);
        }
        send_ack(to, cases[i].wrong, id);
        expect_closed(to);
        assert_int_equal(counter(COUNTER_MQTT_WRONG_ACK), i + 1);
    }
    assert_int_equal(counter(COUNTER_MQTT_UNKNOWN_ACK), 0);
    assert_int_equal(packets_of(from, PACKET_PUBCOMP), 5);
}

static void who_does_not_read_its_answers_is_not_listened_to(void **state) {
    struct peer *client = connected_client("a"), *other = connected_client("b");
    static const uint8_t ping[] = {0xc0, 0};
    struct mqtt_stats stats;

    client->silent = true;
    for (unsigned i = 0; i < 20000; i++)
        peer_send(f.tcp, client, ping, 2);
    settle();
    assert_true(client->unread_len >= 2 * (20000 - 4096 - 1));
    assert_int_equal(counter(COUNTER_MQTT_HELD), 1);
    mqtt_stats(f.mqtt, &stats);
    assert_true(stats.send_queue_bytes < 256 * 1024);
    peer_send(f.tcp, other, ping, 2);
    EXPECT(other, 0xd0, 0);
    client->silent = false;
    for (unsigned i = 0; i < 10; i++)
        drain(client);
    assert_int_equal(client->unread_len, 0);
    assert_int_equal(client->got_len, 40000);
}

static void a_flood_of_packets_is_taken_in_slices(void **state) {
    enum { PINGS = 3000 };
    struct peer *client = connected_client("a");
    static uint8_t pings[2 * PINGS];

    for (unsigned i = 0; i < PINGS; i++)
        pings[2 * i] = 0xc0;
    peer_send(f.tcp, client, pings, sizeof pings);
    assert_int_equal(client->unread_len, 2 * (PINGS - 256));
    assert_int_equal(counter(COUNTER_MQTT_PACKETS_IN), 1 + 256);
    turn();
    assert_int_equal(counter(COUNTER_MQTT_PACKETS_IN), 1 + 2 * 256);
    for (unsigned i = 0; i < 3; i++)
        settle();
    assert_int_equal(client->unread_len, 0);
    assert_int_equal(client->got_len, 2 * PINGS);
    assert_int_equal(counter(COUNTER_MQTT_WAITED), 0);
    assert_false(mqtt_turn(f.mqtt));
}

static void qos0_traffic_does_not_hold_a_clients_input(void **state) {
    struct peer *from = connected_client("from"), *slow = connected_client("slow");

    fill();
    subscribed(slow, "t", 0);
    slow->silent = true;
    for (unsigned i = 0; i < 50; i++)
        send_publish(from, "t", payload, 0, 0);
    settle();
    send_publish(slow, "other", "x", 0, 0);
    settle();
    assert_int_equal(slow->unread_len, 0);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), 51);
}

static void retained_messages_come_as_fast_as_they_are_taken(void **state) {
    struct peer *client = connected_client("a");

    for (unsigned i = 0; i < 60; i++) {
        struct retained *retained = &f.retained[f.retained_count++];
        sprintf(retained->topic, "r/%02u", i);
        retained->payload_len = 60;
        memset(retained->payload, 'r', 60);
        retained->qos = 1;
    }
    send_subscribe(client, 1, "r/#", 1);
    EXPECT(client, 0x90, 3, 0, 1, 1);
    char text[61] = "";
    memset(text, 'r', 60);
    for (unsigned i = 0; i < 60; i++) { /* window 10, queue 20: yet none is lost */
        char topic[8];
        sprintf(topic, "r/%02u", i);
        send_ack(client, PACKET_PUBACK, expect_publish(client, topic, text, 2 | 1));
    }
    expect_nothing(client);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_QUEUED), 0);
}

static void a_client_without_messages_holds_nothing_but_its_connection(void **state) {
    struct peer *client = connected_client("a");
    struct mqtt_stats stats;

    subscribed(client, "t", 1);
    SEND(client, 0xc0, 0);
    EXPECT(client, 0xd0, 0);
    mqtt_stats(f.mqtt, &stats);
    assert_int_equal(stats.session_bytes, 0);
    assert_int_equal(stats.send_queue_bytes, 0);
}

static void messages_leave_nothing_behind_but_their_count(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");
    struct mqtt_stats stats;

    subscribed(to, "t", 2);
    uint64_t objects = memory_objects(&f.worker);
    for (uint16_t i = 1; i <= 5; i++) {
        send_publish(from, "t", "x", 4, i);
        expect_ack(from, PACKET_PUBREC, i);
        send_ack(from, PACKET_PUBREL, i);
        expect_ack(from, PACKET_PUBCOMP, i);
        uint16_t id = expect_publish(to, "t", "x", 4);
        send_ack(to, PACKET_PUBREC, id);
        expect_ack(to, PACKET_PUBREL, id);
        send_ack(to, PACKET_PUBCOMP, id);
        settle();
        assert_int_equal(id, i); /* identifiers go on where they were */
    }
    mqtt_stats(f.mqtt, &stats);
    assert_int_equal(stats.session_bytes, 2 * sizeof(struct traffic));
    assert_int_equal(stats.send_queue_bytes, 0);
    assert_true(memory_objects(&f.worker) <= objects + 4); /* with the router's caches */
    peer_reset(f.tcp, from, TCP_CLOSED_RESET);
    peer_reset(f.tcp, to, TCP_CLOSED_RESET);
    settle();
    mqtt_stats(f.mqtt, &stats);
    assert_int_equal(stats.session_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(qos0_above_the_send_queue_limit_is_dropped_and_counted),
        PREPARED_TEST(a_message_longer_than_the_limit_goes_into_an_empty_queue),
        FIXTURE_TEST(qos1_waits_in_the_window_of_a_slow_subscriber),
        FIXTURE_TEST(the_newest_is_dropped_when_a_window_is_full),
        PREPARED_TEST(the_bytes_that_wait_are_bounded_too),
        FIXTURE_TEST(no_more_are_in_flight_than_the_verdict_allows),
        FIXTURE_TEST(an_unknown_acknowledgement_is_ignored),
        FIXTURE_TEST(an_acknowledgement_of_the_wrong_type_closes),
        FIXTURE_TEST(who_does_not_read_its_answers_is_not_listened_to),
        FIXTURE_TEST(a_flood_of_packets_is_taken_in_slices),
        FIXTURE_TEST(qos0_traffic_does_not_hold_a_clients_input),
        FIXTURE_TEST(retained_messages_come_as_fast_as_they_are_taken),
        FIXTURE_TEST(a_client_without_messages_holds_nothing_but_its_connection),
        FIXTURE_TEST(messages_leave_nothing_behind_but_their_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
