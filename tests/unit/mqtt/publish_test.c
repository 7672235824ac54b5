/* SPDX-License-Identifier: Apache-2.0 */
/* PUBLISH and its acknowledgements, in and out, for clean sessions. */
#include "tests/unit/mqtt/fixture.h"

#include <stdio.h>
#include <stdlib.h>

static void a_publish_reaches_its_subscribers(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");

    subscribed(to, "a/+", 0);
    send_publish(from, "a/b", "hello", 0, 0);
    send_publish(from, "b/b", "other", 0, 0);
    send_publish(from, "a/b", "", 0, 0);
    expect_publish(to, "a/b", "hello", 0);
    expect_publish(to, "a/b", "", 0);
    expect_nothing(to);
    expect_nothing(from);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), 3);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_OUT), 2);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_BYTES_IN), 10);
}

static void a_client_may_subscribe_to_what_it_publishes(void **state) {
    struct peer *client = connected_client("a");

    subscribed(client, "t", 1);
    send_publish(client, "t", "x", 2, 5);
    /* Delivery and acknowledgement may come in either order. */
    settle();
    assert_int_equal(client->got_len, 8 + 4);
    if (client->got[0] == 0x40) {
        expect_ack(client, PACKET_PUBACK, 5);
        expect_publish(client, "t", "x", 2);
    } else {
        expect_publish(client, "t", "x", 2);
        expect_ack(client, PACKET_PUBACK, 5);
    }
}

/* MQTT-4.3.2-2, 3.3.4-1 */
static void qos1_is_acknowledged_with_its_identifier(void **state) {
    struct peer *from = connected_client("from");

    send_publish(from, "t", "x", 2, 0xabcd);
    expect_ack(from, PACKET_PUBACK, 0xabcd);
    send_publish(from, "t", "x", 2 | 8, 0xabcd); /* DUP is a matter of the sender's */
    expect_ack(from, PACKET_PUBACK, 0xabcd);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), 2);
}

/* MQTT-4.3.3-2 */
static void qos2_is_published_once_by_identifier(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");

    subscribed(to, "t", 0);
    send_publish(from, "t", "one", 4, 7);
    expect_ack(from, PACKET_PUBREC, 7);
    send_publish(from, "t", "one", 4 | 8, 7);
    expect_ack(from, PACKET_PUBREC, 7);
    expect_publish(to, "t", "one", 0);
    expect_nothing(to);
    assert_int_equal(counter(COUNTER_MQTT_REPEATED_QOS2), 1);
    send_ack(from, PACKET_PUBREL, 7);
    expect_ack(from, PACKET_PUBCOMP, 7);
    send_ack(from, PACKET_PUBREL, 7); /* the PUBCOMP was lost */
    expect_ack(from, PACKET_PUBCOMP, 7);
    send_publish(from, "t", "two", 4, 7); /* the identifier is free again (MQTT-2.3.1-4) */
    expect_ack(from, PACKET_PUBREC, 7);
    expect_publish(to, "t", "two", 0);
}

static void many_qos2_messages_may_be_unreleased_up_to_the_limit(void **state) {
    struct peer *from = connected_client("from");

    for (uint16_t id = 1; id <= 20; id++) {
        send_publish(from, "t", "x", 4, id);
        expect_ack(from, PACKET_PUBREC, id);
    }
    send_publish(from, "t", "x", 4, 3); /* a repeated one is none more */
    expect_ack(from, PACKET_PUBREC, 3);
    send_publish(from, "t", "x", 4, 21);
    expect_closed(from);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_QOS2_RECEIVED), 1);
}

/* MQTT-3.8.4-6, 3.3.5-1 */
static void a_message_goes_out_with_the_lower_qos(void **state) {
    struct peer *from = connected_client("from");
    struct peer *to[3];

    for (uint8_t qos = 0; qos < 3; qos++) {
        to[qos] = connected_client("to");
        subscribed(to[qos], "t", qos);
    }
    for (uint8_t qos = 0; qos < 3; qos++) {
        send_publish(from, "t", "x", (uint8_t)(qos << 1), 1 + qos);
        if (qos > 0)
            expect_ack(from, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, 1 + qos);
        for (uint8_t granted = 0; granted < 3; granted++) {
            uint8_t out = granted < qos ? granted : qos;
            uint16_t id = expect_publish(to[granted], "t", "x", (uint8_t)(out << 1));
            if (out == 1)
                send_ack(to[granted], PACKET_PUBACK, id);
            if (out == 2) {
                send_ack(to[granted], PACKET_PUBREC, id);
                expect_ack(to[granted], PACKET_PUBREL, id);
                send_ack(to[granted], PACKET_PUBCOMP, id);
            }
            expect_nothing(to[granted]);
        }
    }
    assert_int_equal(counter(COUNTER_MQTT_UNKNOWN_ACK), 0);
}

