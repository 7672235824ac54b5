/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/world.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_ring.h>
#include <rte_tcp.h>

enum { MIB = 1 << 20, DESK_PAGES = 31, FIRST_PORT = 40000 };

static const struct rte_ether_addr our_mac = {{2, 0, 0, 0, 0, 2}}, peer_mac = {{2, 0, 0, 0, 0, 1}};
static const uint32_t our_address = RTE_IPV4(10, 88, 0, 2), peer_address = RTE_IPV4(10, 88, 0, 1);
static const uint8_t key[16] = "a worker's tests";

struct worker_config world_worker_config(struct world *world, unsigned self, bool sleep) {
    struct worker_config config = {
        .self = self,
        .workers = world->workers,
        .mailboxes = world->mailboxes,
        .routes = world->routes,
        .handover = world->handover,
        .ports = &world->port,
        .ports_count = 1,
        .mempool = mempool,
        .clock = &world->clock,
        .standstill = &world->standstill,
        .tcp = {.connections_max = 1000,
                .window = 65535,
                .mss = 1360,
                .rto_min_ms = 400,
                .rto_max_ms = 60000,
                .rto_initial_ms = 1000,
                .give_up_ms = 120000,
                .time_wait_ms = 60000,
                .fin_wait_ms = 30000,
                .time_wait_max = 1000,
                .out_of_order_max = 65536,
                .ports = {1883},
                .app_size = MQTT_CONNECTION_SIZE},
        .mqtt = {.limits = {.packet_size = 65536,
                            .topic_length = 256,
                            .topic_levels = 16,
                            .client_id_length = 64,
                            .subscriptions = 100,
                            .filters = 100,
                            .inflight = 10,
                            .queued = 20,
                            .queued_bytes = 100000,
                            .send_queue_bytes = 20000,
                            .qos2_received = 20,
                            .connect_timeout_ms = 60000,
                            .partial_bytes = 4 << 20,
                            .packet_timeout_ms = 60000},
                 .self = self,
                 .first_shard = world->shard_thread,
                 .shards = 1},
        .router = {.topic_levels = 16,
                   .visits = 1000,
                   .fanout_slice = 64,
                   .retained_batch = MAIL_RETAINED_BATCH},
        .memory = 64 * MIB,
        .memory_reserve = 128 * MIB,
        .sleep = sleep,
    };
    memcpy(config.tcp.secret, key, sizeof key);
    memcpy(config.tcp.flow_key, key, sizeof key);
    return config;
}

void world_open(struct world *world, const struct world_options *options) {
    char error[256] = "";
    memset(world, 0, sizeof *world);
    world->workers = options->workers > 0 ? options->workers : 1;
    world->shard_thread = world->workers;
    world->admin_thread = world->workers + 1;
    topic_hash_set_key(key);
    clock_init(&world->clock);
    clock_set_wall(&world->clock, 1700000000000000);
    world->standstill.total = options->stood_still;
    world->mailboxes =
        mailboxes_create(world->workers + 2, options->mail_slots > 0 ? options->mail_slots : 256);
    world->routes = routes_create(world->workers + 2);
    world->handover = handover_create(world->workers, 64);
    assert_true(world->mailboxes != NULL && world->routes != NULL && world->handover != NULL);
    world->port_config = (struct config_port){.kind = PORT_RING,
                                              .device = "unit",
                                              .address = "10.88.0.2/24",
                                              .mac = "02:00:00:00:00:02",
                                              .mtu = 1500,
                                              .queues = (uint16_t)options->queues,
                                              .queue_size = RX_SLOTS};
    if (port_open(&world->port, &world->port_config, 0, world->workers, mempool, error,
                  sizeof error) < 0)
        fail_msg("%s", error);
    desk_open(&world->shard, world->mailboxes, world->shard_thread, DESK_PAGES);
    desk_open(&world->admin, world->mailboxes, world->admin_thread, DESK_PAGES);
    for (unsigned i = 0; i < world->workers; i++) {
        struct worker_config config = world_worker_config(world, i, options->sleep);
        world->worker[i] = worker_create(&config, error, sizeof error);
        if (world->worker[i] == NULL)
            fail_msg("%s", error);
    }
}

