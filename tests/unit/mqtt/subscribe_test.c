/* SPDX-License-Identifier: Apache-2.0 */
/* SUBSCRIBE and UNSUBSCRIBE of clean sessions. */
#include "tests/unit/mqtt/fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* A SUBSCRIBE of `count` filters "PREFIX0", "PREFIX1", ... with QoS 1. */
static void send_many(struct peer *client, uint16_t packet_id, const char *prefix, unsigned count) {
    size_t room = 16 + (size_t)count * (strlen(prefix) + 16), len = 0;
    uint8_t *body = malloc(room), *packet = malloc(room + 5);

    store_be16(body, packet_id);
    len = 2;
    for (unsigned i = 0; i < count; i++) {
        int n = sprintf((char *)body + len + 2, "%s%u", prefix, i);
        store_be16(body + len, (uint16_t)n);
        len += 2 + (unsigned)n;
        body[len++] = 1;
    }
    packet[0] = 0x82;
    packet[1] = (uint8_t)((len & 0x7f) | 0x80);
    packet[2] = (uint8_t)((len >> 7 & 0x7f) | 0x80);
    packet[3] = (uint8_t)(len >> 14);
    memcpy(packet + 4, body, len);
    peer_send(f.tcp, client, packet, len + 4);
    free(body);
    free(packet);
}

/* MQTT-3.8.4-1, -2, -5, 3.9.3-1 */
static void suback_has_a_code_for_each_filter_in_order(void **state) {
    struct peer *client = connected_client("a");

    SEND(client, 0x82, 14, 0x12, 0x34, 0, 1, 'a', 2, 0, 1, 'b', 0, 0, 1, 'c', 1);
    EXPECT(client, 0x90, 5, 0x12, 0x34, 2, 0, 1);
}

static void a_refused_filter_is_told_and_the_others_are_in_force(void **state) {
    static const char *const refused[] = {"test/nosubscribe", "never/#"};
    struct peer *client;

    f.config.refuse_subscriptions = refused;
    f.config.refuse_subscriptions_count = 2;
    fixture_start();
    client = connected_client("a");
    subscribed(client, "test/nosubscribe2", 1);
    send_subscribe(client, 2, "test/nosubscribe", 1);
    EXPECT(client, 0x90, 3, 0, 2, 0x80);
    send_subscribe(client, 3, "never/#", 1);
    EXPECT(client, 0x90, 3, 0, 3, 0x80);
    send_publish(client, "test/nosubscribe", "x", 0, 0);
    send_publish(client, "never/mind", "x", 0, 0);
    expect_nothing(client);
    assert_int_equal(counter(COUNTER_MQTT_REFUSED_FILTER), 2);
}

static void filters_beyond_the_limits_are_refused_alone(void **state) {
    struct peer *client = connected_client("a");
    char filter[300];

    memset(filter, 'x', 257);
    filter[257] = '\0';
    send_subscribe(client, 1, filter, 1);
    EXPECT(client, 0x90, 3, 0, 1, 0x80);
    filter[256] = '\0';
    send_subscribe(client, 2, filter, 1);
    EXPECT(client, 0x90, 3, 0, 2, 1);
    send_subscribe(client, 3, "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", 1);
    EXPECT(client, 0x90, 3, 0, 3, 1);
    send_subscribe(client, 4, "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", 1);
    EXPECT(client, 0x90, 3, 0, 4, 0x80);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_FILTER), 2);
    /* They may be unsubscribed from: there is no such subscription. */
    SEND(client, 0xa2, 6, 0, 9, 0, 2, '/', '/');
    expect_ack(client, PACKET_UNSUBACK, 9);
}

static void a_client_has_no_more_subscriptions_than_it_may(void **state) {
    struct peer *client = connected_client("a");
    uint8_t codes[64];

    send_many(client, 1, "a", 60);
    memset(codes, 1, sizeof codes);
    EXPECT(client, 0x90, 62, 0, 1);
    expect(client, codes, 60);
    for (unsigned i = 0; i < 10; i++) { /* the same again are not more */
        send_many(client, 2, "a", 60);
        EXPECT(client, 0x90, 62, 0, 2);
        expect(client, codes, 60);
    }
    send_many(client, 3, "b", 60);
    EXPECT(client, 0x90, 62, 0, 3);
    expect(client, codes, 40);
    memset(codes, 0x80, sizeof codes);
    expect(client, codes, 20);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_SUBSCRIPTIONS), 20);
    SEND(client, 0xa2, 6, 0, 4, 0, 2, 'a', '7');
    expect_ack(client, PACKET_UNSUBACK, 4);
    subscribed(client, "c", 0);
}

