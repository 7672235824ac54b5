/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the admin thread.
 *
 *   socket.c    takes the Unix socket
 *   caller.c   one connection of a ctl: request lines in, response lines out
 *   job.c       one command being carried out: its handler is stepped whenever no answer is awaited
 *               and the peer has read enough of what came so far
 *   question.c  what is asked of shards and workers, and their answers
 *   captures.c  captures that run, their files (pcapng.c)
 *   sample.c    gauges and counters of a second ago, for rates
 *   handlers.c  which function carries out which command; one file per noun has them
 *
 * Thread: the admin thread, unless said otherwise.
 */
#ifndef LINEMQ_CONTROL_ADMIN_PRIVATE_H
#define LINEMQ_CONTROL_ADMIN_PRIVATE_H

#include <pthread.h>
#include <sys/stat.h>

#include <uv.h>

#include "control/admin/admin.h"
#include "control/admin/captures.h"
#include "control/admin/commands.h"
#include "control/admin/protocol.h"
#include "control/admin/sample.h"
#include "dataplane/message/region.h"

struct caller;
struct question;

enum { ADMIN_BACKLOG = 64 };

/* Times in milliseconds. The defaults are ADMIN_LIMITS; tests use shorter ones. */
struct admin_limits {
    unsigned callers;    /* ctl connections at once */
    unsigned questions;  /* asked and not answered, all commands together */
    unsigned answer_ms;  /* a shard or worker takes longer: the command fails */
    unsigned request_ms; /* from a request's first byte to its last */
    unsigned idle_ms;    /* between requests */
    unsigned stalled_ms; /* a peer that reads nothing of what is there for it */
    unsigned sample_ms;  /* between samples */
    size_t page_bytes;   /* rows are sent when they are this many bytes */
    size_t high_water;   /* unsent bytes above which a handler is not stepped */
};

#define ADMIN_LIMITS                                                                               \
    {                                                                                              \
        .callers = 64, .questions = 1024, .answer_ms = 3000, .request_ms = 10000,                  \
        .idle_ms = 30000, .stalled_ms = 60000, .sample_ms = 1000, .page_bytes = 64 << 10,          \
        .high_water = 256 << 10                                                                    \
    }

/* The socket file, as taken. */
struct admin_socket {
    int fd; /* listening; -1: none */
    char path[108];
    struct stat status; /* of the file, to tell it from a later one of another process */
    bool bound;
    char directory[108]; /* made for it, or "" */
};

/* Any thread. False with a sentence in `error`. */
bool admin_socket_take(struct admin_socket *socket, const char *path, const char *group,
                       char *error, unsigned error_size);
/* Removes the file if it is still ours. Does not close fd. */
void admin_socket_remove(struct admin_socket *socket);

struct admin {
    const struct registry *registry;
    struct admin_limits limits;
    struct admin_socket socket;

    struct region region;
    void *arena_state;
    struct arena *arena;
    struct pool pool;
    struct parcels parcels;
    struct mailroom *mailroom;

    uv_loop_t loop;
    uv_pipe_t listener;
    uv_async_t wake;     /* mail has come */
    uv_async_t stop;     /* admin_stop */
    uv_prepare_t before; /* the wait: flush, announce sleep */
    uv_check_t after;    /* the wait: take mail */
    uv_idle_t busy;      /* on: do not wait, there is mail left */
    uv_timer_t tick;     /* deadlines; on while there are callers */
    uv_timer_t sampler;
    uv_timer_t nap; /* until it looks for mail, where nobody wakes it */
    bool loop_ready, running, stopping;
    pthread_t thread;

    struct caller *callers;
    unsigned callers_count;
    bool connection_held; /* there was no memory for it: taken when a caller closes */
    struct question *questions;
    unsigned questions_count;
    struct samples samples;
    struct captures captures;
};

/* caller.c */
void caller_accept(struct admin *admin, uv_stream_t *listener);
void callers_close(struct admin *admin);
/* Sends `len` bytes of the heap at `data`, and frees them. */
void caller_send(struct caller *caller, char *data, size_t len);
size_t caller_unsent(const struct caller *caller);
/* The user and group of the peer; (unsigned)-1: unknown. */
unsigned caller_user(const struct caller *caller);
unsigned caller_group(const struct caller *caller);
/* The job of this caller has ended (job.c calls it; the job is gone). */
void caller_job_done(struct caller *caller);

/* values.c. Text of a client: UTF-8 as it is, bytes that are none replaced by U+FFFD. */
json_t *text_json(const void *bytes, size_t len);
/* "10.88.0.1" (also of a mapped address), "fd00::1" */
json_t *address_json(const uint8_t address[16]);
/* "2026-01-31T12:00:00Z" */
json_t *time_json(uint64_t microseconds);
uint64_t wall_clock(void);

#endif
