/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tools/loadgen/run.h"

static void integer(json_t *object, const char *key, uint64_t value) {
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void real(json_t *object, const char *key, double value) {
    json_object_set_new(object, key, json_real(value));
}

static json_t *latency_json(const struct histogram *histogram) {
    json_t *latency = json_object();
    const struct {
        const char *key;
        double share;
    } points[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}};
    integer(latency, "count", histogram->count);
    for (unsigned i = 0; i < sizeof points / sizeof *points; i++)
        real(latency, points[i].key, (double)histogram_quantile(histogram, points[i].share) / 1e3);
    real(latency, "max_us", (double)histogram->max / 1e3);
    return latency;
}

static json_t *connects_json(const struct run *run) {
    const struct fleet *fleet = run->fleet;
    const struct fleet_counts *counts = &fleet->counts;
    json_t *connects = json_object();
    double seconds = (double)(fleet->connected_ns - fleet->connect_ns) / 1e9;
    integer(connects, "devices", fleet->devices);
    integer(connects, "connected", counts->connected);
    integer(connects, "failed", fleet->next_open - counts->connected);
    integer(connects, "refused", counts->refused);
    integer(connects, "rejected", counts->rejected);
    integer(connects, "disconnected", counts->disconnected);
    integer(connects, "subscriptions", counts->subscribed);
    real(connects, "seconds", seconds);
    real(connects, "per_second", seconds > 0 ? (double)counts->connected / seconds : 0);
    json_object_set_new(connects, "latency", latency_json(&fleet->connect_latency));
    integer(connects, "pings", counts->pings);
    integer(connects, "pongs", counts->pongs);
    integer(connects, "unanswered_pings", counts->unanswered_pings);
    return connects;
}

static json_t *messages_json(const struct run *run) {
    const struct fleet *fleet = run->fleet;
    json_t *messages = json_object();
    double seconds = (double)(fleet->stop_ns - fleet->measure_ns) / 1e9;
    seconds = seconds > 0 ? seconds : 0;
    const struct fleet_counts *from = &fleet->at_measure, *to = &fleet->at_stop;
    double per = seconds > 0 ? 1 / seconds : 0;
    uint64_t expected = fleet->verdicts.received + fleet_lost(fleet);
    real(messages, "seconds", seconds);
    real(messages, "offered_per_second", (double)(to->offered - from->offered) * per);
    real(messages, "sent_per_second", (double)(to->published - from->published) * per);
    real(messages, "delivered_per_second", (double)(to->delivered - from->delivered) * per);
    integer(messages, "published", fleet->counts.published);
    integer(messages, "acknowledged", fleet->counts.acknowledged);
    integer(messages, "expected", expected);
    integer(messages, "delivered", fleet->counts.delivered);
    integer(messages, "lost", fleet_lost(fleet));
    integer(messages, "duplicates", fleet->verdicts.duplicates);
    integer(messages, "misordered", fleet->verdicts.misordered);
    integer(messages, "foreign", fleet->counts.foreign);
    integer(messages, "malformed", fleet->counts.malformed);
    integer(messages, "ack_misorder", fleet->counts.ack_misorder);
    integer(messages, "marked_dup", fleet->counts.marked_dup);
    json_object_set_new(messages, "latency", latency_json(&fleet->latency));
    return messages;
}

