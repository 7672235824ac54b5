/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/packet/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/packet/pool.h"
#include "tests/packet/state.h"

/* Settings: first the stack's, then the runner's own. */
/* clang-format off */
#define CONFIG_KEYS(X) \
    X(connections_max) X(window) X(mss) X(rto_min_ms) X(rto_max_ms) X(rto_initial_ms) \
    X(give_up_ms) X(time_wait_ms) X(fin_wait_ms) X(time_wait_max) X(out_of_order_max) \
    X(keepalive_ms) X(congestion) X(sack) X(rack) X(tail_loss_probe) X(prr) X(undo) \
    X(limited_transmit)
#define LIMIT_KEYS(X) \
    X(prefix_syns, prefix[ADMISSION_SYN]) X(prefix_connects, prefix[ADMISSION_CONNECT]) \
    X(prefix_resets, prefix[ADMISSION_RESET]) X(syns, worker[ADMISSION_SYN]) \
    X(connects, worker[ADMISSION_CONNECT]) X(resets, worker[ADMISSION_RESET]) \
    X(prefix_bits4, bits4) X(prefix_bits6, bits6)
#define RUN_KEYS(X) X(ipv6) X(port) X(tolerance_ms) X(peer_isn) X(stack_isn)
/* clang-format on */

#define NAME(name)   #name,
#define CONFIG(name) {offsetof(struct tcp_config, name), sizeof((struct tcp_config *)0)->name},
#define RUN(name)    {offsetof(struct run, name), sizeof((struct run *)0)->name},

#define LIMIT_NAME(name, member) #name,
#define LIMIT(name, member)                                                                        \
    {offsetof(struct tcp_config, admission.member),                                                \
     sizeof((struct tcp_config *)0)->admission.member},

const char *const script_keys[] = {CONFIG_KEYS(NAME) LIMIT_KEYS(LIMIT_NAME) RUN_KEYS(NAME) NULL};
static const struct word keys[] = {CONFIG_KEYS(CONFIG) LIMIT_KEYS(LIMIT) RUN_KEYS(RUN)};
enum { RUN_KEYS_COUNT = 5, CONFIG_KEYS_COUNT = sizeof keys / sizeof *keys - RUN_KEYS_COUNT };

/* --- trace and failure ----------------------------------------------------------------------- */

void run_trace(struct run *run, uint64_t at, const char *format, ...) {
    if (run->trace_len > TRACE_MAX - 2 * SEGMENT_TEXT_MAX)
        return;
    char *to = run->trace + run->trace_len;
    uint64_t t = at - EPOCH;
    to += sprintf(to, "  %4llu.%06llu  ", (unsigned long long)(t / 1000000),
                  (unsigned long long)(t % 1000000));
    va_list arguments;
    va_start(arguments, format);
    to += vsnprintf(to, SEGMENT_TEXT_MAX, format, arguments);
    va_end(arguments);
    *to++ = '\n';
    *to = 0;
    run->trace_len = (size_t)(to - run->trace);
}

void run_fail(struct run *run, const char *format, ...) {
    if (run->failed)
        return;
    run->failed = true;
    fprintf(stderr, "%s:%d: ", run->script->path, run->statement->line);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%s", run->trace);
}

double run_time(uint64_t at) {
    return ((double)at - (double)EPOCH) / 1e6;
}

/* --- connections ----------------------------------------------------------------------------- */

/* The connection or record of the current peer. */
struct tcp_endpoint *run_endpoint(const struct run *run) {
    const struct tcp *tcp = run->world->tcp;
    const struct peer *peer = &run->remote->peer;
    ref_t ref = flow_find(&tcp->flow, peer->hash, endpoint_match, tcp, &peer->tuple);
    return ref ? arena_at(tcp->base, ref) : NULL;
}

struct tcp_conn *run_connection(const struct run *run) {
    struct tcp_endpoint *found = run_endpoint(run);
    return found && found->state < TCP_STATE_RECORD ? (struct tcp_conn *)found : NULL;
}

struct tcp_conn *run_needs_connection(struct run *run) {
    struct tcp_conn *conn = run_connection(run);
    if (!conn)
        run_fail(run, "there is no connection");
    return conn;
}

/* --- time ------------------------------------------------------------------------------------ */

