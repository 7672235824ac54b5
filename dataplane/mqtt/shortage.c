/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/shortage.h"

enum {
    PARTS = 16,
    PILED_PARTS = 13,  /* of what there is, for what peers pile up, ... */
    FILLED_PARTS = 14, /* ... and together with half packets */
    PARTIALS_LEAST = 4 /* half packets may have 1/4 of their budget whatever the others have */
};

void shortage_begin(struct mqtt *mqtt) {
    struct tcp_stats tcp;

    tcp_stats(mqtt->tcp, &tcp);
    mqtt->connection_memory = tcp.connection_bytes;
}

static uint64_t there(const struct mqtt *mqtt) {
    uint64_t limit = arena_limit(mqtt->pool->arena);

    return limit > mqtt->connection_memory ? limit - mqtt->connection_memory : 0;
}

/* By others than half packets. */
static uint64_t used(const struct mqtt *mqtt) {
    uint64_t used = arena_used(mqtt->pool->arena);
    uint64_t apart = mqtt->connection_memory + mqtt->stats.partial_bytes;

    return used > apart ? used - apart : 0;
}

bool shortage(const struct mqtt *mqtt) {
    return used(mqtt) >= there(mqtt) / PARTS * PILED_PARTS;
}

uint64_t shortage_partials(const struct mqtt *mqtt) {
    uint64_t most = mqtt->config.limits.partial_bytes, least = most / PARTIALS_LEAST;
    uint64_t fill = there(mqtt) / PARTS * FILLED_PARTS, others = used(mqtt);
    uint64_t left = fill > others ? fill - others : 0;

    if (left < least)
        left = least;
    return left < most ? left : most;
}
