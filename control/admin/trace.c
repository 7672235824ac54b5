/* SPDX-License-Identifier: Apache-2.0 */
/* ctl client trace */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/handlers.h"
#include "control/admin/record.h"
#include "dataplane/mqtt/mqtt.h"

/* A client that comes back all day long has many; the oldest are left out. */
enum { TRACES_MAX = 64 };

struct client_trace {
    bool asked;
    unsigned worker; /* asked next */
    uint32_t position;
    uint64_t name;
    int connected; /* worker of its connection, -1: none */
    ref_t conn;
    uint32_t generation;
    struct tcp_trace *traces[TRACES_MAX]; /* by age, the oldest first */
    uint64_t ages[TRACES_MAX];            /* since each began, microseconds */
    unsigned count;
};

static void trace_dispose(void *state) {
    struct client_trace *trace = state;
    for (unsigned i = 0; i < trace->count; i++)
        free(trace->traces[i]);
}

/* --- collecting ------------------------------------------------------------------------------ */

/* Takes over `trace`. Workers' clocks are one: what began earlier is older. */
static void insert(struct client_trace *all, struct tcp_trace *trace) {
    uint64_t age = trace->now - trace->began;
    if (all->count == TRACES_MAX && age >= all->ages[0]) {
        free(trace);
        return;
    }
    if (all->count == TRACES_MAX) {
        free(all->traces[0]);
        all->count--;
        memmove(all->traces, all->traces + 1, all->count * sizeof *all->traces);
        memmove(all->ages, all->ages + 1, all->count * sizeof *all->ages);
    }
    unsigned at = all->count++;
    for (; at > 0 && all->ages[at - 1] < age; at--) {
        all->traces[at] = all->traces[at - 1];
        all->ages[at] = all->ages[at - 1];
    }
    all->traces[at] = trace;
    all->ages[at] = age;
}

static void worker_answer(struct job *job, struct question *question) {
    struct client_trace *trace = job->state;
    const struct inspection *inspection = question->inspection;
    if (inspection->used > 0) {
        struct tcp_trace *copy = malloc(inspection->used);
        if (copy == NULL) {
            job_fail(job, PROTOCOL_FAILED, "out of memory");
            return;
        }
        memcpy(copy, inspection->entries, inspection->used);
        insert(trace, copy);
    }
    trace->position = question->position;
    if (trace->position == 0)
        trace->worker++;
}

static void ask_worker(struct job *job, struct client_trace *trace) {
    struct question *question = question_new(job, trace->worker, NULL, 0);
    if (question == NULL)
        return;
    bool holds = trace->connected == (int)trace->worker;
    uint32_t records = job->admin->registry->config->tcp.trace_records;
    question->name = trace->name;
    question->position = trace->position;
    question_worker(
        question, INSPECT_TRACE, holds ? trace->conn : 0, holds ? trace->generation : 0,
        (uint32_t)(sizeof(struct tcp_trace) + records * sizeof(struct tcp_trace_record)),
        worker_answer);
}

static void shard_answer(struct job *job, struct question *question) {
    struct client_trace *trace = job->state;
    size_t at = 0;
    const struct client_record *record = client_next(&question->result, &at);
    if (record == NULL || !record->view.connected)
        return;
    trace->connected = record->view.worker;
    trace->conn = record->view.conn;
    trace->generation = record->view.generation;
}

static void ask_shard(struct job *job, struct client_trace *trace) {
    size_t len;
    const char *client = job_text(job, "client", &len);
    trace->asked = true;
    trace->connected = -1;
    trace->name = client_name((const uint8_t *)client, len, job->admin->registry->shard_key);
    question_client(job, ask_client, shard_answer);
}

/* --- printing -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *a, *b, *text;
} events[] = {
#define X(id, name, a, b, text) {name, a, b, text},
    TCP_TRACE_EVENTS(X)
#undef X
};

static const char *ending(unsigned why) {
    static const char *const names[] = {
        "never opened",
        [TCP_CLOSED_ORDERLY] = "orderly",
        [TCP_CLOSED_RESET] = "reset by the client",
        [TCP_CLOSED_TIMEOUT] = "timeout",
        [TCP_CLOSED_ABORTED] = "aborted",
        [TCP_CLOSED_RESOURCES] = "memory",
    };
    return why < sizeof names / sizeof *names ? names[why] : "?";
}

/* One of an event's two numbers, under its label; sequence numbers count from the first byte. */
static void add_value(json_t *values, char *detail, size_t size, const struct tcp_trace *trace,
                      const char *label, uint32_t value) {
    size_t len = strlen(label), used = strlen(detail);
    char key[24];
    if (len == 0)
        return;
    if (len > 3 && strcmp(label + len - 3, "_in") == 0) {
        value -= trace->irs;
        len -= 3;
    } else if (len > 4 && strcmp(label + len - 4, "_out") == 0) {
        value -= trace->iss;
        len -= 4;
    }
    snprintf(key, sizeof key, "%.*s", (int)len, label);
    json_object_set_new(values, key, json_integer(value));
    int words = (int)strcspn(key, "_");
    snprintf(detail + used, size - used, "%s%.*s %" PRIu32, used > 0 ? ", " : "", words, key,
             value);
}