/* MQTT-3.8.4-3 */
static void subscribing_again_replaces(void **state) {
    struct peer *client = connected_client("a"), *from = connected_client("b");

    f.retained[0] = (struct retained){.topic = "t", .payload_len = 1, .payload = "r"};
    f.retained_count = 1;
    subscribed(client, "t", 0);
    expect_publish(client, "t", "r", 1);
    subscribed(client, "t", 2);
    expect_publish(client, "t", "r", 1);
    send_publish(from, "t", "x", 2, 1);
    expect_publish(client, "t", "x", 2);
    expect_nothing(client);
}

/* MQTT-3.10.4-1 to -6 */
static void unsubscribing_ends_exactly_the_filters_named(void **state) {
    struct peer *client = connected_client("a"), *from = connected_client("b");

    subscribed(client, "a/b", 1);
    subscribed(client, "a/+", 0);
    SEND(client, 0xa2, 13, 0, 7, 0, 3, 'a', '/', 'b', 0, 4, 'n', 'o', 'n', 'e');
    expect_ack(client, PACKET_UNSUBACK, 7);
    send_publish(from, "a/b", "x", 2, 1);
    expect_publish(client, "a/b", "x", 0);
    expect_nothing(client);
    SEND(client, 0xa2, 5, 0, 8, 0, 1, '#'); /* matches, but is not the same */
    expect_ack(client, PACKET_UNSUBACK, 8);
    send_publish(from, "a/b", "y", 2, 2);
    expect_publish(client, "a/b", "y", 0);
}

static void as_many_filters_as_configured_are_answered(void **state) {
    struct peer *client;

    f.config.limits.filters = 10000;
    f.config.limits.packet_size = 1 << 20;
    fixture_start();
    client = connected_client("a");
    send_many(client, 1, "f", 10000);
    settle();
    assert_int_equal(client->got_len, 1 + 2 + 2 + 10000);
    assert_int_equal(client->got[5], 1);
    assert_int_equal(client->got[client->got_len - 1], 0x80); /* more subscriptions than allowed */
    client->got_len = 0;
    send_many(client, 1, "f", 10001);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_FILTERS), 1);
}

static void a_packet_with_too_many_filters_closes(void **state) {
    f.config.limits.packet_size = 1 << 20;
    fixture_start();
    struct peer *client = connected_client("a");
    send_many(client, 1, "f", 4096);
    settle();
    assert_int_equal(client->got_len, 4 + 1 + 4096);
    client->got_len = 0;
    send_many(client, 1, "f", 4097);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_FILTERS), 1);
}

static void subscriptions_of_a_closed_connection_go_in_slices(void **state) {
    f.config.limits.subscriptions = 2000;
    fixture_start();
    struct peer *client = connected_client("a");
    struct router_stats stats;

    send_many(client, 1, "many/", 1000);
    settle();
    client->got_len = 0;
    router_stats(f.router, &stats);
    assert_int_equal(stats.subscriptions, 1000);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    router_stats(f.router, &stats);
    assert_true(stats.subscriptions > 900); /* not all at once */
    while (mqtt_turn(f.mqtt)) {
        uint64_t before = stats.subscriptions;
        router_stats(f.router, &stats);
        assert_true(stats.subscriptions < before);
        assert_true(stats.subscriptions + 100 > before);
    }
    router_stats(f.router, &stats);
    assert_int_equal(stats.subscriptions, 0);
}

static void a_new_client_in_an_old_place_gets_nothing_of_the_old_ones(void **state) {
    struct peer *client = connected_client("a");
    struct peer *from = connected_client("from");

    subscribed(client, "old", 0);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    struct peer *next = connected_client("b"); /* in the same place */
    subscribed(next, "new", 0);
    send_publish(from, "old", "x", 0, 0);
    send_publish(from, "new", "y", 0, 0);
    expect_publish(next, "new", "y", 0);
    expect_nothing(next);
}

static void mqtt_3_1_has_no_failure_code(void **state) {
    static const char *const refused[] = {"no"};
    struct peer *client;

    f.config.refuse_subscriptions = refused;
    f.config.refuse_subscriptions_count = 1;
    fixture_start();
    client = new_client();
    SEND(client, 0x10, 15, 0, 6, 'M', 'Q', 'I', 's', 'd', 'p', 3, 2, 0, 0, 0, 1, 'a');
    EXPECT(client, 0x20, 2, 0, 0);
    SEND(client, 0x82, 12, 0, 1, 0, 2, 'n', 'o', 2, 0, 2, 'o', 'k', 1);
    EXPECT(client, 0x90, 4, 0, 1, 0, 1);
    parcel_release(&f.shard.parcels, take_mail(MAIL_CONNECT).connect.request);
}

