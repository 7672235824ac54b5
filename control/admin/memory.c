/* SPDX-License-Identifier: Apache-2.0 */
/* ctl memory show */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#include "control/admin/handlers.h"
#include "control/admin/question.h"
#include "dataplane/topics/routes.h"

/* What is there without a client would hide what a client takes. */
enum { CLIENTS_MIN = 1000 };

struct memory_show {
    bool asked;
    json_t *workers[THREADS_MAX];
    json_t *slabs[THREADS_MAX];
    uint64_t routes_bytes, routes_count;
};

void process_memory(uint64_t *resident, uint64_t *virtual_size) {
    unsigned long long size = 0, pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        if (fscanf(statm, "%llu %llu", &size, &pages) != 2)
            size = pages = 0;
        fclose(statm);
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    *resident = pages * page;
    *virtual_size = size * page;
}

static void dispose(void *state) {
    struct memory_show *show = state;
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        json_decref(show->workers[i]);
        json_decref(show->slabs[i]);
    }
}

static json_t *numbers_json(const char *first, int number, const char *const *keys,
                            const uint64_t *values, unsigned count) {
    json_t *row = json_pack("{s:i}", first, number);
    for (unsigned i = 0; i < count && row != NULL; i++)
        json_object_set_new(row, keys[i], json_integer((json_int_t)values[i]));
    return row;
}

static void worker_answer(struct job *job, struct question *question) {
    struct memory_show *show = job->state;
    const struct memory_inspection *memory = &question->inspection->memory;
    static const char *const keys[] = {
        "arena_used",       "arena_limit",     "connections",   "subscriptions", "flow_bytes",
        "connection_bytes", "extension_bytes", "session_bytes", "partial_bytes", "send_queue_bytes",
        "router_bytes",     "route_bytes",     "trace_bytes",
    };
    const uint64_t values[] = {
        memory->arena_used,       memory->arena_limit,   memory->connections,
        memory->subscriptions,    memory->flow_bytes,    memory->connection_bytes,
        memory->extension_bytes,  memory->session_bytes, memory->partial_bytes,
        memory->send_queue_bytes, memory->router_bytes,  memory->route_bytes,
        memory->trace_bytes,
    };
    json_t *row = numbers_json("worker", (int)question->index, keys, values, 13);
    double connections = (double)memory->connections;
    json_object_set_new(
        row, "bytes_per_connection",
        memory->connections > 0
            ? json_real((double)(memory->arena_used + memory->flow_bytes) / connections)
            : json_null());
    json_t *slabs = json_array();
    for (unsigned i = 0; i < memory->slabs_count && i < INSPECTED_SLABS_MAX; i++) {
        const struct inspected_slab *slab = &memory->slabs[i];
        json_array_append_new(
            slabs,
            json_pack("{s:i, s:o, s:I, s:I, s:I, s:I}", "worker", (int)question->index, "slab",
                      text_json(slab->name, strnlen(slab->name, sizeof slab->name)), "object_size",
                      (json_int_t)slab->object_size, "used", (json_int_t)slab->used, "bytes",
                      (json_int_t)slab->bytes, "failed", (json_int_t)slab->failed));
    }
    show->workers[question->index] = row;
    show->slabs[question->index] = slabs;
}

/* On the first shard, which writes the routes. */
static void ask_routes(struct shard *shard, struct question *question) {
    const struct routes *routes = question->admin->registry->routes;
    uint64_t *numbers = result_add(&question->result, 2 * sizeof *numbers);
    if (numbers == NULL)
        return;
    numbers[0] = routes_bytes(routes);
    numbers[1] = routes_count(routes);
}

static void routes_answer(struct job *job, struct question *question) {
    struct memory_show *show = job->state;
    const uint64_t *numbers = (const uint64_t *)question->result.data;
    show->routes_bytes = numbers[0];
    show->routes_count = numbers[1];
}

static json_t *heap_value(const char *name) {
    size_t value = 0, size = sizeof value;
    return mallctl(name, &value, &size, NULL, 0) == 0 ? json_integer((json_int_t)value)
                                                      : json_null();
}

static json_t *heap_json(void) {
    uint64_t epoch = 1; /* writing it makes jemalloc count again */
    size_t size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, size);
    unsigned arenas = 0;
    size = sizeof arenas;
    bool known = mallctl("arenas.narenas", &arenas, &size, NULL, 0) == 0;
    return json_pack("{s:o, s:o, s:o, s:o}", "allocated", heap_value("stats.allocated"), "resident",
                     heap_value("stats.resident"), "mapped", heap_value("stats.mapped"), "arenas",
                     known ? json_integer(arenas) : json_null());
}

static json_t *process_json(const struct sample *now, const struct registry *registry) {
    uint64_t resident, virtual_size, clients = 0;
    process_memory(&resident, &virtual_size);
    for (unsigned i = 0; i < registry->shards; i++)
        clients += now->shards[i].connected;
    return json_pack("{s:I, s:I, s:o}", "resident", (json_int_t)resident, "virtual",
                     (json_int_t)virtual_size, "resident_per_client",
                     clients >= CLIENTS_MIN ? json_integer((json_int_t)(resident / clients))
                                            : json_null());
}

static json_t *shards_json(const struct sample *now, const struct registry *registry) {
    static const char *const keys[] = {"used",   "limit",    "clients",        "persistent",
                                       "queued", "retained", "retained_bytes", "subscriptions"};
    json_t *shards = json_array();
    for (unsigned i = 0; i < registry->shards; i++) {
        const struct shard_gauges *gauges = &now->shards[i];
        const uint64_t values[] = {
            gauges->memory_used,         gauges->memory_limit,  gauges->clients,
            gauges->persistent_sessions, gauges->queued,        gauges->retained,
            gauges->retained_bytes,      gauges->subscriptions,
        };
        json_array_append_new(shards, numbers_json("shard", (int)i, keys, values, 8));
    }
    return shards;
}

static void ask_all(struct job *job) {
    const struct registry *registry = job->admin->registry;
    for (unsigned i = 0; i < registry->workers; i++) {
        struct question *question = question_new(job, i, NULL, 0);
        if (question == NULL || !question_worker(question, INSPECT_MEMORY, 0, 0, 0, worker_answer))
            return;
    }
    struct question *question = question_new(job, 0, NULL, 0);
    if (question != NULL)
        question_shard(question, ask_routes, routes_answer);
}

void memory_show_step(struct job *job) {
    const struct registry *registry = job->admin->registry;
    struct memory_show *show = job_state(job, sizeof *show);
    if (show == NULL)
        return;
    if (!show->asked) {
        show->asked = true;
        job->dispose = dispose;
        ask_all(job);
        return;
    }
    struct sample now;
    sample_take(registry, &now);
    json_t *workers = json_array(), *slabs = json_array();
    for (unsigned i = 0; i < registry->workers; i++) {
        json_array_append(workers, show->workers[i]);
        json_array_extend(slabs, show->slabs[i]);
    }
    json_t *row =
        json_pack("{s:o, s:o, s:{s:I, s:I}, s:o, s:o, s:o}", "process",
                  process_json(&now, registry), "heap", heap_json(), "routes", "bytes",
                  (json_int_t)show->routes_bytes, "count", (json_int_t)show->routes_count,
                  "workers", workers, "shards", shards_json(&now, registry), "slabs", slabs);
    job_row(job, row);
    job_done(job);
}
