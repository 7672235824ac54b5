/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/message/pool.h"

#include "dataplane/message/poison.h"
#include "dataplane/message/span.h"

enum {
    STEP_SHIFT = 4,   /* classes 0..7: 16, 32 .. 128 */
    STEP_CLASSES = 8, /* classes 8..: 160, 192, 224, 256, 320 .. 32768 */
    STEP_MAX = 128,
    STEP_MAX_LOG2 = 7,
};

static const char *const class_names[POOL_CLASSES] = {
    "pool-16",    "pool-32",    "pool-48",    "pool-64",    "pool-80",    "pool-96",
    "pool-112",   "pool-128",   "pool-160",   "pool-192",   "pool-224",   "pool-256",
    "pool-320",   "pool-384",   "pool-448",   "pool-512",   "pool-640",   "pool-768",
    "pool-896",   "pool-1024",  "pool-1280",  "pool-1536",  "pool-1792",  "pool-2048",
    "pool-2560",  "pool-3072",  "pool-3584",  "pool-4096",  "pool-5120",  "pool-6144",
    "pool-7168",  "pool-8192",  "pool-10240", "pool-12288", "pool-14336", "pool-16384",
    "pool-20480", "pool-24576", "pool-28672", "pool-32768",
};

static size_t class_size(unsigned class) {
    if (class < STEP_CLASSES)
        return (class + 1) << STEP_SHIFT;
    unsigned k = class - STEP_CLASSES;
    return (size_t)(5 + (k & 3)) << (STEP_MAX_LOG2 - 2 + (k >> 2));
}

static unsigned class_of(size_t size) {
    unsigned last = (unsigned)(size - 1);
    if (last < STEP_MAX)
        return last >> STEP_SHIFT;
    unsigned log2 = 31u - (unsigned)__builtin_clz(last);
    return STEP_CLASSES + (log2 - STEP_MAX_LOG2) * 4 + ((last >> (log2 - 2)) & 3);
}

static unsigned order_of(size_t size) {
    size_t pages = (size - 1) >> ARENA_SPAN_SHIFT;
    return pages == 0 ? 0 : 64u - (unsigned)__builtin_clzl(pages);
}

void pool_init(struct pool *pool, struct arena *arena) {
    pool->arena = arena;
    pool->base = arena_base(arena);
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        slab_init(&pool->classes[i], arena, class_names[i], class_size(i), 0);
}

size_t pool_taken(size_t size) {
    return size <= POOL_SLAB_MAX ? class_size(class_of(size))
                                 : (size_t)1 << (ARENA_SPAN_SHIFT + order_of(size));
}

bool pool_trim(struct pool *pool) {
    bool any = false;
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        any |= slab_trim(&pool->classes[i]);
    return any;
}

void *pool_alloc(struct pool *pool, size_t size) {
    void *memory = NULL;
    if (size <= POOL_SLAB_MAX) {
        struct slab *slab = &pool->classes[class_of(size)];
        if (!arena_fails(pool->arena)) {
            memory = slab_take(slab);
            if (__builtin_expect(!memory, 0) && pool_trim(pool))
                memory = slab_take(slab);
        }
        /* The slab's link needs the first bytes of a small object too. */
        size_t end = size < sizeof(ref_t) ? sizeof(ref_t) : size;
        if (memory)
            poison((uint8_t *)memory + end, slab->object_size - end);
        else
            __atomic_store_n(&slab->failed, slab->failed + 1, __ATOMIC_RELAXED);
        return memory;
    }
    unsigned order = order_of(size);
    if (order >= ARENA_ORDERS || arena_fails(pool->arena))
        return NULL;
    memory = arena_take(pool->arena, order);
    if (!memory && pool_trim(pool))
        memory = arena_take(pool->arena, order);
    return memory;
}

void pool_free(struct pool *pool, void *memory, size_t size) {
    if (size <= POOL_SLAB_MAX)
        slab_free(&pool->classes[class_of(size)], memory);
    else
        arena_span_free(pool->arena, memory, order_of(size));
}
