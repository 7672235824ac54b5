/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sessions/shard.h"

#include <errno.h>
#include <stdlib.h>

#include "control/sessions/loop.h"
#include "control/sessions/session.h"
#include "control/sessions/state.h"
#include "control/status/sys.h"

enum {
    /* Address space beside what may be used: a buddy allocator with spans of many sizes cannot fill
     * its range to the last byte. */
    RANGE_FACTOR = 2,
    TRIE_VISITS = 100000, /* the shard's turns may be longer than a worker's */
    FANOUT_SLICE = 1024,
};

static void queries_send(void *shard, unsigned to, const struct mail *mail) {
    shard_send(shard, to, mail);
}

static bool queries_pressed(void *shard, unsigned to) {
    return shard_pressed(shard, to);
}

static bool make_memory(struct shard *shard) {
    size_t limit = (size_t)shard->registry->config->control.memory_mib << 20;
    if (!region_reserve(&shard->region, RANGE_FACTOR * limit, 0))
        return false;
    shard->arena_state = calloc(1, arena_footprint(shard->region.size));
    if (shard->arena_state == NULL)
        return false;
    shard->arena = arena_init(shard->arena_state, shard->region.base, shard->region.size, limit);
    pool_init(&shard->pool, shard->arena);
    slab_init(&shard->connects.slab, shard->arena, "connects", connect_size(), 0);
    slab_init(&shard->sessions.slab, shard->arena, "sessions", sizeof(struct session), SLAB_KEEP);
    slab_init(&shard->sessions.requests, shard->arena, "subscribes",
              sizeof(struct subscribe_pending), 0);
    table_init(&shard->connects.table, &shard->pool);
    directory_init(&shard->directory, &shard->pool);
    return true;
}

static bool make_parts(struct shard *shard) {
    const struct registry *registry = shard->registry;
    const struct config *config = registry->config;
    const struct router_limits limits = {.topic_levels = config->mqtt.topic_levels,
                                         .visits = TRIE_VISITS,
                                         .fanout_slice = FANOUT_SLICE,
                                         .retained_batch = MAIL_RETAINED_BATCH};
    const struct router_owner owner = {.deliver = shard_deliver,
                                       .subscribed = shard_subscribed,
                                       .retained_ready = shard_retained_ready,
                                       .owner = shard,
                                       .full = shard_full};
    shard->mailroom = mailroom_create(registry->mailboxes, shard->self, &shard->pool);
    if (shard->mailroom == NULL)
        return false;
    shard->parcels = (struct parcels){
        .pool = &shard->pool, .mailroom = shard->mailroom, .self = (uint8_t)shard->self};
    shard->router =
        router_create(&shard->parcels, shard->mailroom, registry->routes, registry->first_shard,
                      registry->shards, &limits, &owner, &shard->counters);
    shard->retained = retained_create(&shard->parcels, config->mqtt.retained_messages);
    if (shard->router == NULL || shard->retained == NULL)
        return false;
    queries_init(&shard->queries, &(struct queries_use){.retained = shard->retained,
                                                        .parcels = &shard->parcels,
                                                        .routes = registry->routes,
                                                        .counters = &shard->counters,
                                                        .send = queries_send,
                                                        .pressed = queries_pressed,
                                                        .owner = shard});
    if (shard->index == 0 && config->control.sys_interval > 0) {
        shard->sys = sys_create(shard->router, config->control.sys_interval, sys_collect,
                                (void *)(uintptr_t)registry);
        return shard->sys != NULL;
    }
    return true;
}

/* The chain's first mistake becomes the error. */
static bool make_auth(struct shard *shard, uv_loop_t *loop, char *error, unsigned error_size) {
    char *text = NULL;
    size_t size;
    FILE *errors = open_memstream(&text, &size);
    if (errors == NULL) {
        snprintf(error, error_size, "there is no memory for control shard %u", shard->index);
        return false;
    }
    shard->auth = auth_create(shard->registry->config, loop, errors);
    fclose(errors);
    if (shard->auth == NULL)
        snprintf(error, error_size, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    return shard->auth != NULL;
}

struct shard *shard_make(const struct registry *registry, unsigned index, uv_loop_t *loop,
                         char *error, unsigned error_size) {
    struct shard *shard = aligned_alloc(_Alignof(struct shard), sizeof *shard);
    if (shard == NULL) {
        snprintf(error, error_size, "there is no memory for control shard %u", index);
        return NULL;
    }
    *shard =
        (struct shard){.registry = registry, .index = index, .self = registry->first_shard + index};
    if (!make_memory(shard) || !make_parts(shard)) {
        snprintf(error, error_size, "there is no memory for control shard %u (%u MiB): %s", index,
                 registry->config->control.memory_mib, strerror(errno));
        shard_unmake(shard);
        return NULL;
    }
    if (!make_auth(shard, loop, error, error_size)) {
        shard_unmake(shard);
        return NULL;
    }
    return shard;
}

void shard_unmake(struct shard *shard) {
    /* What is in the arena goes with it. */
    if (shard->auth != NULL)
        auth_destroy(shard->auth);
    sys_destroy(shard->sys);
    table_free(&shard->connects.table);
    held_mail_end(shard);
    free(shard->route_changes.mails);
    queries_free(&shard->queries);
    retained_destroy(shard->retained);
    if (shard->router != NULL)
        router_destroy(shard->router);
    if (shard->mailroom != NULL)
        mailroom_destroy(shard->mailroom);
    directory_free(&shard->directory);
    free(shard->arena_state);
    if (shard->region.base != NULL)
        region_release(&shard->region);
    free(shard);
}
