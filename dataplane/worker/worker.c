/* SPDX-License-Identifier: Apache-2.0 */
/* Set-up and end of a worker; the loop is in loop.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/worker/worker_internal.h"

static bool memory_open(struct worker *worker) {
    const struct worker_config *config = &worker->config;
    if (!region_reserve(&worker->region, config->memory_reserve, 0))
        return false;
    if (config->prefault && !region_back(&worker->region, config->memory, config->go_on))
        return false;
    worker->arena_state = calloc(1, arena_footprint(worker->region.size));
    if (worker->arena_state == NULL)
        return false;
    worker->arena =
        arena_init(worker->arena_state, worker->region.base, worker->region.size, config->memory);
    pool_init(&worker->pool, worker->arena);
    return true;
}

static uint64_t wall_clock(const void *clock) {
    return clock_wall(clock, clock_microseconds(clock, rte_rdtsc()));
}

static const char *parts_open(struct worker *worker) {
    struct worker_config *config = &worker->config;
    if (!memory_open(worker))
        return "no memory for its address range";
    worker->mailroom = mailroom_create(config->mailboxes, config->self, &worker->pool);
    if (worker->mailroom == NULL)
        return "no memory for its mailroom";
    worker->parcels = (struct parcels){
        .pool = &worker->pool, .mailroom = worker->mailroom, .self = (uint8_t)config->self};
    struct ether_config ether = {.ports = config->ports,
                                 .ports_count = config->ports_count,
                                 .self = config->self,
                                 .workers = config->workers,
                                 .mempool = config->mempool,
                                 .wake = config->sleep ? handover_wake : NULL,
                                 .wake_argument = config->handover};
    memcpy(ether.flow_key, config->tcp.flow_key, sizeof ether.flow_key);
    worker->ether = ether_create(&ether, &worker->counters);
    if (worker->ether == NULL)
        return "no memory for its Ethernet side";
    worker->capture = (struct capture){
        .counters = &worker->counters, .wall_clock = wall_clock, .argument = config->clock};
    config->mqtt.connecting = worker_capture_connect;
    config->mqtt.connecting_argument = worker;
    worker->mqtt =
        mqtt_create(&config->mqtt, &worker->parcels, worker->mailroom, &worker->counters);
    if (worker->mqtt == NULL)
        return "no memory for its MQTT side";
    uint64_t now = standstill_begin(config->standstill, &worker->running,
                                    clock_microseconds(config->clock, rte_rdtsc()));
    worker->tcp = tcp_create(&config->tcp, &worker->pool, ether_tcp_link(worker->ether),
                             mqtt_tcp_app(worker->mqtt), &worker->counters, now);
    if (worker->tcp == NULL)
        return "no memory for its TCP; fewer tcp.connections need less";
    worker->router = router_create(&worker->parcels, worker->mailroom, config->routes,
                                   config->mqtt.first_shard, config->mqtt.shards, &config->router,
                                   mqtt_router_owner(worker->mqtt), &worker->counters);
    if (worker->router == NULL)
        return "no memory for its topic tables";
    mqtt_attach(worker->mqtt, worker->tcp, worker->router);
    if (idle_init(&worker->idle, config->sleep, config->ports, config->ports_count, config->self))
        return "no descriptors to sleep on (epoll, eventfd)";
    return NULL;
}

struct worker *worker_create(const struct worker_config *config, char *error, unsigned error_size) {
    struct worker *worker = aligned_alloc(64, (sizeof *worker + 63) / 64 * 64);
    if (worker == NULL) {
        snprintf(error, error_size, "worker %u: no memory", config->self);
        return NULL;
    }
    memset(worker, 0, sizeof *worker);
    worker->config = *config;
    worker->idle.epoll_fd = worker->idle.event_fd = -1;
    const char *missing = parts_open(worker);
    if (missing != NULL) {
        snprintf(error, error_size, "worker %u: %s", config->self, missing);
        worker_destroy(worker);
        return NULL;
    }
    if (config->sleep) {
        mailboxes_set_wake(config->mailboxes, config->self, idle_wake, &worker->idle);
        handover_set_wake(config->handover, config->self, idle_wake, &worker->idle);
    }
    return worker;
}

void worker_destroy(struct worker *worker) {
    if (worker == NULL)
        return;
    if (worker->router != NULL)
        router_destroy(worker->router);
    if (worker->tcp != NULL)
        tcp_destroy(worker->tcp);
    if (worker->mqtt != NULL)
        mqtt_destroy(worker->mqtt);
    if (worker->ether != NULL)
        ether_destroy(worker->ether);
    if (worker->mailroom != NULL)
        mailroom_destroy(worker->mailroom);
    idle_close(&worker->idle);
    free(worker->arena_state);
    region_release(&worker->region);
    free(worker);
}

void worker_stop(struct worker *worker, bool at_once) {
    __atomic_store_n(&worker->stop, at_once ? WORKER_STOP_AT_ONCE : WORKER_STOP_ORDERLY,
                     __ATOMIC_RELEASE);
    if (worker->config.sleep)
        idle_wake(&worker->idle);
}

void worker_announce(struct worker *worker) {
    __atomic_store_n(&worker->announce, true, __ATOMIC_RELEASE);
    if (worker->config.sleep)
        idle_wake(&worker->idle);
}

const struct worker_gauges *worker_gauges(const struct worker *worker) {
    return &worker->gauges;
}

const struct counters *worker_counters(const struct worker *worker) {
    return &worker->counters;
}

const struct mailroom *worker_mailroom(const struct worker *worker) {
    return worker->mailroom;
}
