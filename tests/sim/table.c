/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each mechanism of loss recovery is worth: the same transfers over the same paths with some
 * of them switched off, in virtual time. Two kinds of work:
 *
 *   bulk   2 MB to a client behind a bottleneck of 10 Mbit/s: seconds to completion
 *   thin   a message of 200 bytes every two seconds: milliseconds until it is acknowledged
 *
 * `sim-table [SEEDS]` prints a table of medians, for thin of the 95th percentile, over so many
 * seeds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/stack.h"
#include "tests/sim/client.h"
#include "tests/sim/stream.h"

enum {
    MEMORY = 8 << 20,
    BULK_BYTES = 2 << 20,
    MESSAGES = 200,
    MESSAGE_BYTES = 200,
    RATE = 1250000,
    SEEDS_MAX = 1000,
};

struct variant {
    const char *name;
    bool sack, rack, tail_loss_probe, prr, undo, frto, limited_transmit;
    enum tcp_congestion congestion;
    bool no_timestamps;
};

static const struct variant variants[] = {
    {.name = "newreno, no sack", .limited_transmit = true, .no_timestamps = true},
    {.name = "same, prr", .prr = true, .limited_transmit = true, .no_timestamps = true},
    {.name = "same, prr, f-rto",
     .prr = true,
     .undo = true,
     .frto = true,
     .limited_transmit = true,
     .no_timestamps = true},
    {.name = "sack", .sack = true},
    {.name = "sack, lim. transmit", .sack = true, .limited_transmit = true},
    {.name = "+ rack", .sack = true, .rack = true, .limited_transmit = true},
    {.name = "+ tail probes",
     .sack = true,
     .rack = true,
     .tail_loss_probe = true,
     .limited_transmit = true},
    {.name = "+ prr",
     .sack = true,
     .rack = true,
     .tail_loss_probe = true,
     .prr = true,
     .limited_transmit = true},
    {.name = "+ undo (all)",
     .sack = true,
     .rack = true,
     .tail_loss_probe = true,
     .prr = true,
     .undo = true,
     .limited_transmit = true},
    {.name = "all, cubic",
     .sack = true,
     .rack = true,
     .tail_loss_probe = true,
     .prr = true,
     .undo = true,
     .limited_transmit = true,
     .congestion = TCP_CUBIC},
};

struct path {
    const char *name;
    uint32_t delay;         /* microseconds one way */
    uint32_t loss, reorder; /* per mille */
    uint32_t jitter;
    bool stalls; /* half a minute in which nothing arrives, and all of it afterwards */
};

static const struct path paths[] = {
    {"20ms 0%", 10000, 0, 0, 0, false},       {"20ms 1%", 10000, 10, 0, 0, false},
    {"20ms 3%", 10000, 30, 0, 0, false},      {"20ms 10%", 10000, 100, 0, 0, false},
    {"200ms 0%", 100000, 0, 0, 0, false},     {"200ms 1%", 100000, 10, 0, 0, false},
    {"200ms 3%", 100000, 30, 0, 0, false},    {"200ms 10%", 100000, 100, 0, 0, false},
    {"100ms reord.", 50000, 0, 50, 0, false}, {"100ms jitter", 50000, 0, 0, 30000, false},
    {"100ms stalls", 50000, 0, 0, 0, true},
};

enum { PATHS = sizeof paths / sizeof *paths, VARIANTS = sizeof variants / sizeof *variants };

struct run {
    uint64_t now;
    struct sim_random random;
    struct pipe pipe;
    struct sim_client client;
    struct tcp_conn *conn;
    bool thin, closed;
    uint64_t received, acknowledged, announced, announced_at;
    uint32_t times[MESSAGES];
    unsigned messages;
    struct pool pool;
    struct counters counters;
    struct tcp *tcp;
    uint8_t frame[PIPE_FRAME_MAX];
};

static uint8_t *link_frame(void *link, size_t len, void **frame) {
    struct run *run = link;
    *frame = run->frame;
    return run->frame;
}

static void link_transmit(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                          uint32_t hop) {
    struct run *run = link;
    pipe_send(&run->pipe, PIPE_TO_CLIENT, 0, frame, (uint32_t)len, run->now);
}

static void announce(struct run *run, struct tcp_conn *conn, uint32_t len) {
    run->announced += len;
    run->announced_at = run->now;
    tcp_send(run->tcp, conn, len);
}

static bool app_opened(void *app, struct tcp_conn *conn) {
    struct run *run = app;
    run->conn = conn;
    if (run->thin)
        tcp_app_timer(run->tcp, conn, run->now + 2000000);
    else
        announce(run, conn, BULK_BYTES);
    return true;
}

static size_t app_received(void *app, struct tcp_conn *conn, const uint8_t *data, size_t len) {
    return len;
}

static void app_finished(void *app, struct tcp_conn *conn) {
    struct run *run = app;
    tcp_close(run->tcp, conn);
}

static void app_fetch(void *app, struct tcp_conn *conn, uint32_t offset, uint8_t *to, size_t len) {
    struct run *run = app;
    for (size_t i = 0; i < len; i++)
        to[i] = stream_to_client(0, run->acknowledged + offset + i);
}

static void app_acknowledged(void *app, struct tcp_conn *conn, uint32_t len) {
    struct run *run = app;
    run->acknowledged += len;
    if (run->thin && run->acknowledged == run->announced && run->messages < MESSAGES)
        run->times[run->messages++] = (uint32_t)(run->now - run->announced_at);
}

static void app_closed(void *app, struct tcp_conn *conn, enum tcp_close why) {
    struct run *run = app;
    run->closed = true;
}