/* MQTT-3.3.1-8, -9; -7: nothing about messages without RETAIN is stored */
static void retain_is_for_the_store_and_not_sent_on(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");

    subscribed(to, "t", 1);
    send_publish(from, "t", "keep", 2 | 1, 1);
    expect_ack(from, PACKET_PUBACK, 1);
    expect_publish(to, "t", "keep", 2);
    struct mail mail = take_mail(MAIL_PUBLISH);
    assert_true(mail.flags & MAIL_PUBLISH_STORE);
    assert_int_equal(mail.publish.message->qos, 1);
    assert_true(mail.publish.message->flags & MESSAGE_RETAIN);
    assert_memory_equal(message_payload(mail.publish.message), "keep", 4);
    parcel_release(&f.shard.parcels, mail.publish.message);
    send_publish(from, "t", "live", 0, 0);
    expect_publish(to, "t", "live", 0);
    assert_int_equal(mails_of(MAIL_PUBLISH), 0);
}

static void retained_messages_come_with_the_flag_set(void **state) {
    struct peer *to = connected_client("to");

    f.retained[0] = (struct retained){.topic = "t", .payload_len = 4, .payload = "kept", .qos = 1};
    f.retained_count = 1;
    send_subscribe(to, 5, "t", 1);
    EXPECT(to, 0x90, 3, 0, 5, 1);
    expect_publish(to, "t", "kept", 2 | 1);
}

static void a_packet_may_be_cut_at_every_byte(void **state) {
    static const size_t sizes[] = {0, 1, 40, 400};
    struct peer *from = connected_client("from"), *to = connected_client("to");
    uint8_t packet[1000], payload[400];

    subscribed(to, "topic/name", 2);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)('a' + i % 26);
    for (unsigned s = 0; s < 4; s++) {
        size_t len = make_publish(packet, "topic/name", payload, sizes[s], 4, 9);
        char text[401] = "";
        memcpy(text, payload, sizes[s]);
        for (size_t cut = 1; cut < len; cut++) {
            peer_send(f.tcp, from, packet, cut);
            turn();
            peer_send(f.tcp, from, packet + cut, len - cut);
            expect_ack(from, PACKET_PUBREC, 9);
            send_ack(from, PACKET_PUBREL, 9);
            expect_ack(from, PACKET_PUBCOMP, 9);
            uint16_t id = expect_publish(to, "topic/name", text, 4);
            send_ack(to, PACKET_PUBREC, id);
            expect_ack(to, PACKET_PUBREL, id);
            send_ack(to, PACKET_PUBCOMP, id);
        }
    }
}

static void a_conversation_may_be_cut_anywhere(void **state) {
    uint8_t packets[200];
    size_t len = make_subscribe(packets, 1, "a/#", 1);

    len += make_publish(packets + len, "a/b", "xyz", 3, 2, 7);
    memcpy(packets + len, "\xa2\7\0\2\0\3a/#\xc0\0", 11);
    len += 11;
    for (size_t first = 1; first < len; first++) {
        struct peer *client = connected_client("a");
        size_t second = first + (len - first) / 2;

        peer_send(f.tcp, client, packets, first);
        turn();
        peer_send(f.tcp, client, packets + first, second - first);
        turn();
        peer_send(f.tcp, client, packets + second, len - second);
        settle();
        assert_int_equal(packets_of(client, PACKET_SUBACK), 1);
        assert_int_equal(packets_of(client, PACKET_PUBACK), 1);
        assert_int_equal(packets_of(client, PACKET_UNSUBACK), 1);
        assert_int_equal(packets_of(client, PACKET_PINGRESP), 1);
        expect_open(client);
        peer_reset(f.tcp, client, TCP_CLOSED_RESET);
        peer_free(client);
    }
}

