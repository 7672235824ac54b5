/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack against itself: both ends of a lossy path are ours, so that each mechanism of the
 * sender meets the receiver that it was written for, D-SACK included, and both are under pressure
 * at once.
 *
 * Both only open passively. A matchmaker shakes hands with each and sends each its first byte, then
 * steps aside; what remains of it is that sequence numbers from the second to the first are moved
 * by a constant.
 *
 *      first                     matchmaker                     second
 *        | <---- SYN x, SYN-ACK a ----|                            |
 *        |                            |---- SYN a - 1, SYN-ACK b ->|
 *        | <-- byte at x + 1 ---------|--------- byte at a ------> |
 *        | <==== numbers + shift, shift = x + 1 - b ============== |
 *        | ======================================================> |
 *
 * What must hold is that of sim_test.c. `sim-duel FIRST COUNT` runs other seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/base/bytes.h"
#include "tests/sim/check.h"
#include "tests/sim/seeds.h"
#include "tests/sim/stream.h"

enum { MEMORY = 4 << 20, SEEDS = 150, PORT_FIRST = 1883, PORT_SECOND = 8883 };

struct duel;

struct side {
    struct duel *duel;
    unsigned number; /* 0 or 1 */
    void *memory, *state;
    struct arena *arena;
    struct pool pool;
    struct counters counters;
    struct tcp *tcp;
    struct tcp_tuple tuple; /* of what arrives */
    uint64_t clock;         /* its time is the duel's and this */
    uint32_t frame_shortage, memory_shortage, slow_reader;
    struct tcp_conn *conn;
    bool greeted, paused, finished, closed;
    enum tcp_close why;
    uint64_t to_send, to_receive, received, acknowledged, announced, resume_at;
    uint8_t frame[PIPE_FRAME_MAX];
};

struct duel {
    uint64_t now;
    struct sim_random random;
    struct pipe pipe;
    struct side sides[2];
    bool matching; /* frames go to the matchmaker */
    uint8_t caught[PIPE_FRAME_MAX];
    uint32_t caught_len, shift;
    bool closes_first[2], large_windows;
    const char *fault;
};

static void fault(struct duel *duel, const char *what) {
    if (!duel->fault)
        duel->fault = what;
}

static uint64_t time_of(const struct side *side) {
    return side->duel->now + side->clock;
}

/* --- link ------------------------------------------------------------------------------------ */

static uint8_t *link_frame(void *link, size_t len, void **frame) {
    struct side *side = link;
    if (!side->duel->matching && sim_chance(&side->duel->random, side->frame_shortage))
        return NULL;
    *frame = side->frame;
    return side->frame;
}

static void add32(uint8_t *at, uint32_t value) {
    store_be32(at, load_be32(at) + value);
}

