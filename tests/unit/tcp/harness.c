/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tcp/harness.h"

#include <stdlib.h>

#include "dataplane/base/bytes.h"

enum { MEMORY = 4 << 20 };

uint8_t stream_byte(uint64_t position) {
    return (uint8_t)(position * 31 + (position >> 8) * 7 + 1);
}

/* --- link ------------------------------------------------------------------------------------ */

static uint8_t *link_frame(void *link, size_t len, void **frame) {
    struct world *world = link;
    if (world->frames == 0 || len > WORLD_FRAME_MAX)
        return NULL;
    if (world->frame_fails > 0 && --world->frame_fails == 0)
        return NULL;
    if (world->frames > 0)
        world->frames--;
    if (world->sent_count == WORLD_SENT_MAX) {
        world->sent_first = (world->sent_first + 1) % WORLD_SENT_MAX;
        world->sent_count--;
    }
    struct sent *sent = &world->sent[(world->sent_first + world->sent_count) % WORLD_SENT_MAX];
    memset(sent->bytes, 0xee, sizeof sent->bytes);
    *frame = sent;
    return sent->bytes;
}

static void link_transmit(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                          uint32_t hop) {
    struct world *world = link;
    struct sent *sent = frame;
    sent->tuple = *tuple;
    sent->hop = hop;
    sent->len = (uint32_t)len;
    struct tcp_segment segment = {.tuple = *tuple, .header = sent->bytes, .len = (uint32_t)len};
    if (!header_parse(&sent->header, &segment))
        abort();
    world->sent_count++;
}

/* --- application ----------------------------------------------------------------------------- */

static bool app_opened(void *app, struct tcp_conn *conn) {
    struct world *world = app;
    if (world->refuse) {
        /* What it does before it says no must not harm. */
        tcp_app_timer(world->tcp, conn, world->now + 1000000);
        tcp_send(world->tcp, conn, 10);
        return false;
    }
    client_of(conn)->number = ++world->opened;
    world->conn = conn;
    return true;
}

static bool link_wait(void *link, uint32_t hop) {
    struct world *world = link;
    world->asked++;
    return world->full_hop && hop == world->full_hop;
}

static size_t app_received(void *app, struct tcp_conn *conn, const uint8_t *data, size_t len) {
    struct world *world = app;
    struct client *client = client_of(conn);
    size_t take = len < world->take ? len : world->take;
    for (size_t i = 0; i < take; i++)
        world->wrong_bytes += data[i] != stream_byte(client->received + i);
    client->received += take;
    world->take -= take;
    if (world->reply) {
        tcp_send(world->tcp, conn, (uint32_t)world->reply);
        client->announced += world->reply;
    }
    if (world->close_early)
        tcp_close(world->tcp, conn);
    if (world->abort_early)
        tcp_abort(world->tcp, conn);
    if (world->resumes) {
        world->resumes--;
        tcp_resume(world->tcp, conn);
    }
    /* The bytes are still there whatever was called. */
    for (size_t i = take; i < len; i++)
        world->wrong_bytes += data[i] != stream_byte(client->received - take + i);
    return take;
}

static void app_finished(void *app, struct tcp_conn *conn) {
    struct world *world = app;
    world->finished++;
}

static void app_fetch(void *app, struct tcp_conn *conn, uint32_t offset, uint8_t *to, size_t len) {
    const struct client *client = client_of(conn);
    if (offset + len > tcp_unacknowledged(conn))
        abort();
    for (size_t i = 0; i < len; i++)
        to[i] = stream_byte(client->acknowledged + offset + i);
}

static void app_acknowledged(void *app, struct tcp_conn *conn, uint32_t len) {
    client_of(conn)->acknowledged += len;
}

static void app_closed(void *app, struct tcp_conn *conn, enum tcp_close why) {
    struct world *world = app;
    world->closed++;
    world->why = why;
    if (client_of(conn)->number == 0)
        abort();
    if (world->conn == conn)
        world->conn = NULL;
    /* Anything may still be called and does nothing. */
    tcp_send(world->tcp, conn, 1);
    tcp_close(world->tcp, conn);
    tcp_abort(world->tcp, conn);
    tcp_resume(world->tcp, conn);
    tcp_app_timer(world->tcp, conn, world->now + 1);
}

static void app_timer(void *app, struct tcp_conn *conn) {
    struct world *world = app;
    world->timers++;
}

/* --- world ----------------------------------------------------------------------------------- */

static uint64_t app_name(void *app, struct tcp_conn *conn) {
    return client_of(conn)->number;
}

