/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/mqtt/fixture.h"

#include <stdlib.h>

struct fixture f;
struct peer clients[CLIENTS_MAX];

enum { MAIL_SLOTS = 256, ROUNDS = 12 };

size_t fixture_memory = 16 << 20;

int fixture_prepare(void **state) {
    static const uint8_t key[16] = "test of mqtt    ";

    memset(&f, 0, sizeof f);
    memory_open(&f.worker, fixture_memory, WORKER);
    memory_open(&f.shard, fixture_memory, SHARD);
    topic_hash_set_key(key);
    f.config = (struct mqtt_config){.limits = {.packet_size = 65536,
                                               .topic_length = 256,
                                               .topic_levels = 16,
                                               .client_id_length = 64,
                                               .subscriptions = 100,
                                               .filters = 4096,
                                               .inflight = 10,
                                               .queued = 20,
                                               .queued_bytes = 100000,
                                               .send_queue_bytes = 20000,
                                               .qos2_received = 20,
                                               .partial_bytes = 4 << 20,
                                               .connect_timeout_ms = 5000,
                                               .packet_timeout_ms = 8000},
                                    .self = WORKER,
                                    .first_shard = SHARD,
                                    .shards = 1};
    f.router_limits = (struct router_limits){
        .topic_levels = 16, .visits = 10000, .fanout_slice = 64, .retained_batch = 4};
    f.now = 1000000;
    return 0;
}

void fixture_start(void) {
    f.mailboxes = mailboxes_create(THREADS, MAIL_SLOTS);
    f.rooms[WORKER] = mailroom_create(f.mailboxes, WORKER, &f.worker.pool);
    f.rooms[SHARD] = mailroom_create(f.mailboxes, SHARD, &f.shard.pool);
    f.rooms[ADMIN] = mailroom_create(f.mailboxes, ADMIN, &f.shard.pool);
    f.worker.parcels.mailroom = f.rooms[WORKER];
    f.shard.parcels.mailroom = f.rooms[SHARD];
    f.routes = routes_create(THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        routes_online(f.routes, i);
    f.mqtt = mqtt_create(&f.config, &f.worker.parcels, f.rooms[WORKER], &f.counters);
    f.tcp = fake_tcp_create(&f.worker.pool, mqtt_tcp_app(f.mqtt));
    f.router = router_create(&f.worker.parcels, f.rooms[WORKER], f.routes, SHARD, 1,
                             &f.router_limits, mqtt_router_owner(f.mqtt), &f.counters);
    mqtt_attach(f.mqtt, f.tcp, f.router);
    turn();
}

int fixture_open(void **state) {
    fixture_prepare(state);
    fixture_start();
    return 0;
}

void forget_mails(void) {
    for (unsigned i = 0; i < f.mails_count; i++) {
        struct mail *mail = &f.mails[i];
        void *parcel = NULL;

        if (mail->type == MAIL_CONNECT)
            parcel = mail->connect.request;
        else if (mail->type == MAIL_SUBSCRIBE || mail->type == MAIL_UNSUBSCRIBE)
            parcel = mail->subscribe.filters;
        else if (mail->type == MAIL_PUBLISH)
            parcel = mail->publish.message;
        if (parcel != NULL)
            parcel_release(&f.shard.parcels, parcel);
    }
    f.mails_count = 0;
}

int fixture_close(void **state) {
    arena_fail_after(f.worker.arena, 0);
    f.shard_asleep = false;
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        peer_reset(f.tcp, &clients[i], TCP_CLOSED_RESET);
        peer_free(&clients[i]);
    }
    settle();
    forget_mails();
    settle();
    forget_mails();
    struct mqtt_stats stats;
    mqtt_stats(f.mqtt, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.connected, 0);
    assert_int_equal(stats.clean_sessions, 0);
    assert_int_equal(stats.session_bytes, 0);
    assert_int_equal(stats.partial_bytes, 0);
    assert_int_equal(stats.send_queue_bytes, 0);
    router_destroy(f.router);
    for (unsigned i = 0; i < THREADS; i++)
        mailroom_destroy(f.rooms[i]);
    assert_int_equal(memory_objects(&f.worker), 0);
    assert_int_equal(memory_objects(&f.shard), 0);
    fake_tcp_destroy(f.tcp);
    mqtt_destroy(f.mqtt);
    routes_destroy(f.routes);
    mailboxes_destroy(f.mailboxes);
    memory_close(&f.worker);
    memory_close(&f.shard);
    return 0;
}