static void a_large_publish_is_put_together_from_pieces_of_any_size(void **state) {
    static const size_t pieces[] = {1, 2, 3, 7, 100, 536, 1460, 20000};
    enum { SIZE = 30000 };
    struct peer *from = connected_client("from"), *to = connected_client("to");
    uint8_t *packet = malloc(SIZE + 100), *payload = malloc(SIZE), *out = malloc(SIZE + 100);

    subscribed(to, "big", 0);
    for (size_t i = 0; i < SIZE; i++)
        payload[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        uint16_t id = (uint16_t)(p + 1);
        size_t len = make_publish(packet, "big", payload, SIZE, 2, id);
        for (size_t at = 0; at < len; at += pieces[p])
            peer_send(f.tcp, from, packet + at, len - at < pieces[p] ? len - at : pieces[p]);
        expect_ack(from, PACKET_PUBACK, id);
        expect(to, out, make_publish(out, "big", payload, SIZE, 0, 0));
        SEND(from, 0xf0); /* nothing of the packet is left over */
        expect_closed(from);
        from = connected_client("from");
    }
    free(packet);
    free(payload);
    free(out);
}

static void half_a_large_packet_costs_what_has_arrived(void **state) {
    struct peer *from = connected_client("from");
    size_t used = arena_used(f.worker.arena);
    struct mqtt_stats stats;
    uint8_t part[100] = {0x30, 0xff, 0xff, 0x03, 0, 5, 't', 'o', 'p', 'i', 'c'};

    peer_send(f.tcp, from, part, 4);
    mqtt_stats(f.mqtt, &stats);
    assert_true(stats.partial_bytes <= 128);
    peer_send(f.tcp, from, part + 4, sizeof part - 4);
    mqtt_stats(f.mqtt, &stats);
    assert_true(stats.partial_bytes <= 512);
    assert_true(arena_used(f.worker.arena) - used <= 4 * 65536); /* a span for each slab class */
}

static void a_packet_begun_and_not_ended_times_out(void **state) {
    struct peer *client = connected_client("a"), *good = connected_client("b");

    SEND(client, 0x30, 10, 0);
    wait_ms(7900);
    SEND(client, 1);
    expect_open(client);
    wait_ms(200);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_PACKET_TIMEOUT), 1);
    /* What is ended in time, again and again, is fine. */
    for (unsigned i = 0; i < 10; i++) {
        SEND(good, 0xc0);
        wait_ms(5000);
        SEND(good, 0);
        EXPECT(good, 0xd0, 0);
    }
    expect_open(good);
}

static void what_cannot_be_handed_on_is_neither_lost_nor_acknowledged(void **state) {
    struct peer *from = connected_client("from");
    unsigned sent = 0;

    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_publish(from, "t", "x", 1 | 2, (uint16_t)++sent);
        turn();
        assert_true(sent < 10000);
    }
    for (unsigned i = 0; i < 50; i++) { /* these are left with TCP */
        send_publish(from, "t", "x", 1 | 4, (uint16_t)++sent);
        send_ack(from, PACKET_PUBREL, (uint16_t)sent);
    }
    settle();
    assert_true(from->unread_len > 0);
    assert_int_equal(from->got_len, 4 * counter(COUNTER_MQTT_PUBLISH_IN));
    f.shard_asleep = false;
    for (unsigned i = 0; i < 50; i++)
        settle();
    assert_int_equal(from->unread_len, 0);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), sent);
    assert_int_equal(mails_of(MAIL_PUBLISH), sent);
    for (unsigned i = 1; i <= sent - 50; i++)
        expect_ack(from, PACKET_PUBACK, (uint16_t)i);
    for (unsigned i = sent - 49; i <= sent; i++) {
        expect_ack(from, PACKET_PUBREC, (uint16_t)i);
        expect_ack(from, PACKET_PUBCOMP, (uint16_t)i);
    }
}

static void a_large_message_waits_assembled(void **state) {
    enum { SIZE = 5000 };
    struct peer *noise = connected_client("noise"), *from = connected_client("from");
    struct peer *to = connected_client("to");
    uint8_t packet[SIZE + 100], payload[SIZE], out[SIZE + 100];

    subscribed(to, "big", 0);
    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_publish(noise, "t", "x", 1, 0);
        turn();
    }
    memset(payload, 'p', SIZE);
    size_t len = make_publish(packet, "big", payload, SIZE, 2 | 1, 3);
    peer_send(f.tcp, from, packet, 2000);
    peer_send(f.tcp, from, packet + 2000, len - 2000);
    settle();
    assert_int_equal(from->unread_len, 0);
    expect_nothing(from);
    expect_nothing(to);
    f.shard_asleep = false;
    for (unsigned i = 0; i < 50; i++)
        settle();
    expect_ack(from, PACKET_PUBACK, 3);
    expect(to, out, make_publish(out, "big", payload, SIZE, 0, 0));
}

