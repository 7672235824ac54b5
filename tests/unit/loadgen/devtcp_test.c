/* SPDX-License-Identifier: Apache-2.0 */
/* The devices' TCP against the broker's, over a pipe in virtual time: two stacks that share no code
 * judge each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bytes.h"
#include "dataplane/message/arena.h"
#include "dataplane/tcp/tcp.h"
#include "tests/sim/pipe.h"
#include "tools/loadgen/devtcp.h"

enum {
    DEVICES = 16,
    MEMORY = 8 << 20,
    PORT = 1883,
    FIRST_PORT = 50000,
    SECOND = 1000000,
};

#define HOUR (UINT64_C(3600) * SECOND)

struct peer { /* the broker's part of a connection */
    uint32_t number;
    uint32_t received, announced, acknowledged;
};

struct side { /* the device's part */
    uint32_t written, received;
    bool finished, ended;
    enum devtcp_end why;
    unsigned timers;
};

struct world {
    uint64_t now;
    struct sim_random random;
    struct pipe pipe;
    struct devtcp devices;
    struct side sides[DEVICES];
    uint32_t to_send, to_receive;
    bool broker_closes, mute;
    unsigned no_frames; /* times that a device gets none */
    unsigned wrong, closed;

    void *memory, *state;
    struct arena *arena;
    struct pool pool;
    struct counters counters;
    struct tcp *tcp;
    uint8_t frame[PIPE_FRAME_MAX], device_frame[PIPE_FRAME_MAX];
};

static uint8_t stream_byte(uint64_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7 + 1);
}

/* --- the broker ------------------------------------------------------------------------------ */

static uint8_t *broker_frame(void *link, size_t len, void **frame) {
    struct world *world = link;
    assert_true(len <= PIPE_FRAME_MAX);
    return *frame = world->frame;
}

static void broker_transmit(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                            uint32_t hop) {
    struct world *world = link;
    pipe_send(&world->pipe, PIPE_TO_CLIENT, tuple->remote_port - FIRST_PORT, frame, (uint32_t)len,
              world->now);
}

static bool broker_opened(void *app, struct tcp_conn *conn) {
    struct world *world = app;
    struct peer *peer = tcp_conn_app(conn);
    struct tcp_tuple tuple;
    tcp_conn_tuple(world->tcp, conn, &tuple);
    peer->number = tuple.remote_port - FIRST_PORT;
    peer->announced = world->to_receive;
    tcp_send(world->tcp, conn, world->to_receive);
    return true;
}

static size_t broker_received(void *app, struct tcp_conn *conn, const uint8_t *data, size_t len) {
    struct world *world = app;
    struct peer *peer = tcp_conn_app(conn);
    for (size_t i = 0; i < len; i++)
        world->wrong += data[i] != stream_byte(peer->received + i);
    peer->received += (uint32_t)len;
    if (world->broker_closes && peer->received == world->to_send)
        tcp_close(world->tcp, conn);
    return len;
}

static void broker_finished(void *app, struct tcp_conn *conn) {
    struct world *world = app;
    tcp_close(world->tcp, conn);
}

static void broker_fetch(void *app, struct tcp_conn *conn, uint32_t offset, uint8_t *to,
                         size_t len) {
    const struct peer *peer = tcp_conn_app(conn);
    for (size_t i = 0; i < len; i++)
        to[i] = stream_byte(peer->acknowledged + offset + i);
}

static void broker_acknowledged(void *app, struct tcp_conn *conn, uint32_t len) {
    ((struct peer *)tcp_conn_app(conn))->acknowledged += len;
}

static void broker_closed(void *app, struct tcp_conn *conn, enum tcp_close why) {
    struct world *world = app;
    world->closed++;
}

static void broker_timer(void *app, struct tcp_conn *conn) {
}

/* --- the devices ----------------------------------------------------------------------------- */

static uint8_t *device_frame(void *link, size_t len, void **frame) {
    struct world *world = link;
    assert_true(len <= PIPE_FRAME_MAX);
    if (world->no_frames > 0) {
        world->no_frames--;
        return NULL;
    }
    return *frame = world->device_frame;
}

