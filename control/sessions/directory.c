/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sessions/directory.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/topics/topic.h"

enum {
    CHUNK_SHIFT = 10, /* clients in a chunk: 64 KiB, the smallest span */
    CHUNK = 1 << CHUNK_SHIFT,
    CHUNK_ORDER = 0,
};
_Static_assert(CHUNK * sizeof(struct client) == 1u << ARENA_SPAN_SHIFT, "a chunk is a span");

struct wanted {
    const struct directory *directory;
    const uint8_t *id;
    size_t len;
};

void directory_init(struct directory *directory, struct pool *pool) {
    *directory = (struct directory){.pool = pool, .next = 1}; /* handle 0 names nobody */
}

void directory_free(struct directory *directory) {
    table_free(&directory->table);
    free(directory->chunks);
    directory->chunks = NULL;
}

static struct client *slot(const struct directory *directory, uint32_t handle) {
    return &directory->chunks[handle >> CHUNK_SHIFT][handle & (CHUNK - 1)];
}

struct client *directory_at(const struct directory *directory, uint32_t handle) {
    if (handle == 0 || handle >= directory->next)
        return NULL;
    struct client *client = slot(directory, handle);
    return client->flags & CLIENT_USED ? client : NULL;
}

static bool has_id(const void *context, uint32_t handle) {
    const struct wanted *wanted = context;
    const struct client *client = slot(wanted->directory, handle);
    return client->id_len == wanted->len &&
           memcmp(client_id(wanted->directory, client), wanted->id, wanted->len) == 0;
}

struct client *directory_find(const struct directory *directory, const uint8_t *id, size_t len) {
    struct wanted wanted = {directory, id, len};
    uint32_t handle = table_find(&directory->table, topic_hash(id, len), has_id, &wanted);
    return handle != TABLE_NONE ? slot(directory, handle) : NULL;
}

static bool add_chunk(struct directory *directory) {
    if (directory->chunks_count == directory->chunks_room) {
        uint32_t room = 2 * directory->chunks_room + 16;
        struct client **chunks = realloc(directory->chunks, room * sizeof(struct client *));
        if (chunks == NULL)
            return false;
        directory->chunks = chunks;
        directory->chunks_room = room;
    }
    struct client *chunk = arena_span_alloc(directory->pool->arena, CHUNK_ORDER);
    if (chunk == NULL && pool_trim(directory->pool))
        chunk = arena_span_alloc(directory->pool->arena, CHUNK_ORDER);
    if (chunk == NULL)
        return false;
    directory->chunks[directory->chunks_count++] = chunk;
    return true;
}

static struct client *take_slot(struct directory *directory) {
    uint32_t handle = directory->free_first;
    if (handle != 0) {
        directory->free_first = slot(directory, handle)->connect;
        if (directory->free_first == 0)
            directory->free_last = 0;
    } else {
        if (directory->next >> CHUNK_SHIFT == directory->chunks_count && !add_chunk(directory))
            return NULL;
        handle = directory->next++;
    }
    struct client *client = slot(directory, handle);
    *client = (struct client){.handle = handle, .flags = CLIENT_USED};
    return client;
}

/* At the end of the free ones: its handle is used again after all of those. */
static void give_slot(struct directory *directory, struct client *client) {
    client->flags = 0;
    client->connect = 0;
    if (directory->free_last != 0)
        slot(directory, directory->free_last)->connect = client->handle;
    else
        directory->free_first = client->handle;
    directory->free_last = client->handle;
}

static size_t name_size(const struct client *client) {
    size_t size = (size_t)client->id_len + client->username_len;
    return size > 0 ? size : 1;
}

struct client *directory_add(struct directory *directory, const uint8_t *id, uint16_t len) {
    struct client *client = take_slot(directory);
    if (client == NULL)
        return NULL;
    client->id_len = len;
    uint8_t *name = pool_alloc(directory->pool, name_size(client));
    if (name == NULL || !table_insert(&directory->table, topic_hash(id, len), client->handle)) {
        if (name != NULL)
            pool_free(directory->pool, name, name_size(client));
        give_slot(directory, client);
        return NULL;
    }
    memcpy(name, id, len);
    client->name = arena_ref(directory->pool->base, name);
    directory->count++;
    return client;
}

void directory_remove(struct directory *directory, struct client *client) {
    table_remove(&directory->table, topic_hash(client_id(directory, client), client->id_len),
                 client->handle);
    pool_free(directory->pool, arena_at(directory->pool->base, client->name), name_size(client));
    give_slot(directory, client);
    directory->count--;
}

bool client_set_username(struct directory *directory, struct client *client,
                         const uint8_t *username, uint16_t len) {
    struct client changed = *client;
    changed.flags &= (uint8_t)~CLIENT_USERNAME;
    changed.flags |= username != NULL ? CLIENT_USERNAME : 0;
    changed.username_len = username != NULL ? len : 0;
    uint8_t *old = arena_at(directory->pool->base, client->name);
    uint8_t *name = old;
    if (changed.username_len != client->username_len) {
        name = pool_alloc(directory->pool, name_size(&changed));
        if (name == NULL)
            return false;
        memcpy(name, old, client->id_len);
        pool_free(directory->pool, old, name_size(client));
        changed.name = arena_ref(directory->pool->base, name);
    }
    if (changed.username_len > 0)
        memcpy(name + changed.id_len, username, changed.username_len);
    *client = changed;
    return true;
}
