/* SPDX-License-Identifier: Apache-2.0 */
/* CONNECT, CONNACK, keep alive, and the ends of connections. */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

enum { CLEAN = CONNECT_CLEAN_SESSION };

static const uint8_t pingreq[] = {0xc0, 0};

static void take_connect(void) {
    struct mail mail = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, mail.connect.request);
}

static void a_connect_goes_to_its_shard_with_all_it_says(void **state) {
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "dev-1", CLEAN | CONNECT_USERNAME | CONNECT_PASSWORD, 77);
    expect_nothing(client);
    struct mail mail = take_mail(MAIL_CONNECT);
    const struct connect_request *request = (const struct connect_request *)mail.connect.request;
    assert_int_not_equal(mail.conn, 0);
    assert_int_not_equal(mail.generation, 0);
    assert_int_equal(request->keep_alive, 77);
    assert_int_equal(request->level, 4);
    assert_int_equal(request->connect_flags, CLEAN | CONNECT_USERNAME | CONNECT_PASSWORD);
    assert_int_equal(request->client_id_len, 5);
    assert_int_equal(request->username_len, 4);
    assert_int_equal(request->password_len, 4);
    assert_memory_equal(request->bytes, "dev-1userpass", 13);
    assert_int_equal(request->remote_port, 40000);
    assert_int_equal(request->local_port, 1883);
    assert_memory_equal(request->remote + 12, "\x0a\x58\0\1", 4);
    parcel_release(&f.shard.parcels, mail.connect.request);
}

/* MQTT-3.2.0-1, 3.2.2-2, -3 */
static void connack_tells_whether_a_session_was_there(void **state) {
    for (unsigned present = 0; present < 2; present++) {
        struct peer *client = new_client();
        f.verdict.verdict.session_present = (uint8_t)present;
        send_connect(client, "a", 0, 0);
        EXPECT(client, 0x20, 2, (uint8_t)present, 0);
        take_connect();
    }
    assert_int_equal(counter(COUNTER_MQTT_ACCEPTED), 2);
}

static void bytes_after_connect_wait_for_the_verdict(void **state) {
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "a", CLEAN, 0);
    peer_send(f.tcp, client, pingreq, sizeof pingreq);
    peer_send(f.tcp, client, pingreq, sizeof pingreq);
    expect_nothing(client);
    assert_int_equal(client->unread_len, 4);
    struct mail connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect.connect.request);
    shard_send(answer_to(&connect, MAIL_VERDICT));
    EXPECT(client, 0x20, 2, 0, 0, 0xd0, 0, 0xd0, 0);
    assert_int_equal(client->unread_len, 0);
}

static void connect_and_more_in_one_segment_is_taken_piece_by_piece(void **state) {
    struct peer *client = new_client();
    uint8_t packets[200];
    size_t len = make_connect(packets, "a", CLEAN, 0);

    len += make_subscribe(packets + len, 1, "t", 0);
    len += make_publish(packets + len, "t", "x", 1, 0, 0);
    packets[len++] = 0xe0;
    packets[len++] = 0;
    peer_send(f.tcp, client, packets, len);
    peer_fin(f.tcp, client);
    expect(client, "\x20\x02\0\0", 4);
    settle();
    assert_true(client->fin);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), 1);
    take_connect();
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_CLIENT);
}

static void a_connect_may_be_cut_at_every_byte(void **state) {
    uint8_t packet[200];
    uint8_t flags = CLEAN | CONNECT_WILL | CONNECT_USERNAME | CONNECT_PASSWORD;
    size_t len = make_connect(packet, "client", flags, 10);

    for (size_t cut = 1; cut < len; cut++) {
        struct peer *client = new_client();
        peer_send(f.tcp, client, packet, cut);
        settle();
        peer_send(f.tcp, client, packet + cut, len - cut);
        EXPECT(client, 0x20, 2, 0, 0);
        peer_reset(f.tcp, client, TCP_CLOSED_RESET);
        peer_free(client);
        take_connect();
    }
    struct peer *client = new_client();
    for (size_t i = 0; i < len; i++)
        peer_send(f.tcp, client, packet + i, 1);
    EXPECT(client, 0x20, 2, 0, 0);
}

