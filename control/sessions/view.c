/* SPDX-License-Identifier: Apache-2.0 */
/* What the administration sees of a shard. */
#include "control/sessions/session.h"
#include "control/sessions/state.h"

enum { LEVEL_MQISDP = 3, LEVEL_311 = 4 };

/* Subscriptions are counted: session->subscribed is only a bound. */
static void look(const struct shard *shard, const struct client *client, struct client_view *view) {
    const struct session *session = session_at(shard, client->session);
    *view = (struct client_view){
        .client_id = client_id(client),
        .username = client_username(client),
        .client_id_len = client->id_len,
        .username_len = client->username_len,
        .session = client->handle,
        .connected = client->flags & CLIENT_CONNECTED,
        .clean_session = client->flags & CLIENT_CLEAN,
        .level = client->flags & CLIENT_MQISDP ? LEVEL_MQISDP : LEVEL_311,
        .keep_alive = client->keep_alive,
        .worker = client->worker,
        .conn = client->conn,
        .generation = client->generation,
        .remote_port = client->remote_port,
        .local_port = client->local_port,
        .since = client->since,
    };
    client_remote(client, view->remote);
    if (session != NULL) {
        ref_t position = session->subscriptions;
        struct filter filter;
        while (router_list(shard->router, &position, &filter))
            view->subscriptions++;
        view->inflight = session->inflight;
        view->queued = session->queued;
        view->qos2_received = session->received.count;
        view->dropped = session->dropped;
    }
}

/* Walks the handles from *position on; 0 at the end. */
static struct client *next_client(const struct shard *shard, uint32_t *position) {
    while (++*position < shard->directory.next) {
        struct client *client = directory_at(&shard->directory, *position);
        if (client != NULL)
            return client;
    }
    *position = 0;
    return NULL;
}

void shard_clients(struct shard *shard, uint32_t *position, unsigned budget,
                   bool (*visit)(void *argument, const struct client_view *client),
                   void *argument) {
    struct client_view view = {0};
    /* What is counted costs too. */
    for (uint64_t spent = 0; spent < budget; spent += 1 + view.subscriptions) {
        struct client *client = next_client(shard, position);
        if (client == NULL)
            return;
        look(shard, client, &view);
        if (!visit(argument, &view))
            return;
    }
}

bool shard_client(struct shard *shard, const uint8_t *client_id, size_t len,
                  struct client_view *view) {
    const struct client *client = directory_find(&shard->directory, client_id, len);
    if (client != NULL)
        look(shard, client, view);
    return client != NULL;
}

bool shard_client_by_handle(struct shard *shard, uint32_t session, struct client_view *view) {
    const struct client *client = directory_at(&shard->directory, session);
    if (client != NULL)
        look(shard, client, view);
    return client != NULL;
}

bool shard_kick(struct shard *shard, const uint8_t *client_id, size_t len) {
    struct client *client = directory_find(&shard->directory, client_id, len);
    if (client == NULL || !(client->flags & CLIENT_CONNECTED))
        return false;
    client->flags |= CLIENT_CLOSING;
    client_kick(shard, client, CLOSE_ADMIN);
    return true;
}

/* All subscriptions of a client. False: the visitor has had enough. */
static bool visit_session(struct shard *shard, const struct client *client, unsigned *budget,
                          bool (*visit)(void *argument, uint32_t session,
                                        const struct filter *filter),
                          void *argument) {
    const struct session *session = session_at(shard, client->session);
    ref_t position = session != NULL ? session->subscriptions : 0;
    struct filter filter;
    while (router_list(shard->router, &position, &filter)) {
        *budget -= *budget > 0;
        if (!visit(argument, client->handle, &filter))
            return false;
    }
    return true;
}

void shard_subscriptions(struct shard *shard, uint32_t session, uint32_t *position, unsigned budget,
                         bool (*visit)(void *argument, uint32_t session,
                                       const struct filter *filter),
                         void *argument) {
    if (session != 0) {
        const struct client *client = directory_at(&shard->directory, session);
        *position = 0;
        if (client != NULL)
            visit_session(shard, client, &budget, visit, argument);
        return;
    }
    while (budget > 0) {
        const struct client *client = next_client(shard, position);
        budget--; /* clients without subscriptions cost too */
        if (client == NULL || !visit_session(shard, client, &budget, visit, argument))
            return;
    }
}

struct match_visit {
    struct shard *shard;
    void (*visit)(void *argument, uint32_t session, const struct filter *filter);
    void *argument;
};

static void visit_match(void *argument, struct subscriber who, const struct filter *filter) {
    const struct match_visit *match = argument;
    const struct session *session = session_of(match->shard, who);
    if (session != NULL)
        match->visit(match->argument, session->client, filter);
}

void shard_match(struct shard *shard, const uint8_t *topic, uint16_t len,
                 void (*visit)(void *argument, uint32_t session, const struct filter *filter),
                 void *argument) {
    struct match_visit match = {shard, visit, argument};
    router_match(shard->router, topic, len, visit_match, &match);
}

const struct counters *shard_counters(const struct shard *shard) {
    return &shard->counters;
}

struct mailroom *shard_mailroom(const struct shard *shard) {
    return shard->mailroom;
}

const struct shard_gauges *shard_gauges(const struct shard *shard) {
    return &shard->gauges;
}