void world_begin(struct world *world) {
    for (unsigned i = 0; i < world->workers; i++) {
        worker_begin(world->worker[i]);
        world->running[i] = true;
    }
}

static void release_mail(struct world *world, const struct mail *mail) {
    void *parcel = mail->type == MAIL_CONNECT     ? (void *)mail->connect.request
                   : mail->type == MAIL_PUBLISH   ? (void *)mail->publish.message
                   : mail->type == MAIL_SUBSCRIBE ? (void *)mail->subscribe.filters
                                                  : NULL;
    if (parcel != NULL)
        parcel_release(&world->shard.parcels, parcel);
}

/* Frames that no worker has taken. */
static void drain(void) {
    struct rte_ring *ring = rte_ring_lookup("unit_rx0");
    void *frame;
    while (rte_ring_dequeue(ring, &frame) == 0)
        rte_pktmbuf_free(frame);
}

void world_close(struct world *world) {
    for (unsigned i = 0; i < world->workers; i++) {
        worker_stop(world->worker[i], true);
        if (world->running[i]) {
            assert_false(worker_turn(world->worker[i]));
            worker_end(world->worker[i]);
            world->running[i] = false;
        }
    }
    world->admin_away = false;
    turn_others(world);
    for (unsigned i = 0; i < world->mails_count; i++)
        release_mail(world, &world->mails[i]);
    for (unsigned i = 0; i < world->inspected_count; i++)
        parcel_release(&world->admin.parcels, world->inspected[i].inspect.inspection);
    for (unsigned i = 0; i < world->workers; i++)
        worker_destroy(world->worker[i]);
    /* First what the next test needs free, also when this one has failed. */
    drain();
    port_close(&world->port);
    handover_destroy(world->handover);
    desk_close(&world->shard);
    desk_close(&world->admin);
    routes_destroy(world->routes);
    mailboxes_destroy(world->mailboxes);
}

int world_set_up(struct world *world, const struct world_options *options) {
    world_open(world, options);
    world_begin(world);
    return 0;
}

int world_tear_down(struct world *world) {
    world_close(world);
    return buffers_are_back(NULL);
}

static void change_route(struct world *world, const struct mail *mail) {
    struct mail answer = {.type = MAIL_ROUTE_CHANGED};
    assert_true(routes_change(world->routes, mail->route_change.kind, mail->route_change.key,
                              mail->from, mail->route_change.set));
    answer.route_changed.epoch = routes_advance(world->routes, &answer.route_changed.quiescent);
    answer.route_changed.operation = mail->route_change.operation;
    if (answer.route_changed.operation != 0)
        mail_send(world->shard.room, mail->from, &answer);
}

static void take_home(struct desk *desk, const struct mail *mail) {
    for (unsigned i = 0; i < 6 && mail->release.parcels[i] != NULL; i++)
        parcel_came_home(&desk->parcels, mail->release.parcels[i]);
}

/* The shard has no retained messages, and writes routes. */
static void shard_mail(struct world *world, const struct mail *mail) {
    struct mail answer = {.type = MAIL_RETAINED_END};
    switch (mail->type) {
    case MAIL_RELEASE:
        take_home(&world->shard, mail);
        break;
    case MAIL_ROUTE_CHANGE:
        change_route(world, mail);
        break;
    case MAIL_RETAINED_QUERY:
        answer.retained.operation = mail->retained_query.operation;
        parcel_release(&world->shard.parcels, mail->retained_query.filter);
        mail_send(world->shard.room, mail->from, &answer);
        break;
    default:
        assert_true(world->mails_count < MAILS_MAX);
        world->mails[world->mails_count++] = *mail;
    }
}

static void desks_turn(struct world *world) {
    struct mail mails[32];
    unsigned n = mail_receive(world->shard.room, mails, 32);
    for (unsigned i = 0; i < n; i++)
        shard_mail(world, &mails[i]);
    routes_reclaim(world->routes);
    mail_flush(world->shard.room);
    n = world->admin_away ? 0 : mail_receive(world->admin.room, mails, 32);
    for (unsigned i = 0; i < n; i++) {
        if (mails[i].type == MAIL_RELEASE) {
            take_home(&world->admin, &mails[i]);
        } else {
            assert_true(world->inspected_count < MAILS_MAX);
            world->inspected[world->inspected_count++] = mails[i];
        }
    }
    mail_flush(world->admin.room);
}

