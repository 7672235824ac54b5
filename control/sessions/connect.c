/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From CONNECT to its verdict:
 *
 *     AUTHENTICATING --yes--> [the client is connected elsewhere] --> WAITING --its end--> verdict
 *
 * Takeover (MQTT-3.1.4-2): the old connection is told to close, and only when its worker says that
 * it has, and with it all that came from it in order, does the new one get its verdict. Of several
 * CONNECTs with one client identifier only the last to arrive survives; the others are told to
 * close as if they had been taken over.
 */
#include <stddef.h>
#include <string.h>

#include "control/log/log.h"
#include "control/sessions/session.h"
#include "control/sessions/state.h"

enum {
    CONNECTS_MAX = 65536, /* under way at once; more are refused: come back later */
    /* Longest wait for an old connection's end. It comes from a worker on this machine, so it comes
     * soon; when not, the client shall not wait for a fault of ours. */
    TAKEOVER_MS = 5000,
    CLEAN_SESSION = 0x02, /* CONNECT flags (3.1.2.3) */
    PASSWORD = 0x40,
    USERNAME = 0x80,
    LEVEL_MQISDP = 3,
    CODE_BAD_ID = 2, /* CONNACK return codes (3.2.2.3) */
    CODE_UNAVAILABLE = 3,
    GENERATED_ID_LEN = 24,
    REFUSALS_LOGGED = 10, /* lines in ... */
    REFUSALS_US = 10000000,
};

enum connect_state { AUTHENTICATING, WAITING };

struct connect {
    ref_t conn; /* lost when it is freed */
    uint32_t generation;
    uint32_t client;   /* WAITING: handle */
    uint32_t sequence; /* by arrival */
    uint8_t worker;
    uint8_t state;
    struct connect_request *request;
    struct auth_request auth;
    struct auth_check check;
    struct shard *shard;
    struct connect *previous, *next; /* of those in the same state */
    uint64_t deadline;
};

struct connection_name {
    const struct shard *shard;
    uint8_t worker;
    ref_t conn;
};

