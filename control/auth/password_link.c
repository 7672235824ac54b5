/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain's password_file link. Hashing runs in libuv's thread pool on copies, so that neither
 * the loop waits nor a reload or a client that goes can pull anything from under it.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "control/auth/auth.h"
#include "control/auth/password_file.h"

struct password_link {
    uv_loop_t *loop;
    struct password_file *file;
    unsigned jobs; /* in the thread pool */
    const struct config_auth *config;
};

struct job {
    uv_work_t work;
    struct password_link *link;
    struct auth_check *check; /* NULL: cancelled */
    struct password_hash hash;
    bool known; /* the user exists */
    bool good;
    uint16_t len;
    uint8_t password[];
};

static void free_job(struct job *job) {
    OPENSSL_cleanse(job->password, job->len);
    free(job);
}

static void verify(uv_work_t *work) {
    struct job *job = work->data;
    job->good = password_verify(&job->hash, job->password, job->len);
}

static void verified(uv_work_t *work, int status) {
    struct job *job = work->data;
    struct auth_check *check = job->check;
    bool good = job->good && job->known;
    job->link->jobs--;
    free_job(job);
    if (check != NULL)
        auth_answer(check, status != 0 ? AUTH_UNAVAILABLE : good ? AUTH_YES : AUTH_BAD_PASSWORD);
}

static enum auth_answer check(void *context, struct auth_check *check,
                              const struct auth_request *request) {
    struct password_link *link = context;
    if (request->username == NULL)
        return AUTH_NOT_MINE;
    if (request->password == NULL)
        return AUTH_BAD_PASSWORD;
    struct job *job = malloc(sizeof *job + request->password_len);
    if (job == NULL)
        return AUTH_UNAVAILABLE;
    /* An unknown user costs what a known one does. */
    const struct password_hash *hash =
        password_file_find(link->file, request->username, request->username_len);
    *job = (struct job){.link = link,
                        .check = check,
                        .hash = hash != NULL ? *hash : *password_file_decoy(link->file),
                        .known = hash != NULL,
                        .len = request->password_len};
    job->work.data = job;
    memcpy(job->password, request->password, request->password_len);
    if (uv_queue_work(link->loop, &job->work, verify, verified) != 0) {
        free_job(job);
        return AUTH_UNAVAILABLE;
    }
    link->jobs++;
    check->work = job;
    return AUTH_LATER;
}

static void cancel(void *context, struct auth_check *check) {
    struct job *job = check->work;
    job->check = NULL;
    uv_cancel((uv_req_t *)&job->work); /* too late for one that runs: it ends by itself */
}

static bool reload(void *context, FILE *errors) {
    struct password_link *link = context;
    struct password_file *file =
        password_file_load(link->config->path, link->config->place, errors);
    if (file == NULL)
        return false;
    password_file_free(link->file);
    link->file = file;
    return true;
}

static bool idle(void *context) {
    return ((struct password_link *)context)->jobs == 0;
}

static void destroy(void *context) {
    struct password_link *link = context;
    password_file_free(link->file);
    free(link);
}

bool auth_password_file(struct auth_link *out, uv_loop_t *loop, const struct config_auth *config,
                        FILE *errors) {
    struct password_file *file = password_file_load(config->path, config->place, errors);
    if (file == NULL)
        return false;
    struct password_link *link = malloc(sizeof *link);
    if (link == NULL) {
        fprintf(errors, "%s: there is no memory for it; free some\n", config->path);
        password_file_free(file);
        return false;
    }
    *link = (struct password_link){.loop = loop, .file = file, .config = config};
    *out = (struct auth_link){.name = "password_file",
                              .check = check,
                              .cancel = cancel,
                              .reload = reload,
                              .idle = idle,
                              .destroy = destroy,
                              .link = link};
    return true;
}