/* MQTT-3.1.0-1 */
static void the_first_packet_is_a_connect(void **state) {
    static const uint8_t first_bytes[] = {0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0};

    for (size_t i = 0; i < sizeof first_bytes; i++) {
        struct peer *client = new_client();
        peer_send(f.tcp, client, &first_bytes[i], 1);
        expect_closed(client);
        assert_int_equal(counter(COUNTER_MQTT_NOT_CONNECT), i + 1);
    }
    assert_int_equal(mails_of(MAIL_CLOSED), 0);
}

/* MQTT-3.1.0-2 */
static void a_second_connect_closes(void **state) {
    struct peer *client = connected_client("a");

    send_connect(client, "a", CLEAN, 0);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_SECOND_CONNECT), 1);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PROTOCOL);
}

/* MQTT-3.1.2-2 */
static void an_unknown_level_is_answered_with_code_1(void **state) {
    struct peer *client = new_client();

    SEND(client, 0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 0, 0, 1, 'a');
    EXPECT(client, 0x20, 2, 0, 1);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_BAD_PROTOCOL_LEVEL), 1);
    assert_int_equal(mails_of(MAIL_CONNECT), 0);
}

/* MQTT-3.1.2-1 */
static void another_protocol_is_closed_without_an_answer(void **state) {
    struct peer *client = new_client();

    SEND(client, 0x10, 13, 0, 4, 'M', 'Q', 'T', 'X', 4, 2, 0, 0, 0, 1, 'a');
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_BAD_PROTOCOL_NAME), 1);
}

/* MQTT-3.1.3-8, -9 */
static void an_empty_client_identifier_needs_a_clean_session(void **state) {
    struct peer *client = new_client();

    send_connect(client, "", 0, 0);
    EXPECT(client, 0x20, 2, 0, 2);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_BAD_CLIENT_ID), 1);
    client = new_client();
    send_connect(client, "", CLEAN, 0); /* MQTT-3.1.3-6: the shard gives it one */
    EXPECT(client, 0x20, 2, 0, 0);
    take_connect();
}

static void a_client_identifier_beyond_the_limit_is_refused(void **state) {
    struct peer *client = new_client();
    char id[66];

    memset(id, 'x', 65);
    id[65] = '\0';
    send_connect(client, id, CLEAN, 0);
    EXPECT(client, 0x20, 2, 0, 2);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_LIMIT_CLIENT_ID), 1);
    client = new_client();
    send_connect(client, id + 1, CLEAN, 0);
    EXPECT(client, 0x20, 2, 0, 0);
    take_connect();
}

/* MQTT-3.2.2-4, -5, 3.1.4-5 */
static void a_refusal_is_told_and_nothing_else_is_handled(void **state) {
    struct peer *client = new_client();
    uint8_t packets[200];
    size_t len = make_connect(packets, "a", CLEAN | CONNECT_WILL, 0);

    len += make_publish(packets + len, "t", "x", 1, 2, 1);
    f.verdict.code = CONNACK_NOT_AUTHORIZED;
    f.verdict.verdict.session_present = 1;
    peer_send(f.tcp, client, packets, len);
    EXPECT(client, 0x20, 2, 0, 5);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_REFUSED), 1);
    assert_int_equal(counter(COUNTER_MQTT_PUBLISH_IN), 0);
    assert_int_equal(counter(COUNTER_MQTT_WILLS), 0);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_REFUSED);
    take_connect();
}

static void a_session_granted_to_a_connection_that_is_gone_is_given_back(void **state) {
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "a", 0, 0);
    settle();
    struct mail connect = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, connect.connect.request);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    settle();
    assert_null(client->conn);
    struct mail closed = take_mail(MAIL_CLOSED);
    assert_int_equal(closed.generation, connect.generation);
    assert_int_equal(closed.session, 0); /* nothing was granted yet */

    struct mail verdict = answer_to(&connect, MAIL_VERDICT);
    verdict.session = 42;
    struct packet_ids *ids = parcel_new(&f.shard.parcels, sizeof *ids + 2);
    ids->count = 1;
    ids->ids[0] = 7;
    verdict.verdict.qos2_in = &ids->parcel;
    shard_send(verdict);
    settle();
    closed = take_mail(MAIL_CLOSED);
    assert_int_equal(closed.conn, connect.conn);
    assert_int_equal(closed.generation, connect.generation);
    assert_int_equal(closed.session, 42);
    assert_int_equal(mails_of(MAIL_CLOSED), 0);

    verdict.verdict.qos2_in = NULL;
    verdict.code = CONNACK_BAD_LOGIN; /* nothing to give back */
    shard_send(verdict);
    settle();
    assert_int_equal(mails_of(MAIL_CLOSED), 0);
}

