/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/record.h"

#include <string.h>

/* The most that one answer holds; a shard is not kept longer than that takes. */
enum { RESULT_MAX = 32 << 20 };

bool client_record_add(struct result *result, const struct client_view *view) {
    size_t names = view != NULL ? (size_t)view->client_id_len + view->username_len : 0;
    struct client_record *record = result_add(result, sizeof *record + names);
    if (record == NULL)
        return false;
    memset(record, 0, sizeof *record);
    record->size = (uint32_t)((sizeof *record + names + 7) & ~(size_t)7);
    if (view == NULL)
        return true;
    record->found = true;
    record->view = *view;
    memcpy(record->bytes, view->client_id, view->client_id_len);
    if (view->username != NULL)
        memcpy(record->bytes + view->client_id_len, view->username, view->username_len);
    return true;
}

struct client_record *client_next(struct result *result, size_t *at) {
    if (*at + sizeof(struct client_record) > result->used)
        return NULL;
    struct client_record *record = (struct client_record *)(result->data + *at);
    *at += record->size;
    record->view.client_id = record->bytes;
    if (record->view.username != NULL)
        record->view.username = record->bytes + record->view.client_id_len;
    return record;
}

void ask_client(struct shard *shard, struct question *question) {
    struct client_view view;
    question->found = shard_client(shard, question->text, question->text_len, &view);
    if (question->found)
        client_record_add(&question->result, &view);
}

static bool visit_client(void *argument, const struct client_view *view) {
    struct question *question = argument;
    bool wanted = view->client_id_len >= question->text_len &&
                  memcmp(view->client_id, question->text, question->text_len) == 0 &&
                  (view->connected || question->session != CLIENTS_CONNECTED_ONLY);
    return !wanted || client_record_add(&question->result, view);
}

void ask_clients(struct shard *shard, struct question *question) {
    shard_clients(shard, &question->position, question->budget, visit_client, question);
}

void ask_handles(struct shard *shard, struct question *question) {
    for (size_t at = 0; at + sizeof(uint32_t) <= question->text_len; at += sizeof(uint32_t)) {
        uint32_t handle;
        struct client_view view;
        memcpy(&handle, question->text + at, sizeof handle);
        bool found = shard_client_by_handle(shard, handle, &view);
        if (!client_record_add(&question->result, found ? &view : NULL))
            return;
    }
}

struct walk_shard {
    struct shard *shard;
    struct question *question;
    uint32_t session; /* the last one looked up */
    bool known;
    struct client_view client;
};

/* The client of a subscription. One with many subscriptions is looked up once: nothing changes on
 * the shard while it carries out the question. */
static bool client_of(struct walk_shard *walk, uint32_t session) {
    if (walk->session != session)
        walk->known = shard_client_by_handle(walk->shard, session, &walk->client);
    walk->session = session;
    return walk->known;
}

static bool visit_subscription(void *argument, uint32_t session, const struct filter *filter) {
    struct walk_shard *walk = argument;
    struct result *result = &walk->question->result;
    if (result->used >= RESULT_MAX) {
        walk->question->truncated = true;
        return false;
    }
    if (!client_of(walk, session))
        return true;
    const struct client_view *client = &walk->client;
    size_t size = sizeof(struct subscription_record) + filter->len + client->client_id_len;
    struct subscription_record *record = result_add(result, size);
    if (record == NULL)
        return false;
    *record = (struct subscription_record){
        .size = (uint32_t)((size + 7) & ~(size_t)7),
        .filter_len = filter->len,
        .client_id_len = client->client_id_len,
        .qos = filter->qos,
        .connected = client->connected,
    };
    memcpy(record->bytes, filter->bytes, filter->len);
    memcpy(record->bytes + filter->len, client->client_id, client->client_id_len);
    return true;
}

struct subscription_record *subscription_next(struct result *result, size_t *at) {
    if (*at + sizeof(struct subscription_record) > result->used)
        return NULL;
    struct subscription_record *record = (struct subscription_record *)(result->data + *at);
    *at += record->size;
    return record;
}

void ask_subscriptions(struct shard *shard, struct question *question) {
    struct walk_shard walk = {.shard = shard, .question = question};
    shard_subscriptions(shard, question->session, &question->position, question->budget,
                        visit_subscription, &walk);
}

static void visit_match(void *argument, uint32_t session, const struct filter *filter) {
    visit_subscription(argument, session, filter);
}

void ask_match(struct shard *shard, struct question *question) {
    struct walk_shard walk = {.shard = shard, .question = question};
    shard_match(shard, question->text, (uint16_t)question->text_len, visit_match, &walk);
}

void ask_kick(struct shard *shard, struct question *question) {
    question->found = shard_kick(shard, question->text, question->text_len);
}
