/* SPDX-License-Identifier: Apache-2.0 */
/* Will messages (3.1.2.5). */
#include "tests/unit/mqtt/fixture.h"

enum { CLEAN = CONNECT_CLEAN_SESSION };

/* A client whose will is "gone" on "will". */
static struct peer *client_with_will(uint8_t flags, struct mail *connect) {
    struct peer *client = new_client();

    f.verdict.verdict.keep_alive = 10;
    send_connect(client, "mortal", flags | CONNECT_WILL, 10);
    EXPECT(client, 0x20, 2, 0, 0);
    *connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect->connect.request);
    f.verdict.verdict.keep_alive = 0;
    return client;
}

static struct peer *heir(uint8_t qos) {
    struct peer *client = connected_client("heir");

    subscribed(client, "will", qos);
    return client;
}

/* MQTT-3.1.2-8: CONNECT is accepted, and then the connection is over. */
static void a_client_that_ends_before_its_verdict_is_answered_and_leaves_a_will(void **state) {
    struct peer *to = heir(0);
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "hasty", CLEAN | CONNECT_WILL, 10);
    settle();
    struct mail connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect.connect.request);
    peer_fin(f.tcp, client);
    settle();
    assert_false(client->fin);
    shard_send(answer_to(&connect, MAIL_VERDICT));
    EXPECT(client, 0x20, 2, 0, 0);
    expect_closed(client);
    expect_publish(to, "will", "gone", 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PEER);
    assert_int_equal(mails_of(MAIL_CLOSED), 0);
}

/* MQTT-3.1.2-8 */
static void a_will_is_published_however_the_client_is_lost(void **state) {
    struct peer *to = heir(0);
    struct mail connect;

    struct peer *client = client_with_will(CLEAN, &connect);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    expect_publish(to, "will", "gone", 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PEER);

    client = client_with_will(0, &connect);
    peer_fin(f.tcp, client);
    expect_publish(to, "will", "gone", 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PEER);

    client = client_with_will(CLEAN, &connect);
    SEND(client, 0xf0);
    expect_publish(to, "will", "gone", 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PROTOCOL);

    client = client_with_will(CLEAN, &connect);
    wait_ms(16000);
    expect_publish(to, "will", "gone", 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_KEEP_ALIVE);

    static const uint8_t reasons[] = {CLOSE_TAKEOVER, CLOSE_ADMIN};
    for (unsigned i = 0; i < 2; i++) {
        client_with_will(0, &connect);
        struct mail kick = answer_to(&connect, MAIL_KICK);
        kick.code = reasons[i];
        shard_send(kick);
        expect_publish(to, "will", "gone", 0);
        assert_int_equal(take_mail(MAIL_CLOSED).code, reasons[i]);
    }
    assert_int_equal(counter(COUNTER_MQTT_WILLS), 6);
}

/* MQTT-3.1.2-10, 3.14.4-3 */
static void a_client_that_says_goodbye_has_no_will(void **state) {
    struct peer *to = heir(0);
    struct mail connect;
    struct peer *client = client_with_will(CLEAN, &connect);

    SEND(client, 0xe0, 0);
    expect_closed(client);
    expect_nothing(to);
    assert_int_equal(counter(COUNTER_MQTT_WILLS), 0);
}

static void a_client_that_was_not_let_in_has_no_will(void **state) {
    struct peer *to = heir(0);
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "a", CLEAN | CONNECT_WILL, 0);
    settle();
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    expect_nothing(to);
    client = new_client();
    f.hold_verdicts = false;
    f.verdict.code = CONNACK_BAD_LOGIN;
    send_connect(client, "a", CLEAN | CONNECT_WILL, 0);
    EXPECT(client, 0x20, 2, 0, 4);
    expect_closed(client);
    expect_nothing(to);
}

static void the_end_of_the_broker_is_not_the_end_of_a_client(void **state) {
    struct mail connect;

    client_with_will(CLEAN, &connect);
    mqtt_mail(f.mqtt, &(struct mail){.type = MAIL_STOP});
    settle();
    assert_int_equal(counter(COUNTER_MQTT_WILLS), 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_SHUTDOWN);
}