/* MQTT-3.8.1-1, 3.10.1-1, 3.8.3-1, -3, -4, 3.10.3-1, -2, 2.3.1-1, 4.7.1-2, -3, 4.7.3-1 */
static void malformed_subscriptions_close(void **state) {
    static const struct {
        uint8_t len, bytes[12];
        enum counter counter;
    } packets[] = {
        {8, {0x80, 6, 0, 1, 0, 1, 'a', 0}, COUNTER_MQTT_BAD_FLAGS},
        {8, {0x82, 6, 0, 0, 0, 1, 'a', 0}, COUNTER_MQTT_BAD_PACKET_ID},
        {4, {0x82, 2, 0, 1}, COUNTER_MQTT_NO_FILTERS},
        {3, {0x82, 1, 0}, COUNTER_MQTT_TRUNCATED},
        {7, {0x82, 5, 0, 1, 0, 1, 'a'}, COUNTER_MQTT_TRUNCATED},
        {8, {0x82, 6, 0, 1, 0, 9, 'a', 0}, COUNTER_MQTT_TRUNCATED},
        {8, {0x82, 6, 0, 1, 0, 1, 'a', 3}, COUNTER_MQTT_BAD_QOS},
        {8, {0x82, 6, 0, 1, 0, 1, 'a', 0x40}, COUNTER_MQTT_BAD_QOS},
        {8, {0x82, 6, 0, 1, 0, 1, 0xff, 0}, COUNTER_MQTT_BAD_UTF8},
        {8, {0x82, 6, 0, 1, 0, 1, 0, 0}, COUNTER_MQTT_BAD_UTF8},
        {7, {0x82, 5, 0, 1, 0, 0, 0}, COUNTER_MQTT_BAD_FILTER},
        {9, {0x82, 7, 0, 1, 0, 2, 'a', '#', 0}, COUNTER_MQTT_BAD_FILTER},
        {9, {0x82, 7, 0, 1, 0, 2, '+', 'a', 0}, COUNTER_MQTT_BAD_FILTER},
        {10, {0x82, 8, 0, 1, 0, 3, '#', '/', 'a', 0}, COUNTER_MQTT_BAD_FILTER},
        {7, {0xa0, 5, 0, 1, 0, 1, 'a'}, COUNTER_MQTT_BAD_FLAGS},
        {4, {0xa2, 2, 0, 1}, COUNTER_MQTT_NO_FILTERS},
        {7, {0xa2, 5, 0, 0, 0, 1, 'a'}, COUNTER_MQTT_BAD_PACKET_ID},
        {7, {0xa2, 5, 0, 1, 0, 2, 'a'}, COUNTER_MQTT_TRUNCATED},
        {8, {0xa2, 6, 0, 1, 0, 1, 'a', 0}, COUNTER_MQTT_TRUNCATED},
    };

    struct peer *other = connected_client("other");
    for (unsigned i = 0; i < sizeof packets / sizeof *packets; i++) {
        struct peer *client = connected_client("a");
        uint64_t before = counter(packets[i].counter);
        peer_send(f.tcp, client, packets[i].bytes, packets[i].len);
        expect_closed(client);
        assert_int_equal(counter(packets[i].counter), before + 1);
        assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PROTOCOL);
        expect_open(other);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        PREPARED_TEST(as_many_filters_as_configured_are_answered),
        FIXTURE_TEST(suback_has_a_code_for_each_filter_in_order),
        PREPARED_TEST(a_refused_filter_is_told_and_the_others_are_in_force),
        FIXTURE_TEST(filters_beyond_the_limits_are_refused_alone),
        FIXTURE_TEST(a_client_has_no_more_subscriptions_than_it_may),
        FIXTURE_TEST(subscribing_again_replaces),
        FIXTURE_TEST(unsubscribing_ends_exactly_the_filters_named),
        PREPARED_TEST(a_packet_with_too_many_filters_closes),
        PREPARED_TEST(subscriptions_of_a_closed_connection_go_in_slices),
        FIXTURE_TEST(a_new_client_in_an_old_place_gets_nothing_of_the_old_ones),
        PREPARED_TEST(mqtt_3_1_has_no_failure_code),
        FIXTURE_TEST(malformed_subscriptions_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