static json_t *row_of(unsigned number, const struct tcp_trace *trace, uint64_t time,
                      const char *event, const char *detail, json_t *values, const char *text) {
    uint64_t wall = wall_clock() - (trace->now - time);
    json_t *row = json_pack("{s:i, s:I, s:o, s:s, s:s, s:o, s:s}", "connection", (int)number,
                            "at_us", (json_int_t)(time - trace->began), "time", time_json(wall),
                            "event", event, "detail", detail, "values", values, "text", text);
    static const char *const unknown[] = {"in_flight_bytes", "cwnd_bytes",     "snd_wnd_bytes",
                                          "acked_bytes",     "received_bytes", "state"};
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++)
        json_object_set_new(row, unknown[i], json_null());
    return row;
}

static void begin_row(struct job *job, unsigned number, const struct tcp_trace *trace) {
    char detail[128];
    json_t *address = address_json(trace->remote);
    uint32_t lost = trace->written - trace->count;
    snprintf(detail, sizeof detail, "%s port %u", json_string_value(address), trace->remote_port);
    if (lost > 0)
        snprintf(detail + strlen(detail), sizeof detail - strlen(detail),
                 "; %" PRIu32 " events are not kept", lost);
    json_t *values =
        json_pack("{s:o, s:i, s:o, s:i, s:I}", "address", address, "port", (int)trace->remote_port,
                  "local_address", address_json(trace->local), "local_port", (int)trace->local_port,
                  "events_lost", (json_int_t)lost);
    job_row(job, row_of(number, trace, trace->began, "begin", detail, values,
                        trace->ended != 0 ? "The trace of a connection that has ended."
                                          : "The trace of a connection that is there."));
}

static void event_row(struct job *job, unsigned number, const struct tcp_trace *trace,
                      const struct tcp_trace_record *record) {
    if (record->event >= TRACE_EVENTS)
        return;
    const char *name = events[record->event].name, *text = events[record->event].text;
    char detail[128] = "";
    json_t *values = json_object();
    bool counted = record->event >= TRACE_COUNTED && record->event <= TRACE_COUNTED_OUT;
    if (counted && record->counter < COUNTERS) {
        name = counter_descriptions[record->counter].name;
        text = counter_descriptions[record->counter].text;
    }
    add_value(values, detail, sizeof detail, trace, events[record->event].a, record->a);
    add_value(values, detail, sizeof detail, trace, events[record->event].b, record->b);
    if (record->event == TRACE_CLOSED) {
        snprintf(detail, sizeof detail, "%s", ending(record->counter));
        json_object_set_new(values, "reason", json_string(detail));
    }
    json_t *row = row_of(number, trace, record->time, name, detail, values, text);
    json_object_set_new(row, "in_flight_bytes", json_integer(record->in_flight));
    json_object_set_new(row, "cwnd_bytes", json_integer(record->cwnd));
    json_object_set_new(row, "snd_wnd_bytes", json_integer(record->snd_wnd));
    json_object_set_new(row, "acked_bytes", json_integer((uint32_t)(record->snd_una - trace->iss)));
    json_object_set_new(row, "received_bytes",
                        json_integer((uint32_t)(record->rcv_nxt - trace->irs)));
    json_object_set_new(row, "state", json_string(tcp_state_name(record->state)));
    job_row(job, row);
}

void client_trace_step(struct job *job) {
    struct client_trace *trace = job_state(job, sizeof *trace);
    if (trace == NULL)
        return;
    job->dispose = trace_dispose;
    if (!trace->asked) {
        ask_shard(job, trace);
        return;
    }
    if (trace->worker < job->admin->registry->workers) {
        ask_worker(job, trace);
        return;
    }
    if (trace->count == 0) {
        size_t len;
        job_fail(job, PROTOCOL_NOT_FOUND, "there is no trace of a client '%s'",
                 job_text(job, "client", &len));
        return;
    }
    for (unsigned i = 0; i < trace->count; i++) {
        begin_row(job, i + 1, trace->traces[i]);
        for (uint32_t k = 0; k < trace->traces[i]->count; k++)
            event_row(job, i + 1, trace->traces[i], &trace->traces[i]->records[k]);
    }
    job_done(job);
}
