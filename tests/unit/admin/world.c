/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/admin/world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "dataplane/tcp/tcp.h"
#include "dataplane/topics/routes.h"

/* --- what the admin thread calls and others have --------------------------------------------- */

uint64_t registry_counter(const struct registry *registry, enum counter counter) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < registry->workers; i++)
        sum += counter_read(&registry->worker[i]->counters, counter);
    for (unsigned i = 0; i < registry->shards; i++)
        sum += counter_read(&registry->shard[i]->counters, counter);
    return sum;
}

const struct worker_gauges *worker_gauges(const struct worker *worker) {
    return &worker->gauges;
}

const struct shard_gauges *shard_gauges(const struct shard *shard) {
    return &shard->gauges;
}

const struct counters *worker_counters(const struct worker *worker) {
    return &worker->counters;
}

struct mailroom *shard_mailroom(const struct shard *shard) {
    return shard->thread.mailroom;
}

unsigned client_shard(const uint8_t *client_id, size_t len, const uint8_t key[16],
                      unsigned shards) {
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += client_id[i];
    return sum % shards;
}

const char *tcp_state_name(unsigned state) {
    return state == 4 ? "ESTABLISHED" : "CLOSED";
}

const char *tcp_recovery_name(unsigned recovery) {
    return recovery == 1 ? "fast recovery" : "none";
}

bool topic_name_valid(const uint8_t *topic, size_t len, unsigned levels_max) {
    return len > 0 && len < 65536 && memchr(topic, '#', len) == NULL &&
           memchr(topic, '+', len) == NULL;
}

size_t routes_bytes(const struct routes *routes) {
    return 4096;
}

uint64_t routes_count(const struct routes *routes) {
    return 7;
}

const struct port_kind *port_kind(enum config_port_kind kind) {
    static const struct port_kind tap = {.name = "tap"};
    return &tap;
}

int rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats) {
    *stats = (struct rte_eth_stats){.ipackets = 1234567, .opackets = 7654321, .imissed = 3};
    return 0;
}

int rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info) {
    *info = (struct rte_eth_dev_info){.driver_name = "net_tap"};
    return 0;
}

bool port_link(const struct port *port, uint32_t *mbit) {
    *mbit = 10000;
    return true;
}

/* --- shards ---------------------------------------------------------------------------------- */

static void view_of(const struct shard *shard, unsigned i, struct client_view *view) {
    const struct fake_client *client = &shard->clients[i];
    *view = (struct client_view){
        .client_id = (const uint8_t *)client->id,
        .client_id_len = (uint16_t)strlen(client->id),
        .username = (const uint8_t *)"user",
        .username_len = 4,
        .session = i + 1,
        .connected = client->connected,
        .clean_session = client->clean,
        .level = 4,
        .keep_alive = 60,
        .worker = (uint8_t)client->worker,
        .conn = client->connected ? i + 100 : 0,
        .generation = i + 1000,
        .remote = {[10] = 0xff, [11] = 0xff, 10, 88, 0, 1},
        .remote_port = 40000,
        .local_port = 1883,
        .since = wall_clock() - 90000000,
        .subscriptions = client->filter[0] != 0,
        .queued = 5,
    };
}

void shard_clients(struct shard *shard, uint32_t *position, unsigned budget,
                   bool (*visit)(void *argument, const struct client_view *client),
                   void *argument) {
    uint32_t i = *position;
    unsigned visits = 0;
    bool more = true;
    for (; i < shard->clients_count && visits < budget && more; i++, visits++) {
        struct client_view view;
        view_of(shard, i, &view);
        more = visit(argument, &view);
    }
    if (visits > shard->most_visits)
        shard->most_visits = visits;
    *position = i < shard->clients_count ? i : 0;
}

bool shard_client(struct shard *shard, const uint8_t *client_id, size_t len,
                  struct client_view *view) {
    for (unsigned i = 0; i < shard->clients_count; i++) {
        if (strlen(shard->clients[i].id) == len &&
            memcmp(shard->clients[i].id, client_id, len) == 0) {
            view_of(shard, i, view);
            return true;
        }
    }
    return false;
}

bool shard_client_by_handle(struct shard *shard, uint32_t session, struct client_view *view) {
    if (session == 0 || session > shard->clients_count)
        return false;
    view_of(shard, session - 1, view);
    return true;
}

