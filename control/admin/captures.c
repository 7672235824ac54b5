/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/captures.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "control/admin/job.h"
#include "control/admin/pcapng.h"
#include "control/log/log.h"

enum { FILE_BUFFER = 256 << 10, LOOK_MS = 1000 };

static const char file_failed[] = "its file could not be written";

/* --- the file -------------------------------------------------------------------------------- */

/* Made with the rights of who asks, not with ours: whoever may use the socket must not get a file
 * where only root may write. File system ids are a thread's own. */
static int file_create(const char *path, unsigned uid, unsigned gid) {
    int own_gid = setfsgid(gid), own_uid = setfsuid(uid);
    int fd = -1;
    errno = EPERM;
    if ((unsigned)setfsuid((uid_t)-1) == uid && (unsigned)setfsgid((gid_t)-1) == gid)
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = errno;
    setfsuid((uid_t)own_uid);
    setfsgid((gid_t)own_gid);
    errno = error;
    return fd;
}

static bool file_open(struct admin *admin, struct capture_run *run, unsigned uid, unsigned gid,
                      char *error, size_t error_size) {
    const struct registry *registry = admin->registry;
    int fd = file_create(run->path, uid, gid);
    if (fd < 0) {
        snprintf(error, error_size,
                 errno == EEXIST ? "%s is there already; a capture never overwrites a file"
                                 : "%s can't be made: %s",
                 log_quoted(run->path, strlen(run->path)).text, strerror(errno));
        return false;
    }
    run->file = fdopen(fd, "w");
    if (run->file == NULL) {
        close(fd);
        snprintf(error, error_size, "out of memory");
        return false;
    }
    setvbuf(run->file, NULL, _IOFBF, FILE_BUFFER);
    char application[64];
    snprintf(application, sizeof application, "LineMQ %s", registry->version);
    run->bytes += pcapng_section(run->file, application, run->order.description);
    for (unsigned i = 0; i < registry->ports_count; i++)
        run->bytes +=
            pcapng_interface(run->file, registry->ports[i].config->device, run->order.snap);
    if (fflush(run->file) == 0)
        return true;
    snprintf(error, error_size, "%s can't be written: %s",
             log_quoted(run->path, strlen(run->path)).text, strerror(errno));
    return false;
}

/* --- reading the rings ----------------------------------------------------------------------- */

/* The oldest frame that any worker has left for this capture. */
static struct capture_ring *oldest(struct capture_run *run, unsigned workers,
                                   const struct capture_record **record) {
    struct capture_ring *found = NULL;
    *record = NULL;
    for (unsigned i = 0; i < workers; i++) {
        struct capture_point *point = run->points[i] != NULL ? run->points[i] : run->back[i];
        const struct capture_record *next = point != NULL ? capture_ring_peek(&point->ring) : NULL;
        if (next == NULL || (*record != NULL && (*record)->time <= next->time))
            continue;
        *record = next;
        found = &point->ring;
    }
    return found;
}

static void count_missed(const struct admin *admin, struct capture_run *run) {
    uint64_t missed = 0;
    for (unsigned i = 0; i < admin->registry->workers; i++) {
        const struct capture_point *point = run->points[i] != NULL ? run->points[i] : run->back[i];
        if (point != NULL)
            missed += __atomic_load_n(&point->missed, __ATOMIC_RELAXED);
    }
    run->missed = missed;
}

