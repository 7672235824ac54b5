/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One allocation fails, each in turn. Afterwards every client has either been served as if nothing
 * had happened, or lost its connection, or lost messages that a counter knows of; and nothing is
 * left in memory (fixture_close).
 */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

enum { FAILURES = 260, LARGE = 3000 };

static struct peer *publisher, *subscriber, *persistent;

/* Acknowledges the PUBLISHes that a subscriber has got so far: at QoS 1 with PUBACK, at QoS 2 with
 * `of_qos2`. */
static void acknowledge(struct peer *client, enum packet_type of_qos2) {
    for (size_t at = 0; at < client->got_len && client->conn != NULL;) {
        const uint8_t *packet = client->got + at;
        uint8_t qos = packet[0] >> 4 == PACKET_PUBLISH ? packet[0] >> 1 & 3 : 0;
        size_t header = 1, remaining = 0;

        do
            remaining |= (size_t)(packet[header] & 0x7f) << (7 * (header - 1));
        while (packet[header++] & 0x80);
        const uint8_t *body = packet + header;
        if (qos > 0)
            send_ack(client, qos == 2 ? of_qos2 : PACKET_PUBACK,
                     load_be16(body + 2 + load_be16(body)));
        at += header + remaining;
    }
}

static void play(void) {
    uint8_t packet[LARGE + 100], payload[LARGE];
    struct mail connect = {0};

    memset(payload, 'x', sizeof payload);
    publisher = new_client();
    subscriber = new_client();
    persistent = new_client();
    send_connect(subscriber, "subscriber", CONNECT_CLEAN_SESSION, 0);
    settle();
    send_subscribe(subscriber, 1, "one", 1);
    send_subscribe(subscriber, 2, "two/#", 2);
    send_subscribe(subscriber, 3, "will", 0);
    settle();
    size_t len = make_connect(packet, "publisher", CONNECT_CLEAN_SESSION | CONNECT_WILL, 30);
    peer_send(f.tcp, publisher, packet, 10);
    peer_send(f.tcp, publisher, packet + 10, len - 10);
    settle();
    send_publish(publisher, "one", "x", 2, 1);
    send_publish(publisher, "two/2", "y", 4, 2);
    len = make_publish(packet, "one", payload, LARGE, 2, 3);
    peer_send(f.tcp, publisher, packet, 100);
    settle();
    peer_send(f.tcp, publisher, packet + 100, 1500);
    settle();
    peer_send(f.tcp, publisher, packet + 1600, len - 1600);
    settle();
    send_ack(publisher, PACKET_PUBREL, 2);
    SEND(publisher, 0xc0, 0);
    settle();
    acknowledge(subscriber, PACKET_PUBREC);
    settle();
    acknowledge(subscriber, PACKET_PUBCOMP);

    unsigned known = mails_of(MAIL_CONNECT);
    send_connect(persistent, "persistent", 0, 0);
    settle();
    if (mails_of(MAIL_CONNECT) > known) {
        for (unsigned i = 0; i < f.mails_count; i++)
            if (f.mails[i].type == MAIL_CONNECT)
                connect = f.mails[i];
        shard_deliver(&connect, "d", "deliver", 9, 1, false, false);
    }
    settle();
    send_publish(persistent, "two/3", "z", 4, 5);
    send_ack(persistent, PACKET_PUBREL, 5);
    settle();
    send_subscribe(persistent, 4, "s", 1);
    SEND(subscriber, 0xa2, 7, 0, 6, 0, 3, 'o', 'n', 'e');
    settle();
}

static bool lost(const struct peer *client) {
    return client->conn == NULL;
}

