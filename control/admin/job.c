/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/job.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/question.h"
#include "control/log/log.h"

struct job *job_start(struct caller *caller, struct admin *admin, const struct command *command,
                      json_t *arguments) {
    const struct handler *handler = handler_find(command);
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        json_decref(arguments);
        return NULL;
    }
    job->admin = admin;
    job->caller = caller;
    job->command = command;
    job->arguments = arguments;
    job->step = handler->step;
    job->limit = job_number(job, "limit", UINT64_MAX);
    return job;
}

static void job_free(struct job *job) {
    questions_forget(job);
    if (job->dispose != NULL)
        job->dispose(job->state);
    free(job->state);
    free(job->page);
    json_decref(job->arguments);
    free(job);
}

void job_abandon(struct job *job) {
    job_free(job);
}

void *job_state(struct job *job, size_t size) {
    if (job->state == NULL)
        job->state = calloc(1, size);
    if (job->state == NULL)
        job_fail(job, PROTOCOL_FAILED, "out of memory");
    return job->state;
}

static bool page_add(struct job *job, const char *text, size_t len) {
    if (job->page_used + len > job->page_size) {
        size_t size = job->page_size != 0 ? job->page_size * 2 : 4096;
        while (size < job->page_used + len)
            size *= 2;
        char *page = realloc(job->page, size);
        if (page == NULL)
            return false;
        job->page = page;
        job->page_size = size;
    }
    memcpy(job->page + job->page_used, text, len);
    job->page_used += len;
    return true;
}

static void page_send(struct job *job) {
    if (job->page_used == 0)
        return;
    if (!page_add(job, "]}\n", 3)) {
        job_fail(job, PROTOCOL_FAILED, "out of memory");
        job->page_used = 0;
        return;
    }
    caller_send(job->caller, job->page, job->page_used);
    job->page = NULL;
    job->page_used = job->page_size = 0;
}

void job_row(struct job *job, json_t *row) {
    char *text = row != NULL ? json_dumps(row, JSON_COMPACT) : NULL;
    json_decref(row);
    if (text == NULL) {
        job_fail(job, PROTOCOL_FAILED, "out of memory");
        return;
    }
    if (job->rows < job->limit && !job->ended) {
        const char *before = job->page_used == 0 ? "{\"rows\":[" : ",";
        if (!page_add(job, before, strlen(before)) || !page_add(job, text, strlen(text))) {
            job->page_used = 0;
            job_fail(job, PROTOCOL_FAILED, "out of memory");
        }
        job->rows++;
    }
    free(text);
    if (job->page_used >= job->admin->limits.page_bytes)
        page_send(job);
}

bool job_enough(const struct job *job) {
    return job->rows >= job->limit;
}

void job_done(struct job *job) {
    job->ended = true;
}

/* The first reason counts. */
void job_fail(struct job *job, enum protocol_exit exit, const char *format, ...) {
    if (job->failed)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(job->error, sizeof job->error, format, arguments);
    va_end(arguments);
    job->exit = exit;
    job->failed = job->ended = true;
}

/* Who changed what. */
static void log_change(const struct job *job) {
    const struct argument *argument = command_positional(job->command, 0);
    json_t *value = json_object_get(job->arguments, argument->name);
    char name[64];
    if (value == NULL || job->failed)
        return;
    command_name(job->command, name, sizeof name);
    if (json_is_integer(value))
        log_info("admin", "%s %" JSON_INTEGER_FORMAT ", by user number %u", name,
                 json_integer_value(value), caller_user(job->caller));
    else
        log_info("admin", "%s %s, by user number %u", name,
                 log_quoted(json_string_value(value), json_string_length(value)).text,
                 caller_user(job->caller));
}

static void job_finish(struct job *job) {
    struct caller *caller = job->caller;
    if ((job->command->flags & COMMAND_CHANGE) != 0)
        log_change(job);
    page_send(job);
    json_t *last = json_pack("{s:i, s:i}", "version", PROTOCOL_VERSION, "exit", job->exit);
    if (job->failed)
        json_object_set_new(last, "error", text_json(job->error, strlen(job->error)));
    if (job->note != NULL)
        json_object_set_new(last, "note", json_string(job->note));
    char *text = json_dumps(last, JSON_COMPACT);
    json_decref(last);
    if (text != NULL) {
        size_t len = strlen(text);
        text[len] = '\n'; /* in place of the terminator: what is sent has a length */
        caller_send(caller, text, len + 1);
    }
    job_free(job);
    caller_job_done(caller);
}

void job_continue(struct job *job) {
    while (!job->ended && job->outstanding == 0 && !job->waiting &&
           caller_unsent(job->caller) <= job->admin->limits.high_water) {
        job->step(job);
        /* Rows of a slow walk are shown while it goes on. */
        if (job->outstanding > 0 || job->waiting)
            page_send(job);
    }
    if (job->ended)
        job_finish(job);
}

void job_wait(struct job *job) {
    job->waiting = true;
}

void job_wake(struct job *job) {
    job->waiting = false;
    job_continue(job);
}

void job_tick(struct job *job, uint64_t now) {
    if (job->outstanding == 0 || now - job->asked < job->admin->limits.answer_ms)
        return;
    char open[256];
    questions_open(job, open, sizeof open);
    job_fail(job, PROTOCOL_FAILED, "no answer from %s within %u ms", open,
             job->admin->limits.answer_ms);
    job_continue(job);
}

const char *job_text(const struct job *job, const char *name, size_t *len) {
    json_t *value = json_object_get(job->arguments, name);
    *len = json_string_length(value);
    return json_string_value(value);
}

bool job_flag(const struct job *job, const char *name) {
    return json_is_true(json_object_get(job->arguments, name));
}

uint64_t job_number(const struct job *job, const char *name, uint64_t otherwise) {
    json_t *value = json_object_get(job->arguments, name);
    return json_is_integer(value) ? (uint64_t)json_integer_value(value) : otherwise;
}