/* Writes what is there, as far as the limits go. True: all of it. */
static bool drain(struct admin *admin, struct capture_run *run) {
    const struct capture_record *record;
    uint64_t written = 0;
    unsigned ports = admin->registry->ports_count;
    for (struct capture_ring *ring;
         (ring = oldest(run, admin->registry->workers, &record)) != NULL;) {
        bool fits = run->packets < run->order.packets &&
                    run->bytes + pcapng_packet_size(record->len) <= run->order.bytes;
        if (fits && !ferror(run->file)) {
            if (written >= CAPTURE_POLL_BYTES)
                return false;
            uint64_t size = pcapng_packet(run->file, record->port < ports ? record->port : 0,
                                          record->time, (record->flags & CAPTURE_SENT) != 0,
                                          record->bytes, record->len, record->wire_len);
            run->packets++;
            run->bytes += size;
            written += size;
        } else if (!fits) {
            captures_stop(admin, run,
                          run->packets >= run->order.packets ? "it has as many packets as it may"
                                                             : "its file is as large as it may be");
        }
        capture_ring_drop(ring, record);
    }
    if (written > 0)
        fflush(run->file);
    if (ferror(run->file))
        captures_stop(admin, run, file_failed);
    return true;
}

/* --- its life -------------------------------------------------------------------------------- */

static void finish(struct admin *admin, struct capture_run *run) {
    const struct registry *registry = admin->registry;
    for (unsigned i = 0; i < registry->workers; i++) {
        if (run->points[i] != NULL) /* it may still write there */
            admin->captures.lost[admin->captures.lost_count++] = run->points[i];
        free(run->back[i]);
        run->points[i] = run->back[i] = NULL;
    }
    run->ended = wall_clock();
    for (unsigned i = 0; i < registry->ports_count; i++)
        run->bytes += pcapng_statistics(run->file, i, run->began, run->ended,
                                        i == 0 ? run->packets : 0, i == 0 ? run->missed : 0);
    if (fclose(run->file) != 0)
        run->why = file_failed;
    run->file = NULL;
    run->state = CAPTURE_ENDED;
    log_info("admin", "capture %u into %s has ended: %s; %" PRIu64 " packets, %" PRIu64 " missed",
             run->number, log_quoted(run->path, strlen(run->path)).text, run->why, run->packets,
             run->missed);
}

static bool all_returned(const struct capture_run *run, unsigned workers) {
    for (unsigned i = 0; i < workers; i++)
        if (run->points[i] != NULL)
            return false;
    return true;
}

static bool lost_room(const struct admin *admin) {
    const struct captures *captures = &admin->captures;
    return captures->lost_count + admin->registry->workers <=
           sizeof captures->lost / sizeof *captures->lost;
}

static void look_after(struct admin *admin, struct capture_run *run) {
    uint64_t now = uv_now(&admin->loop);
    if (run->state == CAPTURE_RUNNING && now >= run->due)
        captures_stop(admin, run, "its time is over");
    bool returned = run->state == CAPTURE_STOPPING && all_returned(run, admin->registry->workers);
    bool given_up = run->state == CAPTURE_STOPPING && now >= run->given_up && lost_room(admin);
    count_missed(admin, run);
    if (drain(admin, run) && (returned || given_up))
        finish(admin, run);
}

/* Has the time of one who waits come? */
static bool due(const struct capture_watch *watch, uint64_t now) {
    const struct capture_run *run = watch->run;
    if (run->state == CAPTURE_ENDED)
        return !watch->told;
    switch (watch->what) {
    case WATCH_BEGIN:
        return run->beginning == 0 || now - watch->woken_at >= CAPTURE_RETURN_MS;
    case WATCH_FOLLOW:
        return now - watch->woken_at >= LOOK_MS;
    case WATCH_END:
        break;
    }
    return false;
}

static struct capture_watch *watch_due(const struct captures *captures, uint64_t now) {
    for (struct capture_run *run = captures->runs; run != NULL; run = run->next)
        for (struct capture_watch *watch = run->watches; watch != NULL; watch = watch->next)
            if (due(watch, now))
                return watch;
    return NULL;
}

