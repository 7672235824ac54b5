/* SPDX-License-Identifier: Apache-2.0 */
/* The thread: its memory, its loop, its mail. */
#include "control/admin/admin.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/admin/job.h"
#include "control/admin/question.h"

enum {
    ADMIN_MEMORY = 64 << 20, /* address range; touched as far as questions need it */
    MAIL_BATCH = 256,
    NAP_MS = 1, /* what an answer waits at most for a thread that is not woken */
};

static void take_mail(struct admin *admin) {
    struct mail mails[MAIL_BATCH];
    unsigned count = mail_receive(admin->mailroom, mails, MAIL_BATCH);
    for (unsigned i = 0; i < count; i++)
        question_mail(admin, &mails[i]);
}

static void nothing(uv_idle_t *idle) {
}

static void nap_over(uv_timer_t *timer) {
    /* after_wait takes the mail. */
}

/* Workers that spin make no system call, so they shall not wake this thread: it does not say that
 * it sleeps, and while answers are awaited it looks by itself. */
static bool may_nap(struct admin *admin, unsigned unsent) {
    if (unsent == 0 && admin->questions_count > 0)
        uv_timer_start(&admin->nap, nap_over, NAP_MS, 0);
    return unsent == 0;
}

/* Before the loop waits: what is to be sent goes out; if mail has come meanwhile, it doesn't wait,
 * which an active idle handle sees to. */
static void before_wait(uv_prepare_t *prepare) {
    struct admin *admin = prepare->data;
    unsigned unsent = mail_flush(admin->mailroom);
    bool woken = admin->registry->config->workers.idle == IDLE_SLEEP;
    if (woken ? mail_may_sleep(admin->mailroom) : may_nap(admin, unsent))
        uv_idle_stop(&admin->busy);
    else
        uv_idle_start(&admin->busy, nothing);
}

static void after_wait(uv_check_t *check) {
    struct admin *admin = check->data;
    mail_awake(admin->mailroom);
    take_mail(admin);
}

static void woken(uv_async_t *async) {
    /* after_wait takes the mail. */
}

static void wake(void *argument) {
    struct admin *admin = argument;
    uv_async_send(&admin->wake);
}

static void on_sample(uv_timer_t *timer) {
    struct admin *admin = timer->data;
    samples_update(&admin->samples, admin->registry);
    questions_sweep(admin);
}

static void on_connection(uv_stream_t *listener, int status) {
    if (status == 0)
        caller_accept(listener->data, listener);
}

static void close_handles(struct admin *admin) {
    uv_handle_t *handles[] = {
        (uv_handle_t *)&admin->listener,      (uv_handle_t *)&admin->wake,
        (uv_handle_t *)&admin->stop,          (uv_handle_t *)&admin->before,
        (uv_handle_t *)&admin->after,         (uv_handle_t *)&admin->busy,
        (uv_handle_t *)&admin->tick,          (uv_handle_t *)&admin->sampler,
        (uv_handle_t *)&admin->captures.poll, (uv_handle_t *)&admin->nap,
    };
    callers_close(admin);
    captures_close(admin);
    for (unsigned i = 0; i < sizeof handles / sizeof *handles; i++)
        if (!uv_is_closing(handles[i]))
            uv_close(handles[i], NULL);
}

static void on_stop(uv_async_t *async) {
    close_handles(async->data);
}

static bool prepare_loop(struct admin *admin) {
    if (uv_loop_init(&admin->loop) != 0)
        return false;
    admin->loop_ready = true;
    uv_async_init(&admin->loop, &admin->wake, woken);
    uv_async_init(&admin->loop, &admin->stop, on_stop);
    uv_prepare_init(&admin->loop, &admin->before);
    uv_check_init(&admin->loop, &admin->after);
    uv_idle_init(&admin->loop, &admin->busy);
    uv_timer_init(&admin->loop, &admin->tick);
    uv_timer_init(&admin->loop, &admin->sampler);
    uv_timer_init(&admin->loop, &admin->nap);
    uv_pipe_init(&admin->loop, &admin->listener, 0);
    captures_init(admin);
    admin->listener.data = admin->wake.data = admin->stop.data = admin;
    admin->before.data = admin->after.data = admin->tick.data = admin->sampler.data = admin;
    if (uv_pipe_open(&admin->listener, admin->socket.fd) != 0)
        return false;
    admin->socket.fd = -1; /* the loop closes it */
    return uv_listen((uv_stream_t *)&admin->listener, ADMIN_BACKLOG, on_connection) == 0;
}

static bool prepare_memory(struct admin *admin) {
    if (!region_reserve(&admin->region, ADMIN_MEMORY, 0))
        return false;
    admin->arena_state = calloc(1, arena_footprint(admin->region.size));
    if (admin->arena_state == NULL)
        return false;
    admin->arena =
        arena_init(admin->arena_state, admin->region.base, admin->region.size, admin->region.size);
    pool_init(&admin->pool, admin->arena);
    admin->mailroom =
        mailroom_create(admin->registry->mailboxes, admin->registry->admin, &admin->pool);
    admin->parcels = (struct parcels){
        .pool = &admin->pool, .mailroom = admin->mailroom, .self = (uint8_t)admin->registry->admin};
    return admin->mailroom != NULL;
}

struct admin *admin_create(const struct registry *registry, char *error, unsigned error_size) {
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL) {
        snprintf(error, error_size, "admin thread: out of memory");
        return NULL;
    }
    admin->registry = registry;
    admin->limits = (struct admin_limits)ADMIN_LIMITS;
    if (!admin_socket_take(&admin->socket, registry->config->control.socket,
                           registry->config->control.socket_group, error, error_size)) {
        free(admin);
        return NULL;
    }
    if (!prepare_memory(admin) || !prepare_loop(admin)) {
        snprintf(error, error_size, "admin thread: out of memory");
        admin_destroy(admin);
        return NULL;
    }
    mailboxes_set_wake(registry->mailboxes, registry->admin, wake, admin);
    return admin;
}

void admin_leave(struct admin *admin) {
    admin_socket_remove(&admin->socket);
}

static void *run(void *argument) {
    struct admin *admin = argument;
    /* A peer that hangs up is an error of a write, not a signal. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    uv_prepare_start(&admin->before, before_wait);
    uv_check_start(&admin->after, after_wait);
    samples_update(&admin->samples, admin->registry);
    uv_timer_start(&admin->sampler, on_sample, admin->limits.sample_ms, admin->limits.sample_ms);
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    return NULL;
}

int admin_start(struct admin *admin) {
    int result = pthread_create(&admin->thread, NULL, run, admin);
    admin->running = result == 0;
    if (admin->running)
        pthread_setname_np(admin->thread, "admin");
    return -result;
}

void admin_stop(struct admin *admin) {
    if (admin->running) {
        uv_async_send(&admin->stop);
        pthread_join(admin->thread, NULL);
        admin->running = false;
    }
    admin_socket_remove(&admin->socket);
}

void admin_destroy(struct admin *admin) {
    admin_stop(admin);
    if (admin->loop_ready) {
        close_handles(admin);
        uv_run(&admin->loop, UV_RUN_DEFAULT);
        uv_loop_close(&admin->loop);
    }
    if (admin->socket.fd >= 0)
        close(admin->socket.fd);
    questions_free(admin);
    captures_free(admin);
    if (admin->mailroom != NULL) {
        mailboxes_set_wake(admin->registry->mailboxes, admin->registry->admin, NULL, NULL);
        mailroom_destroy(admin->mailroom);
    }
    free(admin->arena_state);
    if (admin->region.base != NULL)
        region_release(&admin->region);
    free(admin);
}