static void a_verdict_for_an_earlier_connection_in_the_same_place_is_not_taken(void **state) {
    struct peer *client = new_client();

    f.hold_verdicts = true;
    send_connect(client, "a", CLEAN, 0);
    settle();
    struct mail first = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, first.connect.request);
    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    client = new_client();
    send_connect(client, "b", CLEAN, 0);
    settle();
    struct mail second = take_mail(MAIL_CONNECT);
    parcel_release(&f.shard.parcels, second.connect.request);
    assert_int_equal(first.conn, second.conn);
    assert_int_not_equal(first.generation, second.generation);
    assert_int_equal(take_mail(MAIL_CLOSED).session, 0);
    struct mail verdict = answer_to(&first, MAIL_VERDICT);
    verdict.session = 5;
    shard_send(verdict);
    expect_nothing(client);
    struct mail closed = take_mail(MAIL_CLOSED);
    assert_int_equal(closed.generation, first.generation);
    assert_int_equal(closed.session, 5);
    shard_send(answer_to(&second, MAIL_VERDICT));
    EXPECT(client, 0x20, 2, 0, 0);
}

static void without_a_connect_in_time_the_connection_is_closed(void **state) {
    struct peer *silent = new_client(), *slow = new_client(), *good = new_client();

    SEND(silent, 0x10);
    SEND(slow, 0x10, 100, 0, 4);
    send_connect(good, "a", CLEAN, 0);
    wait_ms(4900);
    expect_open(silent);
    SEND(slow, 'M'); /* does not help */
    wait_ms(200);
    expect_closed(silent);
    expect_closed(slow);
    expect_open(good);
    assert_int_equal(counter(COUNTER_MQTT_CONNECT_TIMEOUT), 2);
    take_connect();
}

static void connect_31(struct peer *client, const char *id, uint8_t flags) {
    uint8_t packet[200] = {
        0x10, (uint8_t)(14 + strlen(id)), 0, 6, 'M', 'Q', 'I', 's', 'd', 'p', 3, flags, 0, 0,
        0,    (uint8_t)strlen(id)};

    memcpy(packet + 16, id, strlen(id));
    peer_send(f.tcp, client, packet, 16 + strlen(id));
}

static void mqtt_3_1_clients_are_accepted(void **state) {
    struct peer *client = new_client();

    f.verdict.verdict.session_present = 1;
    connect_31(client, "more than twenty-three characters", 0);
    EXPECT(client, 0x20, 2, 0, 0); /* 3.1 knows no session present */
    struct mail mail = take_mail(MAIL_CONNECT);
    assert_int_equal(((struct connect_request *)mail.connect.request)->level, 3);
    parcel_release(&f.shard.parcels, mail.connect.request);
    client = new_client();
    connect_31(client, "", CLEAN);
    EXPECT(client, 0x20, 2, 0, 2);
    expect_closed(client);
}

static struct peer *client_with_keep_alive(uint16_t seconds) {
    struct peer *client = new_client();

    f.verdict.verdict.keep_alive = seconds;
    send_connect(client, "a", CLEAN, seconds);
    EXPECT(client, 0x20, 2, 0, 0);
    take_connect();
    return client;
}

/* MQTT-3.1.2-24 */
static void silence_for_one_and_a_half_keep_alive_times_closes(void **state) {
    struct peer *client = client_with_keep_alive(10);

    wait_ms(14900);
    expect_open(client);
    peer_send(f.tcp, client, pingreq, sizeof pingreq);
    EXPECT(client, 0xd0, 0); /* MQTT-3.12.4-1 */
    wait_ms(14900);
    expect_open(client);
    wait_ms(200);
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_KEEP_ALIVE_TIMEOUT), 1);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_KEEP_ALIVE);
}