/* All that is to be done at this time. */
static void settle(struct run *run) {
    if (run->burst_count)
        wire_input(run);
    for (unsigned i = 0; i < WORKERS; i++) {
        struct world *world = &run->worlds[i];
        if (!run->open[i])
            continue;
        world->now = run->now;
        while (tcp_timers(world->tcp, run->now, 64))
            ;
        world_output(world);
        wire_take_sent(run, world);
    }
}

static uint64_t next_timer(const struct run *run) {
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < WORKERS; i++) {
        uint64_t due = run->open[i] ? tcp_next_timer(run->worlds[i].tcp) : UINT64_MAX;
        if (due < next)
            next = due;
    }
    return next;
}

/* Lets time pass until `end`, or until something is sent. */
void run_pass(struct run *run, uint64_t end) {
    settle(run);
    while (run->seen_first == run->seen_end && run->now < end) {
        uint64_t next = next_timer(run);
        /* A timer may be announced early, but the clock must move. */
        if (next <= run->now)
            next = run->now + 256;
        run->now = next < end ? next : end;
        settle(run);
    }
}

/* --- the application ------------------------------------------------------------------------- */

static void application(struct run *run, const struct statement *statement) {
    struct world *world = run->world;
    struct tcp *tcp = world->tcp;
    struct tcp_conn *conn = run_needs_connection(run);
    if (!conn)
        return;
    size_t amount = statement->number == NUMBER_ALL ? SIZE_MAX : (size_t)statement->number;
    switch (statement->kind) {
    case VERB_SEND:
        tcp_send(tcp, conn, (uint32_t)amount);
        client_of(conn)->announced += amount;
        break;
    case VERB_CLOSE:
        tcp_close(tcp, conn);
        break;
    case VERB_ABORT:
        tcp_abort(tcp, conn);
        break;
    case VERB_KEEPALIVE:
        tcp_keepalive(tcp, conn, amount);
        break;
    default: /* VERB_TAKE */
        world->take = amount;
        tcp_resume(tcp, conn);
    }
}

/* --- surroundings ---------------------------------------------------------------------------- */

static void open_worker(struct run *run, unsigned number) {
    if (number >= WORKERS) {
        run_fail(run, "there are %u workers", WORKERS);
        return;
    }
    struct world *world = &run->worlds[number];
    if (!run->open[number]) {
        struct tcp_config config = run->worlds[0].config;
        world_config(world);
        world->config = config;
        world->now = run->now;
        world_open_configured(world);
        run->open[number] = true;
    }
    run->world = world;
}

/* The settings are known: the world begins. */
static void begin(struct run *run) {
    if (run->open[0])
        return;
    open_worker(run, 0);
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &run->remotes[i].peer;
        peer_init(run->world, peer, i + 1);
        if (run->port) {
            peer->tuple.local_port = (uint16_t)run->port;
            peer->hash = tcp_tuple_hash(&peer->tuple, run->world->config.flow_key);
        }
        if (run->ipv6)
            peer_ipv6(run->world, peer);
    }
    if (run->peer_isn)
        run->remotes[0].peer.iss = run->peer_isn;
}

static void set(struct run *run, unsigned key, uint64_t value) {
    if (run->open[0]) {
        run_fail(run, "settings come first");
        return;
    }
    uint8_t *of = key < CONFIG_KEYS_COUNT ? (uint8_t *)&run->worlds[0].config : (uint8_t *)run;
    memcpy(of + keys[key].offset, &value, keys[key].size);
}

static void surroundings(struct run *run, const struct statement *statement) {
    struct world *world = run->world;
    switch (statement->kind) {
    case VERB_REPLY:
        world->reply = (size_t)statement->number;
        break;
    case VERB_REFUSE:
        world->refuse = statement->number;
        break;
    case VERB_PEER:
        if (statement->number < 1 || statement->number > PEERS)
            run_fail(run, "there are %u peers", PEERS);
        else
            run->remote = &run->remotes[statement->number - 1];
        break;
    case VERB_WORKER:
        open_worker(run, (unsigned)statement->number - 1);
        break;
    case VERB_ISN:
        run->remote->peer.iss = (uint32_t)statement->number;
        break;
    case VERB_STOP:
        tcp_stop_accepting(world->tcp);
        break;
    case VERB_FRAMES:
        world->frames = statement->number == NUMBER_ALL ? -1 : (int)statement->number;
        break;
    case VERB_FRAMES_USED:
        tcp_frames(world->tcp, (size_t)statement->number, 100);
        break;
    case VERB_POOL_EMPTY:
        pool_take_all(world);
        break;
    case VERB_POOL_FULL:
        pool_give_back();
        break;
    case VERB_POOL_FAIL:
        arena_fail_after(world->arena, (uint64_t)statement->number);
        break;
    case VERB_SUSPEND:
        run->now += (uint64_t)statement->number;
        run->last = run->now;
        break;
    default: /* VERB_NOTHING */
        break;
    }
}