static json_t *generator_json(const struct run *run) {
    const struct fleet *fleet = run->fleet;
    const struct devtcp_stats *tcp = &fleet->tcp.stats;
    const struct nic_stats *nic = &run->nic.stats;
    json_t *own = json_object();
    const struct run_usage *from = &run->at_measure, *to = &run->at_stop;
    double busy = (double)(to->busy_cycles - from->busy_cycles);
    double idle = (double)(to->idle_cycles - from->idle_cycles);
    /* As of the broker's workers: CPU time, by the share that was work. */
    double cpu = (double)(to->cpu_ns - from->cpu_ns) * (run->hz / 1e9) * busy / (busy + idle);
    uint64_t sent = fleet->at_stop.published - fleet->at_measure.published;
    uint64_t delivered = fleet->at_stop.delivered - fleet->at_measure.delivered;
    real(own, "busy_percent", busy + idle > 0 ? 100 * busy / (busy + idle) : 0);
    real(own, "cycles_per_message",
         sent + delivered > 0 ? cpu / (double)(sent > delivered ? sent : delivered) : 0);
    integer(own, "frames_in", nic->frames_in);
    integer(own, "frames_out", nic->frames_out);
    integer(own, "segments_in", tcp->segments_in);
    integer(own, "segments_out", tcp->segments_out);
    integer(own, "retransmitted", tcp->retransmitted);
    integer(own, "timeouts", tcp->timeouts);
    integer(own, "fast_retransmits", tcp->fast_retransmits);
    integer(own, "duplicates", tcp->duplicates);
    integer(own, "out_of_order", tcp->out_of_order);
    integer(own, "lost_on_purpose", nic->lost_in + nic->lost_out);
    integer(own, "bad_checksums", nic->bad_checksum);
    integer(own, "bad_acks", tcp->bad_acks);
    integer(own, "bad_segments", tcp->bad_segments);
    integer(own, "stray_segments", tcp->stray);
    integer(own, "foreign_frames", nic->foreign);
    integer(own, "no_buffer", nic->no_buffer + tcp->no_chunk + fleet->counts.no_buffer);
    integer(own, "port_full", nic->backlog_full);
    integer(own, "bytes_per_device",
            sizeof(struct device) + sizeof *fleet->opened_at + sizeof *fleet->tcp.touched);
    return own;
}

/* Between two samples: what grew, and what `units` of work cost of it. */
static json_t *interval_json(const struct run *run, enum run_sample from, enum run_sample to,
                             uint64_t units, const char *name) {
    const struct broker_sample *before = &run->sample[from], *after = &run->sample[to];
    if (!run->sampled[from] || !run->sampled[to])
        return json_null();
    json_t *growth = broker_growth(before, after);
    double busy = (double)broker_busy_cycles(before, after);
    double cpu = broker_cpu_cycles(before, after);
    char key[64];
    integer(growth, name, units);
    if (units == 0 || cpu <= 0 || after->cycles_per_us <= 0)
        return growth;
    real(growth, "cycles_each", cpu / (double)units);
    real(growth, "cycles_each_by_wall_clock", busy / (double)units);
    snprintf(key, sizeof key, "%s_per_busy_second", name);
    real(growth, key, (double)units / (cpu / after->cycles_per_us / 1e6));
    return growth;
}

static json_t *broker_json(const struct run *run) {
    json_t *broker = json_object();
    uint64_t delivered = run->delivered[SAMPLE_STOP] - run->delivered[SAMPLE_MEASURE];
    uint64_t published = run->published[SAMPLE_STOP] - run->published[SAMPLE_MEASURE];
    if (run->ctl == NULL)
        return broker;
    json_object_set_new(broker, "connecting",
                        interval_json(run, SAMPLE_CONNECT, SAMPLE_CONNECTED,
                                      run->fleet->counts.connected, "connects"));
    json_object_set_new(broker, "measuring",
                        interval_json(run, SAMPLE_MEASURE, SAMPLE_STOP,
                                      delivered > published ? delivered : published, "messages"));
    if (run->memory != NULL)
        json_object_set(broker, "memory", run->memory);
    return broker;
}

/* What the scenario does not allow, as sentences. */
static json_t *faults(const struct run *run) {
    const struct fleet *fleet = run->fleet;
    const struct scenario *scenario = run->scenario;
    uint64_t lost = fleet_lost(fleet);
    uint64_t expected = fleet->verdicts.received + lost;
    const struct {
        const char *what;
        bool wrong;
    } rules[] = {
        {"the run was interrupted", run->interrupted},
        {"devices did not connect",
         fleet->devices - fleet->counts.connected > scenario->allow.failed_connects},
        {"connections ended", fleet->counts.disconnected > scenario->allow.failed_connects},
        {"messages were lost",
         lost > 0 && (double)lost * 100 > scenario->allow.loss * (double)expected},
        {"messages came again", fleet->verdicts.duplicates > 0 && !scenario->allow.duplicates},
        {"messages were out of order", fleet->verdicts.misordered > 0 && !scenario->allow.misorder},
        {"messages came that nobody sent here", fleet->counts.foreign > 0},
        {"the broker sent malformed packets", fleet->counts.malformed > 0},
        {"acknowledgements were out of order", fleet->counts.ack_misorder > 0},
        {"pings were not answered", fleet->counts.unanswered_pings > 0},
        {"frames had bad checksums", run->nic.stats.bad_checksum > 0},
        {"the broker acknowledged what was never sent", fleet->tcp.stats.bad_acks > 0},
        {"segments were outside of the window", fleet->tcp.stats.bad_segments > 0},
        {"the generator was out of buffers", fleet->counts.no_buffer > 0},
    };
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].wrong)
            json_array_append_new(list, json_string(rules[i].what));
    return list;
}

