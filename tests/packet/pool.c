/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/packet/pool.h"

#include <stdlib.h>

#include "tests/unit/tcp/harness.h"

enum { TAKEN_MAX = 1 << 19 };

static struct taken {
    void *memory;
    struct slab *slab; /* NULL: a span */
    unsigned order;
} * taken;
static unsigned taken_count;
static struct world *taken_from;

static void remember(void *memory, struct slab *slab, unsigned order) {
    if (taken_count == TAKEN_MAX)
        abort();
    taken[taken_count++] = (struct taken){memory, slab, order};
}

static void drain(struct slab *slab) {
    void *object;
    while ((object = slab_alloc(slab)) != NULL)
        remember(object, slab, 0);
}

void pool_take_all(struct world *world) {
    if (taken_count)
        return;
    taken = calloc(TAKEN_MAX, sizeof *taken);
    if (!taken)
        abort();
    taken_from = world;
    for (unsigned order = ARENA_ORDERS; order-- > 0;) {
        void *span;
        while ((span = arena_span_alloc(world->arena, order)) != NULL)
            remember(span, NULL, order);
    }
    struct tcp *tcp = world->tcp;
    struct slab *slabs[] = {&tcp->conns, &tcp->extensions, &tcp->addresses, &tcp->records};
    for (unsigned i = 0; i < sizeof slabs / sizeof *slabs; i++)
        drain(slabs[i]);
    for (unsigned i = 0; i < POOL_CLASSES; i++)
        drain(&world->pool.classes[i]);
}

void pool_give_back(void) {
    while (taken_count) {
        struct taken *last = &taken[--taken_count];
        if (last->slab)
            slab_free(last->slab, last->memory);
        else
            arena_span_free(taken_from->arena, last->memory, last->order);
    }
    free(taken);
    taken = NULL;
}
