/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/question.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/mqtt/mqtt.h"

static void question_free(struct question *question) {
    struct admin *admin = question->admin;
    if (question->link != NULL) {
        *question->link = question->next;
        if (question->next != NULL)
            question->next->link = question->link;
        admin->questions_count--;
    }
    if (question->inspection != NULL)
        parcel_release(&admin->parcels, question->inspection);
    free(question->result.data);
    free(question);
}

static void question_list(struct question *question) {
    struct admin *admin = question->admin;
    question->next = admin->questions;
    question->link = &admin->questions;
    if (question->next != NULL)
        question->next->link = &question->next;
    admin->questions = question;
    admin->questions_count++;
    if (question->job->outstanding++ == 0)
        question->job->asked = uv_now(&admin->loop);
}

struct question *question_new(struct job *job, unsigned index, const void *text, size_t len) {
    struct question *question = calloc(1, sizeof *question + len);
    if (question == NULL) {
        job_fail(job, PROTOCOL_FAILED, "out of memory");
        return NULL;
    }
    question->admin = job->admin;
    question->job = job;
    question->index = index;
    question->text_len = len;
    if (len > 0)
        memcpy(question->text, text, len);
    return question;
}

static bool refuse(struct question *question, const char *why) {
    job_fail(question->job, PROTOCOL_FAILED, "%s", why);
    question_free(question);
    return false;
}

static const char *const too_many = "too many questions to other threads are unanswered";

/* Back on the admin thread. */
static void shard_answered(void *admin, void *argument) {
    struct question *question = argument;
    struct job *job = question->job;
    if (job != NULL) {
        job->outstanding--;
        if (question->result.failed)
            job_fail(job, PROTOCOL_FAILED, "out of memory");
        else
            question->answered(job, question);
    }
    question_free(question);
    if (job != NULL)
        job_continue(job);
}

/* On the shard's thread. The question is the admin's again once the mail is sent. */
static void shard_asked(void *thread, void *argument) {
    struct shard *shard = thread;
    struct question *question = argument;
    question->ask(shard, question);
    struct mail mail = {.type = MAIL_CALL,
                        .call = {.function = shard_answered, .argument = question}};
    if (!mail_send(shard_mailroom(shard), question->admin->registry->admin, &mail))
        __atomic_store_n(&question->unsent, true, __ATOMIC_RELEASE);
}

bool question_shard(struct question *question,
                    void (*ask)(struct shard *shard, struct question *question),
                    void (*answered)(struct job *job, struct question *question)) {
    struct admin *admin = question->admin;
    if (admin->questions_count >= admin->limits.questions)
        return refuse(question, too_many);
    question->ask = ask;
    question->answered = answered;
    question->thread = admin->registry->first_shard + question->index;
    struct mail mail = {.type = MAIL_CALL, .call = {.function = shard_asked, .argument = question}};
    if (!mail_send(admin->mailroom, question->thread, &mail))
        return refuse(question, "memory for mail to other threads is used up");
    question_list(question);
    return true;
}

void question_client(struct job *job, void (*ask)(struct shard *shard, struct question *question),
                     void (*answered)(struct job *job, struct question *question)) {
    const struct registry *registry = job->admin->registry;
    size_t len;
    const char *client = job_text(job, "client", &len);
    unsigned shard =
        client_shard((const uint8_t *)client, len, registry->shard_key, registry->shards);
    struct question *question = question_new(job, shard, client, len);
    if (question != NULL)
        question_shard(question, ask, answered);
}