bool shard_kick(struct shard *shard, const uint8_t *client_id, size_t len) {
    struct client_view view;
    if (!shard_client(shard, client_id, len, &view) || !view.connected)
        return false;
    snprintf(shard->kicked, sizeof shard->kicked, "%.*s", (int)len, (const char *)client_id);
    return true;
}

/* "a/#" matches what begins with "a/"; others match what is equal. */
static bool matches(const char *filter, const uint8_t *topic, size_t len) {
    size_t filter_len = strlen(filter);
    if (filter_len > 0 && filter[filter_len - 1] == '#')
        return len >= filter_len - 1 && memcmp(filter, topic, filter_len - 1) == 0;
    return filter_len == len && memcmp(filter, topic, len) == 0;
}

void shard_subscriptions(struct shard *shard, uint32_t session, uint32_t *position, unsigned budget,
                         bool (*visit)(void *argument, uint32_t session,
                                       const struct filter *filter),
                         void *argument) {
    uint32_t i = *position;
    bool more = true;
    for (unsigned visits = 0; i < shard->clients_count && visits < budget && more; i++, visits++) {
        const struct fake_client *client = &shard->clients[i];
        struct filter filter = {.bytes = (const uint8_t *)client->filter,
                                .len = (uint16_t)strlen(client->filter),
                                .qos = 1};
        if (!client->clean && filter.len > 0 && (session == 0 || session == i + 1))
            more = visit(argument, i + 1, &filter);
    }
    *position = i < shard->clients_count ? i : 0;
}

void shard_match(struct shard *shard, const uint8_t *topic, uint16_t len,
                 void (*visit)(void *argument, uint32_t session, const struct filter *filter),
                 void *argument) {
    for (unsigned i = 0; i < shard->clients_count; i++) {
        const struct fake_client *client = &shard->clients[i];
        struct filter filter = {.bytes = (const uint8_t *)client->filter,
                                .len = (uint16_t)strlen(client->filter),
                                .qos = 1};
        if (!client->clean && matches(client->filter, topic, len))
            visit(argument, i + 1, &filter);
    }
}

bool shard_publish(struct shard *shard, const uint8_t *topic, size_t topic_len,
                   const uint8_t *payload, size_t payload_len, uint8_t qos, bool retain) {
    snprintf(shard->topic, sizeof shard->topic, "%.*s", (int)topic_len, (const char *)topic);
    shard->payload_len = payload_len;
    memcpy(shard->payload, payload,
           payload_len < sizeof shard->payload ? payload_len : sizeof shard->payload);
    shard->qos = qos;
    shard->retain = retain;
    return true;
}

static void shard_mail(struct shard *shard, const struct mail *mail) {
    if (mail->type != MAIL_CALL)
        return;
    shard->calls++;
    mail->call.function(shard, mail->call.argument);
}

/* --- workers --------------------------------------------------------------------------------- */

/* Clean sessions of this worker over all shards, from position on. */
static void fill_subscriptions(struct worker *worker, const struct mail *mail,
                               struct inspection *inspection) {
    struct world *world = worker->thread.world;
    uint8_t topic[256];
    size_t topic_len = inspection->topic_len;
    memcpy(topic, inspection->entries, topic_len);
    inspection->used = 0;
    uint32_t i = inspection->position;
    for (;; i++) {
        struct shard *shard = &world->shards[i % WORLD_SHARDS];
        uint32_t k = i / WORLD_SHARDS;
        if (k >= world->shards[0].clients_count && k >= world->shards[1].clients_count) {
            inspection->position = 0;
            return;
        }
        if (k >= shard->clients_count)
            continue;
        const struct fake_client *client = &shard->clients[k];
        size_t len = strlen(client->filter);
        bool wanted =
            client->clean && client->connected && client->worker == worker->index && len > 0 &&
            (mail->conn == 0 || mail->conn == k + 100) &&
            (inspection->kind != INSPECT_MATCH || matches(client->filter, topic, topic_len));
        if (!wanted)
            continue;
        struct inspected_subscription *entry =
            (void *)((uint8_t *)inspection->entries + inspection->used);
        size_t size = (sizeof *entry + len + 7) & ~(size_t)7;
        if (inspection->used + size > inspection->room)
            break;
        *entry = (struct inspected_subscription){.conn = k + 100,
                                                 .generation = k + 1000,
                                                 .session = k + 1,
                                                 .filter_len = (uint16_t)len,
                                                 .shard = (uint8_t)shard->index,
                                                 .qos = 2};
        memcpy(entry->filter, client->filter, len);
        inspection->used += (uint32_t)size;
    }
    inspection->position = i;
}

