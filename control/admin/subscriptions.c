/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/subscriptions.h"

#include <stdlib.h>
#include <string.h>

#include "control/admin/record.h"

/* Bytes that a worker fills in one turn of its loop; if a filter is so long that not even one
 * subscription fits, it is asked again with room for the longest. */
enum { WALK_ROOM = 12 << 10, WALK_ROOM_MOST = 96 << 10, WALK_BUDGET = 500 };

void walk_init(struct walk *walk, struct job *job) {
    *walk = (struct walk){.admin = job->admin,
                          .shards_end = job->admin->registry->shards,
                          .workers_end = job->admin->registry->workers,
                          .room = WALK_ROOM};
}

static void page_free(struct walk *walk) {
    for (unsigned i = 0; i < walk->count; i++)
        json_decref(walk->clients[i]);
    free(walk->clients);
    walk->clients = NULL;
    walk->count = 0;
    if (walk->page != NULL)
        parcel_release(&walk->admin->parcels, walk->page);
    walk->page = NULL;
}

void walk_dispose(void *walk) {
    page_free(walk);
}

static void add_row(const struct walk *walk, struct job *job, json_t *client, const uint8_t *filter,
                    size_t filter_len, unsigned qos, bool persistent, bool connected,
                    unsigned thread) {
    json_t *row =
        json_pack("{s:o, s:o, s:i, s:s}", "client", client, "filter", text_json(filter, filter_len),
                  "qos", (int)qos, "session", persistent ? "persistent" : "clean");
    if (row != NULL && walk->topic != NULL)
        json_object_set_new(row, "state", json_string(connected ? "connected" : "offline"));
    else if (row != NULL)
        json_object_set_new(row, "thread",
                            json_sprintf("%s %u", persistent ? "shard" : "worker", thread));
    job_row(job, row);
}

/* --- shards ---------------------------------------------------------------------------------- */

static void shard_answer(struct job *job, struct question *question) {
    struct walk *walk = job->state;
    size_t at = 0;
    for (struct subscription_record *record;
         (record = subscription_next(&question->result, &at)) != NULL;)
        add_row(walk, job, text_json(record->bytes + record->filter_len, record->client_id_len),
                record->bytes, record->filter_len, record->qos, true, record->connected,
                question->index);
    if (question->truncated)
        job->note = "there are more subscriptions than these";
    walk->position = walk->topic == NULL ? question->position : 0;
    if (walk->position == 0)
        walk->shard++;
}

static void ask_next_shard(struct walk *walk, struct job *job) {
    struct question *question = question_new(job, walk->shard, walk->topic, walk->topic_len);
    if (question == NULL)
        return;
    question->session = walk->session;
    question->position = walk->position;
    question->budget = WALK_BUDGET;
    question_shard(question, walk->topic != NULL ? ask_match : ask_subscriptions, shard_answer);
}

/* --- workers --------------------------------------------------------------------------------- */

/* Entries of a worker's answer: *at is 0 at the start; NULL at the end. */
static const struct inspected_subscription *entry_next(const struct inspection *page, size_t *at) {
    const struct inspected_subscription *entry =
        (const struct inspected_subscription *)((const uint8_t *)page->entries + *at);
    if (*at + sizeof *entry > page->used || *at + sizeof *entry + entry->filter_len > page->used)
        return NULL;
    *at += (sizeof *entry + entry->filter_len + 7) & ~(size_t)7;
    return entry;
}

/* Is the client that the shard found still the one with this connection? */
static bool same_connection(const struct client_record *record, unsigned worker,
                            const struct inspected_subscription *entry) {
    return record->found && record->view.connected && record->view.worker == worker &&
           record->view.conn == entry->conn && record->view.generation == entry->generation;
}

static void clients_answer(struct job *job, struct question *question) {
    struct walk *walk = job->state;
    size_t entries_at = 0, records_at = 0;
    for (unsigned i = 0; i < walk->count; i++) {
        const struct inspected_subscription *entry = entry_next(walk->page, &entries_at);
        if (entry->shard != question->index)
            continue;
        const struct client_record *record = client_next(&question->result, &records_at);
        if (record != NULL && same_connection(record, walk->worker, entry))
            walk->clients[i] = text_json(record->view.client_id, record->view.client_id_len);
    }
}

/* Asks one shard for its clients among the entries. False: the job has failed. */
static bool ask_clients_of(struct walk *walk, struct job *job, unsigned shard, uint32_t *handles) {
    unsigned count = 0;
    size_t at = 0;
    for (unsigned i = 0; i < walk->count; i++) {
        const struct inspected_subscription *entry = entry_next(walk->page, &at);
        if (entry->shard == shard)
            handles[count++] = entry->session;
    }
    if (count == 0)
        return true;
    struct question *question = question_new(job, shard, handles, count * sizeof *handles);
    return question != NULL && question_shard(question, ask_handles, clients_answer);
}

static void ask_for_clients(struct walk *walk, struct job *job) {
    size_t at = 0;
    while (entry_next(walk->page, &at) != NULL)
        walk->count++;
    uint32_t *handles = malloc((walk->count + 1) * sizeof *handles);
    walk->clients = calloc(walk->count + 1, sizeof *walk->clients);
    if (handles == NULL || walk->clients == NULL) {
        if (walk->clients == NULL)
            walk->count = 0;
        job_fail(job, PROTOCOL_FAILED, "out of memory");
    } else {
        for (unsigned shard = 0; shard < job->admin->registry->shards; shard++)
            if (!ask_clients_of(walk, job, shard, handles))
                break;
    }
    free(handles);
}

static void worker_answer(struct job *job, struct question *question) {
    struct walk *walk = job->state;
    struct inspection *page = question->inspection;
    bool stuck = page->used == 0 && page->position != 0 && page->position == walk->position &&
                 page->skip == walk->skip;
    if (stuck && walk->room == WALK_ROOM_MOST) {
        job_fail(job, PROTOCOL_FAILED, "worker %u gives no subscriptions", walk->worker);
        return;
    }
    walk->room = stuck ? WALK_ROOM_MOST : WALK_ROOM;
    walk->position = page->position;
    walk->skip = page->skip;
    question->inspection = NULL; /* the walk keeps it */
    walk->page = page;
    ask_for_clients(walk, job);
}

static void ask_next_worker(struct walk *walk, struct job *job) {
    struct question *question = question_new(job, walk->worker, walk->topic, walk->topic_len);
    if (question == NULL)
        return;
    question->position = walk->position;
    question->skip = walk->skip;
    question_worker(question, walk->topic != NULL ? INSPECT_MATCH : INSPECT_SUBSCRIPTIONS,
                    walk->conn, walk->generation, walk->room, worker_answer);
}

/* All shards have said who the clients are. */
static void page_rows(struct walk *walk, struct job *job) {
    size_t at = 0;
    for (unsigned i = 0; i < walk->count; i++) {
        const struct inspected_subscription *entry = entry_next(walk->page, &at);
        if (walk->clients[i] != NULL)
            add_row(walk, job, json_incref(walk->clients[i]), entry->filter, entry->filter_len,
                    entry->qos, false, true, walk->worker);
    }
    page_free(walk);
    if (walk->position == 0)
        walk->worker++;
}

void walk_step(struct walk *walk, struct job *job) {
    if (walk->page != NULL)
        page_rows(walk, job);
    if (job_enough(job))
        job_done(job);
    else if (walk->shard < walk->shards_end)
        ask_next_shard(walk, job);
    else if (walk->worker < walk->workers_end)
        ask_next_worker(walk, job);
    else
        job_done(job);
}
