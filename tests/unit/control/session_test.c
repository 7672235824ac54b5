/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/sessions/session.h"
#include "world.h"

enum { PUBACK = 4, PUBREC = 5, PUBREL = 6, PUBCOMP = 7 };

static struct world world;

static struct client_view view_of(const char *id) {
    struct client_view view = {0};
    if (!shard_client(world.shard[0], (const uint8_t *)id, strlen(id), &view))
        view.session = 0;
    return view;
}

static void publish(const char *topic, const char *payload, uint8_t qos) {
    world_publish(&world, 0, topic, payload, qos, MAIL_PUBLISH_MATCH);
}

static struct client_at persistent(unsigned worker, bool *present) {
    return world_connect(&world, worker, "dev", PERSISTENT, present);
}

static void a_message_is_delivered_and_acknowledged(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(1, NULL);
    world_subscribe(&world, &client, "a/+", 1, 1);
    publish("a/b", "hello", 2);
    uint16_t id = world_delivered(&world, &client, "hello", 1, false);
    assert_int_not_equal(id, 0);
    assert_int_equal(view_of("dev").inflight, 1);
    world_ack(&world, &client, PUBACK, id);
    assert_int_equal(view_of("dev").inflight, 0);
    publish("a/b", "often", 0);
    assert_int_equal(world_delivered(&world, &client, "often", 0, false), 0);
    publish("a", "not subscribed", 1);
    assert_int_equal(desk_has(&world.workers[1], MAIL_DELIVER), 0);
}

struct listed {
    unsigned clients, subscriptions;
};

static bool list_client(void *argument, const struct client_view *client) {
    struct listed *listed = argument;
    listed->clients++;
    listed->subscriptions += client->subscriptions;
    return true;
}

static void a_list_counts_a_subscription_once_however_often_it_is_renewed(void **state) {
    world_open(&world, 1);
    for (unsigned i = 0; i < 5; i++) {
        struct client_at client = persistent(0, NULL);
        world_subscribe(&world, &client, "t/1", 1, 1);
        world_subscribe(&world, &client, "t/2", 1, 1);
        struct listed listed = {0};
        uint32_t position = 0;
        shard_clients(world.shard[0], &position, 100, list_client, &listed);
        assert_int_equal(listed.clients, 1);
        assert_int_equal(listed.subscriptions, 2);
        assert_int_equal(position, 0);
        world_disconnect(&world, &client);
    }
}

static void a_list_takes_a_rest_after_many_subscriptions(void **state) {
    world_open(&world, 1);
    struct client_at first = world_connect(&world, 0, "one", PERSISTENT, NULL);
    struct client_at second = world_connect(&world, 0, "two", PERSISTENT, NULL);
    for (char topic[] = "t/0"; topic[2] < '9'; topic[2]++) {
        world_subscribe(&world, &first, topic, 1, 1);
        world_subscribe(&world, &second, topic, 1, 1);
    }
    struct listed listed = {0};
    uint32_t position = 0;
    shard_clients(world.shard[0], &position, 5, list_client, &listed);
    assert_int_equal(listed.clients, 1);
    shard_clients(world.shard[0], &position, 5, list_client, &listed);
    assert_int_equal(listed.clients, 2);
    assert_int_equal(listed.subscriptions, 18);
    shard_clients(world.shard[0], &position, 5, list_client, &listed);
    assert_int_equal(position, 0);
}

static void messages_wait_for_an_absent_client_and_come_in_order(void **state) {
    bool present;
    world.config->mqtt.inflight = 2;
    world_open(&world, 1);
    struct client_at client = persistent(0, &present);
    assert_false(present);
    world_subscribe(&world, &client, "t", 2, 2);
    publish("t", "1", 1);
    publish("t", "2", 2);
    publish("t", "3", 1);
    uint16_t first = world_delivered(&world, &client, "1", 1, false);
    uint16_t second = world_delivered(&world, &client, "2", 2, false);
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
    world_disconnect(&world, &client);
    assert_false(view_of("dev").connected);
    publish("t", "4", 1);
    publish("t", "qos 0 is not kept", 0);
    assert_int_equal(view_of("dev").inflight, 2);
    assert_int_equal(view_of("dev").queued, 2);
    assert_int_equal(COUNT_OF(&world, QOS0_OFFLINE), 1);

    client = persistent(1, &present); /* another worker */
    assert_true(present);
    assert_int_equal(world_delivered(&world, &client, "1", 1, true), first);
    assert_int_equal(world_delivered(&world, &client, "2", 2, true), second);
    world_ack(&world, &client, PUBACK, first);
    uint16_t third = world_delivered(&world, &client, "3", 1, false);
    world_ack(&world, &client, PUBACK, third);
    world_delivered(&world, &client, "4", 1, false);
}

