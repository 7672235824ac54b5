/* SPDX-License-Identifier: Apache-2.0 */
/* MAIL_INSPECT. */
#include "dataplane/mqtt/connection.h"
#include "tests/unit/mqtt/fixture.h"

#include <stdio.h>
#include <stdlib.h>

static void ask(struct inspection *inspection, struct mail about) {
    about.type = MAIL_INSPECT;
    about.inspect.inspection = &inspection->parcel;
    f.inspected.type = 0;
    assert_true(mail_send(f.rooms[ADMIN], WORKER, &about));
    mail_flush(f.rooms[ADMIN]);
    settle();
    assert_int_equal(f.inspected.type, MAIL_INSPECTED);
    assert_ptr_equal(f.inspected.inspect.inspection, inspection);
}

static struct inspection *inspection_of(enum inspection_kind kind, uint32_t room) {
    struct inspection *inspection = parcel_new(&f.shard.parcels, 4096);

    memset((uint8_t *)inspection + sizeof inspection->parcel, 0xee,
           4096 - sizeof inspection->parcel); /* the worker trusts nothing that is not said */
    inspection->kind = (uint8_t)kind;
    inspection->position = 0;
    inspection->room = room;
    inspection->used = 0;
    inspection->topic_len = 0;
    return inspection;
}

/* The MAIL_CONNECT of a clean client. */
static struct peer *client_named(const char *id, struct mail *connect) {
    struct peer *client = new_client();

    send_connect(client, id, CONNECT_CLEAN_SESSION, 0);
    EXPECT(client, 0x20, 2, 0, 0);
    *connect = take_mail(MAIL_CONNECT);
    connect->session = f.sessions;
    parcel_release(&f.shard.parcels, connect->connect.request);
    return client;
}

static void a_client_is_shown_from_the_inside(void **state) {
    struct mail connect;
    struct peer *client = client_named("a", &connect);

    subscribed(client, "t", 1);
    subscribed(client, "u", 1);
    for (uint16_t i = 1; i <= 12; i++)
        send_publish(client, "t", "abc", 2, i);
    settle();
    struct inspection *inspection = inspection_of(INSPECT_CLIENT, 0);
    ask(inspection, answer_to(&connect, MAIL_INSPECT));
    assert_int_equal(inspection->found, 1);
    assert_true(inspection->client.connected);
    assert_true(inspection->client.clean_session);
    assert_int_equal(inspection->client.level, 4);
    assert_int_equal(inspection->client.subscriptions, 2);
    assert_int_equal(inspection->client.inflight, 10);
    assert_int_equal(inspection->client.queued, 2);
    assert_int_equal(inspection->client.messages_in, 12);
    assert_int_equal(inspection->client.messages_out, 10);
    assert_int_equal(inspection->client.remote_port, 40000);
    connect.generation++;
    ask(inspection, answer_to(&connect, MAIL_INSPECT));
    assert_int_equal(inspection->found, 0);
    parcel_release(&f.shard.parcels, inspection);
}

/* Asks until the position is 0; returns how many subscriptions came, and checks them. */
static unsigned list_all(const struct mail *about, uint32_t room, bool *seen) {
    struct inspection *inspection = inspection_of(INSPECT_SUBSCRIPTIONS, room);
    unsigned count = 0, answers = 0;

    do {
        ask(inspection, about != NULL ? answer_to(about, MAIL_INSPECT) : (struct mail){0});
        assert_int_equal(inspection->found, 1);
        assert_true(inspection->used <= inspection->room);
        for (uint32_t at = 0; at < inspection->used;) {
            const struct inspected_subscription *entry =
                (const struct inspected_subscription *)((uint8_t *)inspection->entries + at);
            char text[64] = "";
            memcpy(text, entry->filter, entry->filter_len);
            unsigned number = (unsigned)atoi(text + 1);
            assert_true(number < 100 && !seen[number]);
            seen[number] = true;
            count++;
            at += (uint32_t)(offsetof(struct inspected_subscription, filter) + entry->filter_len +
                             7) /
                  8 * 8;
        }
        assert_true(++answers < 200);
    } while (inspection->position != 0);
    parcel_release(&f.shard.parcels, inspection);
    return count;
}