/* From the numbers of the second to those of the first; the other way with a negative shift. */
static void translate(uint8_t *bytes, uint32_t seq_shift, uint32_t ack_shift) {
    size_t end = (size_t)(bytes[12] >> 4) * 4;
    add32(bytes + 4, seq_shift);
    add32(bytes + 8, ack_shift);
    for (size_t at = 20; at < end;) {
        if (bytes[at] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        for (size_t i = 2; bytes[at] == TCP_OPTION_SACK && i < bytes[at + 1]; i += 4)
            add32(bytes + at + i, ack_shift);
        at += bytes[at + 1];
    }
}

static void link_transmit(void *link, void *frame, size_t len, const struct tcp_tuple *tuple,
                          uint32_t hop) {
    struct side *side = link;
    struct duel *duel = side->duel;
    struct tcp_segment segment = {.tuple = *tuple, .header = frame, .len = (uint32_t)len};
    struct tcp_header header;
    if (!header_parse(&header, &segment))
        fault(duel, "a malformed segment");
    if (duel->matching) {
        memcpy(duel->caught, frame, len);
        duel->caught_len = (uint32_t)len;
        return;
    }
    const char *wrong = side->conn ? check_segment(side->tcp, side->conn, &header) : NULL;
    if (wrong)
        fault(duel, wrong);
    if (side->number == 0)
        translate(frame, 0, -duel->shift);
    else
        translate(frame, duel->shift, 0);
    pipe_send(&duel->pipe, side->number ? PIPE_TO_SERVER : PIPE_TO_CLIENT, 0, frame, (uint32_t)len,
              duel->now);
}

/* --- application ----------------------------------------------------------------------------- */

static void announce_more(struct side *side, struct tcp_conn *conn) {
    struct duel *duel = side->duel;
    uint64_t left = side->to_send - side->announced;
    uint32_t len = sim_between(&duel->random, 1, 9000);
    if (len > left)
        len = (uint32_t)left;
    if (len) {
        side->announced += len;
        tcp_send(side->tcp, conn, len);
    }
    if (side->announced == side->to_send && side->received == side->to_receive &&
        (duel->closes_first[side->number] || side->finished))
        tcp_close(side->tcp, conn);
}

static bool app_opened(void *app, struct tcp_conn *conn) {
    struct side *side = app;
    if (side->conn || side->closed)
        fault(side->duel, "opened twice");
    side->conn = conn;
    tcp_app_timer(side->tcp, conn, time_of(side) + sim_between(&side->duel->random, 1, 1000000));
    return true;
}

static uint8_t stream(unsigned to, uint64_t position) {
    return to ? stream_to_client(0, position) : stream_to_broker(0, position);
}

static size_t app_received(void *app, struct tcp_conn *conn, const uint8_t *data, size_t len) {
    struct side *side = app;
    struct duel *duel = side->duel;
    /* The matchmaker's byte. */
    if (!side->greeted) {
        side->greeted = true;
        return 1;
    }
    size_t take = len;
    if (sim_chance(&duel->random, side->slow_reader)) {
        take = sim_between(&duel->random, 0, (uint32_t)len);
        if (take < len) {
            side->paused = true;
            side->resume_at = duel->now + sim_between(&duel->random, 1, 3000000);
        }
    }
    for (size_t i = 0; i < take; i++)
        if (data[i] != stream(side->number, side->received + i))
            fault(duel, "a wrong byte was received");
    side->received += take;
    if (sim_chance(&duel->random, 500))
        announce_more(side, conn);
    return take;
}

static void app_finished(void *app, struct tcp_conn *conn) {
    struct side *side = app;
    if (side->received != side->to_receive)
        fault(side->duel, "finished before the last byte");
    side->finished = true;
    announce_more(side, conn);
}

static void app_fetch(void *app, struct tcp_conn *conn, uint32_t offset, uint8_t *to, size_t len) {
    struct side *side = app;
    if (side->acknowledged + offset + len > side->announced)
        fault(side->duel, "fetched what was not announced");
    for (size_t i = 0; i < len; i++)
        to[i] = stream(!side->number, side->acknowledged + offset + i);
}

static void app_acknowledged(void *app, struct tcp_conn *conn, uint32_t len) {
    struct side *side = app;
    side->acknowledged += len;
    if (sim_chance(&side->duel->random, 700))
        announce_more(side, conn);
}

static void app_closed(void *app, struct tcp_conn *conn, enum tcp_close why) {
    struct side *side = app;
    side->conn = NULL;
    side->closed = true;
    side->why = why;
}

static void app_timer(void *app, struct tcp_conn *conn) {
    struct side *side = app;
    announce_more(side, conn);
    tcp_app_timer(side->tcp, conn, time_of(side) + sim_between(&side->duel->random, 1000, 3000000));
}

/* --- the match ------------------------------------------------------------------------------- */

static void input(struct side *side, const uint8_t *bytes, uint32_t len) {
    struct tcp_segment segment = {
        .tuple = side->tuple,
        .header = bytes,
        .len = len,
        .hash = tcp_tuple_hash(&side->tuple, side->tcp->config.flow_key),
    };
    tcp_input(side->tcp, &segment, 1, time_of(side));
}

/* A segment of the matchmaker to `side`. */
static void send_to(struct side *side, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t tsval,
                    uint32_t tsecr, bool timestamps, uint32_t len) {
    uint8_t bytes[80] = {0};
    size_t at = 20;
    /* Window and scale are what the other side will say of itself. */
    const struct tcp *other = side->duel->sides[!side->number].tcp;
    if (flags & TCP_SYN) {
        struct tcp_options options = {.has_mss = true,
                                      .mss = 1360,
                                      .has_timestamp = timestamps,
                                      .sack_permitted = true,
                                      .has_wscale = true,
                                      .wscale = other->rcv_shift,
                                      .tsval = tsval};
        at += tcp_options_put_syn(bytes + at, &options);
    } else if (timestamps) {
        at += tcp_options_put_timestamp(bytes + at, tsval, tsecr);
    }
    uint32_t window = first_window(other);
    if (!(flags & TCP_SYN) && timestamps)
        window >>= other->rcv_shift;
    header_write(bytes, &side->tuple, seq, ack, flags, (uint16_t)window, at - 20);
    store_be16(bytes, side->tuple.remote_port);
    store_be16(bytes + 2, side->tuple.local_port);
    input(side, bytes, (uint32_t)(at + len));
}

static struct tcp_header syn_ack(struct side *side, uint32_t seq, bool timestamps) {
    struct duel *duel = side->duel;
    struct tcp_header header = {0};
    duel->caught_len = 0;
    send_to(side, TCP_SYN, seq, 0, 1, 0, timestamps, 0);
    struct tcp_segment segment = {.header = duel->caught, .len = duel->caught_len};
    if (duel->caught_len == 0 || !header_parse(&header, &segment))
        fault(duel, "no SYN-ACK");
    return header;
}

static void match(struct duel *duel) {
    struct side *first = &duel->sides[0], *second = &duel->sides[1];
    bool timestamps = sim_chance(&duel->random, 800);
    uint32_t x = sim_random(&duel->random);
    duel->matching = true;
    struct tcp_header a = syn_ack(first, x, timestamps);
    struct tcp_header b = syn_ack(second, a.seq - 1, timestamps);
    duel->shift = x + 1 - b.seq;
    send_to(first, TCP_ACK, x + 1, a.seq + 1, b.options.tsval, a.options.tsval, timestamps, 1);
    send_to(second, TCP_ACK, a.seq, b.seq + 1, a.options.tsval, b.options.tsval, timestamps, 1);
    duel->matching = false;
}

static void plan_path(struct duel *duel) {
    struct sim_random *random = &duel->random;
    struct pipe *pipe = &duel->pipe;
    static const uint32_t losses[] = {0, 1, 10, 30, 50, 100, 300};
    pipe->random = random;
    pipe->delay = sim_between(random, 100, sim_chance(random, 300) ? 700000 : 60000);
    pipe->jitter = sim_chance(random, 400) ? sim_between(random, 0, pipe->delay) : 0;
    pipe->loss = losses[sim_between(random, 0, 6)];
    pipe_trouble(pipe, duel->now, 300);
}

static void open_side(struct duel *duel, unsigned number) {
    struct side *side = &duel->sides[number];
    struct sim_random *random = &duel->random;
    static const uint8_t addresses[2][16] = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 1},
                                             {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 0, 2}};
    uint16_t port = number ? PORT_SECOND : PORT_FIRST;
    side->duel = duel;
    side->number = number;
    side->clock = sim_chance(random, 500) ? 0 : (UINT64_C(1) << 42) - 20000000 - duel->now;
    side->memory = aligned_alloc(1 << 16, MEMORY);
    side->state = calloc(1, arena_footprint(MEMORY));
    side->arena = arena_init(side->state, side->memory, MEMORY, MEMORY);
    pool_init(&side->pool, side->arena);
    memcpy(side->tuple.remote, addresses[!number], 16);
    memcpy(side->tuple.local, addresses[number], 16);
    side->tuple.local_port = port;
    side->tuple.remote_port = number ? PORT_FIRST : PORT_SECOND;
    uint32_t most = duel->pipe.loss > 50 ? 20000 : 300000;
    side->to_send = sim_chance(random, 200) ? 0 : sim_between(random, 1, most);
    side->frame_shortage = sim_chance(random, 200) ? sim_between(random, 1, 300) : 0;
    side->memory_shortage = sim_chance(random, 200) ? sim_between(random, 1, 200) : 0;
    side->slow_reader = sim_chance(random, 300) ? sim_between(random, 1, 500) : 0;
    duel->closes_first[number] = number == 0 || sim_chance(random, 500);
    struct tcp_config config = {
        .connections_max = 16,
        .window = sim_chance(random, 300) ? 4096
                  : duel->large_windows   ? 400000
                                          : 65535,
        .mss = (uint16_t)sim_between(random, 536, 1460),
        .rto_max_ms = 60000,
        .rto_initial_ms = 1000,
        .give_up_ms = 3600000,
        .time_wait_ms = 600000, /* a FIN that is lost ten times in a row still finds the record */
        .fin_wait_ms = 3 * 3600000,
        .time_wait_max = 16,
        .out_of_order_max = 65536,
        .ports = {port},
    };
    check_configure(&config, random);
    struct tcp_link link = {link_frame, link_transmit, side, NULL};
    struct tcp_app app = {app_opened,       app_received, app_finished, app_fetch,
                          app_acknowledged, app_closed,   app_timer,    side};
    side->tcp = tcp_create(&config, &side->pool, &link, &app, &side->counters, time_of(side));
}

