/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each kind of key has its own map, cut by the first bits of the key's name into parts that grow
 * one at a time, by an eighth to a quarter: a part is copied into a larger one, the pointer to it
 * exchanged, and the old one freed when no reader can be looking at it. So the writer never copies
 * more than a thousandth of the table, and never holds more than that twice.
 *
 * A part is open addressing over words of eight bytes: the rest of the name and the bitmap of
 * threads, which a reader gets in one load. Names are never removed from a part: a bitmap may
 * become 0, and such words are left behind when the part is copied.
 */
#include "dataplane/topics/routes.h"

#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/mail/mail.h"

enum {
    PARTS_SHIFT = ROUTES_NAME_BITS - 32,
    PARTS = 1 << PARTS_SHIFT,
    LINE = 64,
};

/* The writer's words come first, the routes follow: from the upper half of each word on the name's
 * last 32 bits, never 0, below the threads. 0 = free. */
struct part {
    struct part *next; /* retired parts */
    uint64_t token;    /* a retired part can be freed when it is reached */
    uint32_t used;     /* slots with a name */
    uint32_t live;     /* slots with a bit set */
    uint32_t step;     /* its size, see part_bytes */
    uint32_t unused;
    uint64_t slots[];
};

/* A pointer to a part with its step in the low bits; 0: no part yet. One load gives both. */
typedef uintptr_t part_handle;

struct route_map {
    part_handle parts[PARTS];
};

struct routes {
    _Alignas(LINE) uint64_t epoch;
    uint32_t any;
    /* The writer's. */
    _Alignas(LINE) struct part *retired;
    uint64_t bytes, keys;
    unsigned fail_after;
    struct route_map exact, prefix;
    struct rte_rcu_qsbr *rcu;
};

static struct part *part_of(part_handle handle) {
    return (struct part *)(handle & ~(part_handle)(LINE - 1));
}

/* Numbers that anybody may read. */
static void add(uint64_t *value, uint64_t n) {
    __atomic_store_n(value, *value + n, __ATOMIC_RELAXED);
}

static unsigned part_number(uint64_t name) {
    return (unsigned)(name >> 32);
}

/* The sizes that the heap has, too: four to each power of two. */
static size_t part_bytes(unsigned step) {
    return (size_t)(4 + step % 4) * LINE << step / 4;
}

static uint32_t part_slots(unsigned step) {
    return (uint32_t)((part_bytes(step) - sizeof(struct part)) / sizeof(uint64_t));
}

static uint32_t home_of(uint64_t name, uint32_t slots) {
    return (uint32_t)(((name & UINT32_MAX) * slots) >> 32);
}

static bool has_name(uint64_t route, uint64_t name) {
    return route >> 32 == (name & UINT32_MAX);
}

/* rte_rcu_qsbr_init and its kin are in DPDK's library. With as many threads as there can be, the
 * checks look at all counters, and one that never came online says so by being zero. */
static struct rte_rcu_qsbr *rcu_create(unsigned threads) {
    size_t size = sizeof(struct rte_rcu_qsbr) + threads * sizeof(struct rte_rcu_qsbr_cnt) +
                  __RTE_QSBR_THRID_ARRAY_SIZE(threads);
    struct rte_rcu_qsbr *rcu = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, LINE));
    if (!rcu)
        return NULL;
    memset(rcu, 0, size);
    rcu->max_threads = threads;
    rcu->num_threads = threads;
    rcu->num_elems = RTE_ALIGN_MUL_CEIL(threads, __RTE_QSBR_THRID_ARRAY_ELM_SIZE) /
                     __RTE_QSBR_THRID_ARRAY_ELM_SIZE;
    rcu->token = __RTE_QSBR_CNT_INIT;
    rcu->acked_token = __RTE_QSBR_CNT_INIT - 1;
    return rcu;
}

struct routes *routes_create(unsigned threads) {
    struct routes *routes = aligned_alloc(LINE, sizeof *routes);
    if (!routes)
        return NULL;
    memset(routes, 0, sizeof *routes);
    routes->epoch = 1;
    routes->rcu = rcu_create(threads);
    if (!routes->rcu) {
        free(routes);
        return NULL;
    }
    return routes;
}

