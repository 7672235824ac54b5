/* SPDX-License-Identifier: Apache-2.0 */
/* ctl sub list */
#include "control/admin/handlers.h"
#include "control/admin/record.h"
#include "control/admin/subscriptions.h"

struct sub_list {
    struct walk walk; /* first: the walk finds itself at job->state */
    bool begun;
};

/* The client has been found: only where its session is. */
static void client_answer(struct job *job, struct question *question) {
    struct walk *walk = job->state;
    size_t at = 0;
    const struct client_record *record = client_next(&question->result, &at);
    if (record == NULL) {
        size_t len;
        job_fail(job, PROTOCOL_NOT_FOUND, "there is no client '%s'", job_text(job, "client", &len));
        return;
    }
    if (!record->view.clean_session) {
        walk->shard = question->index;
        walk->shards_end = walk->shard + 1;
        walk->session = record->view.session;
    } else if (record->view.connected) {
        walk->worker = record->view.worker;
        walk->workers_end = walk->worker + 1;
        walk->conn = record->view.conn;
        walk->generation = record->view.generation;
    }
}

void sub_list_step(struct job *job) {
    struct sub_list *list = job_state(job, sizeof *list);
    if (list == NULL)
        return;
    if (list->begun) {
        walk_step(&list->walk, job);
        return;
    }
    list->begun = true;
    walk_init(&list->walk, job);
    job->dispose = walk_dispose;
    if (job_text(job, "client", &(size_t){0}) == NULL)
        return;
    list->walk.shards_end = list->walk.workers_end = 0;
    question_client(job, ask_client, client_answer);
}