bool question_worker(struct question *question, enum inspection_kind kind, ref_t conn,
                     uint32_t generation, uint32_t room,
                     void (*answered)(struct job *job, struct question *question)) {
    struct admin *admin = question->admin;
    if (admin->questions_count >= admin->limits.questions)
        return refuse(question, too_many);
    if (room < question->text_len)
        room = (uint32_t)question->text_len;
    size_t size = offsetof(struct inspection, entries) + room;
    if (size < sizeof(struct inspection))
        size = sizeof(struct inspection);
    struct inspection *inspection = parcel_new(&admin->parcels, size);
    if (inspection == NULL)
        return refuse(question, "memory for questions to workers is used up");
    memset((uint8_t *)inspection + sizeof inspection->parcel, 0,
           sizeof *inspection - sizeof inspection->parcel);
    inspection->cookie = question;
    inspection->kind = kind;
    inspection->room = room;
    inspection->position = question->position;
    inspection->skip = question->skip;
    inspection->name = question->name;
    if (kind == INSPECT_MATCH) {
        inspection->topic_len = (uint16_t)question->text_len;
        memcpy(inspection->entries, question->text, question->text_len);
    }
    question->answered = answered;
    question->thread = question->index;
    struct mail mail = {.type = MAIL_INSPECT,
                        .conn = conn,
                        .generation = generation,
                        .inspect = {.inspection = &inspection->parcel}};
    if (!mail_send(admin->mailroom, question->thread, &mail)) {
        parcel_release(&admin->parcels, inspection);
        return refuse(question, "memory for mail to other threads is used up");
    }
    question_list(question);
    return true;
}

static void worker_answered(struct admin *admin, struct parcel *parcel) {
    struct inspection *inspection = (struct inspection *)parcel;
    struct question *question = inspection->cookie;
    struct job *job = question->job;
    question->inspection = inspection;
    question->found = inspection->found != 0;
    question->position = inspection->position;
    question->skip = inspection->skip;
    if (job != NULL) {
        job->outstanding--;
        question->answered(job, question);
    }
    question_free(question);
    if (job != NULL)
        job_continue(job);
}

void question_mail(struct admin *admin, const struct mail *mail) {
    switch (mail->type) {
    case MAIL_RELEASE:
        for (unsigned i = 0; i < 6 && mail->release.parcels[i] != NULL; i++)
            parcel_came_home(&admin->parcels, mail->release.parcels[i]);
        break;
    case MAIL_CALL:
        mail->call.function(admin, mail->call.argument);
        break;
    case MAIL_CAPTURE:
        captures_mail(admin, mail);
        break;
    case MAIL_INSPECTED:
        worker_answered(admin, mail->inspect.inspection);
        break;
    default:
        break;
    }
}

void questions_forget(struct job *job) {
    for (struct question *question = job->admin->questions; question != NULL;
         question = question->next)
        if (question->job == job)
            question->job = NULL;
    job->outstanding = 0;
}

void questions_open(const struct job *job, char *text, size_t size) {
    const struct registry *registry = job->admin->registry;
    text[0] = 0;
    for (const struct question *question = job->admin->questions; question != NULL;
         question = question->next) {
        size_t used = strlen(text);
        if (question->job != job || used + 24 > size)
            continue;
        bool worker = question->thread < registry->first_shard;
        snprintf(text + used, size - used, "%s%s %u", used > 0 ? ", " : "",
                 worker ? "worker" : "shard",
                 worker ? question->thread : question->thread - registry->first_shard);
    }
}

void questions_sweep(struct admin *admin) {
    for (struct question *question = admin->questions, *next; question != NULL; question = next) {
        next = question->next;
        if (question->job == NULL && __atomic_load_n(&question->unsent, __ATOMIC_ACQUIRE))
            question_free(question);
    }
}

void questions_free(struct admin *admin) {
    for (struct question *question = admin->questions, *next; question != NULL; question = next) {
        next = question->next;
        question_free(question);
    }
}

void *result_add(struct result *result, size_t len) {
    size_t start = (result->used + 7) & ~(size_t)7;
    if (start + len > result->size) {
        size_t size = result->size != 0 ? result->size * 2 : 4096;
        while (size < start + len)
            size *= 2;
        uint8_t *data = realloc(result->data, size);
        if (data == NULL) {
            result->failed = true;
            return NULL;
        }
        result->data = data;
        result->size = size;
    }
    result->used = start + len;
    return result->data + start;
}
