/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client directory of one shard: client identifier -> where the client is. An entry exists
 * while the client is connected, has a persistent session, or is about to connect.
 *
 * A client is one record: 40 bytes, its address (4 or 16 bytes), client identifier and user name.
 * Beside it are eight bytes for its handle, and about eleven for its place in the table. The handle
 * is what mail calls `session`. A freed handle is used again as late as possible; mail about a
 * connection that is gone is found out by its generation anyhow.
 *
 * Thread: the shard.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_DIRECTORY_H
#define LINEMQ_CONTROL_SESSIONS_DIRECTORY_H

#include "control/sessions/table.h"
#include "dataplane/message/pool.h"

enum client_flags {
    CLIENT_CONNECTED = 2,
    CLIENT_CLEAN = 4,    /* of the present or last connection */
    CLIENT_USERNAME = 8, /* has one, perhaps empty */
    CLIENT_CLOSING = 16, /* MAIL_KICK has been sent to its connection */
    CLIENT_MQISDP = 32,  /* protocol level 3, else 4 */
    CLIENT_IPV6 = 64,    /* its address is not a mapped IPv4 one */
};

struct client {
    uint64_t since; /* wall clock of the last connect or disconnect, microseconds */
    uint32_t handle;
    ref_t session; /* struct session, or 0 */
    ref_t conn;    /* with worker and generation: the connection */
    uint32_t generation;
    uint32_t sequence; /* of the CONNECT that made the connection, in order of arrival */
    uint16_t id_len, username_len;
    uint16_t keep_alive;
    uint16_t remote_port, local_port;
    uint8_t worker;
    uint8_t flags;   /* enum client_flags */
    uint8_t bytes[]; /* address, client identifier, user name */
};
_Static_assert(sizeof(struct client) == 40, "with an IPv4 address and 36 bytes of name, 80");

/* What a handle names. */
struct directory_entry {
    ref_t client;  /* 0: nobody */
    ref_t waiting; /* the CONNECT that waits; of nobody: the next free handle */
};

struct directory {
    struct pool *pool;
    struct table table;
    struct directory_entry **chunks; /* heap */
    uint32_t chunks_count, chunks_room;
    uint32_t next;                  /* handles from here on were never used */
    uint32_t free_first, free_last; /* used before */
    uint32_t count;
};

/* The struct stays where it is from then on. */
void directory_init(struct directory *directory, struct pool *pool);
void directory_free(struct directory *directory);

/* NULL: unknown. */
struct client *directory_find(const struct directory *directory, const uint8_t *id, size_t len);
struct client *directory_at(const struct directory *directory, uint32_t handle);

/* Adds one that is not there yet; all but its identifier is zero. NULL: no memory. */
struct client *directory_add(struct directory *directory, const uint8_t *id, uint16_t len);
void directory_remove(struct directory *directory, struct client *client);

/* Sets its address (IPv6, or IPv4 mapped) and its user name (NULL: it has none). Returns the
 * client, which may have moved; NULL: no memory, nothing changed. */
struct client *directory_describe(struct directory *directory, struct client *client,
                                  const uint8_t remote[16], const uint8_t *username, uint16_t len);

/* The CONNECT (a ref) that waits for the end of the client's connection, or 0. */
ref_t directory_waiting(const struct directory *directory, const struct client *client);
void directory_wait(struct directory *directory, struct client *client, ref_t connect);

/* IPv6, or IPv4 mapped. */
void client_remote(const struct client *client, uint8_t remote[16]);

static inline size_t client_address_len(const struct client *client) {
    return client->flags & CLIENT_IPV6 ? 16 : 4;
}

static inline const uint8_t *client_id(const struct client *client) {
    return client->bytes + client_address_len(client);
}

static inline const uint8_t *client_username(const struct client *client) {
    return client->flags & CLIENT_USERNAME ? client_id(client) + client->id_len : NULL;
}

/* Is this the client's present connection? */
static inline bool client_is_at(const struct client *client, uint8_t worker, ref_t conn,
                                uint32_t generation) {
    return (client->flags & CLIENT_CONNECTED) && client->worker == worker && client->conn == conn &&
           client->generation == generation;
}

#endif
