/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication: a chain of links, asked in the order of the configuration. A link says yes, no,
 * or that the client is not its business; or it says "later" and answers when it knows (a hash in
 * the thread pool, a server elsewhere). Who is nobody's business is refused.
 *
 *     auth_start ──> link 0 ─NOT_MINE─> link 1 ─LATER ... auth_answer ─> check->done
 *
 * Thread: one chain a shard, used on the shard's thread only.
 */
#ifndef LINEMQ_CONTROL_AUTH_AUTH_H
#define LINEMQ_CONTROL_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <uv.h>

#include "control/config/config.h"

enum auth_answer {
    AUTH_NOT_MINE, /* ask the next */
    AUTH_YES,
    AUTH_BAD_PASSWORD, /* CONNACK 4: bad user name or password */
    AUTH_REFUSED,      /* CONNACK 5: not authorised */
    AUTH_UNAVAILABLE,  /* CONNACK 3: cannot be decided now */
    AUTH_LATER,        /* auth_answer follows */
};

enum { AUTH_PENDING = -1 };

/* What a client said of itself. The bytes stay where they are until the answer or auth_cancel; what
 * another thread shall read is copied. */
struct auth_request {
    const uint8_t *client_id, *username, *password; /* username, password: NULL when not given */
    uint16_t client_id_len, username_len, password_len;
    const uint8_t *remote; /* 16 bytes, IPv6 or IPv4 mapped */
    uint16_t local_port;
};

struct auth;

/* One client on its way through the chain. The caller's memory, which stays where it is until the
 * answer or auth_cancel. */
struct auth_check {
    /* Set by the caller: the answer, when auth_start said AUTH_PENDING. */
    void (*done)(struct auth_check *check, uint8_t code);
    /* private to the chain */
    struct auth *auth;
    const struct auth_request *request;
    unsigned link;
    bool inside; /* a link's check function runs */
    int early;   /* enum auth_answer given inside of it, or -1 */
    /* the link's, from AUTH_LATER on */
    void *work;
};

/* One link of the chain. */
struct auth_link {
    const char *name;
    enum auth_answer (*check)(void *link, struct auth_check *check,
                              const struct auth_request *request);
    /* The client has gone: auth_answer must not be called for it any more. */
    void (*cancel)(void *link, struct auth_check *check);
    /* Reads again what it was set up from. False: mistakes were printed to `errors`, the old stays
     * in force. NULL: there is nothing to read. */
    bool (*reload)(void *link, FILE *errors);
    /* Nothing of its is under way on another thread. NULL: never is. */
    bool (*idle)(void *link);
    void (*destroy)(void *link);
    void *link;
};

/* Set-up. NULL: mistakes were printed to `errors`, `FILE:LINE: what is wrong; what would be right`.
 */
struct auth *auth_create(const struct config *config, uv_loop_t *loop, FILE *errors);
/* Adds a link at the end. False: no memory; the link is not destroyed. */
bool auth_add(struct auth *auth, const struct auth_link *link);

/* Destroy only when idle: run the loop until then. */
bool auth_idle(const struct auth *auth);
void auth_destroy(struct auth *auth);

/* The CONNACK return code (0: let in), or AUTH_PENDING: check->done follows. */
int auth_start(struct auth *auth, struct auth_check *check, const struct auth_request *request);
/* No answer is wanted any more; done will not be called. Only while pending. */
void auth_cancel(struct auth_check *check);

/* A link's late answer (not AUTH_LATER). */
void auth_answer(struct auth_check *check, enum auth_answer answer);

/* Reads password files again. False: something was wrong and is printed; what was good is used. */
bool auth_reload(struct auth *auth, FILE *errors);

/* Are the files that the configuration names good? Any thread; for --check. */
bool auth_check_files(const struct config *config, FILE *errors);

/* The kinds of links. False: mistakes were printed. */
bool auth_anonymous(struct auth_link *link);
bool auth_password_file(struct auth_link *link, uv_loop_t *loop, const struct config_auth *config,
                        FILE *errors);

#endif