static void turn(struct duel *duel) {
    struct pipe_frame *frame;
    while ((frame = pipe_take(&duel->pipe, duel->now)) != NULL) {
        input(&duel->sides[frame->to == PIPE_TO_CLIENT], frame->bytes, frame->len);
        free(frame);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &duel->sides[i];
        if (side->conn && side->paused && side->resume_at <= duel->now) {
            side->paused = false;
            tcp_resume(side->tcp, side->conn);
        }
        if (sim_chance(&duel->random, side->memory_shortage))
            arena_fail_after(side->arena, 1);
        const char *wrong = check_settle(side->tcp, time_of(side));
        if (wrong)
            fault(duel, wrong);
        arena_fail_after(side->arena, 0);
    }
}

static uint64_t next_event(const struct duel *duel) {
    uint64_t next = pipe_next(&duel->pipe);
    for (unsigned i = 0; i < 2; i++) {
        const struct side *side = &duel->sides[i];
        uint64_t timer = tcp_next_timer(side->tcp);
        timer = timer == UINT64_MAX || timer < side->clock ? timer : timer - side->clock;
        next = timer < next ? timer : next;
        if (side->conn && side->paused && side->resume_at < next)
            next = side->resume_at;
    }
    return next;
}

static void tell_side(const struct side *side) {
    printf("  side %u: %lu of %lu acknowledged, %lu of %lu received, closed %d, why %d\n",
           side->number, (unsigned long)side->acknowledged, (unsigned long)side->to_send,
           (unsigned long)side->received, (unsigned long)side->to_receive, side->closed, side->why);
    if (side->conn)
        printf("    %s, una %u, nxt %u, end %u, wnd %u, cwnd %u, flags %x\n",
               tcp_state_name(side->conn->state), side->conn->snd_una - side->conn->iss,
               side->conn->snd_nxt - side->conn->iss, side->conn->snd_end - side->conn->iss,
               conn_send_window(side->conn), side->conn->congestion.cwnd, side->conn->flags);
}

