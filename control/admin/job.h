/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command being carried out. Its handler's `step` is called again and again until it has called
 * job_done or job_fail: each time it emits some rows, or asks questions and goes on when all are
 * answered, or both. A step does a bounded amount of work.
 *
 * Thread: the admin thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_JOB_H
#define LINEMQ_CONTROL_ADMIN_JOB_H

#include "control/admin/private.h"

struct job {
    struct admin *admin;
    struct caller *caller;
    const struct command *command;
    json_t *arguments; /* an object that has passed command_check; owned */
    void (*step)(struct job *job);
    void *state;                  /* the handler's (job_state) */
    void (*dispose)(void *state); /* what to free inside it, set by the handler, or NULL */

    uint64_t limit, rows;
    unsigned outstanding; /* questions */
    uint64_t asked;       /* when the first of those was, loop time in milliseconds */
    char *page;
    size_t page_used, page_size;
    const char *note; /* a remark for people, static */
    bool waiting;     /* for job_wake */
    bool ended, failed;
    int exit;
    char error[512];
};

struct handler {
    const char *command; /* command_name */
    void (*step)(struct job *job);
};

extern const struct handler handlers[]; /* ends with command NULL */
const struct handler *handler_find(const struct command *command);

/* Begins; `arguments` (never NULL) are taken over. The job frees itself when it ends, and then
 * calls caller_job_done. NULL: no memory. */
struct job *job_start(struct caller *caller, struct admin *admin, const struct command *command,
                      json_t *arguments);

/* Steps it if it may be stepped. It may be gone afterwards. */
void job_continue(struct job *job);

/* Its peer has gone: forgets answers to come, frees it. caller_job_done is not called. */
void job_abandon(struct job *job);

/* Fails it if it has waited too long for an answer. It may be gone afterwards. */
void job_tick(struct job *job, uint64_t now);

/* --- for handlers ---------------------------------------------------------------------------- */

/* The handler's state: `size` bytes, zeroed at the first call, freed with the job. NULL fails the
 * job. */
void *job_state(struct job *job, size_t size);

/* Emits a row and takes over the reference; rows beyond --limit are dropped. NULL fails the job. */
void job_row(struct job *job, json_t *row);
/* --limit is reached: more rows are not wanted. */
bool job_enough(const struct job *job);
/* Called by the step: no further step until someone calls job_wake, which steps it. It may be gone
 * afterwards. */
void job_wait(struct job *job);
void job_wake(struct job *job);
void job_done(struct job *job);
void job_fail(struct job *job, enum protocol_exit exit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Arguments; absent: NULL, false, `otherwise`. */
const char *job_text(const struct job *job, const char *name, size_t *len);
bool job_flag(const struct job *job, const char *name);
uint64_t job_number(const struct job *job, const char *name, uint64_t otherwise);

#endif
