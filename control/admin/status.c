/* SPDX-License-Identifier: Apache-2.0 */
/* ctl status, ctl version */
#include <unistd.h>

#include "control/admin/handlers.h"

struct totals {
    uint64_t clients, connected, persistent, authenticating, connections, subscriptions;
    uint64_t retained, retained_bytes, queued, inflight;
    uint64_t arenas_used, arenas_limit;
    uint64_t drops, drops_before;
    double busy; /* mean share, percent */
};

static void add_worker(struct totals *totals, const struct sample *now, const struct sample *then,
                       const struct registry *registry, unsigned i) {
    const struct worker_gauges *gauges = &now->workers[i];
    totals->connections += gauges->connections;
    totals->subscriptions += gauges->subscriptions;
    totals->arenas_used += gauges->memory_used;
    totals->arenas_limit += (uint64_t)registry->config->workers.memory_mib << 20;
    double elapsed = (double)(now->cycles - then->cycles);
    double busy = (double)(gauges->busy_cycles - then->workers[i].busy_cycles);
    if (elapsed > 0 && gauges->busy_cycles >= then->workers[i].busy_cycles)
        totals->busy += (busy < elapsed ? busy / elapsed : 1) * 100 / registry->workers;
}

static void add_shard(struct totals *totals, const struct shard_gauges *gauges) {
    totals->clients += gauges->clients;
    totals->connected += gauges->connected;
    totals->persistent += gauges->persistent_sessions;
    totals->authenticating += gauges->authenticating;
    totals->subscriptions += gauges->subscriptions;
    totals->retained += gauges->retained;
    totals->retained_bytes += gauges->retained_bytes;
    totals->queued += gauges->queued;
    totals->inflight += gauges->inflight;
    totals->arenas_used += gauges->memory_used;
    totals->arenas_limit += gauges->memory_limit;
}

static void add_drops(struct totals *totals, const struct sample *now, const struct sample *then) {
    for (unsigned i = 0; i < COUNTERS; i++) {
        if (counter_descriptions[i].kind != COUNTER_KIND_DROP)
            continue;
        totals->drops += now->counters[i];
        totals->drops_before += then->counters[i];
    }
}

static json_t *traffic_json(const struct sample *now, const struct sample *then) {
    const uint64_t *n = now->counters, *t = then->counters;
    return json_pack(
        "{s:I, s:f, s:I, s:f}", "in", (json_int_t)n[COUNTER_MQTT_PUBLISH_IN], "in_per_second",
        sample_rate(n[COUNTER_MQTT_PUBLISH_IN], t[COUNTER_MQTT_PUBLISH_IN], now, then), "out",
        (json_int_t)n[COUNTER_MQTT_PUBLISH_OUT], "out_per_second",
        sample_rate(n[COUNTER_MQTT_PUBLISH_OUT], t[COUNTER_MQTT_PUBLISH_OUT], now, then));
}

static json_t *status_json(const struct registry *registry, const struct samples *samples,
                           const struct sample *now) {
    const struct sample *then = &samples->older;
    struct totals totals = {0};
    for (unsigned i = 0; i < registry->workers; i++)
        add_worker(&totals, now, then, registry, i);
    for (unsigned i = 0; i < registry->shards; i++)
        add_shard(&totals, &now->shards[i]);
    add_drops(&totals, now, then);
    uint64_t resident, virtual_size, clock = wall_clock();
    process_memory(&resident, &virtual_size);
    uint64_t up = clock > registry->started_at ? (clock - registry->started_at) / 1000000 : 0;
    const char *path = registry->config->path;
    json_t *row =
        json_pack("{s:s, s:I, s:o, s:o, s:I}", "version", registry->version, "pid",
                  (json_int_t)getpid(), "config", path != NULL ? json_string(path) : json_null(),
                  "started", time_json(registry->started_at), "uptime_seconds", (json_int_t)up);
    if (row == NULL)
        return NULL;
    json_object_set_new(row, "clients",
                        json_pack("{s:I, s:I, s:I, s:I}", "connected", (json_int_t)totals.connected,
                                  "known", (json_int_t)totals.clients, "persistent",
                                  (json_int_t)totals.persistent, "authenticating",
                                  (json_int_t)totals.authenticating));
    json_object_set_new(row, "connections", json_integer((json_int_t)totals.connections));
    json_object_set_new(row, "subscriptions", json_integer((json_int_t)totals.subscriptions));
    json_object_set_new(row, "retained",
                        json_pack("{s:I, s:I}", "messages", (json_int_t)totals.retained, "bytes",
                                  (json_int_t)totals.retained_bytes));
    json_object_set_new(row, "sessions",
                        json_pack("{s:I, s:I}", "queued", (json_int_t)totals.queued, "inflight",
                                  (json_int_t)totals.inflight));
    json_object_set_new(row, "messages", traffic_json(now, then));
    json_object_set_new(row, "drops",
                        json_pack("{s:I, s:f}", "total", (json_int_t)totals.drops, "per_second",
                                  sample_rate(totals.drops, totals.drops_before, now, then)));
    json_object_set_new(
        row, "workers",
        json_pack("{s:i, s:f}", "count", (int)registry->workers, "busy_percent", totals.busy));
    json_object_set_new(row, "memory",
                        json_pack("{s:I, s:I, s:I}", "resident", (json_int_t)resident,
                                  "arenas_used", (json_int_t)totals.arenas_used, "arenas_limit",
                                  (json_int_t)totals.arenas_limit));
    return row;
}

void status_step(struct job *job) {
    struct sample *now = job_state(job, sizeof *now);
    if (now == NULL)
        return;
    sample_take(job->admin->registry, now);
    job_row(job, status_json(job->admin->registry, &job->admin->samples, now));
    job_done(job);
}

void version_step(struct job *job) {
    job_row(job, json_pack("{s:s}", "broker", job->admin->registry->version));
    job_done(job);
}