/* Workers choose the names, no peer does. */
static uint64_t name_hash(uint8_t worker, ref_t conn) {
    return (((uint64_t)worker << 32) | conn) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool has_name(const void *context, uint32_t ref) {
    const struct connection_name *name = context;
    const struct connect *connect = arena_at(name->shard->pool.base, ref);
    return connect->worker == name->worker && connect->conn == name->conn;
}

static struct connect *find(struct shard *shard, uint8_t worker, ref_t conn) {
    struct connection_name name = {shard, worker, conn};
    uint32_t ref = table_find(&shard->connects.table, name_hash(worker, conn), has_name, &name);
    return ref != TABLE_NONE ? arena_at(shard->pool.base, ref) : NULL;
}

static struct connect_list *list_of(struct shard *shard, const struct connect *connect) {
    return connect->state == WAITING ? &shard->connects.waiting : &shard->connects.asking;
}

static void list_append(struct connect_list *list, struct connect *connect) {
    connect->previous = list->last;
    connect->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = connect;
    list->last = connect;
}

static void list_remove(struct connect_list *list, struct connect *connect) {
    *(connect->previous != NULL ? &connect->previous->next : &list->first) = connect->next;
    *(connect->next != NULL ? &connect->next->previous : &list->last) = connect->previous;
}

static void free_connect(struct shard *shard, struct connect *connect) {
    list_remove(list_of(shard, connect), connect);
    table_remove(&shard->connects.table, name_hash(connect->worker, connect->conn),
                 arena_ref(shard->pool.base, connect));
    parcel_release(&shard->parcels, connect->request);
    slab_free(&shard->connects.slab, connect);
}

static void client_remove_unused(struct shard *shard, struct client *client) {
    if (!(client->flags & CLIENT_CONNECTED) && client->session == 0 &&
        directory_waiting(&shard->directory, client) == 0)
        directory_remove(&shard->directory, client);
}

static void send_refusal(struct shard *shard, uint8_t worker, ref_t conn, uint32_t generation,
                         uint8_t code) {
    struct mail mail = {.type = MAIL_VERDICT, .code = code, .conn = conn, .generation = generation};
    count(&shard->counters, COUNTER_CONTROL_REFUSED);
    shard_send(shard, worker, &mail);
}

static void refuse(struct shard *shard, struct connect *connect, uint8_t code) {
    unsigned left_out;
    send_refusal(shard, connect->worker, connect->conn, connect->generation, code);
    if (log_enabled(LOG_LEVEL_INFO) &&
        log_pass(&shard->connects.refusals, shard->now, REFUSALS_US, REFUSALS_LOGGED, &left_out)) {
        char others[40] = "";
        if (left_out > 0)
            snprintf(others, sizeof others, " (and %u others before)", left_out);
        log_info("sessions", "client %s from %s is refused with code %u%s",
                 log_quoted(connect->auth.client_id, connect->auth.client_id_len).text,
                 log_address(connect->request->remote, connect->request->remote_port).text, code,
                 others);
    }
    free_connect(shard, connect);
}

void client_kick(struct shard *shard, const struct client *client, enum mail_close_reason reason) {
    struct mail mail = {.type = MAIL_KICK,
                        .code = (uint8_t)reason,
                        .conn = client->conn,
                        .generation = client->generation,
                        .session = client->handle};
    shard_send(shard, client->worker, &mail);
}

/* A later CONNECT of the same client has come. */
static void supersede(struct shard *shard, struct connect *connect) {
    count(&shard->counters, COUNTER_CONTROL_TAKEOVERS);
    struct mail kick = {.type = MAIL_KICK,
                        .code = CLOSE_TAKEOVER,
                        .conn = connect->conn,
                        .generation = connect->generation};
    shard_send(shard, connect->worker, &kick);
    free_connect(shard, connect);
}

/* Incoming QoS 2 identifiers for the worker. False: no memory. */
static bool make_packet_ids(struct shard *shard, const struct session *session,
                            struct parcel **parcel) {
    *parcel = NULL;
    if (session == NULL || session->received.count == 0)
        return true;
    size_t bytes = session->received.count * sizeof(uint16_t);
    struct packet_ids *ids = parcel_new(&shard->parcels, sizeof *ids + bytes);
    if (ids == NULL)
        return false;
    ids->count = (uint16_t)session->received.count;
    memcpy(ids->ids, session->received.ids, bytes);
    *parcel = &ids->parcel;
    return true;
}

static uint16_t keep_alive_of(const struct shard *shard, const struct connect_request *request) {
    uint32_t max = shard->registry->config->mqtt.keep_alive_max;
    bool cut = max > 0 && (request->keep_alive == 0 || request->keep_alive > max);
    return cut ? (uint16_t)max : request->keep_alive;
}

/* All that can fail, first. The client may move. */
static bool prepare(struct shard *shard, struct connect *connect, struct client **moves, bool clean,
                    struct parcel **ids) {
    *ids = NULL;
    struct client *client = directory_describe(&shard->directory, *moves, connect->request->remote,
                                               connect->auth.username, connect->auth.username_len);
    if (client == NULL)
        return false;
    *moves = client;
    if (clean)
        return true;
    struct session *session = session_at(shard, client->session);
    return session != NULL ? make_packet_ids(shard, session, ids)
                           : session_new(shard, client) != NULL;
}

/* Nothing stands in its way any more: the verdict, and the session. */
static void let_in(struct shard *shard, struct connect *connect, struct client *client) {
    const struct connect_request *request = connect->request;
    bool clean = request->connect_flags & CLEAN_SESSION;
    bool present = client->session != 0 && !clean;
    struct parcel *ids;
    if (!prepare(shard, connect, &client, clean, &ids)) {
        count(&shard->counters, COUNTER_CONTROL_CONNECT_NO_MEMORY);
        refuse(shard, connect, CODE_UNAVAILABLE);
        client_remove_unused(shard, client);
        return;
    }
    if (clean && client->session != 0) { /* MQTT-3.1.2-6 */
        session_discard(shard, session_at(shard, client->session));
        client->session = 0;
    }
    client->remote_port = request->remote_port;
    client->local_port = request->local_port;
    client->keep_alive = keep_alive_of(shard, request);
    client->since = shard->wall_clock;
    client->worker = connect->worker;
    client->conn = connect->conn;
    client->generation = connect->generation;
    client->sequence = connect->sequence;
    client->flags &= CLIENT_IPV6 | CLIENT_USERNAME;
    client->flags |= CLIENT_CONNECTED | (clean ? CLIENT_CLEAN : 0) |
                     (request->level == LEVEL_MQISDP ? CLIENT_MQISDP : 0);
    struct mail mail = {
        .type = MAIL_VERDICT,
        .conn = client->conn,
        .generation = client->generation,
        .session = client->handle,
        .verdict = {.keep_alive = client->keep_alive,
                    .inflight_max = (uint16_t)shard->registry->config->mqtt.inflight,
                    .session_present = present,
                    .qos2_in = ids}};
    shard_send(shard, client->worker, &mail);
    shard->connected++;
    count(&shard->counters, COUNTER_CONTROL_ACCEPTED);
    free_connect(shard, connect);
    if (!clean)
        session_online(shard, session_at(shard, client->session));
}

/* A client without identifier gets one that is its alone, and that this shard owns (MQTT-3.1.3-6).
 */
static void make_id(struct shard *shard, char id[GENERATED_ID_LEN + 1]) {
    const struct registry *registry = shard->registry;
    do {
        snprintf(
            id, GENERATED_ID_LEN + 1, "auto-%08x-%010llx",
            (unsigned)(registry->started_at / 1000000),
            (unsigned long long)(shard->connects.generated++ * registry->shards + shard->index) &
                0xffffffffffULL);
    } while (client_shard((const uint8_t *)id, GENERATED_ID_LEN, registry->shard_key,
                          registry->shards) != shard->index ||
             directory_find(&shard->directory, (const uint8_t *)id, GENERATED_ID_LEN) != NULL);
}

static struct client *find_or_add(struct shard *shard, const struct connect *connect) {
    const uint8_t *id = connect->auth.client_id;
    uint16_t len = connect->auth.client_id_len;
    char generated[GENERATED_ID_LEN + 1];
    if (len == 0) {
        make_id(shard, generated);
        id = (const uint8_t *)generated;
        len = GENERATED_ID_LEN;
    }
    struct client *client = directory_find(&shard->directory, id, len);
    return client != NULL ? client : directory_add(&shard->directory, id, len);
}

static bool later(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) > 0;
}