static void the_verdict_comes_before_what_is_replayed(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    world_disconnect(&world, &client);
    publish("t", "kept", 1);
    client = world_ask(&world, 0, "dev", PERSISTENT);
    unsigned before = world.workers[0].count;
    world_settle(&world);
    assert_int_equal(world.workers[0].mails[before].type, MAIL_VERDICT);
    assert_int_equal(world.workers[0].mails[before + 1].type, MAIL_DELIVER);
}

static void qos_2_goes_on_where_it_was_on_the_next_connection(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 2, 2);
    publish("t", "one", 2);
    publish("t", "two", 2);
    uint16_t one = world_delivered(&world, &client, "one", 2, false);
    uint16_t two = world_delivered(&world, &client, "two", 2, false);
    world_ack(&world, &client, PUBREC, one);
    struct mail pubrel = desk_take(&world.workers[0], MAIL_PUBREL_OUT);
    assert_int_equal(pubrel.ack.packet_id, one);
    assert_int_equal(pubrel.ack.packet, PUBREL);
    world_disconnect(&world, &client);

    client = persistent(0, NULL);
    assert_int_equal(desk_take(&world.workers[0], MAIL_PUBREL_OUT).ack.packet_id, one);
    assert_int_equal(world_delivered(&world, &client, "two", 2, true), two);
    world_ack(&world, &client, PUBCOMP, one);
    world_ack(&world, &client, PUBREC, two);
    assert_int_equal(desk_take(&world.workers[0], MAIL_PUBREL_OUT).ack.packet_id, two);
    world_ack(&world, &client, PUBCOMP, two);
    assert_int_equal(view_of("dev").inflight, 0);
    world_ack(&world, &client, PUBCOMP, two);
    assert_int_equal(COUNT_OF(&world, ACK_UNKNOWN), 1);
    assert_int_equal(desk_has(&world.workers[0], MAIL_KICK), 0);
    world_ack(&world, &client, PUBREC, 77); /* the client is let go */
    assert_int_equal(desk_take(&world.workers[0], MAIL_PUBREL_OUT).ack.packet_id, 77);
    assert_int_equal(COUNT_OF(&world, ACK_UNKNOWN), 2);
}

/* MQTT-4.8.0-1 */
static void an_acknowledgement_of_the_wrong_type_closes_and_changes_nothing(void **state) {
    static const struct {
        uint8_t qos, first, wrong; /* first: 0 none */
    } cases[] = {
        {1, 0, PUBREC}, {1, 0, PUBCOMP}, {2, 0, PUBACK}, {2, 0, PUBCOMP}, {2, PUBREC, PUBACK}};
    bool present;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 2, 2);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        publish("t", "m", cases[i].qos);
        uint16_t id = world_delivered(&world, &client, "m", cases[i].qos, false);
        if (cases[i].first) {
            world_ack(&world, &client, cases[i].first, id);
            desk_take(&world.workers[0], MAIL_PUBREL_OUT);
        }
        world_ack(&world, &client, cases[i].wrong, id);
        struct mail kick = desk_take(&world.workers[0], MAIL_KICK);
        assert_int_equal(kick.code, CLOSE_PROTOCOL);
        assert_int_equal(kick.conn, client.conn);
        world_ack(&world, &client, cases[i].wrong, id); /* was on its way */
        assert_int_equal(desk_has(&world.workers[0], MAIL_KICK), 0);
        assert_int_equal(COUNT_OF(&world, WRONG_ACK), i + 1);
        assert_int_equal(view_of("dev").inflight, 1);
        world_disconnect(&world, &client);
        client = persistent(0, &present);
        assert_true(present);
        if (cases[i].first)
            assert_int_equal(desk_take(&world.workers[0], MAIL_PUBREL_OUT).ack.packet_id, id);
        else
            assert_int_equal(world_delivered(&world, &client, "m", cases[i].qos, true), id);
        if (cases[i].qos == 2) {
            world_ack(&world, &client, PUBREC, id);
            desk_take(&world.workers[0], MAIL_PUBREL_OUT);
        }
        world_ack(&world, &client, cases[i].qos == 2 ? PUBCOMP : PUBACK, id);
        assert_int_equal(view_of("dev").inflight, 0);
    }
    assert_int_equal(COUNT_OF(&world, ACK_UNKNOWN), 0);
}