/* The bytes are exact and all here; memory that ran short may cost the last FIN its answer. */
static void check_end(struct duel *duel) {
    for (unsigned i = 0; i < 2 && !duel->fault; i++) {
        const struct side *side = &duel->sides[i];
        bool short_of_memory = duel->sides[0].memory_shortage || duel->sides[1].memory_shortage;
        if (side->received != side->to_receive || side->acknowledged != side->to_send)
            fault(duel, "bytes are missing");
        if (side->why != TCP_CLOSED_ORDERLY && !short_of_memory)
            fault(duel, "not closed in order");
        if (check_in_use(side->tcp, &side->pool))
            fault(duel, "memory is still in use");
    }
}

static const char *run(uint64_t seed, bool tell) {
    struct duel *duel = calloc(1, sizeof *duel);
    duel->random.state = seed * 1597;
    duel->now = 5000000000;
    duel->large_windows = seed % 3 == 0;
    plan_path(duel);
    open_side(duel, 0);
    open_side(duel, 1);
    duel->sides[0].to_receive = duel->sides[1].to_send;
    duel->sides[1].to_receive = duel->sides[0].to_send;
    match(duel);
    uint64_t start = duel->now, end = start + 6 * HOUR, rest = 0;
    uint64_t turns = 0;
    while (!duel->fault && (rest == 0 || duel->now < rest)) {
        turn(duel);
        if (rest == 0 && duel->sides[0].closed && duel->sides[1].closed)
            rest = duel->now + UINT64_C(1000000000); /* TIME-WAIT passes */
        uint64_t next = next_event(duel);
        if (next == UINT64_MAX && rest == 0)
            fault(duel, "all sleep and not all is done");
        uint64_t limit = rest ? rest : end;
        duel->now = next > duel->now ? (next < limit ? next : limit) : duel->now + 10;
        if (duel->now >= end)
            fault(duel, "not done within six hours");
        if (++turns > 3000000)
            fault(duel, "too many turns");
    }
    check_end(duel);
    const char *what = duel->fault;
    struct counters counters = duel->sides[0].counters;
    for (unsigned i = 0; i < COUNTERS; i++)
        counters.value[i] += duel->sides[1].counters.value[i];
    seeds_add(duel->now - start, &counters);
    if (tell) {
        printf("seed %lu: %s; delay %u, jitter %u, loss %u, took %.1f s, %lu turns\n",
               (unsigned long)seed, what ? what : "good", duel->pipe.delay, duel->pipe.jitter,
               duel->pipe.loss, (double)(duel->now - start) / 1e6, (unsigned long)turns);
        tell_side(&duel->sides[0]);
        tell_side(&duel->sides[1]);
        seeds_print_counters(&counters);
    }
    pipe_clear(&duel->pipe);
    for (unsigned i = 0; i < 2; i++) {
        tcp_destroy(duel->sides[i].tcp);
        free(duel->sides[i].memory);
        free(duel->sides[i].state);
    }
    free(duel);
    return what;
}

static void streams_pass_between_two_of_ours(void **state) {
    seeds_pass(run, SEEDS);
}

int main(int argc, char **argv) {
    if (argc == 3)
        return seeds_main(argv, run, "duels");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_pass_between_two_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