/* --- the script ------------------------------------------------------------------------------ */

static void perform(struct run *run, const struct statement *statement) {
    if (statement->kind != STATEMENT_INJECT) {
        if (run->burst_count)
            wire_input(run);
        run_trace(run, run->now, "%s", statement->text);
    }
    switch (statement->kind) {
    case STATEMENT_INJECT:
        wire_inject(run, &statement->segment);
        break;
    case STATEMENT_ICMP:
        wire_icmp(run, statement);
        break;
    case VERB_SEND:
    case VERB_CLOSE:
    case VERB_ABORT:
    case VERB_KEEPALIVE:
    case VERB_TAKE:
        application(run, statement);
        break;
    case VERB_EXPECT_STATE:
    case VERB_EXPECT_CLOSED:
    case VERB_EXPECT_FIELD:
    case VERB_EXPECT_COUNTER:
    case VERB_EXPECT_VALUE:
        judge(run, statement);
        break;
    default:
        surroundings(run, statement);
    }
}

static void step(struct run *run, const struct statement *statement) {
    const struct when *when = &statement->when;
    uint64_t from = (when->kind == WHEN_AT ? EPOCH : run->last) + (uint64_t)when->from;
    uint64_t to = (when->kind == WHEN_AT ? EPOCH : run->last) + (uint64_t)when->to;
    if (when->kind == WHEN_ANY)
        to = from + UINT64_C(1000000) * HOUR;
    begin(run);
    if (statement->kind == STATEMENT_EXPECT) {
        wire_expect(run, &statement->segment, from, to);
        return;
    }
    if (when->kind != WHEN_TURN) {
        run_pass(run, from);
        if (run->seen_first != run->seen_end) {
            char text[SEGMENT_TEXT_MAX];
            segment_text(text, &run->seen[run->seen_first].segment);
            run_fail(run, "not expected  > %s", text);
            return;
        }
        if (run->now > from) {
            run_fail(run, "that time is past: it is %.6f", run_time(run->now));
            return;
        }
        run->last = run->now;
    }
    perform(run, statement);
    bool turn_goes_on = statement + 1 < run->script->statements + run->script->count &&
                        statement[1].when.kind == WHEN_TURN;
    if (!turn_goes_on)
        settle(run);
}

/* Everything comes back. */
static void end(struct run *run) {
    pool_give_back();
    if (run->seen_first != run->seen_end) {
        char text[SEGMENT_TEXT_MAX];
        segment_text(text, &run->seen[run->seen_first].segment);
        run_fail(run, "not expected at the end  > %s", text);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        if (!run->open[i])
            continue;
        uint64_t wrong = run->worlds[i].wrong_bytes;
        uint64_t used = world_close(&run->worlds[i]);
        if (wrong)
            run_fail(run, "%llu bytes that the application got were wrong",
                     (unsigned long long)wrong);
        if (used)
            run_fail(run, "at the end %llu bytes or entries are still in use",
                     (unsigned long long)used);
    }
}

bool script_run(const struct script *script, bool tell) {
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        abort();
    run->script = script;
    run->now = run->last = EPOCH;
    run->tolerance_ms = 3;
    run->remote = run->remotes;
    world_config(&run->worlds[0]);
    for (unsigned i = 0; i < script->count && !run->failed; i++) {
        run->statement = &script->statements[i];
        if (run->statement->kind == VERB_SET)
            set(run, run->statement->word, (uint64_t)run->statement->number);
        else
            step(run, run->statement);
    }
    end(run);
    if (tell && !run->failed)
        fprintf(stderr, "%s", run->trace);
    bool good = !run->failed;
    free(run);
    return good;
}