static void worker_mail(const struct mail *mail) {
    switch (mail->type) {
    case MAIL_RELEASE:
        for (unsigned i = 0; i < 6 && mail->release.parcels[i] != NULL; i++)
            parcel_came_home(&f.worker.parcels, mail->release.parcels[i]);
        break;
    case MAIL_PUBLISH:
    case MAIL_ROUTE_CHANGED:
    case MAIL_RETAINED:
    case MAIL_RETAINED_END:
        router_mail(f.router, mail);
        break;
    default:
        mqtt_mail(f.mqtt, mail);
    }
}

static void worker_turn(void) {
    struct mail mails[64];

    mqtt_begin(f.mqtt, f.now, f.now + 1000);
    fake_tcp_begin(f.tcp, f.now);
    router_begin(f.router);
    unsigned n = mail_receive(f.rooms[WORKER], mails, 64);
    for (unsigned i = 0; i < n; i++)
        worker_mail(&mails[i]);
    fake_tcp_timers(f.tcp);
    mqtt_turn(f.mqtt);
    router_turn(f.router);
    fake_tcp_output(f.tcp);
    mail_flush(f.rooms[WORKER]);
    routes_quiescent(f.routes, WORKER);
}

static void end_query(struct query *query) {
    struct mail mail = {.type = MAIL_RETAINED_END};

    mail.retained.operation = query->operation;
    mail_send(f.rooms[SHARD], WORKER, &mail);
    parcel_release(&f.shard.parcels, query->filter);
    query->filter = NULL;
}

/* The next batch, and the end when there is no more. */
static void answer_query(struct query *query) {
    struct mail mail = {.type = MAIL_RETAINED};
    unsigned sent = 0;

    mail.retained.operation = query->operation;
    while (query->next < f.retained_count && sent < f.router_limits.retained_batch) {
        struct retained *retained = &f.retained[query->next++];
        const uint8_t *topic = (const uint8_t *)retained->topic;

        if (!topic_matches(query->filter->bytes, query->filter->len, topic,
                           strlen(retained->topic)))
            continue;
        struct message *message =
            memory_message(&f.shard, retained->topic, retained->payload_len, 0);
        memcpy(message->bytes + 2 + message->topic_len, retained->payload, retained->payload_len);
        message->qos = retained->qos;
        message->flags = MESSAGE_RETAIN;
        message->topic_hash = topic_hash(topic, message->topic_len);
        mail.retained.message = message;
        mail_send(f.rooms[SHARD], WORKER, &mail);
        sent++;
    }
    if (query->next == f.retained_count)
        end_query(query);
}

static void retained_query(const struct mail *mail) {
    for (unsigned i = 0; i < QUERIES_MAX; i++) {
        struct query *query = &f.queries[i];

        if (query->filter != NULL)
            continue;
        *query = (struct query){
            .operation = mail->retained_query.operation,
            .filter = (struct filter_parcel *)mail->retained_query.filter,
        };
        answer_query(query);
        return;
    }
    abort();
}

static void retained_more(const struct mail *mail) {
    for (unsigned i = 0; i < QUERIES_MAX; i++) {
        struct query *query = &f.queries[i];

        if (query->filter == NULL || query->operation != mail->retained_query.operation)
            continue;
        if (mail->flags & MAIL_RETAINED_STOP)
            end_query(query);
        else
            answer_query(query);
        return;
    }
}

static void change_route(const struct mail *mail) {
    struct mail answer = {.type = MAIL_ROUTE_CHANGED};

    routes_change(f.routes, mail->route_change.kind, mail->route_change.key, mail->from,
                  mail->route_change.set);
    answer.route_changed.epoch = routes_advance(f.routes, &answer.route_changed.quiescent);
    answer.route_changed.operation = mail->route_change.operation;
    if (answer.route_changed.operation)
        mail_send(f.rooms[SHARD], mail->from, &answer);
}