static void a_client_whose_input_waits_is_not_called_silent(void **state) {
    struct peer *client = client_with_keep_alive(10);

    client->silent = true; /* reads nothing, so that its input is held in the end */
    for (unsigned i = 0; i < 5000; i++)
        peer_send(f.tcp, client, pingreq, sizeof pingreq);
    settle();
    assert_true(client->unread_len > 0);
    for (unsigned i = 0; i < 10; i++) {
        wait_ms(5000);
        peer_send(f.tcp, client, pingreq, sizeof pingreq);
    }
    assert_non_null(client->conn);
    assert_int_equal(counter(COUNTER_MQTT_KEEP_ALIVE_TIMEOUT), 0);
}

static void without_keep_alive_tcp_looks_after_the_connection(void **state) {
    struct peer *client = client_with_keep_alive(0);

    assert_true(fake_tcp_keepalive_of(client->conn));
    wait_ms(100000000);
    expect_open(client);
    client = client_with_keep_alive(10);
    assert_false(fake_tcp_keepalive_of(client->conn));
}

static void keep_alive_is_cut_to_the_longest_allowed(void **state) {
    f.config.limits.keep_alive_max = 20;
    fixture_start();
    struct peer *none = client_with_keep_alive(0), *longer = client_with_keep_alive(100);
    wait_ms(29000);
    expect_open(none);
    expect_open(longer);
    wait_ms(1100);
    expect_closed(none);
    expect_closed(longer);
}

static void the_timer_is_not_moved_by_traffic(void **state) {
    struct peer *client = client_with_keep_alive(10);
    uint64_t timer = fake_tcp_timer_of(client->conn);

    assert_true(timer > f.now);
    for (unsigned i = 0; i < 10; i++) {
        wait_ms(1000);
        peer_send(f.tcp, client, pingreq, sizeof pingreq);
        assert_int_equal(fake_tcp_timer_of(client->conn), timer);
    }
    wait_ms(6000); /* it fires, and is set by what was heard last */
    expect(client, "\xd0\0\xd0\0\xd0\0\xd0\0\xd0\0\xd0\0\xd0\0\xd0\0\xd0\0\xd0\0", 20);
    expect_open(client);
    assert_true(fake_tcp_timer_of(client->conn) > timer);
}

/* MQTT-3.14.4-1, -2 */
static void a_disconnect_ends_the_connection(void **state) {
    struct peer *client = connected_client("a");

    send_publish(client, "t", "abc", 0, 0);
    SEND(client, 0xe0, 0, 0xc0, 0); /* what follows is not answered */
    expect_closed(client);
    assert_int_equal(counter(COUNTER_MQTT_CLOSED_CLIENT), 1);
    struct mail closed = take_mail(MAIL_CLOSED);
    assert_int_equal(closed.code, CLOSE_CLIENT);
    assert_int_equal(closed.session, f.sessions);
    assert_int_equal(closed.closed.messages_in, 1);
    assert_int_equal(closed.closed.messages_out, 0);
    assert_int_equal(closed.closed.bytes_in, 15 + 8 + 4);
    assert_int_equal(closed.closed.bytes_out, 4);
}

static void every_accepted_connection_is_told_closed_once(void **state) {
    static const struct {
        enum tcp_close why;
        enum mail_close_reason reason;
    } ends[] = {{TCP_CLOSED_RESET, CLOSE_PEER},
                {TCP_CLOSED_TIMEOUT, CLOSE_TIMEOUT},
                {TCP_CLOSED_RESOURCES, CLOSE_RESOURCES},
                {TCP_CLOSED_ORDERLY, CLOSE_PEER}};

    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct peer *client = connected_client("a");
        peer_reset(f.tcp, client, ends[i].why);
        settle();
        assert_int_equal(take_mail(MAIL_CLOSED).code, ends[i].reason);
        assert_int_equal(mails_of(MAIL_CLOSED), 0);
    }
    struct peer *client = connected_client("a");
    peer_fin(f.tcp, client);
    expect_closed(client);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_PEER);
    assert_int_equal(mails_of(MAIL_CLOSED), 0);
}