void routes_destroy(struct routes *routes) {
    if (!routes)
        return;
    for (unsigned i = 0; i < PARTS; i++) {
        free(part_of(routes->exact.parts[i]));
        free(part_of(routes->prefix.parts[i]));
    }
    while (routes->retired) {
        struct part *part = routes->retired;
        routes->retired = part->next;
        free(part);
    }
    free(routes->rcu);
    free(routes);
}

/* --- readers --------------------------------------------------------------------------------- */

static part_handle handle_of(const struct route_map *map, uint64_t name) {
    return __atomic_load_n(&map->parts[part_number(name)], __ATOMIC_ACQUIRE);
}

static uint32_t lookup(const struct route_map *map, uint64_t key) {
    uint64_t name = routes_name(key);
    part_handle handle = handle_of(map, name);
    if (handle == 0)
        return 0;
    const uint64_t *slots = part_of(handle)->slots;
    uint32_t count = part_slots(handle & (LINE - 1));
    for (uint32_t i = home_of(name, count);;) {
        uint64_t route = __atomic_load_n(&slots[i], __ATOMIC_ACQUIRE);
        if (has_name(route, name))
            return (uint32_t)route;
        if (route == 0)
            return 0;
        if (++i == count)
            i = 0;
    }
}

uint32_t routes_lookup(const struct routes *routes, uint64_t topic_hash, uint64_t prefix_hash,
                       bool dollar) {
    uint32_t threads = lookup(&routes->exact, topic_hash) | lookup(&routes->prefix, prefix_hash);
    return dollar ? threads : threads | __atomic_load_n(&routes->any, __ATOMIC_RELAXED);
}

void routes_prefetch(const struct routes *routes, uint64_t topic_hash) {
    uint64_t name = routes_name(topic_hash);
    part_handle handle = handle_of(&routes->exact, name);
    if (handle != 0)
        __builtin_prefetch(&part_of(handle)->slots[home_of(name, part_slots(handle & (LINE - 1)))]);
}

uint64_t routes_epoch(const struct routes *routes) {
    return __atomic_load_n(&routes->epoch, __ATOMIC_ACQUIRE);
}

void routes_online(struct routes *routes, unsigned thread) {
    rte_rcu_qsbr_thread_online(routes->rcu, thread);
}

void routes_offline(struct routes *routes, unsigned thread) {
    rte_rcu_qsbr_thread_offline(routes->rcu, thread);
}

void routes_quiescent(struct routes *routes, unsigned thread) {
    /* A report would bring a thread online that is not. */
    if (__atomic_load_n(&routes->rcu->qsbr_cnt[thread].cnt, __ATOMIC_RELAXED) !=
        __RTE_QSBR_CNT_THR_OFFLINE)
        rte_rcu_qsbr_quiescent(routes->rcu, thread);
}

bool routes_passed(struct routes *routes, uint64_t token) {
    return __rte_rcu_qsbr_check_all(routes->rcu, token, false) == 1;
}

/* --- the writer ------------------------------------------------------------------------------ */

static struct part *part_create(struct routes *routes, unsigned step) {
    if (routes->fail_after != 0 && --routes->fail_after == 0)
        return NULL;
    struct part *part = aligned_alloc(LINE, part_bytes(step));
    if (!part)
        return NULL;
    memset(part, 0, part_bytes(step));
    part->step = step;
    add(&routes->bytes, part_bytes(step));
    return part;
}

/* The slot of the name, or the free one where it would go. */
static uint64_t *slot_of(struct part *part, uint64_t name) {
    uint32_t count = part_slots(part->step), i = home_of(name, count);
    while (part->slots[i] != 0 && !has_name(part->slots[i], name))
        i = i + 1 == count ? 0 : i + 1;
    return &part->slots[i];
}

static void publish(part_handle *place, struct part *part) {
    __atomic_store_n(place, (part_handle)part | part->step, __ATOMIC_RELEASE);
}