static void qos2_in(const struct client_at *client, uint16_t id, uint8_t held) {
    world_send(&world, client,
               (struct mail){.type = MAIL_QOS2_IN, .qos2_in = {.packet_id = id, .held = held}});
    world_settle(&world);
}

static void incoming_qos_2_identifiers_are_told_to_the_next_worker(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    qos2_in(&client, 7, 1);
    qos2_in(&client, 5, 1);
    qos2_in(&client, 6, 1);
    qos2_in(&client, 7, 0);
    assert_int_equal(view_of("dev").qos2_received, 2);
    world_disconnect(&world, &client);
    world_ask(&world, 1, "dev", PERSISTENT);
    world_settle(&world);
    struct mail verdict = desk_take(&world.workers[1], MAIL_VERDICT);
    struct packet_ids *ids = (struct packet_ids *)verdict.verdict.qos2_in;
    assert_int_equal(ids->count, 2);
    assert_int_equal(ids->ids[0], 5);
    assert_int_equal(ids->ids[1], 6);
    parcel_release(&world.workers[1].parcels, ids);
}

static void a_clean_connect_discards_the_session(void **state) {
    bool present;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    world_disconnect(&world, &client);
    publish("t", "lost", 1);
    client = world_connect(&world, 0, "dev", CLEAN, &present);
    assert_false(present);
    publish("t", "lost too", 1);
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
    assert_int_equal(shard_gauges(world.shard[0])->persistent_sessions, 0);
    assert_int_equal(shard_gauges(world.shard[0])->subscriptions, 0);
    assert_int_equal(shard_gauges(world.shard[0])->queued, 0);
    world_disconnect(&world, &client);
    persistent(0, &present);
    assert_false(present);
}

static void a_takeover_loses_and_repeats_nothing_that_is_acknowledged(void **state) {
    world_open(&world, 1);
    struct client_at old = persistent(0, NULL);
    world_subscribe(&world, &old, "t", 1, 1);
    publish("t", "1", 1);
    publish("t", "2", 1);
    uint16_t first = world_delivered(&world, &old, "1", 1, false);
    uint16_t second = world_delivered(&world, &old, "2", 1, false);
    struct client_at new = world_ask(&world, 1, "dev", PERSISTENT);
    world_settle(&world);
    publish("t", "3", 1); /* while the old connection is closing */
    world_ack(&world, &old, PUBACK, first);
    world_disconnect(&world, &old);
    struct mail verdict = desk_take(&world.workers[1], MAIL_VERDICT);
    assert_int_equal(verdict.verdict.session_present, 1);
    new.session = verdict.session;
    assert_int_equal(world_delivered(&world, &new, "2", 1, true), second);
    world_delivered(&world, &new, "3", 1, false);
    assert_int_equal(desk_has(&world.workers[1], MAIL_DELIVER), 0);
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
}

static void an_absent_session_expires(void **state) {
    bool present;
    world.config->mqtt.session_expiry = 60;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    world.now += 100000000; /* it is connected */
    world_settle(&world);
    world_disconnect(&world, &client);
    world.now += 59000000;
    world_settle(&world);
    assert_int_not_equal(view_of("dev").session, 0);
    client = persistent(0, &present);
    assert_true(present);
    world_disconnect(&world, &client);
    world.now += 59000000;
    world_settle(&world);
    assert_int_not_equal(view_of("dev").session, 0);
    world.now += 1000000 + (2 << SESSION_TICK_SHIFT);
    world_settle(&world);
    assert_int_equal(view_of("dev").session, 0);
    assert_int_equal(COUNT_OF(&world, SESSIONS_EXPIRED), 1);
    assert_int_equal(shard_gauges(world.shard[0])->clients, 0);
    persistent(0, &present);
    assert_false(present);
}