/* Frames of 60 bytes, the i-th of them at second i. */
static void leave_frames(struct worker *worker, struct capture_point *point) {
    for (unsigned i = 0; i < worker->frames; i++) {
        struct capture_record *record = capture_ring_room(&point->ring, 60);
        if (record == NULL) {
            __atomic_store_n(&point->missed, point->missed + 1, __ATOMIC_RELAXED);
            continue;
        }
        record->wire_len = 1514;
        record->time = UINT64_C(1000000) * i + worker->index;
        record->len = 60;
        record->port = 0;
        record->flags = i % 2 ? CAPTURE_SENT : 0;
        memset(record->bytes, (int)worker->index, 60);
        capture_ring_write(&point->ring, record);
    }
}

static void capture_mail(struct worker *worker, const struct mail *mail) {
    struct mail answer = *mail;
    if (mail->capture.begin)
        leave_frames(worker, mail->capture.point);
    else if (__atomic_load_n(&worker->greedy, __ATOMIC_RELAXED))
        return;
    if (!mail_send(worker->thread.mailroom, mail->from, &answer))
        abort();
}

uint32_t client_name(const uint8_t *client_id, size_t len, const uint8_t key[16]) {
    return len > 0 ? client_id[0] : 1;
}

/* Worker 0 has two traces of alice, worker 1 one that is older, and one of bob's connection, which
 * has no name. */
static void fill_trace(struct worker *worker, const struct mail *mail,
                       struct inspection *inspection) {
    struct tcp_trace *trace = (struct tcp_trace *)inspection->entries;
    bool alice = inspection->name == 'a', bob = worker->index == 1 && mail->conn == 100;
    unsigned traces = alice ? 2 - worker->index : bob;
    inspection->used = 0;
    if (inspection->position >= traces) {
        inspection->position = 0;
        return;
    }
    uint64_t began = worker->index == 1 ? 1000 : 2000000 + 3000000 * inspection->position;
    *trace = (struct tcp_trace){.now = 100000000,
                                .began = began,
                                .ended = worker->index == 1 ? 9000 : 0,
                                .iss = 0xffffff00,
                                .irs = 5000,
                                .written = 70,
                                .count = 3,
                                .remote = {[10] = 0xff, [11] = 0xff, 10, 88, 0, 7},
                                .remote_port = 40000};
    trace->records[0] = (struct tcp_trace_record){.time = began,
                                                  .event = TRACE_COUNTED_OUT,
                                                  .state = 4,
                                                  .counter = COUNTER_TCP_RETRANSMISSIONS,
                                                  .a = 44,
                                                  .b = 100,
                                                  .snd_una = 44,
                                                  .in_flight = 100,
                                                  .rcv_nxt = 5010,
                                                  .cwnd = 13600};
    trace->records[1] = (struct tcp_trace_record){
        .time = began + 1234567, .event = TRACE_SEGMENT_IN, .state = 4, .a = 5010, .b = 7};
    trace->records[2] = (struct tcp_trace_record){
        .time = began + 2000000, .event = TRACE_CLOSED, .counter = TCP_CLOSED_RESET};
    inspection->used = sizeof *trace + 3 * sizeof *trace->records;
    inspection->position++;
}

