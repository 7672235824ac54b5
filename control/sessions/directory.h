/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client directory of one shard: client identifier -> where the client is. An entry exists
 * while the client is connected, has a persistent session, or is about to connect.
 *
 * An entry is 64 bytes, its name (client identifier and user name) 16 to 32 more, its place in the
 * table about 12. It is named by its handle, which is what mail calls `session`: the place in the
 * directory. A freed handle is used again as late as possible; mail about a connection that is gone
 * is found out by its generation anyhow.
 *
 * Thread: the shard.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_DIRECTORY_H
#define LINEMQ_CONTROL_SESSIONS_DIRECTORY_H

#include "control/sessions/table.h"
#include "dataplane/message/pool.h"

enum client_flags {
    CLIENT_USED = 1,
    CLIENT_CONNECTED = 2,
    CLIENT_CLEAN = 4,    /* of the present or last connection */
    CLIENT_USERNAME = 8, /* has one, perhaps empty */
    CLIENT_CLOSING = 16, /* MAIL_KICK has been sent to its connection */
    CLIENT_MQISDP = 32,  /* protocol level 3, else 4 */
};

struct client {
    uint8_t remote[16]; /* IPv6, or IPv4 mapped */
    uint64_t since;     /* wall clock of the last connect or disconnect, microseconds */
    uint32_t handle;
    ref_t name;    /* client identifier, user name */
    ref_t session; /* struct session, or 0 */
    ref_t connect; /* struct connect that waits for the old connection's end, or 0 */
    ref_t conn;    /* with worker and generation: the connection */
    uint32_t generation;
    uint32_t sequence; /* of the CONNECT that made the connection, in order of arrival */
    uint16_t id_len, username_len;
    uint16_t keep_alive;
    uint16_t remote_port, local_port;
    uint8_t worker;
    uint8_t flags; /* enum client_flags */
};
_Static_assert(sizeof(struct client) == 64, "one cache line");

struct directory {
    struct pool *pool;
    struct table table;
    struct client **chunks; /* heap */
    uint32_t chunks_count, chunks_room;
    uint32_t next;                  /* handles from here on were never used */
    uint32_t free_first, free_last; /* used before; linked through `connect` */
    uint32_t count;
};

void directory_init(struct directory *directory, struct pool *pool);
void directory_free(struct directory *directory);

/* NULL: unknown. */
struct client *directory_find(const struct directory *directory, const uint8_t *id, size_t len);
struct client *directory_at(const struct directory *directory, uint32_t handle);

/* Adds one that is not there yet; all but its name is zero. NULL: no memory. */
struct client *directory_add(struct directory *directory, const uint8_t *id, uint16_t len);
void directory_remove(struct directory *directory, struct client *client);

/* Sets or, with NULL, removes the user name. False: no memory, nothing changed. */
bool client_set_username(struct directory *directory, struct client *client,
                         const uint8_t *username, uint16_t len);

static inline const uint8_t *client_id(const struct directory *directory,
                                       const struct client *client) {
    return arena_at(directory->pool->base, client->name);
}

static inline const uint8_t *client_username(const struct directory *directory,
                                             const struct client *client) {
    return client->flags & CLIENT_USERNAME ? client_id(directory, client) + client->id_len : NULL;
}

/* Is this the client's present connection? */
static inline bool client_is_at(const struct client *client, uint8_t worker, ref_t conn,
                                uint32_t generation) {
    return (client->flags & CLIENT_CONNECTED) && client->worker == worker && client->conn == conn &&
           client->generation == generation;
}

#endif