static void on_poll(uv_timer_t *timer) {
    struct admin *admin = timer->data;
    bool any = false;
    for (struct capture_run *run = admin->captures.runs; run != NULL; run = run->next) {
        if (run->state != CAPTURE_ENDED)
            look_after(admin, run);
        any = any || run->state != CAPTURE_ENDED;
    }
    if (!any)
        uv_timer_stop(&admin->captures.poll);
    /* A job that is woken may end, and the next one of its caller begin or forget captures. */
    uint64_t now = uv_now(&admin->loop);
    for (struct capture_watch *watch; (watch = watch_due(&admin->captures, now)) != NULL;) {
        watch->woken_at = now;
        watch->told = watch->run->state == CAPTURE_ENDED;
        if (watch->what == WATCH_BEGIN)
            watch->what = WATCH_END;
        job_wake(watch->job);
    }
}

void captures_init(struct admin *admin) {
    uv_timer_init(&admin->loop, &admin->captures.poll);
    admin->captures.poll.data = admin;
}

static void run_free(struct capture_run *run) {
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        free(run->points[i]);
        free(run->back[i]);
    }
    if (run->file != NULL)
        fclose(run->file);
    free(run->path);
    free(run);
}

/* The memory of the rings is touched here, so that no page fault comes on a worker. */
static bool points_make(struct admin *admin, struct capture_run *run) {
    const struct capture_order *order = &run->order;
    for (unsigned i = 0; i < admin->registry->workers; i++) {
        if (order->worker >= 0 && order->worker != (int)i)
            continue;
        size_t size = capture_point_size(CAPTURE_RING);
        struct capture_point *point = aligned_alloc(64, (size + 63) & ~(size_t)63);
        if (point == NULL)
            return false;
        memset(point, 0, size);
        capture_point_init(point, CAPTURE_RING);
        point->filter = order->filter;
        point->snap = order->snap;
        point->payload = order->payload;
        point->handed_over = order->worker >= 0;
        point->endpoints[0] = order->endpoint;
        point->endpoint_next = 1;
        run->points[i] = point;
    }
    return true;
}

/* False: not all workers could be asked; those that were will be told to stop. */
static bool points_send(struct admin *admin, struct capture_run *run) {
    for (unsigned i = 0; i < admin->registry->workers; i++) {
        if (run->points[i] == NULL)
            continue;
        struct mail mail = {.type = MAIL_CAPTURE, .capture = {.point = run->points[i], .begin = 1}};
        run->beginning |= UINT32_C(1) << i;
        if (mail_send(admin->mailroom, i, &mail))
            continue;
        run->beginning &= ~(UINT32_C(1) << i);
        for (; i < admin->registry->workers; i++) {
            free(run->points[i]);
            run->points[i] = NULL;
        }
        return false;
    }
    return true;
}

/* The oldest ones that have ended and that nobody looks at are forgotten. */
static void forget(struct captures *captures) {
    while (captures->count >= CAPTURES_KEPT) {
        struct capture_run **oldest_ended = NULL;
        for (struct capture_run **link = &captures->runs; *link != NULL; link = &(*link)->next)
            if ((*link)->state == CAPTURE_ENDED && (*link)->watches == NULL)
                oldest_ended = link;
        if (oldest_ended == NULL)
            return;
        struct capture_run *run = *oldest_ended;
        *oldest_ended = run->next;
        run_free(run);
        captures->count--;
    }
}

static bool too_many(const struct captures *captures, char *error, size_t error_size) {
    unsigned running = 0;
    for (const struct capture_run *run = captures->runs; run != NULL; run = run->next)
        running += run->state != CAPTURE_ENDED;
    if (running < CAPTURE_POINTS && captures->count < CAPTURES_KEPT)
        return false;
    snprintf(error, error_size, "%u captures run already; `ctl capture stop` ends one", running);
    return true;
}