static void give_verdict(const struct mail *connect) {
    struct mail verdict = answer_to(connect, MAIL_VERDICT);

    verdict.code = f.verdict.code;
    verdict.verdict = f.verdict.verdict;
    verdict.session = ++f.sessions;
    mail_send(f.rooms[SHARD], WORKER, &verdict);
}

static void shard_mail(const struct mail *mail) {
    switch (mail->type) {
    case MAIL_RELEASE:
        for (unsigned i = 0; i < 6 && mail->release.parcels[i] != NULL; i++)
            parcel_came_home(&f.shard.parcels, mail->release.parcels[i]);
        return;
    case MAIL_ROUTE_CHANGE:
        change_route(mail);
        return;
    case MAIL_RETAINED_QUERY:
        retained_query(mail);
        return;
    case MAIL_RETAINED_MORE:
        retained_more(mail);
        return;
    case MAIL_CONNECT:
        if (!f.hold_verdicts)
            give_verdict(mail);
        break;
    default:
        break;
    }
    f.closed_told += mail->type == MAIL_CLOSED;
    if (f.mails_count == MAILS_MAX)
        forget_mails();
    f.mails[f.mails_count++] = *mail;
}

static void shard_turn(void) {
    struct mail mails[64];
    unsigned n = f.shard_asleep ? 0 : mail_receive(f.rooms[SHARD], mails, 64);

    for (unsigned i = 0; i < n; i++)
        shard_mail(&mails[i]);
    routes_reclaim(f.routes);
    mail_flush(f.rooms[SHARD]);
    routes_quiescent(f.routes, SHARD);
    n = mail_receive(f.rooms[ADMIN], mails, 64);
    for (unsigned i = 0; i < n; i++)
        f.inspected = mails[i];
    mail_flush(f.rooms[ADMIN]);
    routes_quiescent(f.routes, ADMIN);
}

void turn(void) {
    worker_turn();
    shard_turn();
    f.now += 10;
}

void settle(void) {
    for (unsigned i = 0; i < ROUNDS; i++)
        turn();
}

void wait_ms(uint64_t ms) {
    f.now += ms * 1000;
    settle();
}

uint64_t counter(enum counter which) {
    return counter_read(&f.counters, which);
}

unsigned mails_of(enum mail_type type) {
    unsigned n = 0;

    for (unsigned i = 0; i < f.mails_count; i++)
        n += f.mails[i].type == type;
    return n;
}

struct mail take_mail(enum mail_type type) {
    struct mail mail = {0};

    for (unsigned i = 0; i < f.mails_count; i++) {
        if (f.mails[i].type != type)
            continue;
        mail = f.mails[i];
        memmove(&f.mails[i], &f.mails[i + 1], (f.mails_count - i - 1) * sizeof mail);
        f.mails_count--;
        break;
    }
    assert_int_equal(mail.type, type);
    return mail;
}

struct mail answer_to(const struct mail *about, enum mail_type type) {
    return (struct mail){.type = (uint8_t)type,
                         .conn = about->conn,
                         .generation = about->generation,
                         .session = about->session};
}

void shard_send(struct mail mail) {
    assert_true(mail_send(f.rooms[SHARD], WORKER, &mail));
    mail_flush(f.rooms[SHARD]);
}

void shard_deliver(const struct mail *about, const char *topic, const char *payload,
                   uint16_t packet_id, uint8_t qos, bool retain, bool dup) {
    struct mail mail = answer_to(about, MAIL_DELIVER);
    struct message *message = memory_message(&f.shard, topic, (uint32_t)strlen(payload), 0);

    memcpy(message->bytes + 2 + message->topic_len, payload, strlen(payload));
    mail.deliver.message = message;
    mail.deliver.packet_id = packet_id;
    mail.deliver.qos = qos;
    mail.deliver.retain = retain;
    mail.deliver.dup = dup;
    shard_send(mail);
}