/* A copy of the size that what is alive and one more need: at most two thirds full. */
static struct part *part_copy(struct routes *routes, const struct part *old) {
    unsigned step = 0;
    while ((uint64_t)(old ? old->live + 1 : 1) * 3 > (uint64_t)part_slots(step) * 2)
        step++;
    struct part *part = part_create(routes, step);
    if (!part || !old)
        return part;
    for (uint32_t i = 0; i < part_slots(old->step); i++)
        if ((uint32_t)old->slots[i] != 0)
            *slot_of(part, old->slots[i] >> 32) = old->slots[i];
    part->used = part->live = old->live;
    return part;
}

static void retire(struct routes *routes, struct part *part) {
    part->token = rte_rcu_qsbr_start(routes->rcu);
    part->next = routes->retired;
    routes->retired = part;
}

/* At most three quarters of the slots hold names: with linear probing a miss then looks at nine of
 * them on average, two cache lines, and there always is a free slot to end a search. */
static struct part *part_with_room(struct routes *routes, part_handle *place) {
    struct part *part = part_of(*place);
    if (part && (uint64_t)(part->used + 1) * 4 <= (uint64_t)part_slots(part->step) * 3)
        return part;
    struct part *grown = part_copy(routes, part);
    if (!grown)
        return NULL;
    publish(place, grown);
    if (part)
        retire(routes, part);
    return grown;
}

static bool map_set(struct routes *routes, struct route_map *map, uint64_t name, uint32_t bit) {
    part_handle *place = &map->parts[part_number(name)];
    struct part *part = part_of(*place);
    uint64_t *slot = part ? slot_of(part, name) : NULL;
    if (!slot || *slot == 0) {
        part = part_with_room(routes, place);
        if (!part)
            return false;
        slot = slot_of(part, name);
        part->used++;
    }
    if ((uint32_t)*slot == 0) {
        part->live++;
        add(&routes->keys, 1);
    }
    __atomic_store_n(slot, name << 32 | (uint32_t)*slot | bit, __ATOMIC_RELEASE);
    return true;
}

static void map_clear(struct routes *routes, struct route_map *map, uint64_t name, uint32_t bit) {
    struct part *part = part_of(map->parts[part_number(name)]);
    uint64_t *slot = part ? slot_of(part, name) : NULL;
    if (!slot || !(*slot & bit))
        return;
    __atomic_store_n(slot, *slot & ~(uint64_t)bit, __ATOMIC_RELEASE);
    if ((uint32_t)*slot == 0) {
        part->live--;
        add(&routes->keys, (uint64_t)-1);
    }
}

bool routes_change(struct routes *routes, unsigned kind, uint64_t key, unsigned thread, bool set) {
    uint32_t bit = UINT32_C(1) << thread;
    if (kind == ROUTE_ANY)
        __atomic_store_n(&routes->any, set ? routes->any | bit : routes->any & ~bit,
                         __ATOMIC_RELEASE);
    if (key == 0 || (kind != ROUTE_EXACT && kind != ROUTE_PREFIX))
        return true;
    struct route_map *map = kind == ROUTE_EXACT ? &routes->exact : &routes->prefix;
    if (set)
        return map_set(routes, map, routes_name(key), bit);
    map_clear(routes, map, routes_name(key), bit);
    return true;
}

uint64_t routes_advance(struct routes *routes, uint64_t *token) {
    uint64_t epoch = routes->epoch + 1;
    /* First the epoch: who has seen the token has seen it too. */
    __atomic_store_n(&routes->epoch, epoch, __ATOMIC_RELEASE);
    *token = rte_rcu_qsbr_start(routes->rcu);
    return epoch;
}

void routes_reclaim(struct routes *routes) {
    /* The newest is first, and tokens are reached in order: all behind one that can go can go. */
    struct part **place = &routes->retired;
    while (*place && !routes_passed(routes, (*place)->token))
        place = &(*place)->next;
    struct part *part = *place;
    *place = NULL;
    while (part) {
        struct part *next = part->next;
        add(&routes->bytes, -(uint64_t)part_bytes(part->step));
        free(part);
        part = next;
    }
}

size_t routes_bytes(const struct routes *routes) {
    return sizeof *routes + __atomic_load_n(&routes->bytes, __ATOMIC_RELAXED);
}

uint64_t routes_count(const struct routes *routes) {
    return __atomic_load_n(&routes->keys, __ATOMIC_RELAXED);
}

void routes_fail_after(struct routes *routes, unsigned n) {
    routes->fail_after = n;
}
