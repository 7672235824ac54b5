/* SPDX-License-Identifier: Apache-2.0 */
/* Input that is against the rules closes its connection, with a counter, and nobody else's. */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

struct bad {
    uint8_t len, bytes[40];
    enum counter counter;
};

/* Sent by a client that is connected. */
static const struct bad packets[] = {
    {1, {0x00}, COUNTER_MQTT_BAD_TYPE},
    {1, {0xf0}, COUNTER_MQTT_BAD_TYPE},
    {1, {0x20}, COUNTER_MQTT_BAD_TYPE},
    {1, {0x90}, COUNTER_MQTT_BAD_TYPE},
    {1, {0xb0}, COUNTER_MQTT_BAD_TYPE},
    {1, {0xd0}, COUNTER_MQTT_BAD_TYPE},
    {1, {0x41}, COUNTER_MQTT_BAD_FLAGS},
    {1, {0x60}, COUNTER_MQTT_BAD_FLAGS}, /* MQTT-3.6.1-1 */
    {1, {0xc1}, COUNTER_MQTT_BAD_FLAGS},
    {1, {0xe1}, COUNTER_MQTT_BAD_FLAGS}, /* MQTT-3.14.1-1 */
    {1, {0x10}, COUNTER_MQTT_SECOND_CONNECT},
    {6, {0x30, 0xff, 0xff, 0xff, 0xff, 0x01}, COUNTER_MQTT_BAD_LENGTH},
    {5, {0x30, 0x80, 0x80, 0x80, 0x80}, COUNTER_MQTT_BAD_LENGTH},
    {5, {0x30, 0xff, 0xff, 0xff, 0x7f}, COUNTER_MQTT_LIMIT_PACKET_SIZE},
    {4, {0x30, 0xfd, 0xff, 0x03}, COUNTER_MQTT_LIMIT_PACKET_SIZE}, /* 65537 with its header */
    {4, {0xc0, 0x01, 0, 0}, COUNTER_MQTT_TRAILING},
    {3, {0xe0, 0x01, 0}, COUNTER_MQTT_TRAILING},
    {2, {0x30, 0x00}, COUNTER_MQTT_TRUNCATED},
    {3, {0x30, 0x01, 0}, COUNTER_MQTT_TRUNCATED},
    {5, {0x30, 0x03, 0, 2, 'a'}, COUNTER_MQTT_TRUNCATED},
    {6, {0x32, 0x04, 0, 1, 'a', 0}, COUNTER_MQTT_TRUNCATED},
    {7, {0x32, 0x05, 0, 1, 'a', 0, 0}, COUNTER_MQTT_BAD_PACKET_ID},
    {7, {0x34, 0x05, 0, 1, 'a', 0, 0}, COUNTER_MQTT_BAD_PACKET_ID},
    {7, {0x36, 0x05, 0, 1, 'a', 0, 1}, COUNTER_MQTT_BAD_QOS}, /* MQTT-3.3.1-4 */
    {5, {0x38, 0x03, 0, 1, 'a'}, COUNTER_MQTT_BAD_QOS},       /* MQTT-3.3.1-2 */
    {4, {0x30, 0x02, 0, 0}, COUNTER_MQTT_BAD_TOPIC},          /* MQTT-4.7.3-1 */
    {5, {0x30, 0x03, 0, 1, '#'}, COUNTER_MQTT_BAD_TOPIC},     /* MQTT-3.3.2-2 */
    {5, {0x30, 0x03, 0, 1, '+'}, COUNTER_MQTT_BAD_TOPIC},
    {7, {0x30, 0x05, 0, 3, 'a', '/', '#'}, COUNTER_MQTT_BAD_TOPIC},
    {5, {0x30, 0x03, 0, 1, 0}, COUNTER_MQTT_BAD_TOPIC},    /* MQTT-1.5.3-2 */
    {5, {0x30, 0x03, 0, 1, 0xff}, COUNTER_MQTT_BAD_TOPIC}, /* MQTT-3.3.2-1 */
    {36,
     {0x30, 34,  0,   32,  'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/',
      'a',  '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/', 'a', '/'},
     COUNTER_MQTT_LIMIT_TOPIC_LEVELS},
    {3, {0x40, 0x01, 0}, COUNTER_MQTT_TRUNCATED},
    {5, {0x40, 0x03, 0, 1, 0}, COUNTER_MQTT_TRAILING},
    {4, {0x40, 0x02, 0, 0}, COUNTER_MQTT_BAD_PACKET_ID},
    {4, {0x50, 0x02, 0, 0}, COUNTER_MQTT_BAD_PACKET_ID},
    {4, {0x62, 0x02, 0, 0}, COUNTER_MQTT_BAD_PACKET_ID},
    {3, {0x62, 0x01, 0}, COUNTER_MQTT_TRUNCATED},
    {4, {0x70, 0x02, 0, 0}, COUNTER_MQTT_BAD_PACKET_ID},
};

enum { PACKETS = sizeof packets / sizeof *packets };

static void each_violation_has_its_counter(void **state) {
    struct peer *other = connected_client("other");

    for (unsigned i = 0; i < PACKETS; i++) {
        struct peer *client = connected_client("a");
        uint64_t before = counter(packets[i].counter);
        peer_send(f.tcp, client, packets[i].bytes, packets[i].len);
        expect_closed(client);
        assert_int_equal(counter(packets[i].counter), before + 1);
        assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PROTOCOL);
        assert_int_equal(mails_of(MAIL_CLOSED), 0);
        expect_open(other);
    }
}