static void device_transmit(void *link, void *frame, size_t len, uint32_t number) {
    struct world *world = link;
    if (!world->mute)
        pipe_send(&world->pipe, PIPE_TO_SERVER, number, frame, (uint32_t)len, world->now);
}

static void device_opened(void *app, uint32_t number) {
    devtcp_touch(&((struct world *)app)->devices, number);
}

/* Writes until two segments wait, in pieces that do not fit segments. */
static void device_sending(void *app, uint32_t number) {
    struct world *world = app;
    struct side *side = &world->sides[number];
    const struct device *device = &world->devices.devices[number];
    while (side->written < world->to_send && device_unsent(device) < 3000) {
        uint8_t bytes[333];
        uint32_t len = world->to_send - side->written;
        len = len < sizeof bytes ? len : (uint32_t)sizeof bytes;
        for (uint32_t i = 0; i < len; i++)
            bytes[i] = stream_byte(side->written + i);
        if (!devtcp_write(&world->devices, number, bytes, len))
            break;
        side->written += len;
    }
    if (!world->broker_closes && side->written == world->to_send &&
        side->received == world->to_receive)
        devtcp_close(&world->devices, number);
}

static void device_received(void *app, uint32_t number, const uint8_t *data, uint32_t len) {
    struct world *world = app;
    struct side *side = &world->sides[number];
    for (uint32_t i = 0; i < len; i++)
        world->wrong += data[i] != stream_byte(side->received + i);
    side->received += len;
}

static void device_finished(void *app, uint32_t number) {
    ((struct world *)app)->sides[number].finished = true;
}

static void device_ended(void *app, uint32_t number, enum devtcp_end why) {
    struct side *side = &((struct world *)app)->sides[number];
    assert_false(side->ended);
    side->ended = true;
    side->why = why;
}

static void device_timer(void *app, uint32_t number) {
    ((struct world *)app)->sides[number].timers++;
}

/* --- the world ------------------------------------------------------------------------------- */

static struct world *world_new(uint64_t seed, uint32_t to_send, uint32_t to_receive) {
    struct world *world = calloc(1, sizeof *world);
    world->now = 5 * SECOND;
    world->random.state = seed;
    world->pipe = (struct pipe){.random = &world->random, .delay = 2000};
    world->to_send = to_send;
    world->to_receive = to_receive;
    world->memory = aligned_alloc(1 << 16, MEMORY);
    world->state = calloc(1, arena_footprint(MEMORY));
    world->arena = arena_init(world->state, world->memory, MEMORY, MEMORY);
    pool_init(&world->pool, world->arena);
    struct tcp_config config = {
        .connections_max = 64,
        .window = 65535,
        .mss = 1360,
        .rto_min_ms = 400,
        .rto_max_ms = 60000,
        .rto_initial_ms = 1000,
        .give_up_ms = 900000,
        .time_wait_ms = 1000,
        .fin_wait_ms = 600000,
        .time_wait_max = 64,
        .out_of_order_max = 65536,
        .ports = {PORT},
        .app_size = sizeof(struct peer),
    };
    struct tcp_link link = {broker_frame, broker_transmit, world, NULL};
    struct tcp_app app = {broker_opened,       broker_received, broker_finished, broker_fetch,
                          broker_acknowledged, broker_closed,   broker_timer,    world};
    world->tcp = tcp_create(&config, &world->pool, &link, &app, &world->counters, world->now);
    struct devtcp_config devices = {.devices = DEVICES,
                                    .window = 262144,
                                    .rto_us = 400000,
                                    .rto_max_us = 8 * SECOND,
                                    .mss = 1460,
                                    .retries = 15,
                                    .ack_segments = 2,
                                    .timestamps = true};
    assert_true(devtcp_init(&world->devices, &devices, 1024, 4096, world->now));
    world->devices.link = (struct devtcp_link){device_frame, device_transmit, world};
    world->devices.app = (struct devtcp_app){device_opened, device_received, device_finished,
                                             device_ended,  device_timer,    device_sending,
                                             world};
    return world;
}

static void world_free(struct world *world) {
    pipe_clear(&world->pipe);
    tcp_destroy(world->tcp);
    devtcp_fini(&world->devices);
    free(world->memory);
    free(world->state);
    free(world);
}