static void a_full_queue_drops_and_counts(void **state) {
    world.config->mqtt.queued = 3;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    world_disconnect(&world, &client);
    for (unsigned i = 0; i < 5; i++) {
        char payload[2] = {(char)('0' + i)};
        publish("t", payload, 1);
    }
    assert_int_equal(view_of("dev").queued, 3);
    assert_int_equal(view_of("dev").dropped, 2);
    assert_int_equal(COUNT_OF(&world, QUEUE_FULL), 2);
    client = persistent(0, NULL);
    world_delivered(&world, &client, "0", 1, false);
    world_delivered(&world, &client, "1", 1, false);
    world_delivered(&world, &client, "2", 1, false);
}

static void a_queue_is_bounded_in_bytes_too(void **state) {
    world.config->mqtt.queued_bytes = 1024;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    world_disconnect(&world, &client);
    char payload[501] = {0};
    memset(payload, 'x', 500);
    for (unsigned i = 0; i < 4; i++)
        publish("t", payload, 1);
    assert_int_equal(view_of("dev").queued, 2);
    assert_int_equal(COUNT_OF(&world, QUEUE_FULL_BYTES), 2);
}

static void one_copy_serves_all_sessions_of_a_shard(void **state) {
    static const char *const ids[] = {"a", "b", "c", "d"};
    world_open(&world, 1);
    for (unsigned i = 0; i < 4; i++) {
        struct client_at client = world_connect(&world, 0, ids[i], PERSISTENT, NULL);
        world_subscribe(&world, &client, "t", 1, 1);
        world_disconnect(&world, &client);
    }
    uint64_t before = arena_used(world.shard[0]->arena);
    static char payload[1 << 20];
    memset(payload, 'x', sizeof payload - 1);
    publish("t", payload, 1);
    assert_int_equal(shard_gauges(world.shard[0])->queued, 4);
    assert_true(arena_used(world.shard[0]->arena) - before < 3 << 20); /* spans are powers of two */
    assert_int_equal(pool_in_use(&world.workers[0].pool), 0); /* the worker has its own back */
}

static void acknowledgements_of_an_earlier_connection_are_ignored(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    publish("t", "x", 1);
    uint16_t id = world_delivered(&world, &client, "x", 1, false);
    struct client_at old = client;
    world_disconnect(&world, &client);
    client = persistent(0, NULL);
    world_delivered(&world, &client, "x", 1, true);
    world_ack(&world, &old, PUBACK, id);
    assert_int_equal(view_of("dev").inflight, 1);
    qos2_in(&old, 3, 1);
    assert_int_equal(view_of("dev").qos2_received, 0);
    assert_int_equal(COUNT_OF(&world, STALE_MAIL), 2);
}

static struct mail subscribe_many(const struct client_at *client, unsigned count,
                                  const char *const *filters) {
    struct subscribe_request *request = world_request(&world, client, count, filters, 1);
    world_send(&world, client,
               (struct mail){.type = MAIL_SUBSCRIBE,
                             .subscribe = {.filters = &request->parcel, .packet_id = 5}});
    world_settle(&world);
    return desk_take(&world.workers[client->worker], MAIL_SUBACK);
}

static void many_return_codes_come_back_in_the_request(void **state) {
    static char names[50][8];
    const char *filters[50];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(names[i], sizeof names[i], "f/%u", i);
        filters[i] = names[i];
    }
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    struct mail suback = subscribe_many(&client, 50, filters);
    assert_int_equal(suback.subscribe.count, 50);
    struct subscribe_request *request = (struct subscribe_request *)suback.subscribe.filters;
    assert_non_null(request);
    const uint8_t *at = request->bytes;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(at[0], 1);
        at += 3 + load_be16(at + 1);
    }
    parcel_release(&world.workers[0].parcels, request);
    suback = subscribe_many(&client, 32, filters);
    assert_int_equal(suback.subscribe.count, 32);
    assert_null(suback.subscribe.filters);
    assert_int_equal(view_of("dev").subscriptions, 50);
}