static void app_timer(void *app, struct tcp_conn *conn) {
    struct run *run = app;
    if (run->acknowledged == run->announced)
        announce(run, conn, MESSAGE_BYTES);
    tcp_app_timer(run->tcp, conn, run->now + 2000000);
}

static bool done(const struct run *run) {
    return run->closed || (run->thin ? run->messages == MESSAGES : run->acknowledged == BULK_BYTES);
}

static void turn(struct run *run) {
    struct pipe_frame *frame;
    while ((frame = pipe_take(&run->pipe, run->now)) != NULL) {
        if (frame->to == PIPE_TO_CLIENT) {
            client_input(&run->client, frame->bytes, frame->len, run->now);
        } else {
            struct tcp_segment segment = {
                .tuple = run->client.tuple,
                .header = frame->bytes,
                .len = frame->len,
                .hash = tcp_tuple_hash(&run->client.tuple, run->tcp->config.flow_key)};
            tcp_input(run->tcp, &segment, 1, run->now);
        }
        free(frame);
    }
    client_run(&run->client, run->now);
    while (tcp_timers(run->tcp, run->now, 64))
        ;
    while (tcp_output(run->tcp, run->now, 32))
        ;
}

static uint64_t next_event(struct run *run) {
    uint64_t next = pipe_next(&run->pipe), other = tcp_next_timer(run->tcp);
    next = other < next ? other : next;
    other = client_next(&run->client);
    next = other < next ? other : next;
    return next > run->now ? next : run->now + 1000;
}

static int by_size(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Seconds for bulk; for thin the 95th percentile in milliseconds. */
static double transfer(const struct variant *variant, const struct path *path, bool thin,
                       uint64_t seed) {
    struct run *run = calloc(1, sizeof *run);
    run->random.state = seed * 977;
    run->now = 5000000000;
    run->thin = thin;
    run->pipe = (struct pipe){
        .random = &run->random,
        .delay = path->delay,
        .loss = path->loss,
        .reorder = path->reorder,
        .jitter = path->jitter,
        .rate = RATE,
        .queue = 64 * 1500,
    };
    void *memory = aligned_alloc(1 << 16, MEMORY), *state = calloc(1, arena_footprint(MEMORY));
    pool_init(&run->pool, arena_init(state, memory, MEMORY, MEMORY));
    struct tcp_config config = {
        .connections_max = 16,
        .window = 65535,
        .mss = 1360,
        .rto_min_ms = 400,
        .rto_max_ms = 60000,
        .rto_initial_ms = 1000,
        .give_up_ms = 3600000,
        .fin_wait_ms = 30000,
        .ports = {1883},
        .congestion = variant->congestion,
        .sack = variant->sack,
        .rack = variant->rack,
        .tail_loss_probe = variant->tail_loss_probe,
        .prr = variant->prr,
        .undo = variant->undo,
        .frto = variant->frto,
        .limited_transmit = variant->limited_transmit,
    };
    struct tcp_link link = {link_frame, link_transmit, run, NULL};
    struct tcp_app app = {app_opened,       app_received, app_finished, app_fetch,
                          app_acknowledged, app_closed,   app_timer,    run};
    run->tcp = tcp_create(&config, &run->pool, &link, &app, &run->counters, run->now);
    struct client_plan plan = {
        .to_send = 100,
        .to_receive = thin ? MESSAGES * MESSAGE_BYTES : BULK_BYTES,
        .window = CLIENT_BUFFER,
        .mss = 1460,
        .timestamps = !variant->no_timestamps,
        .sack = true,
        .wscale = 3,
        .ack_delay = 40000,
    };
    client_open(&run->client, 0, &plan, &run->pipe, sim_random(&run->random), run->now);
    uint64_t start = run->now, stall = run->now + 1000000;
    while (!done(run) && run->now - start < UINT64_C(7200) * 1000000) {
        if (path->stalls && run->now >= stall) {
            run->pipe.stall_from = run->now;
            run->pipe.stall_to = run->now + sim_between(&run->random, 500000, 3000000);
            stall = run->pipe.stall_to + sim_between(&run->random, 500000, 5000000);
        }
        turn(run);
        if (!done(run))
            run->now = next_event(run);
    }
    double result = (double)(run->now - start) / 1e6;
    if (thin) {
        double times[MESSAGES];
        for (unsigned i = 0; i < run->messages; i++)
            times[i] = run->times[i] / 1e3;
        qsort(times, run->messages, sizeof *times, by_size);
        result = times[run->messages * 95 / 100];
    }
    pipe_clear(&run->pipe);
    tcp_destroy(run->tcp);
    free(memory);
    free(state);
    free(run);
    return result;
}

static void table(bool thin, unsigned seeds) {
    static double results[SEEDS_MAX];
    printf("%-20s", thin ? "thin, ms" : "bulk, s");
    for (unsigned p = 0; p < PATHS; p++)
        printf(" %12s", paths[p].name);
    printf("\n");
    for (unsigned v = 0; v < VARIANTS; v++) {
        printf("%-20s", variants[v].name);
        for (unsigned p = 0; p < PATHS; p++) {
            for (unsigned seed = 0; seed < seeds; seed++)
                results[seed] = transfer(&variants[v], &paths[p], thin, seed + 1);
            qsort(results, seeds, sizeof *results, by_size);
            printf(" %12.2f", results[seeds / 2]);
            fflush(stdout);
        }
        printf("\n");
    }
}

int main(int argc, char **argv) {
    unsigned long seeds = argc > 1 ? strtoul(argv[1], NULL, 10) : 15;
    if (seeds == 0 || seeds > SEEDS_MAX) {
        fprintf(stderr, "usage: sim-table [SEEDS]\n");
        return 2;
    }
    table(false, (unsigned)seeds);
    table(true, (unsigned)seeds);
    return 0;
}