static void arrive(struct world *world, struct pipe_frame *frame) {
    if (frame->to == PIPE_TO_CLIENT) {
        devtcp_input(&world->devices, frame->client, frame->bytes, frame->len);
        return;
    }
    struct tcp_segment segment = {.header = frame->bytes, .len = frame->len};
    memcpy(segment.tuple.remote, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
    memcpy(segment.tuple.local, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\2", 16);
    segment.tuple.remote_port = (uint16_t)(FIRST_PORT + frame->client);
    segment.tuple.local_port = PORT;
    store_be16(frame->bytes, segment.tuple.remote_port);
    store_be16(frame->bytes + 2, PORT);
    segment.hash = tcp_tuple_hash(&segment.tuple, (const uint8_t[16]){0});
    tcp_input(world->tcp, &segment, 1, world->now);
}

/* For a time, or until nothing is on the way or due. */
static void world_run(struct world *world, uint64_t microseconds) {
    uint64_t end = world->now + microseconds;
    while (world->now < end) {
        struct pipe_frame *frame;
        devtcp_time(&world->devices, world->now);
        while ((frame = pipe_take(&world->pipe, world->now)) != NULL) {
            arrive(world, frame);
            free(frame);
        }
        while (tcp_timers(world->tcp, world->now, 64))
            ;
        while (devtcp_timers(&world->devices, 64))
            ;
        while (tcp_output(world->tcp, world->now, 64))
            ;
        while (devtcp_output(&world->devices, 64))
            ;
        uint64_t next = pipe_next(&world->pipe), timer = tcp_next_timer(world->tcp);
        next = timer < next ? timer : next;
        timer = wheel_next(&world->devices.wheel);
        next = timer < next ? timer : next;
        if (next == UINT64_MAX)
            return;
        world->now = next > world->now ? next : world->now + 1;
    }
}

static void open_all(struct world *world) {
    devtcp_time(&world->devices, world->now);
    for (uint32_t i = 0; i < DEVICES; i++)
        devtcp_open(&world->devices, i);
}

static void all_went_well(struct world *world) {
    assert_int_equal(world->wrong, 0);
    for (unsigned i = 0; i < DEVICES; i++) {
        assert_true(world->sides[i].ended);
        assert_int_equal(world->sides[i].why, DEVTCP_ORDERLY);
        assert_int_equal(world->sides[i].written, world->to_send);
        assert_int_equal(world->sides[i].received, world->to_receive);
    }
    assert_int_equal(world->closed, DEVICES);
    const struct chunks *chunks = &world->devices.chunks;
    assert_int_equal(chunks->classes[0].used + chunks->classes[1].used, 0);
    assert_int_equal(world->devices.wheel.linked, 0);
}

static void carries_bytes_both_ways(void **state) {
    struct world *world = world_new(1, 200000, 300000);
    open_all(world);
    world_run(world, HOUR);
    all_went_well(world);
    const struct devtcp_stats *stats = &world->devices.stats;
    assert_int_equal(stats->opened, DEVICES);
    assert_int_equal(stats->bytes_in, DEVICES * 300000);
    assert_int_equal(stats->bytes_out, DEVICES * 200000);
    assert_int_equal(stats->retransmitted + stats->timeouts + stats->fast_retransmits, 0);
    assert_int_equal(stats->bad_acks + stats->bad_segments + stats->stray, 0);
    world_free(world);
}

static void closes_after_the_broker(void **state) {
    struct world *world = world_new(2, 1000, 5000);
    world->broker_closes = true;
    open_all(world);
    world_run(world, HOUR);
    all_went_well(world);
    for (unsigned i = 0; i < DEVICES; i++)
        assert_true(world->sides[i].finished);
    world_free(world);
}

static void survives_loss_duplication_and_disorder(void **state) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *world = world_new(seed, 30000, 40000);
        world->pipe.loss = 100; /* per mille */
        world->pipe.duplicate = 30;
        world->pipe.reorder = 100;
        world->pipe.jitter = 3000;
        world->broker_closes = seed % 2;
        open_all(world);
        world_run(world, HOUR);
        all_went_well(world);
        assert_true(world->devices.stats.retransmitted > 0);
        assert_true(world->devices.stats.out_of_order > 0);
        assert_int_equal(world->devices.stats.bad_acks + world->devices.stats.bad_segments, 0);
        world_free(world);
    }
}