json_t *report_json(const struct run *run, bool *good) {
    json_t *wrong = faults(run);
    *good = json_array_size(wrong) == 0;
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "scenario", run->scenario->name, "good",
                     *good, "faults", wrong, "connects", connects_json(run), "messages",
                     messages_json(run), "generator", generator_json(run), "broker",
                     broker_json(run));
}

/* --- the table ------------------------------------------------------------------------------- */

static double value(const json_t *object, const char *a, const char *b, const char *c) {
    const json_t *at = json_object_get(object, a);
    at = json_object_get(at, b);
    if (c != NULL)
        at = json_object_get(at, c);
    return json_number_value(at);
}

static void row(FILE *out, const char *what, double number, const char *unit) {
    fprintf(out, "  %-34s %16.*f %s\n", what, number < 100 && number != (double)(long)number,
            number, unit);
}

static void latency_rows(FILE *out, const json_t *report, const char *part, const char *what) {
    const json_t *latency = json_object_get(json_object_get(report, part), "latency");
    const char *const keys[] = {"p50_us", "p90_us", "p99_us", "p999_us", "max_us"};
    const char *const names[] = {"p50", "p90", "p99", "p99.9", "max"};
    if (json_integer_value(json_object_get(latency, "count")) == 0)
        return;
    for (unsigned i = 0; i < 5; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s %s", what, names[i]);
        row(out, line, json_number_value(json_object_get(latency, keys[i])), "us");
    }
}

void report_table(const json_t *report, FILE *out) {
    fprintf(out, "%s\n", json_string_value(json_object_get(report, "scenario")));
    row(out, "devices", value(report, "connects", "devices", NULL), "");
    row(out, "connected", value(report, "connects", "connected", NULL), "");
    row(out, "connects", value(report, "connects", "per_second", NULL), "/s");
    latency_rows(out, report, "connects", "connect latency");
    if (value(report, "messages", "published", NULL) > 0) {
        if (value(report, "messages", "offered_per_second", NULL) > 0)
            row(out, "offered", value(report, "messages", "offered_per_second", NULL),
                "messages/s");
        row(out, "sent", value(report, "messages", "sent_per_second", NULL), "messages/s");
        row(out, "delivered", value(report, "messages", "delivered_per_second", NULL),
            "messages/s");
        latency_rows(out, report, "messages", "latency");
        row(out, "lost", value(report, "messages", "lost", NULL), "deliveries");
        row(out, "duplicates", value(report, "messages", "duplicates", NULL), "deliveries");
        row(out, "out of order", value(report, "messages", "misordered", NULL), "deliveries");
        row(out, "generator busy", value(report, "generator", "busy_percent", NULL), "%");
        row(out, "generator", value(report, "generator", "cycles_per_message", NULL),
            "cycles/message");
    }
    if (value(report, "broker", "measuring", "messages") > 0) {
        row(out, "broker", value(report, "broker", "measuring", "cycles_each"), "cycles/message");
        row(out, "broker", value(report, "broker", "measuring", "messages_per_busy_second"),
            "messages per busy second");
    }
    if (value(report, "broker", "connecting", "connects_per_busy_second") > 0) {
        row(out, "broker", value(report, "broker", "connecting", "connects_per_busy_second"),
            "connects per busy second of workers");
        double all = value(report, "broker", "connecting", "other_cpu_us") / 1e6 +
                     value(report, "broker", "connecting", "connects") /
                         value(report, "broker", "connecting", "connects_per_busy_second");
        row(out, "broker", value(report, "broker", "connecting", "connects") / all,
            "connects per busy second of all threads");
    }
    size_t i;
    const json_t *fault;
    json_array_foreach(json_object_get(report, "faults"), i, fault)
        fprintf(out, "  NOT AS IT SHOULD BE: %s\n", json_string_value(fault));
}