static void client_input(struct client *client, const struct rte_tcp_hdr *tcp, unsigned len) {
    unsigned header = tcp->data_off >> 4 << 2, payload = len - header;
    if (tcp->tcp_flags & RTE_TCP_RST_FLAG) {
        client->reset = true;
        return;
    }
    uint32_t seq = rte_be_to_cpu_32(tcp->sent_seq);
    if (tcp->tcp_flags & RTE_TCP_SYN_FLAG) {
        client->connected = true;
        client->ack = seq + 1;
        return;
    }
    if (seq != client->ack) /* a retransmission */
        return;
    assert_true(client->in_len + payload <= sizeof client->in);
    memcpy(client->in + client->in_len, (const uint8_t *)tcp + header, payload);
    client->in_len += payload;
    client->ack += payload;
    if (tcp->tcp_flags & RTE_TCP_FIN_FLAG) {
        client->finished = true;
        client->ack++;
    }
}

static void frame_input(struct world *world, struct rte_mbuf *frame) {
    struct rte_ether_hdr *ether = rte_pktmbuf_mtod(frame, struct rte_ether_hdr *);
    struct rte_ipv4_hdr *ip = (void *)(ether + 1);
    struct rte_tcp_hdr *tcp = (void *)(ip + 1);
    if (ether->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4))
        return; /* announcements of our address */
    assert_int_equal(ip->next_proto_id, IPPROTO_TCP);
    assert_int_equal(ip->src_addr, rte_cpu_to_be_32(our_address));
    assert_int_equal(ip->dst_addr, rte_cpu_to_be_32(peer_address));
    assert_memory_equal(&ether->dst_addr, &peer_mac, sizeof peer_mac);
    uint16_t checksum = tcp->cksum;
    tcp->cksum = 0;
    assert_int_equal(checksum, rte_ipv4_udptcp_cksum(ip, tcp));
    unsigned i = rte_be_to_cpu_16(tcp->dst_port) - FIRST_PORT;
    assert_true(i < world->clients_count);
    client_input(&world->clients[i], tcp, rte_be_to_cpu_16(ip->total_length) - sizeof *ip);
}

static void clients_turn(struct world *world) {
    for (unsigned queue = 0; queue < world->port.queues; queue++) {
        char name[RTE_RING_NAMESIZE];
        void *frame;
        snprintf(name, sizeof name, "unit_tx%u", queue);
        while (rte_ring_dequeue(rte_ring_lookup(name), &frame) == 0) {
            frame_input(world, frame);
            rte_pktmbuf_free(frame);
        }
    }
}

void turn_others(struct world *world) {
    desks_turn(world);
    clients_turn(world);
}

void turn(struct world *world) {
    for (unsigned i = 0; i < world->workers; i++) {
        if (!world->running[i] || worker_turn(world->worker[i]))
            continue;
        worker_end(world->worker[i]);
        world->running[i] = false;
    }
    turn_others(world);
}

void turns(struct world *world, unsigned n) {
    while (n-- > 0)
        turn(world);
}

struct mail take_mail(struct world *world, enum mail_type type) {
    for (unsigned i = 0; i < world->mails_count; i++) {
        struct mail mail = world->mails[i];
        if (mail.type != type)
            continue;
        world->mails_count--;
        memmove(&world->mails[i], &world->mails[i + 1], (world->mails_count - i) * sizeof mail);
        return mail;
    }
    fail_msg("no mail of type %d", type);
    return (struct mail){0};
}

struct mail answer_to(const struct mail *about, enum mail_type type) {
    return (struct mail){.type = (uint8_t)type,
                         .conn = about->conn,
                         .generation = about->generation,
                         .session = about->session};
}

void shard_send(struct world *world, unsigned to, struct mail mail) {
    assert_true(mail_send(world->shard.room, to, &mail));
    mail_flush(world->shard.room);
}