void world_config(struct world *world) {
    *world = (struct world){.frames = -1, .take = SIZE_MAX, .now = WORLD_EPOCH};
    world->config = (struct tcp_config){
        .connections_max = WORLD_CLIENTS,
        .window = 16384,
        .mss = 1360,
        .rto_min_ms = 400,
        .rto_max_ms = 60000,
        .rto_initial_ms = 1000,
        .give_up_ms = 120000,
        .time_wait_ms = 60000,
        .fin_wait_ms = 30000,
        .time_wait_max = 16,
        .out_of_order_max = 16384,
        .keepalive_ms = 600000,
        .secret = "0123456789abcde",
        .flow_key = "fedcba987654321",
        .ports = {1883, 8883},
        .sack = true,
        .rack = true,
        .tail_loss_probe = true,
        .prr = true,
        .undo = true,
        .frto = true,
        .limited_transmit = true,
        .traces = 4,
        .trace_records = 16,
        .app_size = sizeof(struct client),
    };
}

void world_open_configured(struct world *world) {
    world->memory_size = MEMORY;
    world->memory = aligned_alloc(1 << 16, MEMORY);
    world->state = calloc(1, arena_footprint(MEMORY));
    world->sent = calloc(WORLD_SENT_MAX, sizeof *world->sent);
    if (!world->memory || !world->state || !world->sent)
        abort();
    world->arena = arena_init(world->state, world->memory, MEMORY, MEMORY);
    pool_init(&world->pool, world->arena);
    struct tcp_link link = {link_frame, link_transmit, world, link_wait};
    struct tcp_app app = {app_opened,       app_received, app_finished, app_fetch,
                          app_acknowledged, app_closed,   app_timer,    world};
    world->tcp =
        tcp_create(&world->config, &world->pool, &link, &app, &world->counters, world->now);
    if (!world->tcp)
        abort();
    tcp_set_name(world->tcp, app_name);
}

void world_open(struct world *world) {
    world_config(world);
    world_open_configured(world);
}

void world_open_changed(struct world *world, void (*change)(struct tcp_config *config)) {
    world_config(world);
    change(&world->config);
    world_open_configured(world);
}

static void abort_each(void *argument, struct tcp_conn *conn) {
    struct world *world = argument;
    tcp_abort(world->tcp, conn);
}

static uint64_t pool_used(const struct pool *pool) {
    uint64_t used = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        used += pool->classes[i].used * pool->classes[i].object_size;
    return used;
}

uint64_t world_close(struct world *world) {
    struct tcp *tcp = world->tcp;
    world->frames = -1;
    world->full_hop = 0;
    arena_fail_after(world->arena, 0);
    uint32_t position = 0;
    do {
        tcp_each(tcp, &position, 16, abort_each, world);
    } while (position);
    world_output(world);
    world_wait(world, (uint64_t)world->config.time_wait_ms * 2000 + 140000000);
    uint64_t used = tcp->conns.used + tcp->extensions.used + tcp->addresses.used +
                    tcp->records.used + tcp->fast.linked + tcp->slow.linked + tcp->flow.entries +
                    tcp->touched_count + pool_used(&world->pool) + (world->opened - world->closed);
    tcp_destroy(tcp);
    free(world->sent);
    free(world->state);
    free(world->memory);
    return used;
}

void world_output(struct world *world) {
    for (unsigned i = 0; i < 1000; i++)
        if (!tcp_output(world->tcp, world->now, 64))
            return;
    abort(); /* it never comes to rest */
}

void world_wait(struct world *world, uint64_t microseconds) {
    uint64_t end = world->now + microseconds;
    for (unsigned i = 0; i < 100000; i++) {
        while (tcp_timers(world->tcp, world->now, 64))
            ;
        world_output(world);
        if (world->now == end)
            return;
        uint64_t next = tcp_next_timer(world->tcp);
        /* A timer may be announced early, but the clock must move. */
        if (next <= world->now)
            next = world->now + 1000;
        world->now = next < end ? next : end;
    }
    abort(); /* timers that fire for ever */
}

const struct sent *world_sent(struct world *world) {
    if (world->sent_count == 0)
        return NULL;
    const struct sent *sent = &world->sent[world->sent_first];
    world->sent_first = (world->sent_first + 1) % WORLD_SENT_MAX;
    world->sent_count--;
    return sent;
}

void world_forget(struct world *world) {
    world->sent_count = 0;
}

uint64_t world_count(const struct world *world, enum counter counter) {
    return counter_read(&world->counters, counter);
}

/* --- peers ----------------------------------------------------------------------------------- */

static void rehash(struct world *world, struct peer *peer) {
    peer->hash = tcp_tuple_hash(&peer->tuple, world->config.flow_key);
}

void peer_init(struct world *world, struct peer *peer, unsigned number) {
    *peer = (struct peer){.iss = 1000000 * number, .wnd = 65535, .mss = 1460, .wscale = -1};
    uint8_t remote[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2};
    uint8_t local[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1};
    memcpy(peer->tuple.remote, remote, 16);
    memcpy(peer->tuple.local, local, 16);
    peer->tuple.remote_port = (uint16_t)(40000 + number);
    peer->tuple.local_port = 1883;
    rehash(world, peer);
}

