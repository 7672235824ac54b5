/* SPDX-License-Identifier: Apache-2.0 */
#include <jemalloc/jemalloc.h>

#include "control/registry.h"
#include "control/sessions/shard.h"
#include "control/status/sys.h"

static uint64_t gauge(const uint64_t *gauge) {
    return __atomic_load_n(gauge, __ATOMIC_RELAXED);
}

uint64_t registry_counter(const struct registry *registry, enum counter counter) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < registry->workers; i++)
        sum += counter_read(worker_counters(registry->worker[i]), counter);
    for (unsigned i = 0; i < registry->shards; i++)
        sum += counter_read(shard_counters(registry->shard[i]), counter);
    return sum;
}

/* Messages that somebody subscribed to and did not get. */
static uint64_t dropped(const struct registry *registry) {
    static const enum counter counters[] = {
        COUNTER_MQTT_LIMIT_SEND_QUEUE,    COUNTER_MQTT_LIMIT_QUEUED,
        COUNTER_MQTT_LIMIT_QUEUED_BYTES,  COUNTER_MQTT_NO_MEMORY_DELIVER,
        COUNTER_CONTROL_QOS0_BUSY,        COUNTER_CONTROL_QUEUE_FULL,
        COUNTER_CONTROL_QUEUE_FULL_BYTES, COUNTER_CONTROL_QUEUE_NO_MEMORY,
    };
    uint64_t sum = 0;
    for (unsigned i = 0; i < sizeof counters / sizeof counters[0]; i++)
        sum += registry_counter(registry, counters[i]);
    return sum;
}

static uint64_t heap_allocated(void) {
    uint64_t epoch = 1; /* writing it makes jemalloc count again */
    size_t allocated = 0, size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, size);
    size = sizeof allocated;
    return mallctl("stats.allocated", &allocated, &size, NULL, 0) == 0 ? allocated : 0;
}

void sys_collect(void *argument, uint64_t wall_clock, struct sys_figures *figures) {
    const struct registry *registry = argument;
    *figures = (struct sys_figures){
        .version = registry->version,
        .uptime =
            wall_clock > registry->started_at ? (wall_clock - registry->started_at) / 1000000 : 0,
        .expired = registry_counter(registry, COUNTER_CONTROL_SESSIONS_EXPIRED),
        .messages_in = registry_counter(registry, COUNTER_MQTT_PACKETS_IN),
        .messages_out = registry_counter(registry, COUNTER_MQTT_PACKETS_OUT),
        .publish_in = registry_counter(registry, COUNTER_MQTT_PUBLISH_IN),
        .publish_out = registry_counter(registry, COUNTER_MQTT_PUBLISH_OUT),
        .publish_dropped = dropped(registry),
        .publish_bytes_in = registry_counter(registry, COUNTER_MQTT_PUBLISH_BYTES_IN),
        .publish_bytes_out = registry_counter(registry, COUNTER_MQTT_PUBLISH_BYTES_OUT),
        .bytes_in = registry_counter(registry, COUNTER_MQTT_BYTES_IN),
        .bytes_out = registry_counter(registry, COUNTER_MQTT_BYTES_OUT),
        .sockets = registry_counter(registry, COUNTER_TCP_ACCEPTED),
        .connects = registry_counter(registry, COUNTER_CONTROL_CONNECTS),
    };
    figures->memory = heap_allocated();
    for (unsigned i = 0; i < registry->workers; i++) {
        const struct worker_gauges *gauges = worker_gauges(registry->worker[i]);
        figures->subscriptions += gauge(&gauges->subscriptions);
        figures->memory += gauge(&gauges->memory_used);
    }
    for (unsigned i = 0; i < registry->shards; i++) {
        const struct shard_gauges *gauges = shard_gauges(registry->shard[i]);
        uint64_t clients = gauge(&gauges->clients), connected = gauge(&gauges->connected);
        figures->connected += connected;
        figures->disconnected += clients > connected ? clients - connected : 0;
        figures->subscriptions += gauge(&gauges->subscriptions);
        figures->retained += gauge(&gauges->retained);
        figures->memory += gauge(&gauges->memory_used);
        figures->stored_bytes += gauge(&gauges->retained_bytes);
        figures->stored +=
            gauge(&gauges->retained) + gauge(&gauges->queued) + gauge(&gauges->inflight);
    }
}
