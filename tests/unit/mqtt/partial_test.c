/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that come in part: what they hold, and who is given up for whom. */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

enum { SIZE = 60000, BUDGET = 1 << 20, ATTACKERS = 40 };

static uint8_t packet[SIZE + 100], payload[SIZE];
static size_t packet_len;

static int open_small(void **state) {
    fixture_prepare(state);
    f.config.limits.partial_bytes = BUDGET;
    fixture_start();
    for (size_t i = 0; i < SIZE; i++)
        payload[i] = (uint8_t)(i * 7 + i / 256);
    packet_len = make_publish(packet, "half", payload, SIZE, 2, 1);
    return 0;
}

#define SMALL_TEST(name) cmocka_unit_test_setup_teardown(name, open_small, fixture_close)

static uint64_t held(void) {
    struct mqtt_stats stats;

    mqtt_stats(f.mqtt, &stats);
    return stats.partial_bytes;
}

static struct peer *half(const char *id, size_t len) {
    struct peer *client = connected_client(id);

    peer_send(f.tcp, client, packet, len);
    turn();
    return client;
}

static void what_a_part_holds_grows_with_what_has_come(void **state) {
    struct peer *client = connected_client("a");

    for (size_t have = 0, n; have < packet_len; have += n) {
        n = packet_len - have < 500 ? packet_len - have : 500;
        peer_send(f.tcp, client, packet + have, n);
        /* What was there before and twice that, each in a class a quarter larger at most, or in a
         * span for what is above 32 KiB. */
        assert_true(have + n == packet_len || held() <= 4 * (have + n) + 400);
    }
    expect_ack(client, PACKET_PUBACK, 1);
    assert_int_equal(held(), 0);
}

static void the_part_that_has_waited_longest_is_given_up(void **state) {
    struct peer *attackers[ATTACKERS];

    for (unsigned i = 0; i < ATTACKERS; i++) {
        attackers[i] = half("h", 40000);
        assert_true(held() <= BUDGET);
    }
    unsigned gone = 0;
    for (; gone < ATTACKERS && attackers[gone]->conn == NULL; gone++)
        assert_true(attackers[gone]->reset);
    assert_in_range(gone, ATTACKERS / 2, ATTACKERS - 5);
    for (unsigned i = gone; i < ATTACKERS; i++)
        expect_open(attackers[i]);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_PARTIAL), gone);
    assert_int_equal(counter(COUNTER_MQTT_NO_MEMORY_CLOSE), 0);
    /* The shard is told of each. */
    assert_int_equal(mails_of(MAIL_CLOSED), gone);
}

static void who_goes_on_gets_through(void **state) {
    struct peer *honest = connected_client("honest");
    size_t sent = 0;

    for (unsigned i = 0; i < 60; i++) {
        if (sent < packet_len) {
            size_t n = packet_len - sent < 1500 ? packet_len - sent : 1500;
            peer_send(f.tcp, honest, packet + sent, n);
            sent += n;
        }
        half("h", 30000);
        for (unsigned c = 0; c < CLIENTS_MAX; c++) /* room for more of them */
            if (clients[c].reset)
                peer_free(&clients[c]);
        forget_mails();
    }
    expect_ack(honest, PACKET_PUBACK, 1);
    assert_true(counter(COUNTER_MQTT_LIMIT_PARTIAL) > 10);
}

static void a_byte_now_and_then_does_not_keep_a_part(void **state) {
    struct peer *trickles = half("t", 40000), *later = half("l", 40000);

    for (unsigned i = 0; i < ATTACKERS && trickles->conn != NULL; i++) {
        peer_send(f.tcp, trickles, packet + 40000 + i, 1);
        assert_non_null(later->conn);
        half("h", 40000);
    }
    assert_null(trickles->conn);
    assert_non_null(later->conn);
}

static void parts_of_a_byte_are_bounded_too(void **state) {
    struct peer *client = NULL;

    f.config.limits.partial_bytes = 1000;
    fixture_start();
    for (unsigned i = 0; i < 50; i++) {
        client = connected_client("a");
        SEND(client, 0xc0);
        turn();
        assert_in_range(held(), 1, 1000);
    }
    assert_in_range(counter(COUNTER_MQTT_LIMIT_PARTIAL), 35, 45);
    SEND(client, 0);
    EXPECT(client, 0xd0, 0);
}

static void a_packet_larger_than_the_budget_goes_alone(void **state) {
    struct peer *client, *other;

    f.config.limits.partial_bytes = 20000;
    fixture_start();
    for (size_t i = 0; i < SIZE; i++)
        payload[i] = (uint8_t)i;
    packet_len = make_publish(packet, "half", payload, SIZE, 2, 1);
    other = half("other", 5000);
    client = half("large", 40000);
    expect_closed(other);
    peer_send(f.tcp, client, packet + 40000, packet_len - 40000);
    expect_ack(client, PACKET_PUBACK, 1);
}

static void a_large_subscribe_in_part_counts_too(void **state) {
    enum { FILTERS = 60000 };
    uint8_t *subscribe = calloc(1, FILTERS + 5);
    struct peer *client = connected_client("a");

    subscribe[0] = 0x82;
    subscribe[1] = (FILTERS & 0x7f) | 0x80;
    subscribe[2] = (FILTERS >> 7 & 0x7f) | 0x80;
    subscribe[3] = FILTERS >> 14;
    peer_send(f.tcp, client, subscribe, 10000);
    assert_in_range(held(), 10000, 40000);
    free(subscribe);
}

static void half_a_connect_is_given_up_as_well(void **state) {
    struct peer *client = new_client();

    SEND(client, 0x10, 100, 0, 4, 'M');
    for (unsigned i = 0; i < ATTACKERS && client->conn != NULL; i++)
        half("h", 40000);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_CONNECT_TIMEOUT), 0);
}

static void a_whole_packet_that_waits_is_not_given_up(void **state) {
    struct peer *noise = connected_client("noise"), *client = connected_client("a");

    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_publish(noise, "t", "x", 1, 0);
        turn();
    }
    packet[0] |= 1; /* retained: to the shard, which is asleep */
    peer_send(f.tcp, client, packet, 20000);
    peer_send(f.tcp, client, packet + 20000, packet_len - 20000);
    turn();
    assert_true(held() > SIZE);
    packet[0] &= 0xfe;
    for (unsigned i = 0; i < 20; i++) { /* large CONNECTs, which need no shard */
        struct peer *other = new_client();
        SEND(other, 0x10, 0xe0, 0xd4, 0x03);
        peer_send(f.tcp, other, packet, 40000);
        turn();
    }
    assert_true(counter(COUNTER_MQTT_LIMIT_PARTIAL) > 0);
    assert_non_null(client->conn);
    f.shard_asleep = false;
    settle();
    settle();
    expect_ack(client, PACKET_PUBACK, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SMALL_TEST(what_a_part_holds_grows_with_what_has_come),
        SMALL_TEST(the_part_that_has_waited_longest_is_given_up),
        SMALL_TEST(who_goes_on_gets_through),
        SMALL_TEST(a_byte_now_and_then_does_not_keep_a_part),
        PREPARED_TEST(parts_of_a_byte_are_bounded_too),
        cmocka_unit_test_setup_teardown(a_packet_larger_than_the_budget_goes_alone, fixture_prepare,
                                        fixture_close),
        SMALL_TEST(a_large_subscribe_in_part_counts_too),
        SMALL_TEST(half_a_connect_is_given_up_as_well),
        SMALL_TEST(a_whole_packet_that_waits_is_not_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