/* Until `deadline` for the end of the client's connection. */
static void wait_for_end(struct shard *shard, struct connect *connect, struct client *client,
                         uint64_t deadline) {
    list_remove(&shard->connects.asking, connect);
    list_append(&shard->connects.waiting, connect);
    connect->state = WAITING;
    connect->deadline = deadline;
    connect->client = client->handle;
    directory_wait(&shard->directory, client, arena_ref(shard->pool.base, connect));
}

/* The client is who it says. */
static void admit(struct shard *shard, struct connect *connect) {
    struct client *client = find_or_add(shard, connect);
    if (client == NULL) {
        count(&shard->counters, COUNTER_CONTROL_CONNECT_NO_MEMORY);
        refuse(shard, connect, CODE_UNAVAILABLE);
        return;
    }
    ref_t waits = directory_waiting(&shard->directory, client);
    if (waits != 0) {
        struct connect *waiting = arena_at(shard->pool.base, waits);
        if (!later(connect->sequence, waiting->sequence)) {
            supersede(shard, connect);
            return;
        }
        uint64_t deadline = waiting->deadline; /* a storm does not move it */
        supersede(shard, waiting);
        wait_for_end(shard, connect, client, deadline);
        return;
    }
    if (!(client->flags & CLIENT_CONNECTED)) {
        let_in(shard, connect, client);
        return;
    }
    if (!later(connect->sequence, client->sequence)) {
        supersede(shard, connect); /* its authentication took longer */
        return;
    }
    count(&shard->counters, COUNTER_CONTROL_TAKEOVERS);
    client->flags |= CLIENT_CLOSING;
    client_kick(shard, client, CLOSE_TAKEOVER);
    wait_for_end(shard, connect, client, shard->now + (uint64_t)TAKEOVER_MS * 1000);
}

static void authenticated(struct shard *shard, struct connect *connect, uint8_t code) {
    if (code == 0) {
        admit(shard, connect);
    } else {
        count(&shard->counters, COUNTER_CONTROL_AUTH_REFUSED);
        refuse(shard, connect, code);
    }
}

static void auth_done(struct auth_check *check, uint8_t code) {
    struct connect *connect =
        (struct connect *)(void *)((uint8_t *)check - offsetof(struct connect, check));
    authenticated(connect->shard, connect, code);
}

static void read_request(struct connect *connect) {
    const struct connect_request *request = connect->request;
    struct auth_request *auth = &connect->auth;
    const uint8_t *at = request->bytes;
    *auth = (struct auth_request){.client_id = at,
                                  .client_id_len = request->client_id_len,
                                  .remote = request->remote,
                                  .local_port = request->local_port};
    at += request->client_id_len;
    if (request->connect_flags & USERNAME) {
        auth->username = at;
        auth->username_len = request->username_len;
        at += request->username_len;
    }
    if (request->connect_flags & PASSWORD) {
        auth->password = at;
        auth->password_len = request->password_len;
    }
}

