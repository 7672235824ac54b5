/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of a shard:
 *
 *     prepare   one turn; then either the idle handle keeps the loop from waiting, or the shard
 * says that it sleeps poll      waits for a wake-up (async), the timer, the thread pool check awake
 * again
 *
 * A worker that spins makes no system call, so it shall wake nobody: in that profile the shard does
 * not say that it sleeps, and looks into its boxes by the timer, often while mail may be expected
 * soon, and less often after a quiet time. In the other profile the timer is only for what is due
 * by the clock.
 */
#include "control/sessions/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log/log.h"
#include "dataplane/topics/routes.h"

enum {
    NAP_MS = 1,         /* what mail waits at most for a shard that is not woken */
    QUIET_NAP_MS = 10,  /* the same after QUIET_MS without any */
    WOKEN_NAP_MS = 100, /* of one that is woken */
    QUIET_MS = 1000,
};

struct loop {
    uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t nap;
    uv_thread_t thread;
    struct shard *shard;
    uint64_t last_work; /* microseconds */
    bool woken;         /* by whoever sends to it; else it looks by itself */
    bool asleep, started, closed;
    bool reload; /* asked for */
};

static uint64_t clock_us(clockid_t id) {
    struct timespec time;
    clock_gettime(id, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Any thread; the receiver sleeps, or is about to. */
static void wake(void *argument) {
    struct loop *loop = argument;
    uv_async_send(&loop->wake);
}

static void nothing_async(uv_async_t *async) {
}

static void nothing_idle(uv_idle_t *idle) {
}

static void nothing_timer(uv_timer_t *timer) {
}

static void close_handles(struct loop *loop) {
    if (loop->closed)
        return;
    loop->closed = true;
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->nap, NULL);
}

static unsigned nap_ms(const struct loop *loop, uint64_t now) {
    const struct shard *shard = loop->shard;
    if (shard->sessions.waiting_first != 0 || queries_waiting(&shard->queries) ||
        shard->route_changes.count > 0 || shard->held_first != NULL)
        return NAP_MS; /* for memory, a mailbox, or another thread's quiescent state */
    if (loop->woken)
        return WOKEN_NAP_MS;
    return now - loop->last_work < QUIET_MS * 1000 ? NAP_MS : QUIET_NAP_MS;
}

/* May the loop wait? Then it has been said where it must be said. */
static bool may_sleep(const struct loop *loop) {
    return loop->woken ? mail_may_sleep(loop->shard->mailroom) : loop->shard->unsent == 0;
}

static void sleep_soon(struct loop *loop, uint64_t now) {
    uv_idle_stop(&loop->idle);
    uv_update_time(&loop->loop);
    uv_timer_start(&loop->nap, nothing_timer, nap_ms(loop, now), 0);
    routes_offline(loop->shard->registry->routes, loop->shard->self);
    loop->asleep = true;
}

static void reload(struct shard *shard) {
    char *text = NULL, *rest;
    size_t size;
    FILE *errors = open_memstream(&text, &size);
    if (errors == NULL) {
        log_error("auth", "there is no memory to read the password files again");
        return;
    }
    bool good = auth_reload(shard->auth, errors);
    fclose(errors);
    /* Every shard reads the same files; one speaks. */
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && shard->index == 0;
         line = strtok_r(NULL, "\n", &rest))
        log_error("auth", "%s", line);
    free(text);
    if (good && shard->index == 0)
        log_info("auth", "password files were read again");
}

static void on_prepare(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    struct shard *shard = loop->shard;
    uint64_t now = clock_us(CLOCK_MONOTONIC), hrtime = uv_hrtime();
    if (__atomic_exchange_n(&loop->reload, false, __ATOMIC_ACQ_REL))
        reload(shard);
    bool more = shard_turn(shard, now, clock_us(CLOCK_REALTIME));
    if (more)
        loop->last_work = now;
    __atomic_store_n(&shard->gauges.busy_nanoseconds,
                     shard->gauges.busy_nanoseconds + (uv_hrtime() - hrtime), __ATOMIC_RELAXED);
    if (!more && __atomic_load_n(&shard->stopping, __ATOMIC_ACQUIRE)) {
        connects_end(shard);
        mail_flush(shard->mailroom); /* the last parcels go home */
        close_handles(loop);         /* the loop ends when the thread pool has finished too */
    } else if (more || !may_sleep(loop)) {
        uv_idle_start(&loop->idle, nothing_idle);
    } else {
        sleep_soon(loop, now);
    }
}

static void on_check(uv_check_t *check) {
    struct loop *loop = check->data;
    if (loop->asleep) {
        loop->asleep = false;
        routes_online(loop->shard->registry->routes, loop->shard->self);
        if (loop->woken)
            mail_awake(loop->shard->mailroom);
    }
}

static void run(void *argument) {
    struct loop *loop = argument;
    struct shard *shard = loop->shard;
    routes_online(shard->registry->routes, shard->self);
    uv_run(&loop->loop, UV_RUN_DEFAULT);
    routes_offline(shard->registry->routes, shard->self);
}

/* The handles; none can fail but the first. */
static int init_handles(struct loop *loop) {
    int result = uv_async_init(&loop->loop, &loop->wake, nothing_async);
    if (result != 0)
        return result;
    uv_prepare_init(&loop->loop, &loop->prepare);
    uv_check_init(&loop->loop, &loop->check);
    uv_idle_init(&loop->loop, &loop->idle);
    uv_timer_init(&loop->loop, &loop->nap);
    loop->prepare.data = loop;
    loop->check.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    uv_idle_start(&loop->idle, nothing_idle);
    return 0;
}

struct shard *shard_create(const struct registry *registry, unsigned index, char *error,
                           unsigned error_size) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL || uv_loop_init(&loop->loop) != 0) {
        snprintf(error, error_size, "there is no memory for the loop of control shard %u", index);
        free(loop);
        return NULL;
    }
    int result = init_handles(loop);
    if (result != 0) {
        snprintf(error, error_size, "control shard %u has no loop: %s", index, uv_strerror(result));
        uv_loop_close(&loop->loop);
        free(loop);
        return NULL;
    }
    struct shard *shard = shard_make(registry, index, &loop->loop, error, error_size);
    if (shard == NULL) {
        close_handles(loop);
        uv_run(&loop->loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop->loop);
        free(loop);
        return NULL;
    }
    loop->shard = shard;
    shard->loop = loop;
    loop->woken = registry->config->workers.idle == IDLE_SLEEP;
    if (loop->woken)
        mailboxes_set_wake(registry->mailboxes, shard->self, wake, loop);
    return shard;
}

int shard_start(struct shard *shard) {
    int result = uv_thread_create(&shard->loop->thread, run, shard->loop);
    shard->loop->started = result == 0;
    return result;
}

void shard_reload(struct shard *shard) {
    __atomic_store_n(&shard->loop->reload, true, __ATOMIC_RELEASE);
    uv_async_send(&shard->loop->wake);
}

void shard_stop(struct shard *shard) {
    if (!shard->loop->started)
        return;
    __atomic_store_n(&shard->stopping, true, __ATOMIC_RELEASE);
    uv_async_send(&shard->loop->wake);
    uv_thread_join(&shard->loop->thread);
    shard->loop->started = false;
}

void shard_destroy(struct shard *shard) {
    struct loop *loop = shard->loop;
    shard_stop(shard);
    connects_end(shard);
    close_handles(loop);
    uv_run(&loop->loop, UV_RUN_DEFAULT);
    shard_unmake(shard);
    uv_loop_close(&loop->loop);
    free(loop);
}