static void worker_mail(struct worker *worker, const struct mail *mail) {
    if (mail->type == MAIL_CAPTURE)
        capture_mail(worker, mail);
    if (mail->type != MAIL_INSPECT)
        return;
    struct inspection *inspection = (struct inspection *)mail->inspect.inspection;
    inspection->found = 1;
    switch (inspection->kind) {
    case INSPECT_CLIENT:
        inspection->client = (struct client_inspection){
            .tcp = {.state = 4,
                    .mss = 1460,
                    .srtt = 250,
                    .congestion = "cubic",
                    .retransmissions = 3,
                    .drops_count = 1,
                    .drops = {{.ago = 1500, .count = 2, .counter = COUNTER_TCP_DROP_PAWS}}},
            .local = {[10] = 0xff, [11] = 0xff, 10, 88, 0, 2},
            .messages_in = 11,
            .subscriptions = 2};
        break;
    case INSPECT_MEMORY:
        inspection->memory = (struct memory_inspection){
            .arena_used = 512000,
            .arena_limit = 1 << 30,
            .connections = 1000,
            .slabs_count = 1,
            .slabs = {{.name = "connections", .object_size = 256, .used = 1000, .bytes = 262144}}};
        break;
    case INSPECT_TRACE:
        fill_trace(worker, mail, inspection);
        break;
    default:
        fill_subscriptions(worker, mail, inspection);
        break;
    }
    struct mail answer = *mail;
    answer.type = MAIL_INSPECTED;
    if (!mail_send(worker->thread.mailroom, mail->from, &answer))
        abort();
}

/* --- threads --------------------------------------------------------------------------------- */

static void wake(void *argument) {
    struct fake_thread *thread = argument;
    sem_post(&thread->wake);
}

static void *run(void *argument) {
    struct fake_thread *thread = argument;
    struct world *world = thread->world;
    while (!__atomic_load_n(&thread->stop, __ATOMIC_ACQUIRE)) {
        struct mail mails[32];
        unsigned count = mail_receive(thread->mailroom, mails, 32);
        for (unsigned i = 0; i < count; i++) {
            if (__atomic_load_n(&thread->mute, __ATOMIC_RELAXED))
                continue;
            if (thread->self < WORLD_WORKERS)
                worker_mail(&world->workers[thread->self], &mails[i]);
            else
                shard_mail(&world->shards[thread->self - WORLD_WORKERS], &mails[i]);
        }
        mail_flush(thread->mailroom);
        if (count == 0 && mail_may_sleep(thread->mailroom)) {
            sem_wait(&thread->wake);
            mail_awake(thread->mailroom);
        }
    }
    return NULL;
}

static void thread_create(struct world *world, struct fake_thread *thread, unsigned self) {
    enum { MEMORY = 8 << 20 };
    thread->world = world;
    thread->self = self;
    sem_init(&thread->wake, 0, 0);
    if (!region_reserve(&thread->region, MEMORY, 0))
        abort();
    thread->arena_state = calloc(1, arena_footprint(thread->region.size));
    pool_init(&thread->pool, arena_init(thread->arena_state, thread->region.base,
                                        thread->region.size, thread->region.size));
    thread->mailroom = mailroom_create(world->registry.mailboxes, self, &thread->pool);
    thread->parcels = (struct parcels){&thread->pool, thread->mailroom, (uint8_t)self};
    mailboxes_set_wake(world->registry.mailboxes, self, wake, thread);
    pthread_create(&thread->thread, NULL, run, thread);
}

static void thread_stop(struct fake_thread *thread) {
    __atomic_store_n(&thread->stop, true, __ATOMIC_RELEASE);
    sem_post(&thread->wake);
    pthread_join(thread->thread, NULL);
}

static void thread_destroy(struct fake_thread *thread) {
    mailroom_destroy(thread->mailroom);
    free(thread->arena_state);
    region_release(&thread->region);
    sem_destroy(&thread->wake);
}

/* --- the world ------------------------------------------------------------------------------- */

struct fake_client *world_client(struct world *world, const char *id, bool connected, bool clean,
                                 unsigned worker, const char *filter) {
    struct shard *shard =
        &world->shards[client_shard((const uint8_t *)id, strlen(id), NULL, WORLD_SHARDS)];
    if (shard->clients_count == shard->clients_size) {
        shard->clients_size = shard->clients_size * 2 + 16;
        shard->clients = realloc(shard->clients, shard->clients_size * sizeof *shard->clients);
    }
    struct fake_client *client = &shard->clients[shard->clients_count++];
    *client = (struct fake_client){.connected = connected, .clean = clean, .worker = worker};
    snprintf(client->id, sizeof client->id, "%s", id);
    snprintf(client->filter, sizeof client->filter, "%s", filter);
    shard->gauges.clients++;
    shard->gauges.connected += connected;
    return client;
}

