/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to INSPECT_MEMORY: what this worker's memory is used for. */
#include <stdio.h>
#include <string.h>

#include "dataplane/worker/worker_internal.h"

static void inspect_slab(struct memory_inspection *memory, const struct slab *slab) {
    if (memory->slabs_count == INSPECTED_SLABS_MAX || (slab->spans == 0 && slab->failed == 0))
        return;
    struct inspected_slab *entry = &memory->slabs[memory->slabs_count++];
    memset(entry, 0, sizeof *entry);
    memccpy(entry->name, slab->name, 0, sizeof entry->name - 1);
    entry->object_size = slab->object_size;
    entry->used = slab->used;
    entry->bytes = slab_bytes(slab);
    entry->failed = slab->failed;
}

void worker_inspect_memory(struct worker *worker, struct memory_inspection *memory) {
    struct tcp_stats tcp;
    struct mqtt_stats mqtt;
    struct router_stats router;
    tcp_stats(worker->tcp, &tcp);
    mqtt_stats(worker->mqtt, &mqtt);
    router_stats(worker->router, &router);
    memset(memory, 0, sizeof *memory);
    memory->arena_used = arena_used(worker->arena);
    memory->arena_limit = arena_limit(worker->arena);
    memory->flow_bytes = tcp.flow_bytes;
    memory->connection_bytes = tcp.connection_bytes;
    memory->extension_bytes = tcp.extension_bytes;
    memory->trace_bytes = tcp.trace_bytes;
    memory->session_bytes = mqtt.session_bytes;
    memory->partial_bytes = mqtt.partial_bytes;
    memory->send_queue_bytes = mqtt.send_queue_bytes;
    memory->router_bytes = router.bytes;
    memory->route_bytes = routes_bytes(worker->config.routes);
    memory->connections = tcp.connections;
    memory->subscriptions = router.subscriptions;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        inspect_slab(memory, &worker->pool.classes[i]);
}
