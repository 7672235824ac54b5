/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 1024, ROUNDS = 20000, CLEAN_SESSION = 2, PASSWORD = 0x40, USERNAME = 0x80 };

/* Workers have no counters and gauges of interest here. */
const struct counters *worker_counters(const struct worker *worker);
const struct worker_gauges *worker_gauges(const struct worker *worker);

const struct counters *worker_counters(const struct worker *worker) {
    static struct counters counters;
    return &counters;
}

const struct worker_gauges *worker_gauges(const struct worker *worker) {
    static struct worker_gauges gauges;
    return &gauges;
}

void world_prepare(struct world *world) {
    static const uint8_t key[16] = {1, 2, 3};
    topic_hash_set_key(key);
    *world = (struct world){.now = 1000000, .wall_clock = UINT64_C(1700000000000000)};
    world->config = config_load(NULL, NULL, 0, stderr);
    assert_non_null(world->config);
    world->config->control.memory_mib = 64;
    world->config->control.sys_interval = 0;
}

void world_open(struct world *world, unsigned shards) {
    char error[256];
    unsigned threads = WORKERS + shards + 1;
    struct registry *registry = &world->registry;
    *registry = (struct registry){.config = world->config,
                                  .mailboxes = mailboxes_create(threads, SLOTS),
                                  .routes = routes_create(threads),
                                  .workers = WORKERS,
                                  .shards = shards,
                                  .first_shard = FIRST_SHARD,
                                  .admin = threads - 1,
                                  .shard_key = {9},
                                  .started_at = world->wall_clock,
                                  .version = "test"};
    assert_non_null(registry->mailboxes);
    assert_non_null(registry->routes);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        desk_open(&world->workers[i], registry->mailboxes, i);
        routes_online(registry->routes, i);
    }
    desk_open(&world->admin, registry->mailboxes, registry->admin);
    for (unsigned i = 0; i < shards; i++) {
        world->shard[i] = shard_make(registry, i, &world->loop, error, sizeof error);
        if (world->shard[i] == NULL)
            fail_msg("%s", error);
        registry->shard[i] = world->shard[i];
        routes_online(registry->routes, FIRST_SHARD + i);
    }
}

void world_turn(struct world *world) {
    for (unsigned i = 0; i < world->registry.shards; i++)
        shard_turn(world->shard[i], world->now, world->wall_clock);
}

void world_settle(struct world *world) {
    for (unsigned round = 0, quiet = 0; quiet < 6; round++) {
        bool busy = uv_run(&world->loop, UV_RUN_NOWAIT) != 0;
        assert_true(round < ROUNDS);
        for (unsigned i = 0; i < WORKERS; i++) {
            struct desk *desk = &world->workers[i];
            unsigned before = desk->count;
            desk_receive(desk);
            busy |= desk->count != before || mail_flush(desk->mailroom) > 0;
            if (!world->worker_stuck[i])
                routes_quiescent(world->registry.routes, i);
        }
        desk_receive(&world->admin);
        mail_flush(world->admin.mailroom);
        for (unsigned i = 0; i < world->registry.shards; i++)
            busy |= shard_turn(world->shard[i], world->now, world->wall_clock);
        quiet = busy ? 0 : quiet + 1;
    }
}

static struct parcel *parcel_of(const struct mail *mail) {
    switch (mail->type) {
    case MAIL_DELIVER:
        return &mail->deliver.message->parcel;
    case MAIL_PUBLISH:
        return &mail->publish.message->parcel;
    case MAIL_RETAINED:
        return &mail->retained.message->parcel;
    case MAIL_RETAINED_QUERY:
        return mail->retained_query.filter;
    case MAIL_VERDICT:
        return mail->verdict.qos2_in;
    case MAIL_SUBACK:
        return mail->subscribe.filters;
    default:
        return NULL;
    }
}