static void each_violation_is_found_in_pieces_too(void **state) {
    struct mail connect;

    for (unsigned i = 0; i < PACKETS; i++) {
        struct peer *client = persistent_client("a", &connect);
        uint64_t before = counter(packets[i].counter);
        for (unsigned at = 0; at < packets[i].len && client->conn != NULL; at++) {
            peer_send(f.tcp, client, packets[i].bytes + at, 1);
            turn();
        }
        expect_closed(client);
        assert_int_equal(counter(packets[i].counter), before + 1);
        take_mail(MAIL_CLOSED);
    }
}

static void what_follows_a_violation_is_not_handled(void **state) {
    struct peer *client = connected_client("a");

    SEND(client, 0xf0, 0, 0xc0, 0, 0xe0, 0);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_CLOSED_CLIENT), 0);
}

static void a_topic_beyond_the_limit_closes(void **state) {
    struct peer *client = connected_client("a");
    char topic[300];

    memset(topic, 'x', sizeof topic);
    topic[256] = '\0';
    send_publish(client, topic, "", 2, 1);
    expect_ack(client, PACKET_PUBACK, 1);
    topic[256] = 'x';
    topic[257] = '\0';
    send_publish(client, topic, "", 2, 2);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_TOPIC_LENGTH), 1);
}

static void a_large_publish_whose_topic_is_longer_than_itself_closes(void **state) {
    struct peer *client = connected_client("a");
    uint8_t packet[600] = {0x30, 0x84, 0x08, 0xff, 0xff};

    peer_send(f.tcp, client, packet, sizeof packet);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_TRUNCATED), 1);
}

static void a_packet_of_just_the_allowed_size_is_taken(void **state) {
    struct peer *client = connected_client("a");
    uint8_t *packet = calloc(1, 65536);

    memcpy(packet, "\x32\xfc\xff\x03\0\1t\0\5", 9); /* 4 + 65532 */
    peer_send(f.tcp, client, packet, 65536);
    expect_ack(client, PACKET_PUBACK, 5);
    free(packet);
}

static uint32_t random_state;

static uint32_t next_random(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* Valid ones mostly. */
static size_t random_packet(uint8_t *out) {
    static const char *const topics[] = {"a", "a/b", "b", "$SYS/x"};
    static const char *const filters[] = {"a", "a/b", "#", "+/b"};
    static const uint8_t flags[] = {0, 1, 2, 3, 4, 5, 0x0a, 0x0c};
    static const enum packet_type acks[] = {PACKET_PUBACK, PACKET_PUBREC, PACKET_PUBREL,
                                            PACKET_PUBCOMP};
    uint16_t packet_id = (uint16_t)(1 + next_random() % 5);
    uint8_t payload[64];

    memset(payload, 'p', sizeof payload);
    switch (next_random() % 10) {
    case 0:
        memcpy(out, "\xc0\0", 2);
        return 2;
    case 1:
        if (next_random() % 8 == 0)
            return make_connect(out, "r", (uint8_t)next_random(), 10);
        memcpy(out, "\xa2\5\0\1\0\1#", 7);
        return 7;
    case 2:
    case 3:
    case 4:
        return make_publish(out, topics[next_random() % 4], payload, next_random() % 64,
                            flags[next_random() % 8], packet_id);
    case 5:
    case 6:
        return make_subscribe(out, packet_id, filters[next_random() % 4], next_random() % 3);
    default:
        return encode_ack(out, acks[next_random() % 4], packet_id);
    }
}

static void random_conversations_end_with_nothing_left(void **state) {
    for (unsigned round = 0; round < 300; round++) {
        random_state = round * 77 + 1;
        struct peer *client = new_client();
        f.verdict.code = next_random() % 8 == 0 ? CONNACK_BAD_LOGIN : 0;
        send_connect(client, "r", next_random() % 2 ? CONNECT_CLEAN_SESSION : 0x2e, 10);
        for (unsigned i = 0; i < 60 && !client->fin && !client->reset; i++) {
            uint8_t packet[1024];
            size_t len = random_packet(packet);
            if (next_random() % 40 == 0)
                packet[next_random() % len] ^= (uint8_t)(1u << next_random() % 8);
            for (size_t at = 0; at < len;) {
                size_t n = next_random() % 4 == 0 ? 1 + next_random() % (len - at) : len - at;
                peer_send(f.tcp, client, packet + at, n);
                at += n;
                if (next_random() % 2)
                    turn();
            }
        }
        settle();
        packets_of(client, 0);
        if (next_random() % 2)
            peer_fin(f.tcp, client);
        settle();
        peer_reset(f.tcp, client, TCP_CLOSED_RESET);
        peer_free(client);
        settle();
        forget_mails();
    }
    assert_true(counter(COUNTER_MQTT_ACCEPTED) > 200);
    assert_true(counter(COUNTER_MQTT_PUBLISH_OUT) > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_violation_has_its_counter),
        FIXTURE_TEST(each_violation_is_found_in_pieces_too),
        FIXTURE_TEST(what_follows_a_violation_is_not_handled),
        FIXTURE_TEST(a_topic_beyond_the_limit_closes),
        FIXTURE_TEST(a_large_publish_whose_topic_is_longer_than_itself_closes),
        FIXTURE_TEST(a_packet_of_just_the_allowed_size_is_taken),
        FIXTURE_TEST(random_conversations_end_with_nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
