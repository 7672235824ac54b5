/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent sessions: the worker is the transport of a session that lives with its shard. */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

static void subscriptions_go_to_the_shard_and_come_back_answered(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    SEND(client, 0x82, 12, 0, 9, 0, 3, 'a', '/', 'b', 1, 0, 1, '#', 2);
    expect_nothing(client);
    struct mail subscribe = take_mail(MAIL_SUBSCRIBE);
    assert_int_equal(subscribe.conn, connect.conn);
    assert_int_equal(subscribe.session, connect.session);
    assert_int_equal(subscribe.subscribe.packet_id, 9);
    struct subscribe_request *request = (struct subscribe_request *)subscribe.subscribe.filters;
    assert_int_equal(request->count, 2);
    assert_int_equal(request->len, 10);
    assert_memory_equal(request->bytes, "\1\0\3a/b\2\0\1#", 10);
    parcel_release(&f.shard.parcels, request);

    struct mail suback = answer_to(&subscribe, MAIL_SUBACK);
    suback.subscribe.packet_id = 9;
    suback.subscribe.count = 2;
    suback.subscribe.codes[0] = 1;
    suback.subscribe.codes[1] = 0x80;
    shard_send(suback);
    EXPECT(client, 0x90, 4, 0, 9, 1, 0x80);

    SEND(client, 0xa2, 7, 0, 10, 0, 3, 'a', '/', 'b');
    expect_nothing(client);
    struct mail unsubscribe = take_mail(MAIL_UNSUBSCRIBE);
    request = (struct subscribe_request *)unsubscribe.subscribe.filters;
    assert_int_equal(request->count, 1);
    assert_memory_equal(request->bytes, "\0\0\3a/b", 6);
    struct mail unsuback = answer_to(&unsubscribe, MAIL_UNSUBACK);
    unsuback.subscribe.packet_id = 10;
    unsuback.subscribe.filters = &request->parcel; /* it may come back, too */
    shard_send(unsuback);
    expect_ack(client, PACKET_UNSUBACK, 10);
}

/* MQTT-3.8.4-1 */
static void a_subscribe_is_answered_though_the_client_has_finished(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    send_subscribe(client, 1, "t", 1);
    peer_fin(f.tcp, client);
    expect_nothing(client);
    assert_false(client->fin);
    struct mail subscribe = take_mail(MAIL_SUBSCRIBE);
    parcel_release(&f.shard.parcels, subscribe.subscribe.filters);
    struct mail suback = answer_to(&subscribe, MAIL_SUBACK);
    suback.subscribe.packet_id = 1;
    suback.subscribe.count = 1;
    suback.subscribe.codes[0] = 1;
    shard_send(suback);
    EXPECT(client, 0x90, 3, 0, 1, 1);
    expect_closed(client);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PEER);

    client = connected_client("b");
    send_subscribe(client, 2, "t", 1);
    peer_fin(f.tcp, client);
    EXPECT(client, 0x90, 3, 0, 2, 1);
    expect_closed(client);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PEER);
}

/* So that UNSUBSCRIBE does not overtake it and its retained messages. */
static void an_unsubscribe_behind_a_subscribe_is_answered_after_it(void **state) {
    struct peer *client = connected_client("a");
    uint8_t packets[100];
    size_t len = make_subscribe(packets, 1, "t", 1);

    memcpy(packets + len, "\xa2\x05\0\x02\0\x01t", 7);
    peer_send(f.tcp, client, packets, len + 7);
    EXPECT(client, 0x90, 3, 0, 1, 1, 0xb0, 2, 0, 2);
}

static void what_follows_a_subscribe_waits_for_its_answer(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    send_subscribe(client, 1, "t", 1);
    send_publish(client, "t", "x", 2, 2);
    expect_nothing(client);
    assert_true(client->unread_len > 0);
    struct mail subscribe = take_mail(MAIL_SUBSCRIBE);
    parcel_release(&f.shard.parcels, subscribe.subscribe.filters);
    struct mail suback = answer_to(&subscribe, MAIL_SUBACK);
    suback.subscribe.packet_id = 1;
    suback.subscribe.count = 1;
    suback.subscribe.codes[0] = 1;
    shard_send(suback);
    EXPECT(client, 0x90, 3, 0, 1, 1);
    expect_ack(client, PACKET_PUBACK, 2);
    assert_int_equal(client->unread_len, 0);
}