static void discard_mail(struct desk *desk) {
    for (unsigned i = 0; i < desk->count; i++) {
        struct parcel *parcel = parcel_of(&desk->mails[i]);
        if (parcel != NULL)
            parcel_release(&desk->parcels, parcel);
    }
    desk->count = 0;
}

void world_close(struct world *world) {
    struct registry *registry = &world->registry;
    for (unsigned i = 0; i < registry->shards; i++)
        connects_end(world->shard[i]);
    while (uv_run(&world->loop, UV_RUN_ONCE) != 0) {
    }
    for (unsigned i = 0; i < 3; i++) { /* parcels go home in both directions */
        world_settle(world);
        discard_mail(&world->workers[0]);
        discard_mail(&world->workers[1]);
        discard_mail(&world->admin);
    }
    world_settle(world);
    for (unsigned i = 0; i < registry->shards; i++)
        shard_unmake(world->shard[i]);
    desk_close(&world->workers[0]);
    desk_close(&world->workers[1]);
    desk_close(&world->admin);
    mailboxes_destroy(registry->mailboxes);
    routes_destroy(registry->routes);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    config_free(world->config);
}

static unsigned shard_of(const struct world *world, const char *id) {
    return FIRST_SHARD + client_shard((const uint8_t *)id, strlen(id), world->registry.shard_key,
                                      world->registry.shards);
}

struct client_at world_login(struct world *world, unsigned worker, const char *id, bool clean,
                             const char *user, const char *password) {
    static ref_t conns;
    static uint32_t generations;
    struct desk *desk = &world->workers[worker];
    size_t id_len = strlen(id), user_len = user != NULL ? strlen(user) : 0;
    size_t password_len = password != NULL ? strlen(password) : 0;
    struct connect_request *request = parcel_new(
        &desk->parcels, sizeof(struct connect_request) + id_len + user_len + password_len);
    assert_non_null(request);
    struct parcel parcel = request->parcel;
    *request = (struct connect_request){
        .parcel = parcel,
        .remote = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1},
        .remote_port = 40000,
        .local_port = 1883,
        .keep_alive = 60,
        .level = 4,
        .connect_flags = (uint8_t)((clean ? CLEAN_SESSION : 0) | (user != NULL ? USERNAME : 0) |
                                   (password != NULL ? PASSWORD : 0)),
        .client_id_len = (uint16_t)id_len,
        .username_len = (uint16_t)user_len,
        .password_len = (uint16_t)password_len};
    memcpy(request->bytes, id, id_len);
    memcpy(request->bytes + id_len, user != NULL ? user : "", user_len);
    memcpy(request->bytes + id_len + user_len, password != NULL ? password : "", password_len);
    struct client_at client = {.worker = worker,
                               .shard = shard_of(world, id),
                               .conn = 16 * ++conns,
                               .generation = ++generations};
    struct mail mail = {.type = MAIL_CONNECT,
                        .conn = client.conn,
                        .generation = client.generation,
                        .connect = {.request = &request->parcel}};
    assert_true(mail_send(desk->mailroom, client.shard, &mail));
    mail_flush(desk->mailroom);
    return client;
}

struct client_at world_ask(struct world *world, unsigned worker, const char *id, bool clean) {
    return world_login(world, worker, id, clean, NULL, NULL);
}

struct client_at world_connect(struct world *world, unsigned worker, const char *id, bool clean,
                               bool *present) {
    struct client_at client = world_ask(world, worker, id, clean);
    world_settle(world);
    struct mail verdict = desk_take(&world->workers[worker], MAIL_VERDICT);
    assert_int_equal(verdict.code, 0);
    assert_int_equal(verdict.conn, client.conn);
    assert_int_equal(verdict.generation, client.generation);
    assert_int_not_equal(verdict.session, 0);
    assert_null(verdict.verdict.qos2_in);
    if (present != NULL)
        *present = verdict.verdict.session_present;
    client.session = verdict.session;
    return client;
}