/* MQTT-3.1.2-9, -16, -17 */
static void a_will_has_the_qos_and_retain_it_was_given(void **state) {
    struct peer *to = heir(2);
    struct mail connect;

    struct peer *client = client_with_will(CLEAN | 2 << CONNECT_WILL_QOS_SHIFT, &connect);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    uint16_t id = expect_publish(to, "will", "gone", 4);
    send_ack(to, PACKET_PUBREC, id);
    expect_ack(to, PACKET_PUBREL, id);
    assert_int_equal(mails_of(MAIL_PUBLISH), 0);

    client = client_with_will(CLEAN | CONNECT_WILL_RETAIN | 1 << CONNECT_WILL_QOS_SHIFT, &connect);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    expect_publish(to, "will", "gone", 2); /* live: without RETAIN (MQTT-3.3.1-9) */
    struct mail stored = take_mail(MAIL_PUBLISH);
    assert_true(stored.flags & MAIL_PUBLISH_STORE);
    assert_int_equal(stored.publish.message->qos, 1);
    parcel_release(&f.shard.parcels, stored.publish.message);
}

static void a_will_that_has_to_wait_is_published_and_then_the_end_told(void **state) {
    struct mail connect;
    struct peer *client = client_with_will(CLEAN | CONNECT_WILL_RETAIN, &connect);
    struct peer *noise = connected_client("noise");
    unsigned published = 0;

    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_publish(noise, "n", "x", 1, 0);
        turn();
        published++;
        assert_true(published < 10000);
    }
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    settle();
    assert_int_equal(counter(COUNTER_MQTT_WILLS), 0);
    assert_true(mqtt_turn(f.mqtt));
    f.shard_asleep = false;
    for (unsigned i = 0; i < 50; i++)
        settle();
    assert_int_equal(counter(COUNTER_MQTT_WILLS), 1);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), published);
    assert_false(mqtt_turn(f.mqtt));
    /* In the shard's mail the will comes before the end. */
    int will = -1, end = -1;
    for (unsigned i = 0; i < f.mails_count; i++) {
        if (f.mails[i].type == MAIL_CLOSED)
            end = (int)i;
        if (f.mails[i].type == MAIL_PUBLISH && f.mails[i].publish.message->topic_len == 4)
            will = (int)i;
    }
    assert_true(will >= 0 && end > will);
}

static void a_will_topic_obeys_the_rules_of_topics(void **state) {
    struct peer *client = new_client();

    SEND(client, 0x10, 20, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0, 0, 0, 1, 'a', 0, 1, '#', 0, 2, 'x',
         'y');
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_BAD_TOPIC), 1);
    client = new_client();
    SEND(client, 0x10, 19, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0, 0, 0, 1, 'a', 0, 0, 0, 2, 'x',
         'y');
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_BAD_TOPIC), 2);
    assert_int_equal(mails_of(MAIL_CONNECT), 0);
}

static void a_will_to_sys_goes_nowhere(void **state) {
    struct peer *client = new_client(), *to = connected_client("to");

    subscribed(to, "$SYS/#", 0);
    SEND(client, 0x10, 25, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0, 0, 0, 1, 'a', 0, 6, '$', 'S', 'Y',
         'S', '/', 'x', 0, 2, 'x', 'y');
    EXPECT(client, 0x20, 2, 0, 0);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    expect_nothing(to);
    assert_int_equal(counter(COUNTER_MQTT_SYS_PUBLISH), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_client_that_ends_before_its_verdict_is_answered_and_leaves_a_will),
        FIXTURE_TEST(a_will_is_published_however_the_client_is_lost),
        FIXTURE_TEST(a_client_that_says_goodbye_has_no_will),
        FIXTURE_TEST(a_client_that_was_not_let_in_has_no_will),
        FIXTURE_TEST(the_end_of_the_broker_is_not_the_end_of_a_client),
        FIXTURE_TEST(a_will_has_the_qos_and_retain_it_was_given),
        FIXTURE_TEST(a_will_that_has_to_wait_is_published_and_then_the_end_told),
        FIXTURE_TEST(a_will_to_sys_goes_nowhere),
        FIXTURE_TEST(a_will_topic_obeys_the_rules_of_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