static void many_codes_come_back_in_the_request(void **state) {
    enum { COUNT = 100 };
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);
    uint8_t packet[1000] = {0x82, 0, 0, 0, 9}, codes[COUNT];
    size_t len = 5;

    for (unsigned i = 0; i < COUNT; i++) {
        memcpy(packet + len, "\0\1x\1", 4);
        packet[len + 2] = (uint8_t)('A' + i % 26);
        codes[i] = (uint8_t)(i % 3);
        len += 4;
    }
    packet[1] = (uint8_t)((len - 3) | 0x80);
    packet[2] = (uint8_t)((len - 3) >> 7);
    peer_send(f.tcp, client, packet, len);
    settle();
    struct mail subscribe = take_mail(MAIL_SUBSCRIBE);
    struct subscribe_request *request = (struct subscribe_request *)subscribe.subscribe.filters;
    assert_int_equal(request->count, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        request->bytes[4 * i] = codes[i];
    struct mail suback = answer_to(&subscribe, MAIL_SUBACK);
    suback.subscribe = subscribe.subscribe;
    shard_send(suback);
    EXPECT(client, 0x90, COUNT + 2, 0, 9);
    expect(client, codes, COUNT);
}

static void filters_that_the_worker_refuses_are_marked_for_the_shard(void **state) {
    static const char *const refused[] = {"no"};
    struct mail connect;

    f.config.refuse_subscriptions = refused;
    f.config.refuse_subscriptions_count = 1;
    fixture_start();
    struct peer *client = persistent_client("a", &connect);
    SEND(client, 0x82, 12, 0, 9, 0, 2, 'n', 'o', 1, 0, 2, 'o', 'k', 1);
    settle();
    struct mail subscribe = take_mail(MAIL_SUBSCRIBE);
    struct subscribe_request *request = (struct subscribe_request *)subscribe.subscribe.filters;
    assert_int_equal(request->count, 2);
    assert_int_equal(request->len, 8);
    assert_memory_equal(request->bytes, "\x80\0\0\1\0\2ok", 8);
    parcel_release(&f.shard.parcels, request);
}

static void messages_of_the_shard_go_out_as_it_says(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    shard_deliver(&connect, "t", "zero", 0, 0, false, false);
    shard_deliver(&connect, "t", "one", 17, 1, true, false);
    shard_deliver(&connect, "t", "two", 18, 2, false, true);
    expect_publish(client, "t", "zero", 0);
    assert_int_equal(expect_publish(client, "t", "one", 2 | 1), 17);
    assert_int_equal(expect_publish(client, "t", "two", 4 | 8), 18);
    struct mail pubrel = answer_to(&connect, MAIL_PUBREL_OUT);
    pubrel.ack.packet_id = 18;
    pubrel.ack.packet = PACKET_PUBREL;
    shard_send(pubrel);
    expect_ack(client, PACKET_PUBREL, 18);
}

static void acknowledgements_of_the_client_go_to_the_shard(void **state) {
    static const enum packet_type types[] = {PACKET_PUBACK, PACKET_PUBREC, PACKET_PUBCOMP};
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    for (uint16_t i = 0; i < 3; i++) {
        send_ack(client, types[i], i + 5);
        expect_nothing(client);
        struct mail ack = take_mail(MAIL_ACK);
        assert_int_equal(ack.ack.packet, types[i]);
        assert_int_equal(ack.ack.packet_id, i + 5);
        assert_int_equal(ack.session, connect.session);
    }
}

static void incoming_qos2_identifiers_are_mirrored(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    send_publish(client, "t", "x", 4, 5);
    expect_ack(client, PACKET_PUBREC, 5);
    struct mail held = take_mail(MAIL_QOS2_IN);
    assert_int_equal(held.qos2_in.packet_id, 5);
    assert_int_equal(held.qos2_in.held, 1);
    send_publish(client, "t", "x", 4 | 8, 5);
    expect_ack(client, PACKET_PUBREC, 5);
    assert_int_equal(mails_of(MAIL_QOS2_IN), 0);
    send_ack(client, PACKET_PUBREL, 5);
    expect_ack(client, PACKET_PUBCOMP, 5);
    held = take_mail(MAIL_QOS2_IN);
    assert_int_equal(held.qos2_in.packet_id, 5);
    assert_int_equal(held.qos2_in.held, 0);
    send_ack(client, PACKET_PUBREL, 6);
    expect_ack(client, PACKET_PUBCOMP, 6);
    assert_int_equal(mails_of(MAIL_QOS2_IN), 0);
}