static void subscriptions_are_listed_in_any_number_of_answers(void **state) {
    static const uint32_t rooms[] = {32, 100, 3000};
    struct mail connects[5];
    struct peer *client[5];
    unsigned number = 0;

    for (unsigned i = 0; i < 5; i++) {
        client[i] = client_named("a", &connects[i]);
        for (unsigned j = 0; j < i * 4; j++) {
            char filter[16];
            sprintf(filter, "f%u", number++);
            subscribed(client[i], filter, 1);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        bool seen[100] = {false};
        assert_int_equal(list_all(NULL, rooms[i], seen), 40);
        bool of_one[100] = {false};
        assert_int_equal(list_all(&connects[4], rooms[i], of_one), 16);
        bool of_none[100] = {false};
        assert_int_equal(list_all(&connects[0], rooms[i], of_none), 0);
    }
}

static void matches_of_a_topic_are_listed(void **state) {
    struct mail connect;
    struct peer *client = client_named("a", &connect);
    uint32_t got = 0;

    subscribed(client, "a/b", 1);
    subscribed(client, "a/+", 2);
    subscribed(client, "#", 0);
    subscribed(client, "c", 0);
    struct inspection *inspection = inspection_of(INSPECT_MATCH, 50); /* two at a time */
    do {
        memcpy(inspection->entries, "a/b", 3);
        inspection->topic_len = 3;
        ask(inspection, (struct mail){0});
        for (uint32_t at = 0; at < inspection->used; at += 24) {
            const struct inspected_subscription *entry =
                (const struct inspected_subscription *)((uint8_t *)inspection->entries + at);
            assert_int_equal(entry->conn, connect.conn);
            assert_int_equal(entry->generation, connect.generation);
            assert_int_equal(entry->session, connect.session);
            assert_int_equal(entry->shard, 0);
            assert_int_not_equal(entry->filter[0], 'c');
            got++;
        }
    } while (inspection->position != 0);
    assert_int_equal(got, 3);
    memcpy(inspection->entries, "a/#", 3); /* no topic name */
    ask(inspection, (struct mail){0});
    assert_int_equal(inspection->used, 0);
    parcel_release(&f.shard.parcels, inspection);
}

/* Asks for the trace of a name, or of the connection that a mail named: its number in the fake TCP,
 * -1: none. */
static int trace_of(const char *id, const struct mail *about) {
    static const uint8_t key[16];
    enum { ROOM = sizeof(struct tcp_trace) + 2 * sizeof(struct tcp_trace_record) };
    struct inspection *inspection = inspection_of(INSPECT_TRACE, ROOM);

    inspection->name = client_name((const uint8_t *)id, strlen(id), key);
    ask(inspection, about != NULL ? answer_to(about, MAIL_INSPECT) : (struct mail){0});
    assert_int_equal(inspection->found, 1);
    const struct tcp_trace *trace = (const struct tcp_trace *)inspection->entries;
    int number = -1;
    if (inspection->used > 0) {
        assert_int_equal(trace->count, 1);
        assert_int_equal(inspection->used, sizeof *trace + sizeof *trace->records);
        number = (int)trace->records[0].a;
    } else {
        assert_int_equal(inspection->position, 0);
    }
    parcel_release(&f.shard.parcels, inspection);
    return number;
}

static void a_trace_is_found_by_client_identifier_or_by_connection(void **state) {
    struct mail one, two;

    client_named("one", &one);
    client_named("two", &two);
    int first = trace_of("one", NULL), second = trace_of("two", NULL);
    assert_true(first >= 0);
    assert_int_equal(second, first + 1);
    assert_int_equal(trace_of("three", NULL), -1);
    assert_int_equal(trace_of("three", &two), second);
    two.generation++; /* another connection by now */
    assert_int_equal(trace_of("three", &two), -1);
}

static void a_trace_without_room_is_none(void **state) {
    struct mail one;

    client_named("one", &one);
    struct inspection *inspection = inspection_of(INSPECT_TRACE, sizeof(struct tcp_trace) - 1);
    ask(inspection, answer_to(&one, MAIL_INSPECT));
    assert_int_equal(inspection->used, 0);
    assert_int_equal(inspection->position, 0);
    parcel_release(&f.shard.parcels, inspection);
}

static void bytes_are_counted_beyond_four_gibibytes(void **state) {
    struct mail connect;
    struct peer *client = client_named("a", &connect);

    subscribed(client, "t", 0);
    send_publish(client, "t", "abc", 0, 0);
    settle();
    struct connection *connection = tcp_conn_app(client->conn);
    connection->bytes_in = UINT32_MAX - 1;
    connection->bytes_out = UINT32_MAX - 2;
    send_publish(client, "t", "abc", 0, 0);
    settle();
    struct inspection *inspection = inspection_of(INSPECT_CLIENT, 0);
    ask(inspection, answer_to(&connect, MAIL_INSPECT));
    assert_int_equal(inspection->client.messages_in, 2);
    assert_int_equal(inspection->client.messages_out, 2);
    assert_int_equal(inspection->client.bytes_in, UINT64_C(0xfffffffe) + 8);
    assert_int_equal(inspection->client.bytes_out, UINT64_C(0xfffffffd) + 8);
    /* What is not taken after all is counted back. */
    connection_count_in(f.mqtt, connection, 100);
    connection_count_in(f.mqtt, connection, -107);
    assert_int_equal(connection_bytes_in(f.mqtt, connection), UINT64_C(0xffffffff));
    parcel_release(&f.shard.parcels, inspection);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_client_is_shown_from_the_inside),
        FIXTURE_TEST(subscriptions_are_listed_in_any_number_of_answers),
        FIXTURE_TEST(matches_of_a_topic_are_listed),
        FIXTURE_TEST(a_trace_is_found_by_client_identifier_or_by_connection),
        FIXTURE_TEST(a_trace_without_room_is_none),
        FIXTURE_TEST(bytes_are_counted_beyond_four_gibibytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
