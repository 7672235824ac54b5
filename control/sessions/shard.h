/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control shard: a thread with a libuv loop that owns the client directory and the persistent
 * sessions of the client identifiers that hash to it, and its share of the retained messages. The
 * first shard also writes the routes and publishes $SYS.
 *
 * Thread: create, start, stop, destroy by the main thread; everything else on the shard's own
 * thread (others come in by MAIL_CALL), unless said otherwise.
 */
#ifndef LINEMQ_CONTROL_SESSIONS_SHARD_H
#define LINEMQ_CONTROL_SESSIONS_SHARD_H

#include "control/registry.h"

/* NULL with a sentence in `error`. */
struct shard *shard_create(const struct registry *registry, unsigned index, char *error,
                           unsigned error_size);
int shard_start(struct shard *shard); /* the thread; 0 or negative errno */
void shard_stop(
    struct shard *shard); /* any thread: ends the loop after its mail is drained; joins */
void shard_destroy(struct shard *shard);

const struct counters *shard_counters(const struct shard *shard); /* any thread */
/* Owner thread: with it the function of a MAIL_CALL sends its answer. */
struct mailroom *shard_mailroom(const struct shard *shard);

/* Any thread: has the shard read the password files again. Mistakes are logged, and then the old
 * ones stay in force. */
void shard_reload(struct shard *shard);

/* A client as `ctl` sees it. Pointers are valid during the call that hands them out. */
struct client_view {
    const uint8_t *client_id;
    const uint8_t *username; /* NULL: none */
    uint16_t client_id_len, username_len;
    uint32_t session; /* handle */
    bool connected;
    bool clean_session;
    uint8_t level;
    uint16_t keep_alive;
    uint8_t worker; /* of the connection, when connected */
    ref_t conn;
    uint32_t generation;
    uint8_t remote[16];
    uint16_t remote_port, local_port;
    uint64_t since; /* wall clock of the last connect or disconnect, microseconds */
    /* persistent sessions only */
    uint32_t subscriptions, inflight, queued, qos2_received;
    uint64_t dropped;
};

/* Visits clients from *position on (0 at the start and again at the end): up to `budget`, of which
 * a client takes one and one more for each subscription. The visitor returns false to stop. */
void shard_clients(struct shard *shard, uint32_t *position, unsigned budget,
                   bool (*visit)(void *argument, const struct client_view *client), void *argument);
/* One client. False: unknown here. */
bool shard_client(struct shard *shard, const uint8_t *client_id, size_t len,
                  struct client_view *view);
bool shard_client_by_handle(struct shard *shard, uint32_t session, struct client_view *view);

/* Closes its connection (CLOSE_ADMIN). False: unknown, or not connected. */
bool shard_kick(struct shard *shard, const uint8_t *client_id, size_t len);

/* Subscriptions of persistent sessions: of one handle, or of all with session 0, from *position on
 * (0 at the start and again at the end). A session's subscriptions come together, so that `budget`
 * may be overrun by those of one. */
void shard_subscriptions(struct shard *shard, uint32_t session, uint32_t *position, unsigned budget,
                         bool (*visit)(void *argument, uint32_t session,
                                       const struct filter *filter),
                         void *argument);

/* Persistent sessions' subscriptions that match `topic`. */
void shard_match(struct shard *shard, const uint8_t *topic, uint16_t len,
                 void (*visit)(void *argument, uint32_t session, const struct filter *filter),
                 void *argument);

/* Publishes on behalf of the administrator; the topic is checked. False: bad topic or no memory. */
bool shard_publish(struct shard *shard, const uint8_t *topic, size_t topic_len,
                   const uint8_t *payload, size_t payload_len, uint8_t qos, bool retain);

struct shard_gauges {
    uint64_t clients, connected, persistent_sessions, subscriptions;
    uint64_t retained, retained_bytes;
    uint64_t queued, inflight;          /* messages of persistent sessions */
    uint64_t memory_used, memory_limit; /* arena */
    uint64_t turns, busy_nanoseconds;
    uint64_t authenticating; /* CONNECTs waiting for their verdict */
};
const struct shard_gauges *shard_gauges(const struct shard *shard); /* any thread, relaxed */

#endif