static void check(void) {
    uint64_t dropped = counter(COUNTER_MQTT_NO_MEMORY_DELIVER);
    bool complete = !lost(subscriber) && !lost(publisher) && !lost(persistent);

    if (!lost(publisher)) {
        assert_int_equal(packets_of(publisher, PACKET_CONNACK), 1);
        assert_int_equal(packets_of(publisher, PACKET_PUBACK), 2);
        assert_int_equal(packets_of(publisher, PACKET_PUBREC), 1);
        assert_int_equal(packets_of(publisher, PACKET_PUBCOMP), 1);
        assert_int_equal(packets_of(publisher, PACKET_PINGRESP), 1);
    }
    if (!lost(persistent)) {
        assert_int_equal(packets_of(persistent, PACKET_CONNACK), 1);
        assert_int_equal(packets_of(persistent, PACKET_PUBLISH), 1);
        assert_int_equal(packets_of(persistent, PACKET_PUBREC), 1);
        assert_int_equal(packets_of(persistent, PACKET_PUBCOMP), 1);
        assert_int_equal(mails_of(MAIL_QOS2_IN), 2);
        assert_int_equal(mails_of(MAIL_SUBSCRIBE), 1);
    }
    if (!lost(subscriber)) {
        assert_int_equal(packets_of(subscriber, PACKET_CONNACK), 1);
        assert_int_equal(packets_of(subscriber, PACKET_SUBACK), 3);
        assert_int_equal(packets_of(subscriber, PACKET_UNSUBACK), 1);
        bool refused = false; /* a filter, in SUBACK */
        for (size_t i = 0; i + 5 <= subscriber->got_len; i++)
            if (memcmp(subscriber->got + i, "\x90\3\0", 3) == 0 && subscriber->got[i + 4] == 0x80)
                refused = true;
        if (complete && !refused)
            assert_true(packets_of(subscriber, PACKET_PUBLISH) + dropped >= 4);
    }
}

/* The end of each connection whose CONNECT was asked about has been told once. */
static void check_ends(unsigned connects) {
    unsigned sessions = 0;

    for (unsigned i = 0; i < f.mails_count; i++)
        sessions += f.mails[i].type == MAIL_CLOSED && f.mails[i].session != 0;
    assert_int_equal(sessions, counter(COUNTER_MQTT_ACCEPTED));
    assert_int_equal(mails_of(MAIL_CLOSED), connects);
}

static void any_allocation_may_fail(void **state) {
    unsigned closed = 0, dropped = 0, waited = 0;

    for (unsigned n = 1; n <= FAILURES; n++) {
        fixture_open(state);
        arena_fail_after(f.worker.arena, n);
        play();
        arena_fail_after(f.worker.arena, 0);
        settle();
        settle();
        check();
        closed += lost(publisher) || lost(subscriber) || lost(persistent);
        dropped += counter(COUNTER_MQTT_NO_MEMORY_DELIVER) > 0;
        waited += counter(COUNTER_MQTT_WAITED) > 0;
        peer_reset(f.tcp, publisher, TCP_CLOSED_RESET);
        settle();
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
            peer_reset(f.tcp, &clients[i], TCP_CLOSED_RESET);
        settle();
        check_ends(mails_of(MAIL_CONNECT));
        fixture_close(state);
    }
    assert_true(closed > 5);
    assert_true(dropped > 2);
    assert_true(waited > 10);
}

/* Everything fails from some moment on. */
static void all_allocations_may_fail(void **state) {
    for (unsigned n = 1; n <= 60; n++) {
        fixture_open(state);
        void *filled[4096];
        unsigned count = 0;
        struct peer *client = connected_client("a"), *other = connected_client("b");
        subscribed(client, "t", 1);
        subscribed(other, "t", 2);
        for (unsigned i = 0; i < n; i++)
            send_publish(client, "t", "x", 4, (uint16_t)(i % 20 + 1));
        /* Take what is left, the largest first. */
        for (size_t size = 1 << 20; size >= 16; size /= 2)
            while (count < 4096 && (filled[count] = pool_alloc(&f.worker.pool, size)) != NULL)
                *(size_t *)filled[count++] = size;
        for (unsigned i = 0; i < 30; i++) {
            if (client->conn != NULL)
                send_publish(client, "t", "x", 2, (uint16_t)(i + 1));
            if (other->conn != NULL) {
                send_ack(other, i % 3 ? PACKET_PUBREC : PACKET_PUBCOMP, (uint16_t)(i / 3 + 1));
                SEND(other, 0xc0, 0);
            }
            turn();
        }
        struct peer *late = new_client();
        send_connect(late, "late", CONNECT_CLEAN_SESSION | CONNECT_WILL, 0);
        turn();
        peer_reset(f.tcp, client, TCP_CLOSED_RESET);
        turn();
        for (unsigned i = 0; i < count; i++)
            pool_free(&f.worker.pool, filled[i], *(size_t *)filled[i]);
        settle();
        settle();
        if (late->conn != NULL)
            assert_int_equal(packets_of(late, PACKET_CONNACK), 1);
        peer_reset(f.tcp, other, TCP_CLOSED_RESET);
        peer_reset(f.tcp, late, TCP_CLOSED_RESET);
        settle();
        check_ends(2 + mails_of(MAIL_CONNECT));
        fixture_close(state);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(all_allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