/* MQTT-3.1.4-2 */
static void a_kick_closes_and_is_answered_at_once(void **state) {
    struct mail connect;
    struct peer *client = persistent_client("a", &connect);
    struct mail kick = answer_to(&connect, MAIL_KICK);

    client->keeps_fin = true; /* the old connection may be half dead */
    kick.code = CLOSE_TAKEOVER;
    shard_send(kick);
    settle();
    assert_true(client->fin);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_TAKEOVER);
    assert_int_equal(counter(COUNTER_MQTT_CLOSED_TAKEOVER), 1);
    shard_send(kick); /* about one that has ended */
    settle();
    assert_int_equal(counter(COUNTER_MQTT_STALE_MAIL), 1);
    assert_int_equal(mails_of(MAIL_CLOSED), 0);
}

static void a_kick_for_an_earlier_connection_does_nothing(void **state) {
    struct mail old;
    struct peer *client = persistent_client("a", &old);

    peer_reset(f.tcp, client, TCP_CLOSED_RESET);
    client = connected_client("b");
    struct mail kick = answer_to(&old, MAIL_KICK);
    kick.code = CLOSE_TAKEOVER;
    shard_send(kick);
    expect_open(client);
}

static void the_broker_says_goodbye_to_all_clients(void **state) {
    struct peer *connected[40];
    struct mqtt_stats stats;

    for (unsigned i = 0; i < 40; i++)
        connected[i] = connected_client("a");
    connected[7]->keeps_fin = true;
    struct peer *half = new_client();
    SEND(half, 0x10);
    mqtt_mail(f.mqtt, &(struct mail){.type = MAIL_STOP});
    assert_false(mqtt_stopped(f.mqtt));
    settle();
    assert_int_equal(mails_of(MAIL_CLOSED), 40);
    assert_int_equal(take_mail(MAIL_CLOSED).code, CLOSE_SHUTDOWN);
    for (unsigned i = 0; i < 40; i++)
        assert_true(connected[i]->fin);
    assert_true(half->fin);
    assert_false(fake_tcp_accepting(f.tcp));
    mqtt_stats(f.mqtt, &stats);
    assert_int_equal(stats.connections, 1);
    assert_false(mqtt_stopped(f.mqtt));
    wait_ms(1000); /* the one that does not answer */
    assert_true(mqtt_stopped(f.mqtt));
    assert_true(connected[7]->reset);
    assert_false(mqtt_turn(f.mqtt));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_connect_goes_to_its_shard_with_all_it_says),
        FIXTURE_TEST(connack_tells_whether_a_session_was_there),
        FIXTURE_TEST(bytes_after_connect_wait_for_the_verdict),
        FIXTURE_TEST(connect_and_more_in_one_segment_is_taken_piece_by_piece),
        FIXTURE_TEST(a_connect_may_be_cut_at_every_byte),
        FIXTURE_TEST(the_first_packet_is_a_connect),
        FIXTURE_TEST(a_second_connect_closes),
        FIXTURE_TEST(an_unknown_level_is_answered_with_code_1),
        FIXTURE_TEST(another_protocol_is_closed_without_an_answer),
        FIXTURE_TEST(an_empty_client_identifier_needs_a_clean_session),
        FIXTURE_TEST(a_client_identifier_beyond_the_limit_is_refused),
        FIXTURE_TEST(a_refusal_is_told_and_nothing_else_is_handled),
        FIXTURE_TEST(a_session_granted_to_a_connection_that_is_gone_is_given_back),
        FIXTURE_TEST(a_verdict_for_an_earlier_connection_in_the_same_place_is_not_taken),
        FIXTURE_TEST(without_a_connect_in_time_the_connection_is_closed),
        FIXTURE_TEST(mqtt_3_1_clients_are_accepted),
        FIXTURE_TEST(silence_for_one_and_a_half_keep_alive_times_closes),
        FIXTURE_TEST(a_client_whose_input_waits_is_not_called_silent),
        FIXTURE_TEST(without_keep_alive_tcp_looks_after_the_connection),
        PREPARED_TEST(keep_alive_is_cut_to_the_longest_allowed),
        FIXTURE_TEST(the_timer_is_not_moved_by_traffic),
        FIXTURE_TEST(a_disconnect_ends_the_connection),
        FIXTURE_TEST(every_accepted_connection_is_told_closed_once),
        FIXTURE_TEST(a_kick_closes_and_is_answered_at_once),
        FIXTURE_TEST(a_kick_for_an_earlier_connection_does_nothing),
        FIXTURE_TEST(the_broker_says_goodbye_to_all_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