static void sends_no_more_than_the_window(void **state) {
    struct world *world = world_new(3, 1000000, 1);
    open_all(world);
    for (unsigned i = 0; i < 1000; i++) {
        world_run(world, 1000);
        for (uint32_t n = 0; n < DEVICES; n++)
            assert_true(device_in_flight(&world->devices.devices[n]) <= 65535);
        if (world->sides[0].ended)
            break;
    }
    world_run(world, HOUR);
    all_went_well(world);
    world_free(world);
}

static void gives_up_without_an_answer(void **state) {
    struct world *world = world_new(4, 10, 10);
    world->mute = true;
    open_all(world);
    world_run(world, HOUR);
    for (unsigned i = 0; i < DEVICES; i++) {
        assert_true(world->sides[i].ended);
        assert_int_equal(world->sides[i].why, DEVTCP_TIMEOUT);
    }
    world_free(world);
}

static void is_refused_by_a_closed_port(void **state) {
    struct world *world = world_new(5, 10, 10);
    tcp_stop_accepting(world->tcp);
    open_all(world);
    world_run(world, HOUR);
    for (unsigned i = 0; i < DEVICES; i++)
        assert_int_equal(world->sides[i].why, DEVTCP_REFUSED);
    world_free(world);
}

static void sends_as_soon_as_there_are_frames(void **state) {
    struct world *world = world_new(12, 5000, 5000);
    world->no_frames = 100;
    open_all(world);
    world_run(world, HOUR);
    all_went_well(world);
    assert_int_equal(world->no_frames, 0);
    assert_int_equal(world->devices.stats.timeouts, 0);
    world_free(world);
}

static void opens_again_after_the_end(void **state) {
    struct world *world = world_new(6, 100, 200);
    for (unsigned round = 1; round <= 3; round++) {
        memset(world->sides, 0, sizeof world->sides);
        world->closed = 0;
        open_all(world);
        world_run(world, HOUR);
        all_went_well(world);
        assert_int_equal(world->devices.stats.opened, round * DEVICES);
    }
    world_free(world);
}

static void resets_when_told(void **state) {
    struct world *world = world_new(7, 100, 100000);
    open_all(world);
    world_run(world, 10000);
    for (uint32_t i = 0; i < DEVICES; i++) {
        assert_in_range(world->sides[i].received, 1, 99999);
        devtcp_abort(&world->devices, i);
    }
    world_run(world, HOUR);
    assert_int_equal(world->closed, DEVICES);
    assert_int_equal(world->devices.chunks.classes[0].used, 0);
    assert_int_equal(world->devices.chunks.classes[1].used, 0);
    world_free(world);
}

static void refuses_an_ack_of_what_was_not_sent(void **state) {
    struct world *world = world_new(8, 0, 1);
    uint8_t segment[20] = {0};
    devtcp_time(&world->devices, world->now);
    devtcp_open(&world->devices, 0);
    struct device *device = &world->devices.devices[0];
    device->state = DEVICE_OPEN;
    device->snd_una = device->snd_nxt = device->snd_end = 1000;
    device->rcv_nxt = 500;
    store_be32(segment + 4, 500);
    store_be32(segment + 8, 1001);
    segment[12] = 5 << 4;
    segment[13] = TCP_ACK;
    devtcp_input(&world->devices, 0, segment, sizeof segment);
    assert_int_equal(world->devices.stats.bad_acks, 1);
    assert_int_equal(device->snd_una, 1000);
    world_free(world);
}

