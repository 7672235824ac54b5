/* SPDX-License-Identifier: Apache-2.0 */
/* ctl client list, show, kick */
#include <string.h>

#include "control/admin/client_tcp.h"
#include "control/admin/handlers.h"
#include "control/admin/record.h"

/* Clients that a shard looks at in one go. */
enum { LIST_BUDGET = 1000 };

static json_t *client_json(const struct client_view *view) {
    uint64_t now = wall_clock();
    uint64_t seconds = now > view->since ? (now - view->since) / 1000000 : 0;
    json_t *row = json_pack(
        "{s:o, s:s, s:o, s:I, s:s, s:s, s:i}", "client",
        text_json(view->client_id, view->client_id_len), "state",
        view->connected ? "connected" : "offline", "since", time_json(view->since), "seconds",
        (json_int_t)seconds, "session", view->clean_session ? "clean" : "persistent", "protocol",
        view->level == 3 ? "3.1" : "3.1.1", "keep_alive", (int)view->keep_alive);
    if (row == NULL)
        return NULL;
    bool held = !view->clean_session; /* the numbers are the shard's */
    json_object_set_new(row, "user",
                        view->username != NULL ? text_json(view->username, view->username_len)
                                               : json_null());
    json_object_set_new(row, "address", view->connected ? address_json(view->remote) : json_null());
    json_object_set_new(row, "port",
                        view->connected ? json_integer(view->remote_port) : json_null());
    json_object_set_new(row, "local_port",
                        view->connected ? json_integer(view->local_port) : json_null());
    json_object_set_new(row, "worker", view->connected ? json_integer(view->worker) : json_null());
    json_object_set_new(row, "subscriptions",
                        held ? json_integer(view->subscriptions) : json_null());
    json_object_set_new(row, "inflight", held ? json_integer(view->inflight) : json_null());
    json_object_set_new(row, "queued", held ? json_integer(view->queued) : json_null());
    json_object_set_new(row, "dropped",
                        held ? json_integer((json_int_t)view->dropped) : json_null());
    return row;
}

static void no_client(struct job *job, const char *why) {
    size_t len;
    job_fail(job, PROTOCOL_NOT_FOUND, "there is no client '%s'%s", job_text(job, "client", &len),
             why);
}

/* --- list ------------------------------------------------------------------------------------ */

struct client_list {
    unsigned shard;
    uint32_t position;
};

static void list_answer(struct job *job, struct question *question) {
    struct client_list *list = job->state;
    size_t at = 0;
    for (struct client_record *record; (record = client_next(&question->result, &at)) != NULL;)
        job_row(job, client_json(&record->view));
    list->position = question->position;
    if (list->position == 0)
        list->shard++;
}

void client_list_step(struct job *job) {
    struct client_list *list = job_state(job, sizeof *list);
    if (list == NULL)
        return;
    if (list->shard == job->admin->registry->shards || job_enough(job)) {
        job_done(job);
        return;
    }
    size_t len;
    const char *prefix = job_text(job, "prefix", &len);
    struct question *question = question_new(job, list->shard, prefix, len);
    if (question == NULL)
        return;
    question->position = list->position;
    question->budget = LIST_BUDGET;
    question->session = job_flag(job, "connected") ? CLIENTS_CONNECTED_ONLY : 0;
    question_shard(question, ask_clients, list_answer);
}

/* --- show ------------------------------------------------------------------------------------ */

struct client_show {
    json_t *row;
    bool persistent, asked;
};

static void show_dispose(void *state) {
    struct client_show *show = state;
    json_decref(show->row);
}

static void add_connection(struct client_show *show, const struct client_inspection *client) {
    json_t *row = show->row;
    json_object_set_new(row, "tcp", client_tcp_json(&client->tcp));
    json_object_set_new(row, "local_address", address_json(client->local));
    json_object_set_new(row, "messages_in", json_integer((json_int_t)client->messages_in));
    json_object_set_new(row, "messages_out", json_integer((json_int_t)client->messages_out));
    json_object_set_new(row, "bytes_in", json_integer((json_int_t)client->bytes_in));
    json_object_set_new(row, "bytes_out", json_integer((json_int_t)client->bytes_out));
    if (show->persistent)
        return;
    json_object_set_new(row, "subscriptions", json_integer(client->subscriptions));
    json_object_set_new(row, "inflight", json_integer(client->inflight));
    json_object_set_new(row, "queued", json_integer(client->queued));
    json_object_set_new(row, "dropped", json_integer(client->dropped));
}

static void show_worker_answer(struct job *job, struct question *question) {
    /* If the connection has gone meanwhile, the row says what was known before. */
    if (question->found)
        add_connection(job->state, &question->inspection->client);
}

static void show_shard_answer(struct job *job, struct question *question) {
    struct client_show *show = job->state;
    size_t at = 0;
    const struct client_record *record = client_next(&question->result, &at);
    if (record == NULL) {
        no_client(job, "");
        return;
    }
    const struct client_view *view = &record->view;
    show->row = client_json(view);
    if (show->row == NULL) {
        job_fail(job, PROTOCOL_FAILED, "out of memory");
        return;
    }
    show->persistent = !view->clean_session;
    json_object_set_new(show->row, "shard", json_integer(question->index));
    json_object_set_new(show->row, "qos2_received",
                        show->persistent ? json_integer(view->qos2_received) : json_null());
    if (!view->connected)
        return;
    struct question *next = question_new(job, view->worker, NULL, 0);
    if (next != NULL)
        question_worker(next, INSPECT_CLIENT, view->conn, view->generation, 0, show_worker_answer);
}

void client_show_step(struct job *job) {
    struct client_show *show = job_state(job, sizeof *show);
    if (show == NULL)
        return;
    if (show->asked) {
        job_row(job, json_incref(show->row));
        job_done(job);
        return;
    }
    show->asked = true;
    job->dispose = show_dispose;
    question_client(job, ask_client, show_shard_answer);
}

/* --- kick ------------------------------------------------------------------------------------ */

static void kick_answer(struct job *job, struct question *question) {
    size_t len;
    const char *client = job_text(job, "client", &len);
    if (!question->found) {
        no_client(job, " that is connected");
        return;
    }
    job_row(job, json_pack("{s:o}", "client", text_json(client, len)));
    job_done(job);
}

void client_kick_step(struct job *job) {
    question_client(job, ask_kick, kick_answer);
}
