/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/mqtt/packet_ids.h"

#include <string.h>

enum { CAPACITY_FIRST = 8 };

/* Where `id` is, or would be. */
static uint32_t position(const struct packet_id_set *set, uint16_t id) {
    uint32_t low = 0, high = set->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (set->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool packet_ids_hold(const struct packet_id_set *set, uint16_t id) {
    uint32_t at = position(set, id);

    return at < set->count && set->ids[at] == id;
}

bool packet_ids_reserve(struct packet_id_set *set, struct pool *pool) {
    if (set->count < set->capacity)
        return true;
    uint32_t capacity = set->capacity ? 2 * set->capacity : CAPACITY_FIRST;
    uint16_t *ids = pool_alloc(pool, capacity * sizeof *ids);
    if (ids == NULL)
        return false;
    if (set->ids != NULL) {
        memcpy(ids, set->ids, set->count * sizeof *ids);
        pool_free(pool, set->ids, set->capacity * sizeof *ids);
    }
    set->ids = ids;
    set->capacity = capacity;
    return true;
}

bool packet_ids_add(struct packet_id_set *set, struct pool *pool, uint16_t id) {
    uint32_t at = position(set, id);

    if (at < set->count && set->ids[at] == id)
        return true;
    if (!packet_ids_reserve(set, pool))
        return false;
    memmove(set->ids + at + 1, set->ids + at, (set->count - at) * sizeof *set->ids);
    set->ids[at] = id;
    set->count++;
    return true;
}

bool packet_ids_remove(struct packet_id_set *set, struct pool *pool, uint16_t id) {
    uint32_t at = position(set, id);

    if (at == set->count || set->ids[at] != id)
        return false;
    set->count--;
    memmove(set->ids + at, set->ids + at + 1, (set->count - at) * sizeof *set->ids);
    if (set->count == 0)
        packet_ids_clear(set, pool);
    return true;
}

void packet_ids_clear(struct packet_id_set *set, struct pool *pool) {
    if (set->ids != NULL)
        pool_free(pool, set->ids, set->capacity * sizeof *set->ids);
    *set = (struct packet_id_set){0};
}