/* NULL: there is no room for one more. */
static struct connect *new_connect(struct shard *shard, const struct mail *mail) {
    if (table_count(&shard->connects.table) >= CONNECTS_MAX)
        return NULL;
    struct connect *connect = slab_alloc(&shard->connects.slab);
    if (connect == NULL)
        return NULL;
    *connect = (struct connect){.conn = mail->conn,
                                .generation = mail->generation,
                                .sequence = ++shard->connects.sequence,
                                .worker = mail->from,
                                .state = AUTHENTICATING,
                                .request = (struct connect_request *)mail->connect.request,
                                .check = {.done = auth_done},
                                .shard = shard};
    if (!table_insert(&shard->connects.table, name_hash(mail->from, mail->conn),
                      arena_ref(shard->pool.base, connect))) {
        slab_free(&shard->connects.slab, connect);
        return NULL;
    }
    list_append(&shard->connects.asking, connect);
    read_request(connect);
    return connect;
}

/* The connection of a CONNECT under way has ended. */
static void give_up(struct shard *shard, struct connect *connect) {
    if (connect->state == AUTHENTICATING) {
        auth_cancel(&connect->check);
    } else {
        struct client *client = directory_at(&shard->directory, connect->client);
        directory_wait(&shard->directory, client, 0);
        client_remove_unused(shard, client);
    }
    free_connect(shard, connect);
}

void connect_mail(struct shard *shard, const struct mail *mail) {
    count(&shard->counters, COUNTER_CONTROL_CONNECTS);
    struct connect *before = find(shard, mail->from, mail->conn);
    if (before != NULL)
        give_up(shard, before); /* of an earlier life of that connection's memory */
    struct connect *connect = new_connect(shard, mail);
    if (connect == NULL) {
        count(&shard->counters, COUNTER_CONTROL_CONNECT_OVERLOAD);
        send_refusal(shard, mail->from, mail->conn, mail->generation, CODE_UNAVAILABLE);
        parcel_release(&shard->parcels, mail->connect.request);
        return;
    }
    const struct config *config = shard->registry->config;
    bool clean = connect->request->connect_flags & CLEAN_SESSION;
    if (connect->auth.client_id_len == 0 && (!clean || !config->mqtt.allow_empty_client_id)) {
        refuse(shard, connect, CODE_BAD_ID); /* MQTT-3.1.3-8 */
        return;
    }
    int code = auth_start(shard->auth, &connect->check, &connect->auth);
    if (code != AUTH_PENDING)
        authenticated(shard, connect, (uint8_t)code);
}

static void disconnected(struct shard *shard, struct client *client) {
    client->flags &= (uint8_t) ~(CLIENT_CONNECTED | CLIENT_CLOSING);
    client->since = shard->wall_clock;
    shard->connected--;
    if (client->session != 0)
        session_offline(shard, session_at(shard, client->session));
    ref_t waits = directory_waiting(&shard->directory, client);
    if (waits != 0) {
        struct connect *waiting = arena_at(shard->pool.base, waits);
        directory_wait(&shard->directory, client, 0);
        let_in(shard, waiting, client);
    } else {
        client_remove_unused(shard, client);
    }
}

void closed_mail(struct shard *shard, const struct mail *mail) {
    struct connect *connect = find(shard, mail->from, mail->conn);
    if (connect != NULL && connect->generation == mail->generation) {
        give_up(shard, connect);
        return;
    }
    if (mail->session == 0)
        return; /* was refused, or is told again with the session that it did not know of */
    struct client *client = mail_client(shard, mail);
    if (client != NULL)
        disconnected(shard, client);
}

void connects_turn(struct shard *shard) {
    /* Those that took over an earlier deadline stand behind later ones, and wait a little longer.
     */
    for (struct connect *connect = shard->connects.waiting.first;
         connect != NULL && connect->deadline <= shard->now;
         connect = shard->connects.waiting.first) {
        count(&shard->counters, COUNTER_CONTROL_TAKEOVER_TIMEOUT);
        disconnected(shard, directory_at(&shard->directory, connect->client));
    }
}

void connects_end(struct shard *shard) {
    while (shard->connects.asking.first != NULL)
        give_up(shard, shard->connects.asking.first);
    while (shard->connects.waiting.first != NULL)
        give_up(shard, shard->connects.waiting.first);
}

size_t connect_size(void) {
    return sizeof(struct connect);
}