struct capture_run *captures_start(struct admin *admin, const char *path, unsigned uid,
                                   unsigned gid, const struct capture_order *order, char *error,
                                   size_t error_size) {
    struct captures *captures = &admin->captures;
    forget(captures);
    if (too_many(captures, error, error_size))
        return NULL;
    struct capture_run *run = calloc(1, sizeof *run);
    char *copy = strdup(path);
    if (run == NULL || copy == NULL) {
        free(run);
        free(copy);
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    run->path = copy;
    run->order = *order;
    run->began = wall_clock();
    run->due = uv_now(&admin->loop) + order->seconds * 1000;
    if (!points_make(admin, run)) {
        snprintf(error, error_size, "out of memory");
        run_free(run);
        return NULL;
    }
    if (!file_open(admin, run, uid, gid, error, error_size)) {
        run_free(run);
        return NULL;
    }
    run->number = ++captures->last_number;
    run->next = captures->runs;
    captures->runs = run;
    captures->count++;
    if (!points_send(admin, run))
        captures_stop(admin, run, "memory for mail to the workers is used up");
    uv_timer_start(&captures->poll, on_poll, CAPTURE_POLL_MS, CAPTURE_POLL_MS);
    return run;
}

void captures_stop(struct admin *admin, struct capture_run *run, const char *why) {
    if (run->state != CAPTURE_RUNNING)
        return;
    run->state = CAPTURE_STOPPING;
    run->why = why;
    run->given_up = uv_now(&admin->loop) + CAPTURE_RETURN_MS;
    for (unsigned i = 0; i < admin->registry->workers; i++) {
        if (run->points[i] == NULL)
            continue;
        struct mail mail = {.type = MAIL_CAPTURE, .capture = {.point = run->points[i]}};
        mail_send(admin->mailroom, i, &mail);
    }
}

void captures_mail(struct admin *admin, const struct mail *mail) {
    struct captures *captures = &admin->captures;
    for (struct capture_run *run = captures->runs; run != NULL; run = run->next)
        if (run->points[mail->from] == mail->capture.point) {
            run->beginning &= ~(UINT32_C(1) << mail->from);
            if (mail->capture.begin)
                return;
            run->back[mail->from] = run->points[mail->from];
            run->points[mail->from] = NULL;
            captures_stop(admin, run, "a worker has too many captures");
            return;
        }
    for (unsigned i = 0; i < captures->lost_count; i++)
        if (captures->lost[i] == mail->capture.point && !mail->capture.begin) {
            free(captures->lost[i]);
            captures->lost[i] = captures->lost[--captures->lost_count];
            return;
        }
}

struct capture_run *captures_find(struct admin *admin, unsigned number) {
    struct capture_run *latest = admin->captures.runs;
    for (struct capture_run *run = latest; run != NULL; run = run->next)
        if (run->number == number || (number == 0 && run->state == CAPTURE_RUNNING))
            return run;
    return number == 0 ? latest : NULL;
}

void captures_watch(struct capture_watch *watch, struct job *job, struct capture_run *run,
                    unsigned what) {
    *watch = (struct capture_watch){.next = run->watches,
                                    .job = job,
                                    .run = run,
                                    .what = what,
                                    .woken_at = uv_now(&job->admin->loop)};
    run->watches = watch;
}

void captures_unwatch(struct capture_watch *watch) {
    struct capture_watch **link = &watch->run->watches;
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
}

void captures_close(struct admin *admin) {
    for (struct capture_run *run = admin->captures.runs; run != NULL; run = run->next) {
        if (run->state == CAPTURE_ENDED)
            continue;
        captures_stop(admin, run, "the broker stops");
        count_missed(admin, run);
        while (!drain(admin, run))
            ;
        if (lost_room(admin))
            finish(admin, run);
    }
}

void captures_free(struct admin *admin) {
    struct captures *captures = &admin->captures;
    for (struct capture_run *run = captures->runs, *next; run != NULL; run = next) {
        next = run->next;
        run_free(run);
    }
    captures->runs = NULL;
    for (unsigned i = 0; i < captures->lost_count; i++)
        free(captures->lost[i]);
    captures->lost_count = 0;
}