static void more_subscriptions_than_allowed_are_refused_and_old_ones_renewed(void **state) {
    static const char *const filters[] = {"a", "b", "c", "a", "d", "b"};
    world.config->mqtt.subscriptions = 3;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    struct mail suback = subscribe_many(&client, 6, filters);
    static const uint8_t codes[] = {1, 1, 1, 1, 0x80, 1};
    assert_memory_equal(suback.subscribe.codes, codes, 6);
    world_subscribe(&world, &client, "e", 0, 0x80);
    world_subscribe(&world, &client, "a", 0, 0);
    assert_int_equal(view_of("dev").subscriptions, 3);
    assert_int_equal(COUNT_OF(&world, SUBSCRIPTIONS_LIMIT), 2);
}

static void what_the_worker_refused_is_only_reported(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "", 0x80, 0x80);
    assert_int_equal(view_of("dev").subscriptions, 0);
}

static void unsubscribing_ends_delivery(void **state) {
    static const char *const filters[] = {"a", "nothing"};
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "a", 1, 1);
    world_subscribe(&world, &client, "b", 1, 1);
    struct subscribe_request *request = world_request(&world, &client, 2, filters, 0);
    world_send(&world, &client,
               (struct mail){.type = MAIL_UNSUBSCRIBE,
                             .subscribe = {.filters = &request->parcel, .packet_id = 9}});
    world_settle(&world);
    assert_int_equal(desk_take(&world.workers[0], MAIL_UNSUBACK).subscribe.packet_id, 9);
    publish("a", "x", 1);
    assert_int_equal(desk_has(&world.workers[0], MAIL_DELIVER), 0);
    publish("b", "y", 1);
    world_delivered(&world, &client, "y", 1, false);
}

static bool list_one(void *argument, uint32_t session, const struct filter *filter) {
    ++*(unsigned *)argument;
    return true;
}

static void match_one(void *argument, uint32_t session, const struct filter *filter) {
    *(unsigned *)argument += session;
}

static void subscriptions_are_listed_and_matched(void **state) {
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "a/+", 1, 1);
    world_subscribe(&world, &client, "b", 2, 2);
    struct client_at other = world_connect(&world, 1, "other", PERSISTENT, NULL);
    world_subscribe(&world, &other, "a/#", 0, 0);
    world_connect(&world, 1, "clean", CLEAN, NULL);
    unsigned count = 0;
    uint32_t position = 0;
    shard_subscriptions(world.shard[0], client.session, &position, 100, list_one, &count);
    assert_int_equal(count, 2);
    assert_int_equal(position, 0);
    do {
        shard_subscriptions(world.shard[0], 0, &position, 1, list_one, &count);
    } while (position != 0);
    assert_int_equal(count, 2 + 3);
    count = 0;
    shard_match(world.shard[0], (const uint8_t *)"a/x", 3, match_one, &count);
    assert_int_equal(count, client.session + other.session);
}

enum { READERS = 50, BURST = 200 };

/* From worker 1, all before the shard has a turn: "0", "1", ... at QoS 0, and every `qos1_every`th
 * at QoS 1. */
static void burst(unsigned count, unsigned qos1_every) {
    struct desk *desk = &world.workers[1];
    for (unsigned i = 0; i < count; i++) {
        char text[12];
        snprintf(text, sizeof text, "%u", i);
        struct mail mail = {
            .type = MAIL_PUBLISH,
            .flags = MAIL_PUBLISH_MATCH,
            .publish = {.message =
                            desk_message(desk, "t", text, qos1_every != 0 && i % qos1_every == 0),
                        .epoch = routes_epoch(world.registry.routes)}};
        assert_true(mail_send(desk->mailroom, FIRST_SHARD, &mail));
    }
    mail_flush(desk->mailroom);
}

static unsigned number_of(const struct mail *mail) {
    const struct message *message = mail->deliver.message;
    char text[8] = "";
    memcpy(text, message_payload(message), message->payload_len);
    return (unsigned)strtoul(text, NULL, 10);
}