void world_send(struct world *world, const struct client_at *client, struct mail mail) {
    struct desk *desk = &world->workers[client->worker];
    mail.conn = client->conn;
    mail.generation = client->generation;
    mail.session = client->session;
    assert_true(mail_send(desk->mailroom, client->shard, &mail));
    mail_flush(desk->mailroom);
}

void world_disconnect(struct world *world, const struct client_at *client) {
    world_send(world, client, (struct mail){.type = MAIL_CLOSED, .code = CLOSE_PEER});
    world_settle(world);
}

struct subscribe_request *world_request(struct world *world, const struct client_at *client,
                                        unsigned count, const char *const *filters, uint8_t qos) {
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += 3 + strlen(filters[i]);
    struct desk *desk = &world->workers[client->worker];
    struct subscribe_request *request = parcel_new(&desk->parcels, sizeof *request + bytes);
    assert_non_null(request);
    request->count = (uint16_t)count;
    request->len = (uint32_t)bytes;
    uint8_t *at = request->bytes;
    for (unsigned i = 0; i < count; i++) {
        size_t len = strlen(filters[i]);
        at[0] = qos;
        store_be16(at + 1, (uint16_t)len);
        memcpy(at + 3, filters[i], len);
        at += 3 + len;
    }
    return request;
}

void world_subscribe(struct world *world, const struct client_at *client, const char *filter,
                     uint8_t qos, uint8_t code) {
    struct subscribe_request *request = world_request(world, client, 1, &filter, qos);
    world_send(world, client,
               (struct mail){.type = MAIL_SUBSCRIBE,
                             .subscribe = {.filters = &request->parcel, .packet_id = 77}});
    world_settle(world);
    struct mail suback = desk_take(&world->workers[client->worker], MAIL_SUBACK);
    assert_int_equal(suback.conn, client->conn);
    assert_int_equal(suback.subscribe.packet_id, 77);
    assert_int_equal(suback.subscribe.count, 1);
    assert_int_equal(suback.subscribe.codes[0], code);
}

void world_publish(struct world *world, unsigned worker, const char *topic, const char *payload,
                   uint8_t qos, uint8_t flags) {
    struct desk *desk = &world->workers[worker];
    struct message *message = desk_message(desk, topic, payload, qos);
    message->flags = flags & MAIL_PUBLISH_STORE ? MESSAGE_RETAIN : 0;
    struct mail mail = {
        .type = MAIL_PUBLISH,
        .flags = flags,
        .publish = {.message = message, .epoch = routes_epoch(world->registry.routes)}};
    assert_true(mail_send(desk->mailroom, FIRST_SHARD, &mail));
    mail_flush(desk->mailroom);
    world_settle(world);
}

void world_ack(struct world *world, const struct client_at *client, uint8_t packet,
               uint16_t packet_id) {
    world_send(world, client,
               (struct mail){.type = MAIL_ACK, .ack = {.packet = packet, .packet_id = packet_id}});
    world_settle(world);
}

uint16_t world_delivered(struct world *world, const struct client_at *client, const char *payload,
                         uint8_t qos, bool dup) {
    struct desk *desk = &world->workers[client->worker];
    struct mail mail = desk_take(desk, MAIL_DELIVER);
    struct message *message = mail.deliver.message;
    assert_int_equal(mail.conn, client->conn);
    assert_int_equal(mail.generation, client->generation);
    assert_int_equal(message->payload_len, strlen(payload));
    assert_memory_equal(message_payload(message), payload, message->payload_len);
    assert_int_equal(mail.deliver.qos, qos);
    assert_int_equal(mail.deliver.dup, dup);
    parcel_release(&desk->parcels, message);
    return mail.deliver.packet_id;
}

uint64_t world_counter(const struct world *world, enum counter counter) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < world->registry.shards; i++)
        sum += counter_read(shard_counters(world->shard[i]), counter);
    return sum;
}