static void a_connection_that_ends_while_it_waits_leaves_nothing(void **state) {
    struct peer *noise = connected_client("noise"), *from = connected_client("from");
    uint8_t packet[6000];

    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_publish(noise, "t", "x", 1, 0);
        turn();
    }
    memset(packet, 0, sizeof packet);
    memcpy(packet, "\x31\x88\x27\0\3big", 8);
    peer_send(f.tcp, from, packet, 2000);
    peer_send(f.tcp, from, packet + 2000, 3003);
    settle();
    assert_int_equal(from->unread_len, 0);
    peer_reset(f.tcp, from, TCP_CLOSED_RESET);
    peer_reset(f.tcp, noise, TCP_CLOSED_RESET);
    f.shard_asleep = false;
    settle();
    assert_false(mqtt_turn(f.mqtt));
}

/* MQTT-4.6.0-5, -6 */
static void messages_arrive_in_the_order_they_were_sent(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");

    subscribed(to, "#", 2);
    for (unsigned i = 0; i < 30; i++) {
        char text[8];
        sprintf(text, "%u", i);
        send_publish(from, i % 2 ? "odd" : "even", text, 4, (uint16_t)(i + 1));
        expect_ack(from, PACKET_PUBREC, (uint16_t)(i + 1));
        send_ack(from, PACKET_PUBREL, (uint16_t)(i + 1));
        expect_ack(from, PACKET_PUBCOMP, (uint16_t)(i + 1));
    }
    for (unsigned i = 0; i < 30; i++) {
        char text[8];
        sprintf(text, "%u", i);
        uint16_t id = expect_publish(to, i % 2 ? "odd" : "even", text, 4);
        send_ack(to, PACKET_PUBREC, id);
        turn();
        /* Later messages are already there; the PUBREL is somewhere behind them. */
        settle();
        uint8_t pubrel[4];
        encode_ack(pubrel, PACKET_PUBREL, id);
        bool found = false;
        for (size_t at = 0; at + 4 <= to->got_len && !found; at++)
            if (memcmp(to->got + at, pubrel, 4) == 0) {
                memmove(to->got + at, to->got + at + 4, to->got_len - at - 4);
                to->got_len -= 4;
                found = true;
            }
        assert_true(found);
        send_ack(to, PACKET_PUBCOMP, id);
    }
    expect_nothing(to);
}

static void sys_topics_belong_to_the_broker(void **state) {
    struct peer *from = connected_client("from"), *to = connected_client("to");

    subscribed(to, "$SYS/#", 0);
    subscribed(to, "$SYSTEM", 0);
    send_publish(from, "$SYS/broker/uptime", "lies", 2, 1);
    expect_ack(from, PACKET_PUBACK, 1);
    expect_nothing(to);
    assert_int_equal(counter(COUNTER_MQTT_SYS_PUBLISH), 1);
    send_publish(from, "$SYSTEM", "x", 0, 0);
    expect_publish(to, "$SYSTEM", "x", 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_publish_reaches_its_subscribers),
        FIXTURE_TEST(a_client_may_subscribe_to_what_it_publishes),
        FIXTURE_TEST(qos1_is_acknowledged_with_its_identifier),
        FIXTURE_TEST(qos2_is_published_once_by_identifier),
        FIXTURE_TEST(many_qos2_messages_may_be_unreleased_up_to_the_limit),
        FIXTURE_TEST(a_message_goes_out_with_the_lower_qos),
        FIXTURE_TEST(retain_is_for_the_store_and_not_sent_on),
        FIXTURE_TEST(retained_messages_come_with_the_flag_set),
        FIXTURE_TEST(a_packet_may_be_cut_at_every_byte),
        FIXTURE_TEST(a_conversation_may_be_cut_anywhere),
        FIXTURE_TEST(a_large_publish_is_put_together_from_pieces_of_any_size),
        FIXTURE_TEST(half_a_large_packet_costs_what_has_arrived),
        FIXTURE_TEST(a_packet_begun_and_not_ended_times_out),
        FIXTURE_TEST(what_cannot_be_handed_on_is_neither_lost_nor_acknowledged),
        FIXTURE_TEST(a_large_message_waits_assembled),
        FIXTURE_TEST(a_connection_that_ends_while_it_waits_leaves_nothing),
        FIXTURE_TEST(messages_arrive_in_the_order_they_were_sent),
        FIXTURE_TEST(sys_topics_belong_to_the_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