static void delays_the_ack_of_a_single_segment(void **state) {
    struct world *world = world_new(11, 0, 100);
    devtcp_time(&world->devices, world->now);
    devtcp_open(&world->devices, 0);
    struct device *device = &world->devices.devices[0];
    uint8_t segment[21] = {0};
    device->state = DEVICE_OPEN;
    device->snd_una = device->snd_nxt = device->snd_end = 1000;
    device->rto_at = 0;
    segment[12] = 5 << 4;
    segment[13] = TCP_ACK;
    store_be32(segment + 8, 1000);
    segment[20] = stream_byte(0);
    devtcp_input(&world->devices, 0, segment, sizeof segment);
    devtcp_output(&world->devices, 64);
    assert_int_equal(world->devices.stats.acks_out, 0);
    world->now += 100000;
    devtcp_time(&world->devices, world->now);
    devtcp_timers(&world->devices, 64);
    devtcp_output(&world->devices, 64);
    assert_int_equal(world->devices.stats.acks_out, 1);
    for (unsigned i = 1; i <= 2; i++) {
        store_be32(segment + 4, i);
        segment[20] = stream_byte(i);
        devtcp_input(&world->devices, 0, segment, sizeof segment);
    }
    devtcp_output(&world->devices, 64);
    assert_int_equal(world->devices.stats.acks_out, 2);
    /* What is early or late is acknowledged at once. */
    store_be32(segment + 4, 5);
    devtcp_input(&world->devices, 0, segment, sizeof segment);
    devtcp_output(&world->devices, 64);
    assert_int_equal(world->devices.stats.acks_out, 3);
    store_be32(segment + 4, 0);
    devtcp_input(&world->devices, 0, segment, sizeof segment);
    devtcp_output(&world->devices, 64);
    assert_int_equal(world->devices.stats.acks_out, 4);
    assert_int_equal(world->wrong, 0);
    world_free(world);
}

static void wakes_at_the_timer_and_not_before(void **state) {
    struct world *world = world_new(9, 0, 1);
    devtcp_time(&world->devices, world->now);
    devtcp_open(&world->devices, 3);
    world->mute = true;
    devtcp_timer_set(&world->devices, 3, 150000);
    uint64_t start = world->now;
    while (world->sides[3].timers == 0 && world->now < start + SECOND) {
        world->now += 1000;
        devtcp_time(&world->devices, world->now);
        devtcp_timers(&world->devices, 64);
    }
    assert_in_range(world->now - start, 150000, 150000 + 3 * (1 << DEVTCP_TICK_SHIFT));
    devtcp_timer_set(&world->devices, 3, 150000);
    devtcp_timer_set(&world->devices, 3, 0);
    world->now += SECOND / 4;
    devtcp_time(&world->devices, world->now);
    devtcp_timers(&world->devices, 64);
    assert_int_equal(world->sides[3].timers, 1);
    world_free(world);
}

static void keeps_working_without_buffers(void **state) {
    struct world *world = world_new(10, 20000, 1000);
    /* Three segments for all sixteen devices. */
    chunks_close(&world->devices.chunks);
    assert_true(chunks_open(&world->devices.chunks, 4, 3));
    world->broker_closes = true;
    open_all(world);
    for (unsigned i = 0; i < 5000 && world->closed < DEVICES; i++) {
        world_run(world, 5000);
        for (uint32_t n = 0; n < DEVICES; n++)
            if (world->devices.devices[n].state == DEVICE_OPEN)
                devtcp_touch(&world->devices, n);
    }
    assert_true(world->devices.stats.no_chunk + world->devices.chunks.classes[1].used_max >= 3);
    world_run(world, HOUR);
    all_went_well(world);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_bytes_both_ways),
        cmocka_unit_test(closes_after_the_broker),
        cmocka_unit_test(survives_loss_duplication_and_disorder),
        cmocka_unit_test(sends_no_more_than_the_window),
        cmocka_unit_test(gives_up_without_an_answer),
        cmocka_unit_test(is_refused_by_a_closed_port),
        cmocka_unit_test(sends_as_soon_as_there_are_frames),
        cmocka_unit_test(opens_again_after_the_end),
        cmocka_unit_test(resets_when_told),
        cmocka_unit_test(refuses_an_ack_of_what_was_not_sent),
        cmocka_unit_test(delays_the_ack_of_a_single_segment),
        cmocka_unit_test(wakes_at_the_timer_and_not_before),
        cmocka_unit_test(keeps_working_without_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