static void a_burst_of_qos_0_comes_whole_to_all_that_read(void **state) {
    static struct client_at clients[READERS];
    unsigned next[READERS] = {0};
    world_open(&world, 1);
    for (unsigned i = 0; i < READERS; i++) {
        char id[8];
        snprintf(id, sizeof id, "r%u", i);
        clients[i] = world_connect(&world, 0, id, PERSISTENT, NULL);
        world_subscribe(&world, &clients[i], "t", 0, 0);
    }
    burst(BURST, 0);
    world_settle(&world);
    struct desk *desk = &world.workers[0];
    for (unsigned i = 0; i < desk->count; i++) {
        if (desk->mails[i].type != MAIL_DELIVER)
            continue;
        unsigned reader = 0;
        while (clients[reader].conn != desk->mails[i].conn)
            reader++;
        assert_int_equal(number_of(&desk->mails[i]), next[reader]++);
    }
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(next[i], BURST);
    assert_int_equal(COUNT_OF(&world, QOS0_BUSY), 0);
}

static void qos_0_does_not_overtake_qos_1_that_waits(void **state) {
    world.config->mqtt.inflight = 2;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    burst(40, 4);
    world_settle(&world);
    for (unsigned i = 0; i < 40; i++) {
        struct mail mail = desk_take(&world.workers[0], MAIL_DELIVER);
        assert_int_equal(number_of(&mail), i);
        parcel_release(&world.workers[0].parcels, mail.deliver.message);
        if (mail.deliver.qos == 1)
            world_ack(&world, &client, PUBACK, mail.deliver.packet_id);
    }
    assert_int_equal(view_of("dev").queued, 0);
}

static void qos_0_that_waits_is_bounded_and_ends_with_the_connection(void **state) {
    world.config->mqtt.inflight = 1;
    world.config->mqtt.queued = 10;
    world_open(&world, 1);
    struct client_at client = persistent(0, NULL);
    world_subscribe(&world, &client, "t", 1, 1);
    publish("t", "first", 1);
    publish("t", "second", 1);
    for (unsigned i = 0; i < 12; i++)
        publish("t", "zero", 0);
    assert_int_equal(view_of("dev").queued, 10);
    assert_int_equal(COUNT_OF(&world, QUEUE_FULL), 3);
    world_disconnect(&world, &client);
    assert_int_equal(COUNT_OF(&world, QOS0_OFFLINE), 9);
    assert_int_equal(view_of("dev").queued, 1);
    assert_int_equal(shard_gauges(world.shard[0])->queued, 1);
}

static int set_up(void **state) {
    world_prepare(&world);
    return 0;
}

static int tear_down(void **state) {
    world_close(&world);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_delivered_and_acknowledged),
        TEST(a_list_counts_a_subscription_once_however_often_it_is_renewed),
        TEST(a_list_takes_a_rest_after_many_subscriptions),
        TEST(messages_wait_for_an_absent_client_and_come_in_order),
        TEST(the_verdict_comes_before_what_is_replayed),
        TEST(qos_2_goes_on_where_it_was_on_the_next_connection),
        TEST(an_acknowledgement_of_the_wrong_type_closes_and_changes_nothing),
        TEST(incoming_qos_2_identifiers_are_told_to_the_next_worker),
        TEST(a_clean_connect_discards_the_session),
        TEST(a_takeover_loses_and_repeats_nothing_that_is_acknowledged),
        TEST(a_burst_of_qos_0_comes_whole_to_all_that_read),
        TEST(qos_0_does_not_overtake_qos_1_that_waits),
        TEST(qos_0_that_waits_is_bounded_and_ends_with_the_connection),
        TEST(an_absent_session_expires),
        TEST(a_full_queue_drops_and_counts),
        TEST(a_queue_is_bounded_in_bytes_too),
        TEST(one_copy_serves_all_sessions_of_a_shard),
        TEST(acknowledgements_of_an_earlier_connection_are_ignored),
        TEST(many_return_codes_come_back_in_the_request),
        TEST(more_subscriptions_than_allowed_are_refused_and_old_ones_renewed),
        TEST(what_the_worker_refused_is_only_reported),
        TEST(unsubscribing_ends_delivery),
        TEST(subscriptions_are_listed_and_matched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