struct world *world_create(void) {
    struct world *world = calloc(1, sizeof *world);
    strcpy(world->directory, "/tmp/linemq-admin-XXXXXX");
    if (mkdtemp(world->directory) == NULL)
        abort();
    snprintf(world->socket, sizeof world->socket, "%s/run/ctl.sock", world->directory);
    world->config.path = "/etc/linemq.yaml";
    world->config.control.socket = world->socket;
    world->config.workers.memory_mib = 1024;
    world->config.tcp.trace_records = 16;
    world->config.mqtt.topic_levels = 16;
    world->config.mqtt.topic_length = 1024;
    world->config.mqtt.packet_size = 4 << 20;
    world->port_config = (struct config_port){
        .kind = PORT_TAP, .device = "linemq0", .address = "10.88.0.2/24", .mtu = 1500};
    world->port = (struct port){.queues = 2,
                                .mtu = 1500,
                                .mac = {2, 0, 0, 0, 0, 1},
                                .offloads = PORT_RX_CHECKSUM | PORT_RX_HASH,
                                .config = &world->port_config};
    struct registry *registry = &world->registry;
    *registry = (struct registry){.config = &world->config,
                                  .ports = &world->port,
                                  .ports_count = 1,
                                  .workers = WORLD_WORKERS,
                                  .shards = WORLD_SHARDS,
                                  .first_shard = WORLD_WORKERS,
                                  .admin = WORLD_WORKERS + WORLD_SHARDS,
                                  .started_at = wall_clock() - 3661000000,
                                  .version = "0.1.0"};
    registry->mailboxes = mailboxes_create(WORLD_WORKERS + WORLD_SHARDS + 1, 64);
    for (unsigned i = 0; i < WORLD_WORKERS; i++) {
        struct worker *worker = &world->workers[i];
        worker->index = i;
        worker->gauges = (struct worker_gauges){.packets = 1000, .connections = 3, .turns = 50};
        registry->worker[i] = worker;
    }
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        world->shards[i].index = i;
        registry->shard[i] = &world->shards[i];
    }
    char error[256];
    world->admin = admin_create(registry, error, sizeof error);
    if (world->admin == NULL) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    return world;
}

void world_start(struct world *world) {
    for (unsigned i = 0; i < WORLD_WORKERS; i++)
        thread_create(world, &world->workers[i].thread, i);
    for (unsigned i = 0; i < WORLD_SHARDS; i++)
        thread_create(world, &world->shards[i].thread, WORLD_WORKERS + i);
    if (admin_start(world->admin) != 0)
        abort();
}

struct world *world_running(void) {
    struct world *world = world_create();
    world_client(world, "alice", true, true, 0, "a/#");
    world_client(world, "bob", true, false, 1, "a/b");
    world_client(world, "carol", false, false, 0, "a/b");
    world_client(world, "dave", true, true, 1, "d");
    world_client(world, "evil\033[31m\nroot\xe2\x80\xae", true, true, 1, "e");
    world->workers[0].counters.value[COUNTER_TCP_SEGMENTS_IN] = 5;
    for (unsigned i = 0; i < COUNTERS; i++)
        if (counter_descriptions[i].kind == COUNTER_KIND_DROP) {
            world->workers[1].counters.value[i] = 42;
            break;
        }
    world_start(world);
    return world;
}

void world_destroy(struct world *world) {
    admin_stop(world->admin);
    for (unsigned i = 0; i < WORLD_WORKERS; i++)
        if (world->workers[i].thread.world != NULL)
            thread_stop(&world->workers[i].thread);
    for (unsigned i = 0; i < WORLD_SHARDS; i++)
        if (world->shards[i].thread.world != NULL)
            thread_stop(&world->shards[i].thread);
    admin_destroy(world->admin);
    for (unsigned i = 0; i < WORLD_WORKERS; i++)
        if (world->workers[i].thread.world != NULL)
            thread_destroy(&world->workers[i].thread);
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        if (world->shards[i].thread.world != NULL)
            thread_destroy(&world->shards[i].thread);
        free(world->shards[i].clients);
    }
    mailboxes_destroy(world->registry.mailboxes);
    rmdir(world->directory);
    free(world);
}
