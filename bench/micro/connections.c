/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/micro/connections.h"

static struct connections kept;

void connections_drop(void) {
    region_release(&kept.region);
    flow_fini(&kept.flow);
    kept.count = 0;
}

struct connections *connections_get(uint32_t count) {
    if (kept.count == count)
        return &kept;
    connections_drop();
    size_t size = ((size_t)count + 1) << CONNECTION_SHIFT;
    if (!region_reserve(&kept.region, size, size))
        return NULL;
    /* A worker's has room for TIME-WAIT records, too. */
    if (!flow_init(&kept.flow, count + count / 4)) {
        region_release(&kept.region);
        return NULL;
    }
    kept.count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ref = connection_ref(i);
        struct tcp_conn *conn = arena_at(kept.region.base, ref);
        conn->remote = i;
        conn->state = TCP_STATE_ESTABLISHED;
        wheel_node_init(&conn->fast);
        wheel_node_init(&conn->slow);
        if (!flow_insert(&kept.flow, connection_hash(i), ref)) {
            connections_drop();
            return NULL;
        }
    }
    return &kept;
}
