/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shards answer, as records in a question's result: clients and subscriptions. Written on the
 * shard's thread, read on the admin thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_RECORD_H
#define LINEMQ_CONTROL_ADMIN_RECORD_H

#include "control/admin/question.h"

/* A client; `view`'s pointers are made to point into the record by client_next. */
struct client_record {
    uint32_t size; /* to the next record */
    bool found;    /* false: the shard does not know it; the rest is zero */
    struct client_view view;
    uint8_t bytes[]; /* client id, user name */
};

/* A subscription of a persistent session, with the client's id. */
struct subscription_record {
    uint32_t size; /* to the next record */
    uint16_t filter_len, client_id_len;
    uint8_t qos;
    bool connected;
    uint8_t bytes[]; /* filter, client id */
};

/* NULL: an unknown client, to keep the place. */
bool client_record_add(struct result *result, const struct client_view *view);

/* Iterates: *at is 0 at the start; NULL at the end. */
struct client_record *client_next(struct result *result, size_t *at);

/* Questions (for question_shard). */
void ask_client(struct shard *shard, struct question *question);        /* text = client id */
void ask_clients(struct shard *shard, struct question *question);       /* text = prefix */
void ask_handles(struct shard *shard, struct question *question);       /* text = uint32_t[] */
void ask_subscriptions(struct shard *shard, struct question *question); /* session, position */
void ask_match(struct shard *shard, struct question *question);         /* text = topic */
void ask_kick(struct shard *shard, struct question *question);          /* text = client id */

/* What ask_clients leaves out. */
enum { CLIENTS_CONNECTED_ONLY = 1 };

/* As client_next. */
struct subscription_record *subscription_next(struct result *result, size_t *at);

#endif