/* MQTT-3.1.2-4, 4.1.0-1 */
static void identifiers_held_before_a_reconnect_are_still_known(void **state) {
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "a", 0, 0);
    settle();
    struct mail connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect.connect.request);
    struct mail verdict = answer_to(&connect, MAIL_VERDICT);
    struct packet_ids *ids = parcel_new(&f.shard.parcels, sizeof *ids + 4);
    ids->count = 2;
    ids->ids[0] = 300;
    ids->ids[1] = 7;
    verdict.verdict.qos2_in = &ids->parcel;
    verdict.verdict.session_present = 1;
    shard_send(verdict);
    EXPECT(client, 0x20, 2, 1, 0);
    send_publish(client, "t", "again", 4 | 8, 7);
    expect_ack(client, PACKET_PUBREC, 7);
    send_publish(client, "t", "again", 4 | 8, 300);
    expect_ack(client, PACKET_PUBREC, 300);
    assert_int_equal(counter(COUNTER_MQTT_REPEATED_QOS2), 2);
    assert_int_equal(mails_of(MAIL_QOS2_IN), 0);
    send_ack(client, PACKET_PUBREL, 7);
    expect_ack(client, PACKET_PUBCOMP, 7);
    assert_int_equal(take_mail(MAIL_QOS2_IN).qos2_in.held, 0);
}

static void mail_for_a_connection_that_is_gone_is_dropped(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);

    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    client = connected_client("b"); /* in the same place */
    shard_deliver(&connect, "t", "x", 1, 1, false, false);
    struct mail mail = answer_to(&connect, MAIL_PUBREL_OUT);
    mail.ack.packet_id = 1;
    shard_send(mail);
    mail = answer_to(&connect, MAIL_UNSUBACK);
    mail.subscribe.packet_id = 1;
    shard_send(mail);
    mail = answer_to(&connect, MAIL_SUBACK);
    struct subscribe_request *request = parcel_new(&f.shard.parcels, sizeof *request);
    request->count = 0;
    mail.subscribe.filters = &request->parcel;
    mail.subscribe.packet_id = 1;
    shard_send(mail);
    expect_nothing(client);
    assert_int_equal(counter(COUNTER_MQTT_STALE_MAIL), 4);
    /* Names that are no connection at all. */
    mail = answer_to(&connect, MAIL_KICK);
    mail.conn = 1;
    shard_send(mail);
    mail.conn = UINT32_MAX;
    shard_send(mail);
    expect_open(client);
}

static void while_the_shard_is_busy_acknowledgements_wait(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);
    unsigned sent = 0;

    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_ack(client, PACKET_PUBACK, (uint16_t)++sent);
        turn();
        assert_true(sent < 5000);
    }
    for (unsigned i = 0; i < 100; i++)
        send_ack(client, PACKET_PUBACK, (uint16_t)++sent);
    settle();
    assert_true(client->unread_len > 0);
    f.shard_asleep = false;
    for (unsigned i = 0; i < 50; i++)
        settle();
    assert_int_equal(client->unread_len, 0);
    for (unsigned i = 1; i <= sent; i++)
        assert_int_equal(take_mail(MAIL_ACK).ack.packet_id, i);
}

static void a_connect_waits_while_its_shard_is_busy(void **state) {
    struct mail connect;
    struct peer *noise = persistent_client("a", &connect), *client = new_client();

    f.shard_asleep = true;
    while (counter(COUNTER_MQTT_WAITED) == 0) {
        send_ack(noise, PACKET_PUBACK, 1);
        turn();
    }
    send_connect(client, "b", CONNECT_CLEAN_SESSION | CONNECT_WILL, 0);
    expect_nothing(client);
    assert_true(client->unread_len > 0);
    f.shard_asleep = false;
    for (unsigned i = 0; i < 50; i++)
        settle();
    EXPECT(client, 0x20, 2, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(subscriptions_go_to_the_shard_and_come_back_answered),
        FIXTURE_TEST(a_subscribe_is_answered_though_the_client_has_finished),
        FIXTURE_TEST(an_unsubscribe_behind_a_subscribe_is_answered_after_it),
        FIXTURE_TEST(what_follows_a_subscribe_waits_for_its_answer),
        FIXTURE_TEST(many_codes_come_back_in_the_request),
        PREPARED_TEST(filters_that_the_worker_refuses_are_marked_for_the_shard),
        FIXTURE_TEST(messages_of_the_shard_go_out_as_it_says),
        FIXTURE_TEST(acknowledgements_of_the_client_go_to_the_shard),
        FIXTURE_TEST(incoming_qos2_identifiers_are_mirrored),
        FIXTURE_TEST(identifiers_held_before_a_reconnect_are_still_known),
        FIXTURE_TEST(mail_for_a_connection_that_is_gone_is_dropped),
        FIXTURE_TEST(while_the_shard_is_busy_acknowledgements_wait),
        FIXTURE_TEST(a_connect_waits_while_its_shard_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
