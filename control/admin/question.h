/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to other threads. A shard runs the function `ask` on its own thread and fills in
 * `result`; a worker fills in a struct inspection. The answer comes by mail. A question outlives
 * the job that asked: an answer that comes too late is thrown away then.
 *
 * Thread: the admin thread, but for `ask`, which runs on the shard's while nobody else touches the
 * question.
 */
#ifndef LINEMQ_CONTROL_ADMIN_QUESTION_H
#define LINEMQ_CONTROL_ADMIN_QUESTION_H

#include "control/admin/job.h"
#include "control/sessions/shard.h"

/* A growing block of heap memory. */
struct result {
    uint8_t *data;
    size_t used, size;
    bool failed; /* memory was short: incomplete */
};

struct question {
    struct question *next, **link; /* list of all */
    struct admin *admin;
    struct job *job; /* NULL: nobody waits for it any more */
    unsigned thread; /* asked */
    bool unsent;     /* the shard could not send the answer; atomic */

    /* the asker's, in and out */
    unsigned index;    /* of the shard or worker */
    uint32_t position; /* where to go on */
    uint32_t skip;     /* workers: goes with it */
    uint32_t session;
    uint64_t name;   /* INSPECT_TRACE */
    unsigned budget; /* rows at a time */
    bool found, truncated;
    struct result result;

    void (*ask)(struct shard *shard, struct question *question);
    void (*answered)(struct job *job, struct question *question);
    struct inspection *inspection; /* workers only */

    size_t text_len;
    uint8_t text[]; /* bytes that the question is about, `text_len` of them */
};

/* A question with a copy of `len` bytes at `text`; NULL fails the job. */
struct question *question_new(struct job *job, unsigned index, const void *text, size_t len);

/* Asks shard number question->index. False: the job has failed, the question is freed. */
bool question_shard(struct question *question,
                    void (*ask)(struct shard *shard, struct question *question),
                    void (*answered)(struct job *job, struct question *question));

/* Asks the shard that knows the client of the argument "client", with its identifier as the text.
 */
void question_client(struct job *job, void (*ask)(struct shard *shard, struct question *question),
                     void (*answered)(struct job *job, struct question *question));

/* Asks worker number question->index about (conn, generation), with `room` bytes for entries, to go
 * on at question->position; INSPECT_MATCH takes the topic from question->text. False as above. */
bool question_worker(struct question *question, enum inspection_kind kind, ref_t conn,
                     uint32_t generation, uint32_t room,
                     void (*answered)(struct job *job, struct question *question));

/* Mail for the admin thread. */
void question_mail(struct admin *admin, const struct mail *mail);

/* The job ends: its questions are nobody's. */
void questions_forget(struct job *job);
/* The threads that did not answer yet, for an error message. */
void questions_open(const struct job *job, char *text, size_t size);
/* Frees forgotten questions whose answer could not be sent. */
void questions_sweep(struct admin *admin);
/* Frees all. After the other threads have ended. */
void questions_free(struct admin *admin);

/* `len` bytes at the end of a result, aligned to 8, or NULL. Any thread. */
void *result_add(struct result *result, size_t len);

#endif
