/* SPDX-License-Identifier: Apache-2.0 */
#include "control/auth/auth.h"

#include <stdlib.h>

#include "control/auth/password_file.h"

struct auth {
    struct auth_link *links;
    unsigned count;
};

bool auth_add(struct auth *auth, const struct auth_link *link) {
    struct auth_link *links = realloc(auth->links, (auth->count + 1) * sizeof *links);
    if (links == NULL)
        return false;
    links[auth->count++] = *link;
    auth->links = links;
    return true;
}

static bool add_configured(struct auth *auth, const struct config_auth *config, uv_loop_t *loop,
                           FILE *errors) {
    struct auth_link link;
    bool made = config->kind == AUTH_ANONYMOUS ? auth_anonymous(&link)
                                               : auth_password_file(&link, loop, config, errors);
    if (!made)
        return false;
    if (!auth_add(auth, &link)) {
        fprintf(errors, "auth: there is no memory for the chain; free some\n");
        link.destroy(link.link);
        return false;
    }
    return true;
}

struct auth *auth_create(const struct config *config, uv_loop_t *loop, FILE *errors) {
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL) {
        fprintf(errors, "auth: there is no memory for the chain; free some\n");
        return NULL;
    }
    bool good = true;
    for (unsigned i = 0; i < config->auth_count; i++)
        good &= add_configured(auth, &config->auth[i], loop, errors);
    if (!good) {
        auth_destroy(auth);
        return NULL;
    }
    return auth;
}

bool auth_idle(const struct auth *auth) {
    for (unsigned i = 0; i < auth->count; i++)
        if (auth->links[i].idle != NULL && !auth->links[i].idle(auth->links[i].link))
            return false;
    return true;
}

void auth_destroy(struct auth *auth) {
    for (unsigned i = 0; i < auth->count; i++)
        auth->links[i].destroy(auth->links[i].link);
    free(auth->links);
    free(auth);
}

static int connack(enum auth_answer answer) {
    switch (answer) {
    case AUTH_YES:
        return 0;
    case AUTH_BAD_PASSWORD:
        return 4;
    case AUTH_UNAVAILABLE:
        return 3;
    default:
        return 5; /* AUTH_REFUSED, and the end of the chain */
    }
}

/* Asks from check->link on. */
static int ask(struct auth_check *check) {
    struct auth *auth = check->auth;
    enum auth_answer answer = AUTH_NOT_MINE;
    while (answer == AUTH_NOT_MINE && check->link < auth->count) {
        struct auth_link *link = &auth->links[check->link];
        check->inside = true;
        check->early = -1;
        answer = link->check(link->link, check, check->request);
        check->inside = false;
        if (answer == AUTH_LATER && check->early < 0)
            return AUTH_PENDING;
        if (answer == AUTH_LATER)
            answer = (enum auth_answer)check->early;
        check->link++;
    }
    return connack(answer);
}

int auth_start(struct auth *auth, struct auth_check *check, const struct auth_request *request) {
    check->auth = auth;
    check->request = request;
    check->link = 0;
    check->work = NULL;
    return ask(check);
}

void auth_cancel(struct auth_check *check) {
    struct auth_link *link = &check->auth->links[check->link];
    link->cancel(link->link, check);
}

void auth_answer(struct auth_check *check, enum auth_answer answer) {
    if (check->inside) {
        check->early = answer;
        return;
    }
    check->work = NULL;
    check->link++;
    int code = answer == AUTH_NOT_MINE ? ask(check) : connack(answer);
    if (code != AUTH_PENDING)
        check->done(check, (uint8_t)code);
}

bool auth_reload(struct auth *auth, FILE *errors) {
    bool good = true;
    for (unsigned i = 0; i < auth->count; i++) {
        struct auth_link *link = &auth->links[i];
        good &= link->reload == NULL || link->reload(link->link, errors);
    }
    return good;
}

bool auth_check_files(const struct config *config, FILE *errors) {
    bool good = true;
    for (unsigned i = 0; i < config->auth_count; i++) {
        if (config->auth[i].kind == AUTH_PASSWORD_FILE) {
            struct password_file *file =
                password_file_load(config->auth[i].path, config->auth[i].place, errors);
            good &= file != NULL;
            password_file_free(file);
        }
    }
    return good;
}
