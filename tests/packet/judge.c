/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/packet/state.h"

/* Of struct tcp_report. */
/* clang-format off */
#define FIELDS(X) \
    X(mss) X(srtt) X(rttvar) X(rto) X(cwnd) X(ssthresh) X(in_flight) X(snd_wnd) X(rcv_wnd) \
    X(retransmissions) X(out_of_order) X(zero_windows) X(duplicate_acks) X(send_queue) \
    X(receive_queue)
/* clang-format on */

#define NAME(name)  #name,
#define FIELD(name) {offsetof(struct tcp_report, name), sizeof((struct tcp_report *)0)->name},

const char *const script_fields[] = {FIELDS(NAME) NULL};
static const struct word fields[] = {FIELDS(FIELD)};

const char *const script_states[] = {"CLOSED",     "ESTABLISHED", "FIN-WAIT-1",
                                     "FIN-WAIT-2", "CLOSE-WAIT",  "CLOSING",
                                     "LAST-ACK",   "TIME-WAIT",   NULL};
const char *const script_closes[] = {"orderly", "reset", "timeout", "aborted", "resources", NULL};
const char *const script_values[] = {"received", "acknowledged", "connections", "extensions",
                                     "opened",   "finished",     "pressure",    NULL};

static void compare(struct run *run, int64_t value) {
    const struct statement *statement = run->statement;
    if (value < statement->number || value > statement->to)
        run_fail(run, "%s: it is %lld", statement->text, (long long)value);
}

static uint64_t read_word(const void *of, struct word word) {
    uint64_t value = 0;
    memcpy(&value, (const uint8_t *)of + word.offset, word.size);
    return value;
}

static void expect_state(struct run *run, unsigned wanted) {
    const struct tcp_endpoint *found = run_endpoint(run);
    unsigned state = found ? found->state : TCP_STATE_CLOSED;
    if (state == TCP_STATE_RECORD)
        state = TCP_STATE_TIME_WAIT;
    if (state == TCP_STATE_ENDED)
        state = TCP_STATE_CLOSED;
    if (state != wanted)
        run_fail(run, "%s: it is %s", run->statement->text, script_states[state]);
}

static void expect_closed(struct run *run, unsigned wanted) {
    unsigned why = run->world->why;
    if (why != wanted + TCP_CLOSED_ORDERLY)
        run_fail(run, "%s: %s", run->statement->text,
                 why ? script_closes[why - TCP_CLOSED_ORDERLY] : "none ended");
}

static void expect_field(struct run *run, struct word field) {
    struct tcp_conn *conn = run_needs_connection(run);
    struct tcp_report report;
    if (!conn)
        return;
    tcp_conn_report(run->world->tcp, conn, &report, run->now);
    compare(run, (int64_t)read_word(&report, field));
}

static void expect_value(struct run *run, unsigned value) {
    const struct world *world = run->world;
    struct tcp_conn *conn = value < 2 ? run_needs_connection(run) : NULL;
    if (value < 2 && !conn)
        return;
    switch (value) {
    case 0:
        compare(run, (int64_t)client_of(conn)->received);
        return;
    case 1:
        compare(run, (int64_t)client_of(conn)->acknowledged);
        return;
    case 2:
        compare(run, (int64_t)world->tcp->conns.used);
        return;
    case 3:
        compare(run, (int64_t)world->tcp->extensions.used);
        return;
    case 4:
        compare(run, world->opened);
        return;
    case 5:
        compare(run, world->finished);
        return;
    default:
        compare(run, world->tcp->pressure.level);
        return;
    }
}

void judge(struct run *run, const struct statement *statement) {
    switch (statement->kind) {
    case VERB_EXPECT_STATE:
        expect_state(run, statement->word);
        break;
    case VERB_EXPECT_CLOSED:
        expect_closed(run, statement->word);
        break;
    case VERB_EXPECT_FIELD:
        expect_field(run, fields[statement->word]);
        break;
    case VERB_EXPECT_COUNTER:
        compare(run, (int64_t)world_count(run->world, (enum counter)statement->word));
        break;
    default: /* VERB_EXPECT_VALUE */
        expect_value(run, statement->word);
    }
}