void peer_ipv6(struct world *world, struct peer *peer) {
    peer->tuple.remote[0] = peer->tuple.local[0] = 0xfd;
    rehash(world, peer);
}

static void deliver(struct world *world, const struct peer *peer, const uint8_t *bytes,
                    uint32_t len) {
    /* In memory of its own, so that a read past the end is seen. */
    uint8_t *exact = malloc(len);
    if (!exact)
        abort();
    memcpy(exact, bytes, len);
    struct tcp_segment segment = {
        .tuple = peer->tuple, .header = exact, .len = len, .hop = 7, .hash = peer->hash};
    tcp_input(world->tcp, &segment, 1, world->now);
    free(exact);
}

static void head(uint8_t *bytes, const struct peer *peer, uint32_t seq, uint32_t ack, uint8_t flags,
                 uint16_t wnd, size_t options_len) {
    header_write(bytes, &peer->tuple, seq, ack, flags, wnd, options_len);
    store_be16(bytes, peer->tuple.remote_port);
    store_be16(bytes + 2, peer->tuple.local_port);
}

bool peer_syn(struct world *world, struct peer *peer) {
    uint8_t bytes[60];
    size_t len = 20;
    bytes[len++] = TCP_OPTION_MSS;
    bytes[len++] = 4;
    store_be16(bytes + len, peer->mss);
    len += 2;
    if (peer->timestamps)
        len += tcp_options_put_timestamp(bytes + len, peer->tsval, 0);
    if (peer->sack) {
        uint8_t sack[4] = {1, 1, TCP_OPTION_SACK_PERMITTED, 2};
        memcpy(bytes + len, sack, 4);
        len += 4;
    }
    if (peer->wscale >= 0) {
        uint8_t wscale[4] = {1, TCP_OPTION_WSCALE, 3, (uint8_t)peer->wscale};
        memcpy(bytes + len, wscale, 4);
        len += 4;
    }
    head(bytes, peer, peer->iss, 0, TCP_SYN, peer->wnd, len - 20);
    world_forget(world);
    deliver(world, peer, bytes, (uint32_t)len);
    const struct sent *sent = world_sent(world);
    if (!sent || sent->header.flags != (TCP_SYN | TCP_ACK) || sent->header.ack != peer->iss + 1)
        return false;
    peer->irs = sent->header.seq;
    peer->ack = peer->irs + 1;
    peer->seq = peer->iss + 1;
    peer->tsecr = sent->header.options.tsval;
    if (!sent->header.options.has_timestamp)
        peer->timestamps = false;
    return true;
}

void peer_send(struct world *world, const struct peer *peer, struct by_hand segment) {
    uint8_t bytes[4096];
    size_t options_len = 0;
    if (segment.options) {
        options_len = segment.options_len;
        memcpy(bytes + 20, segment.options, options_len);
    } else if (peer->timestamps && !segment.no_timestamp) {
        options_len = tcp_options_put_timestamp(bytes + 20, peer->tsval, peer->tsecr);
    }
    uint32_t seq = peer->seq + (uint32_t)segment.seq;
    uint16_t wnd = segment.wnd == 0 ? peer->wnd : segment.wnd < 0 ? 0 : (uint16_t)segment.wnd;
    head(bytes, peer, seq, peer->ack + (uint32_t)segment.ack, segment.flags, wnd, options_len);
    if (segment.len > sizeof bytes - 60)
        abort();
    for (uint32_t i = 0; i < segment.len; i++)
        bytes[20 + options_len + i] = stream_byte(seq + i - peer->iss - 1);
    deliver(world, peer, bytes, (uint32_t)(20 + options_len + segment.len));
}

void peer_data(struct world *world, struct peer *peer, uint32_t len) {
    peer_send(world, peer, (struct by_hand){.flags = TCP_ACK | TCP_PSH, .len = len});
    peer->seq += len;
}

void peer_ack(struct world *world, struct peer *peer, uint32_t bytes) {
    peer->ack += bytes;
    peer_send(world, peer, (struct by_hand){.flags = TCP_ACK});
}

struct tcp_conn *peer_connect(struct world *world, struct peer *peer, uint32_t len) {
    if (!peer_syn(world, peer))
        return NULL;
    unsigned before = world->opened;
    peer_data(world, peer, len);
    struct tcp_conn *conn = world->opened > before ? world->conn : NULL;
    world_output(world);
    world_forget(world);
    return conn;
}

bool sent_is_stream(const struct peer *peer, const struct sent *sent) {
    for (uint32_t i = 0; i < sent->header.len; i++)
        if (sent->header.payload[i] != stream_byte(sent->header.seq + i - peer->irs - 1))
            return false;
    return true;
}