void send_inspection(struct world *world, unsigned to, enum inspection_kind kind) {
    struct inspection *inspection = parcel_new(&world->admin.parcels, sizeof *inspection);
    assert_non_null(inspection);
    inspection->kind = (uint8_t)kind;
    inspection->found = 0;
    struct mail mail = {.type = MAIL_INSPECT, .inspect.inspection = &inspection->parcel};
    assert_true(mail_send(world->admin.room, to, &mail));
    mail_flush(world->admin.room);
}

uint64_t counted(const struct world *world, unsigned worker, enum counter counter) {
    return counter_read(worker_counters(world->worker[worker]), counter);
}

struct client *client_new(struct world *world) {
    assert_true(world->clients_count < CLIENTS_MAX);
    struct client *client = &world->clients[world->clients_count];
    *client = (struct client){.port = (uint16_t)(FIRST_PORT + world->clients_count++),
                              .seq = 0xffffff00}; /* wraps soon */
    return client;
}

void client_segment(struct world *world, struct client *client, unsigned flags, const void *data,
                    unsigned len) {
    struct rte_mbuf *frame = rte_pktmbuf_alloc(mempool);
    assert_non_null(frame);
    struct rte_ether_hdr *ether =
        (void *)rte_pktmbuf_append(frame, (uint16_t)(sizeof *ether + sizeof(struct rte_ipv4_hdr) +
                                                     sizeof(struct rte_tcp_hdr) + len));
    struct rte_ipv4_hdr *ip = (void *)(ether + 1);
    struct rte_tcp_hdr *tcp = (void *)(ip + 1);
    *ether = (struct rte_ether_hdr){
        .dst_addr = our_mac, .src_addr = peer_mac, .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
    *ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
                                .total_length =
                                    rte_cpu_to_be_16((uint16_t)(sizeof *ip + sizeof *tcp + len)),
                                .time_to_live = 64,
                                .next_proto_id = IPPROTO_TCP,
                                .src_addr = rte_cpu_to_be_32(peer_address),
                                .dst_addr = rte_cpu_to_be_32(our_address)};
    *tcp = (struct rte_tcp_hdr){.src_port = rte_cpu_to_be_16(client->port),
                                .dst_port = RTE_BE16(1883),
                                .sent_seq = rte_cpu_to_be_32(client->seq),
                                .recv_ack = rte_cpu_to_be_32(client->ack),
                                .data_off = sizeof *tcp / 4 << 4,
                                .tcp_flags = (uint8_t)flags,
                                .rx_win = RTE_BE16(65535)};
    if (len > 0)
        memcpy(tcp + 1, data, len);
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
    frame->port = world->port.id;
    client->seq += len + !!(flags & RTE_TCP_SYN_FLAG) + !!(flags & RTE_TCP_FIN_FLAG);
    assert_int_equal(rte_ring_enqueue(rte_ring_lookup("unit_rx0"), frame), 0);
}

void client_send(struct world *world, struct client *client, const void *data, unsigned len) {
    client_segment(world, client, RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG, data, len);
}

void client_expect(struct client *client, const void *data, unsigned len) {
    assert_true(client->in_len >= len);
    assert_memory_equal(client->in, data, len);
    client->in_len -= len;
    memmove(client->in, client->in + len, client->in_len);
}

void send_connect(struct world *world, struct client *client, const char *id) {
    uint8_t packet[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2 /* clean */, 0, 60, 0, 0};
    unsigned len = (unsigned)strlen(id);
    packet[1] = (uint8_t)(12 + len);
    packet[13] = (uint8_t)len;
    memcpy(packet + 14, id, len);
    client_send(world, client, packet, 14 + len);
}

struct client *connected_client(struct world *world, const char *id) {
    struct client *client = client_new(world);
    client_segment(world, client, RTE_TCP_SYN_FLAG, NULL, 0);
    turn(world);
    assert_true(client->connected);
    send_connect(world, client, id);
    turn(world);
    struct mail connect = take_mail(world, MAIL_CONNECT);
    parcel_release(&world->shard.parcels, connect.connect.request);
    struct mail verdict = answer_to(&connect, MAIL_VERDICT);
    verdict.session = 7;
    shard_send(world, connect.from, verdict);
    turn(world);
    client_expect(client, (const uint8_t[]){0x20, 2, 0, 0}, 4);
    return client;
}
