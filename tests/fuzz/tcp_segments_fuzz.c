/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequences of segments and events against one TCP stack. The input is a program of small steps:
 * segments whose numbers lie near those of a live connection, time, an application that takes less,
 * closes or aborts, a link without frames, memory that runs out.
 *
 * Checked besides what the sanitizers see: bytes are delivered as the peer's stream has them, what
 * is sent is the application's stream, output comes to rest, and no memory stays behind.
 */
#include <stdlib.h>

#include "tests/unit/tcp/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 3, STEPS_MAX = 400 };

struct input {
    const uint8_t *at, *end;
};

static uint32_t byte(struct input *input) {
    return input->at < input->end ? *input->at++ : 0;
}

static uint32_t word(struct input *input) {
    uint32_t high = byte(input);
    return high << 8 | byte(input);
}

/* Numbers near zero, near the edges of windows, or anywhere. */
static int32_t number(struct input *input) {
    uint32_t kind = byte(input);
    int32_t value = (int32_t)(kind >> 3);
    switch (kind & 7) {
    case 0:
    case 1:
        return 0;
    case 2:
        return value;
    case 3:
        return -value;
    case 4:
        return value * 1360;
    case 5:
        return (int32_t)word(input);
    case 6:
        return -(int32_t)word(input);
    default:
        return (int32_t)(word(input) << 16 | word(input));
    }
}

static void handshake(struct world *world, struct peer *peer, struct input *input) {
    uint32_t options = byte(input);
    peer->timestamps = options & 1;
    peer->sack = options & 2;
    peer->wscale = options & 4 ? (int)(options >> 4) : -1;
    peer->mss = (uint16_t)(options & 8 ? word(input) : 1460);
    peer->tsval = word(input) << 16;
    if (peer_syn(world, peer))
        peer_data(world, peer, 1 + byte(input));
}

static void segment(struct world *world, struct peer *peer, struct input *input) {
    struct by_hand segment = {.flags = (uint8_t)byte(input)};
    uint8_t options[40];
    segment.seq = number(input);
    segment.ack = number(input);
    segment.len = word(input) % 1500;
    uint32_t more = byte(input);
    segment.wnd = more & 1 ? (int)word(input) - 1 : 0;
    segment.no_timestamp = more & 2;
    if (more & 4) {
        segment.options_len = 4 * (byte(input) % 11);
        for (size_t i = 0; i < segment.options_len; i++)
            options[i] = (uint8_t)byte(input);
        segment.options = options;
    }
    if (more & 8)
        peer->tsval += (uint32_t)number(input);
    if (more & 16)
        peer->tsecr += (uint32_t)number(input);
    peer_send(world, peer, segment);
    if (more & 32)
        peer->seq += segment.len + !!(segment.flags & TCP_FIN);
}

/* What the stack sent moves the peer on, so that ACKs keep up with little input. */
static void look(struct world *world, struct peer *peers, bool acknowledge) {
    const struct sent *sent;
    while ((sent = world_sent(world)) != NULL) {
        for (unsigned i = 0; i < PEERS; i++) {
            struct peer *peer = &peers[i];
            if (memcmp(&sent->tuple, &peer->tuple, sizeof peer->tuple) != 0)
                continue;
            if (!(sent->header.flags & (TCP_SYN | TCP_RST)) && !sent_is_stream(peer, sent))
                abort();
            if (acknowledge && sent->header.seq == peer->ack)
                peer->ack += header_segment_length(&sent->header);
        }
    }
}

static void icmp(struct world *world, const struct peer *peer, struct input *input) {
    struct tcp_icmp error = {.tuple = peer->tuple, .hash = peer->hash};
    error.seq = peer->ack + (uint32_t)number(input);
    error.mtu = word(input);
    error.len = (uint16_t)word(input);
    error.kind = byte(input) & 1;
    tcp_icmp(world->tcp, &error, world->now);
}

static void event(struct world *world, struct input *input) {
    uint32_t value = byte(input);
    struct tcp_conn *conn = world->conn;
    switch (value & 15) {
    case 0:
        world->take = value >> 4;
        break;
    case 1:
        world->take = SIZE_MAX;
        if (conn)
            tcp_resume(world->tcp, conn);
        break;
    case 2:
        if (conn)
            tcp_close(world->tcp, conn);
        break;
    case 3:
        if (conn)
            tcp_abort(world->tcp, conn);
        break;
    case 4:
    case 5: {
        uint32_t len = value & 1 ? word(input) : value >> 4;
        if (conn && tcp_unacknowledged(conn) < 1 << 20)
            tcp_send(world->tcp, conn, len);
        break;
    }
    case 6:
        world->frames = (int)(value >> 4) - 1;
        break;
    case 7:
        arena_fail_after(world->arena, 1 + (value >> 4));
        break;
    case 8:
        world->close_early = value & 16;
        world->abort_early = value & 32;
        world->resumes = value & 64 ? 5 : 0;
        world->refuse = value & 128;
        break;
    case 9:
        world->reply = value >> 4;
        break;
    case 10:
        if (conn)
            tcp_keepalive(world->tcp, conn, value & 16);
        break;
    case 11:
        if (conn)
            tcp_app_timer(world->tcp, conn, world->now + word(input) * 1000);
        break;
    case 12:
        if (value == 0xfc)
            tcp_stop_accepting(world->tcp);
        break;
    case 13:
        tcp_frames(world->tcp, 85 + (value >> 4), 100);
        break;
    default:
        world->frames = -1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, data + size};
    struct world world;
    struct peer peers[PEERS];
    world_config(&world);
    world.config.time_wait_max = 2;
    world.config.connections_max = 2;
    world_open_configured(&world);
    for (unsigned i = 0; i < PEERS; i++)
        peer_init(&world, &peers[i], i + 1);
    peer_ipv6(&world, &peers[2]);

    for (unsigned step = 0; step < STEPS_MAX && input.at < input.end; step++) {
        uint32_t what = byte(&input);
        struct peer *peer = &peers[(what >> 4) % PEERS];
        switch (what & 15) {
        case 0:
        case 1:
            handshake(&world, peer, &input);
            break;
        case 2:
            world_wait(&world, 1000u * word(&input));
            break;
        case 3:
            world_output(&world);
            look(&world, peers, true);
            break;
        case 4:
            world_output(&world);
            look(&world, peers, false);
            break;
        case 5:
            peer_ack(&world, peer, 0);
            break;
        case 6:
            peer_data(&world, peer, byte(&input));
            break;
        case 7:
        case 8:
        case 9:
            event(&world, &input);
            break;
        case 10:
            icmp(&world, peer, &input);
            break;
        default:
            segment(&world, peer, &input);
        }
    }
    /* A peer that was told to make its stream up as it goes may contradict itself only in numbers:
     * payload is a function of them. */
    if (world.wrong_bytes && world.opened == 1)
        abort();
    if (world_close(&world) != 0)
        abort();
    return 0;
}
