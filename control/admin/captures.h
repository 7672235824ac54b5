/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures from the control plane's side: a capture point for each worker that takes part, whose
 * rings are read every few milliseconds into a pcapng file, until a limit is reached or someone
 * stops it. Ended ones are remembered for `ctl capture list`.
 *
 * Thread: the admin thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_CAPTURES_H
#define LINEMQ_CONTROL_ADMIN_CAPTURES_H

#include <stdio.h>

#include <uv.h>

#include "dataplane/capture/capture.h"
#include "dataplane/mail/mail.h"

struct admin;
struct job;

enum {
    CAPTURES_KEPT = 32,           /* running and ended ones */
    CAPTURE_RING = 1 << 20,       /* bytes of a worker's ring */
    CAPTURE_POLL_MS = 10,         /* between readings */
    CAPTURE_POLL_BYTES = 8 << 20, /* that one reading writes at most */
    CAPTURE_RETURN_MS = 3000, /* a worker takes longer to let go: the file is closed without it */
};

/* What is wanted. */
struct capture_order {
    struct capture_filter filter;
    struct capture_endpoint endpoint; /* the client's, or zero */
    int worker;                       /* -1: all */
    uint32_t snap;                    /* bytes of a frame */
    bool payload;
    uint64_t packets, bytes, seconds; /* limits */
    char description[1400];           /* of the filter, for people */
};

enum capture_state { CAPTURE_RUNNING, CAPTURE_STOPPING, CAPTURE_ENDED };

/* A job that waits for a capture. */
struct capture_watch {
    struct capture_watch *next;
    struct job *job;
    struct capture_run *run;
    enum {
        WATCH_BEGIN,  /* until all workers have begun, but no longer than CAPTURE_RETURN_MS */
        WATCH_FOLLOW, /* for a second, or until the end */
        WATCH_END,
    } what;
    bool told;         /* that it has ended */
    uint64_t woken_at; /* loop time, milliseconds */
};

struct capture_run {
    struct capture_run *next; /* the one begun before */
    unsigned number;
    enum capture_state state;
    const char *why; /* it stops or has stopped: a sentence's end */
    char *path;
    FILE *file;
    struct capture_order order;
    uint64_t began, ended;   /* wall clock */
    uint64_t due, given_up;  /* loop time, milliseconds: end by its limit; no more waiting */
    uint64_t packets, bytes; /* written to the file */
    uint64_t missed;
    uint32_t beginning;                        /* bitmap of workers that have not begun yet */
    struct capture_point *points[THREADS_MAX]; /* with the workers; NULL: none, or returned */
    struct capture_point *back[THREADS_MAX];   /* returned, not read to the end */
    struct capture_watch *watches;
};

struct captures {
    struct capture_run *runs;                                 /* the latest first */
    struct capture_point *lost[CAPTURE_POINTS * THREADS_MAX]; /* never returned, freed at the end */
    unsigned lost_count;
    unsigned count, last_number;
    uv_timer_t poll; /* on while one is not ended */
};

/* Starts one whose file is made as user and group `uid`, `gid`. NULL with a sentence in `error`. */
struct capture_run *captures_start(struct admin *admin, const char *path, unsigned uid,
                                   unsigned gid, const struct capture_order *order, char *error,
                                   size_t error_size);
/* Lets it come to its end; nothing if it does already. `why`: static. */
void captures_stop(struct admin *admin, struct capture_run *run, const char *why);
/* By number; 0: the latest one that runs, or the latest. NULL: there is none. */
struct capture_run *captures_find(struct admin *admin, unsigned number);

/* The job waits; then it is woken, once or, to follow, again and again. captures_unwatch before the
 * watch's memory goes. */
void captures_watch(struct capture_watch *watch, struct job *job, struct capture_run *run,
                    unsigned what);
void captures_unwatch(struct capture_watch *watch);

void captures_init(struct admin *admin);
void captures_mail(struct admin *admin, const struct mail *mail);
/* The thread ends: files are finished with what is there. */
void captures_close(struct admin *admin);
/* After the workers have ended. */
void captures_free(struct admin *admin);

#endif
