/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sessions/directory.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/topics/topic.h"

enum {
    CHUNK_SHIFT = 13, /* handles in a chunk: 64 KiB, the smallest span */
    CHUNK = 1 << CHUNK_SHIFT,
    CHUNK_ORDER = 0,
};
_Static_assert(CHUNK * sizeof(struct directory_entry) == 1u << ARENA_SPAN_SHIFT,
               "a chunk is a span");

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */

struct wanted {
    const struct directory *directory;
    const uint8_t *id;
    size_t len;
};

void directory_init(struct directory *directory, struct pool *pool) {
    *directory = (struct directory){.pool = pool, .next = 1}; /* handle 0 names nobody */
    table_init(&directory->table, pool);
}

void directory_free(struct directory *directory) {
    table_free(&directory->table);
    free(directory->chunks);
    directory->chunks = NULL;
}

static struct directory_entry *entry_of(const struct directory *directory, uint32_t handle) {
    return &directory->chunks[handle >> CHUNK_SHIFT][handle & (CHUNK - 1)];
}

struct client *directory_at(const struct directory *directory, uint32_t handle) {
    if (handle == 0 || handle >= directory->next)
        return NULL;
    ref_t ref = entry_of(directory, handle)->client;
    return ref != 0 ? arena_at(directory->pool->base, ref) : NULL;
}

static bool has_id(const void *context, uint32_t handle) {
    const struct wanted *wanted = context;
    const struct client *client = directory_at(wanted->directory, handle);
    return client->id_len == wanted->len && memcmp(client_id(client), wanted->id, wanted->len) == 0;
}

struct client *directory_find(const struct directory *directory, const uint8_t *id, size_t len) {
    struct wanted wanted = {directory, id, len};
    uint32_t handle = table_find(&directory->table, topic_hash(id, len), has_id, &wanted);
    return handle != TABLE_NONE ? directory_at(directory, handle) : NULL;
}

static bool add_chunk(struct directory *directory) {
    if (directory->chunks_count == directory->chunks_room) {
        uint32_t room = 2 * directory->chunks_room + 16;
        struct directory_entry **chunks =
            realloc(directory->chunks, room * sizeof(struct directory_entry *));
        if (chunks == NULL)
            return false;
        directory->chunks = chunks;
        directory->chunks_room = room;
    }
    struct directory_entry *chunk = arena_span_alloc(directory->pool->arena, CHUNK_ORDER);
    if (chunk == NULL && pool_trim(directory->pool))
        chunk = arena_span_alloc(directory->pool->arena, CHUNK_ORDER);
    if (chunk == NULL)
        return false;
    directory->chunks[directory->chunks_count++] = chunk;
    return true;
}

/* A handle whose entry is zero, or 0: no memory. */
static uint32_t take_handle(struct directory *directory) {
    uint32_t handle = directory->free_first;
    if (handle != 0) {
        directory->free_first = entry_of(directory, handle)->waiting;
        if (directory->free_first == 0)
            directory->free_last = 0;
    } else {
        if (directory->next >> CHUNK_SHIFT == directory->chunks_count && !add_chunk(directory))
            return 0;
        handle = directory->next++;
    }
    *entry_of(directory, handle) = (struct directory_entry){0, 0};
    return handle;
}

/* At the end of the free ones: it is used again after all of those. */
static void give_handle(struct directory *directory, uint32_t handle) {
    *entry_of(directory, handle) = (struct directory_entry){0, 0};
    if (directory->free_last != 0)
        entry_of(directory, directory->free_last)->waiting = handle;
    else
        directory->free_first = handle;
    directory->free_last = handle;
}

static size_t size_of(const struct client *client) {
    return sizeof *client + client_address_len(client) + client->id_len + client->username_len;
}

static void enter(struct directory *directory, const struct client *client) {
    entry_of(directory, client->handle)->client = arena_ref(directory->pool->base, client);
}

struct client *directory_add(struct directory *directory, const uint8_t *id, uint16_t len) {
    struct client empty = {.handle = take_handle(directory), .id_len = len};
    if (empty.handle == 0)
        return NULL;
    struct client *client = pool_alloc(directory->pool, size_of(&empty));
    if (client == NULL || !table_insert(&directory->table, topic_hash(id, len), empty.handle)) {
        if (client != NULL)
            pool_free(directory->pool, client, size_of(&empty));
        give_handle(directory, empty.handle);
        return NULL;
    }
    *client = empty;
    memset(client->bytes, 0, client_address_len(client));
    memcpy(client->bytes + client_address_len(client), id, len);
    enter(directory, client);
    directory->count++;
    return client;
}

void directory_remove(struct directory *directory, struct client *client) {
    uint32_t handle = client->handle;
    table_remove(&directory->table, topic_hash(client_id(client), client->id_len), handle);
    pool_free(directory->pool, client, size_of(client));
    give_handle(directory, handle);
    directory->count--;
}

struct client *directory_describe(struct directory *directory, struct client *client,
                                  const uint8_t remote[16], const uint8_t *username, uint16_t len) {
    bool ipv6 = memcmp(remote, mapped, sizeof mapped) != 0;
    struct client changed = *client;
    changed.flags &= (uint8_t) ~(CLIENT_USERNAME | CLIENT_IPV6);
    changed.flags |= (username != NULL ? CLIENT_USERNAME : 0) | (ipv6 ? CLIENT_IPV6 : 0);
    changed.username_len = username != NULL ? len : 0;
    struct client *to = client;
    if (size_of(&changed) != size_of(client)) {
        to = pool_alloc(directory->pool, size_of(&changed));
        if (to == NULL)
            return NULL;
    }
    size_t address = client_address_len(&changed);
    memmove(to->bytes + address, client_id(client), client->id_len);
    if (to != client)
        pool_free(directory->pool, client, size_of(client));
    *to = changed;
    memcpy(to->bytes, ipv6 ? remote : remote + sizeof mapped, address);
    if (changed.username_len > 0)
        memcpy(to->bytes + address + to->id_len, username, len);
    enter(directory, to);
    return to;
}

ref_t directory_waiting(const struct directory *directory, const struct client *client) {
    return entry_of(directory, client->handle)->waiting;
}

void directory_wait(struct directory *directory, struct client *client, ref_t connect) {
    entry_of(directory, client->handle)->waiting = connect;
}

void client_remote(const struct client *client, uint8_t remote[16]) {
    if (client->flags & CLIENT_IPV6) {
        memcpy(remote, client->bytes, 16);
        return;
    }
    memcpy(remote, mapped, sizeof mapped);
    memcpy(remote + sizeof mapped, client->bytes, 4);
}
