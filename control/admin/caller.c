/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection of a ctl. Input is read only while no job runs, so a peer that sends ahead is held
 * back by its socket; output is queued by libuv, and a job is not stepped while too much of it is
 * unsent. A caller that has been closed stays until libuv has called back for its last write.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/admin/job.h"

enum { INPUT_FIRST = 4096, TICK_MS = 100 };

struct caller {
    struct caller *next, **link;
    struct admin *admin;
    uv_pipe_t pipe;
    char *input;
    size_t input_used, input_size, searched;
    size_t unsent;
    uint64_t input_since; /* first byte of the request that is being read; 0: none */
    uint64_t moved;       /* last progress: a byte in or out */
    struct job *job;
    bool reading;
    bool ended;   /* the peer sends no more */
    bool hang_up; /* close when everything is sent */
    bool closing;
    bool handling; /* in handle_lines */
};

static void handle_lines(struct caller *caller);

static void closed(uv_handle_t *handle) {
    struct caller *caller = handle->data;
    struct admin *admin = caller->admin;
    free(caller->input);
    free(caller);
    if (admin->connection_held && !uv_is_closing((uv_handle_t *)&admin->listener))
        caller_accept(admin, (uv_stream_t *)&admin->listener);
}

static void caller_close(struct caller *caller) {
    if (caller->closing)
        return;
    caller->closing = true;
    if (caller->job != NULL)
        job_abandon(caller->job);
    caller->job = NULL;
    *caller->link = caller->next;
    if (caller->next != NULL)
        caller->next->link = caller->link;
    if (--caller->admin->callers_count == 0)
        uv_timer_stop(&caller->admin->tick);
    uv_close((uv_handle_t *)&caller->pipe, closed);
}

static void close_if_over(struct caller *caller) {
    bool over = caller->hang_up || (caller->ended && caller->job == NULL);
    if (over && caller->unsent == 0 && !caller->handling)
        caller_close(caller);
}

struct write {
    uv_write_t request;
    struct caller *caller;
    char *data;
    size_t len;
};

static void written(uv_write_t *request, int status) {
    struct write *write = request->data;
    struct caller *caller = write->caller;
    caller->unsent -= write->len;
    caller->moved = uv_now(&caller->admin->loop);
    free(write->data);
    free(write);
    if (caller->closing)
        return;
    if (status < 0)
        caller_close(caller);
    else if (caller->job != NULL)
        job_continue(caller->job);
    else
        close_if_over(caller);
}

void caller_send(struct caller *caller, char *data, size_t len) {
    struct write *write = malloc(sizeof *write);
    if (write == NULL || caller->closing) {
        free(write);
        free(data);
        caller->hang_up = true;
        return;
    }
    *write = (struct write){.caller = caller, .data = data, .len = len};
    write->request.data = write;
    if (caller->unsent == 0)
        caller->moved = uv_now(&caller->admin->loop);
    caller->unsent += len;
    uv_buf_t buffer = uv_buf_init(data, (unsigned)len);
    if (uv_write(&write->request, (uv_stream_t *)&caller->pipe, &buffer, 1, written) != 0) {
        caller->unsent -= len;
        caller->hang_up = true;
        free(write);
        free(data);
    }
}

size_t caller_unsent(const struct caller *caller) {
    return caller->unsent;
}

static struct ucred credentials(const struct caller *caller) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&caller->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    return peer;
}

unsigned caller_user(const struct caller *caller) {
    return credentials(caller).uid;
}

unsigned caller_group(const struct caller *caller) {
    return credentials(caller).gid;
}

static void refuse(struct caller *caller, enum protocol_exit code, const char *error) {
    json_t *last = json_pack("{s:i, s:i, s:o}", "version", PROTOCOL_VERSION, "exit", (int)code,
                             "error", text_json(error, strlen(error)));
    char *text = json_dumps(last, JSON_COMPACT);
    json_decref(last);
    if (text == NULL) {
        caller->hang_up = true;
        return;
    }
    size_t len = strlen(text);
    text[len] = '\n'; /* in place of the terminator: what is sent has a length */
    caller_send(caller, text, len + 1);
}

/* Looks up and checks what the line asks for. NULL with a sentence in `error`. */
static const struct command *understand(json_t *request, char *error, size_t size) {
    if (!json_is_object(request)) {
        snprintf(error, size, "a request is a JSON object");
        return NULL;
    }
    json_t *version = json_object_get(request, "version");
    if (!json_is_integer(version) || json_integer_value(version) != PROTOCOL_VERSION) {
        snprintf(error, size, "'version' must be %d, the protocol this broker speaks",
                 PROTOCOL_VERSION);
        return NULL;
    }
    const char *name = json_string_value(json_object_get(request, "command"));
    const struct command *command = name != NULL ? command_by_name(name) : NULL;
    if (command == NULL || (command->flags & COMMAND_LOCAL) != 0) {
        snprintf(error, size, name != NULL ? "there is no command '%.64s'" : "'command' is missing",
                 name);
        return NULL;
    }
    return command_check(command, json_object_get(request, "arguments"), error, size) ? command
                                                                                      : NULL;
}

static void handle_line(struct caller *caller, const char *line, size_t len) {
    char error[512];
    json_error_t detail;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &detail);
    if (request == NULL) {
        snprintf(error, sizeof error, "the request is not JSON: %s (byte %d)", detail.text,
                 detail.position);
        refuse(caller, PROTOCOL_USAGE, error);
        return;
    }
    const struct command *command = understand(request, error, sizeof error);
    if (command == NULL) {
        refuse(caller, PROTOCOL_USAGE, error);
    } else {
        json_t *arguments = json_object_get(request, "arguments");
        arguments = arguments != NULL ? json_incref(arguments) : json_object();
        caller->job = job_start(caller, caller->admin, command, arguments);
        if (caller->job == NULL)
            refuse(caller, PROTOCOL_FAILED, "out of memory");
    }
    json_decref(request);
    if (caller->job != NULL)
        job_continue(caller->job);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct caller *caller = handle->data;
    if (caller->input_used == caller->input_size) {
        size_t size = caller->input_size != 0 ? caller->input_size * 2 : INPUT_FIRST;
        char *input = size <= 2 * PROTOCOL_REQUEST_MAX ? realloc(caller->input, size) : NULL;
        if (input == NULL) {
            *buffer = uv_buf_init(NULL, 0);
            return;
        }
        caller->input = input;
        caller->input_size = size;
    }
    *buffer = uv_buf_init(caller->input + caller->input_used,
                          (unsigned)(caller->input_size - caller->input_used));
}

static void read_some(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer);

static void set_reading(struct caller *caller, bool reading) {
    if (caller->reading == reading || caller->ended)
        return;
    caller->reading = reading;
    if (reading)
        uv_read_start((uv_stream_t *)&caller->pipe, allocate, read_some);
    else
        uv_read_stop((uv_stream_t *)&caller->pipe);
}

static void read_some(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
    struct caller *caller = stream->data;
    if (n == 0)
        return;
    caller->moved = uv_now(&caller->admin->loop);
    if (n == UV_EOF) {
        /* A last request may lack its newline. */
        set_reading(caller, false);
        caller->ended = true;
        uv_buf_t room;
        allocate((uv_handle_t *)stream, 1, &room);
        if (caller->input_used > 0 && room.len > 0)
            caller->input[caller->input_used++] = '\n';
        handle_lines(caller);
    } else if (n < 0) {
        caller_close(caller);
    } else {
        caller->input_used += (size_t)n;
        handle_lines(caller);
    }
}

/* Carries out the requests that have arrived whole, until one has to wait. */
static void handle_lines(struct caller *caller) {
    if (caller->handling)
        return;
    caller->handling = true;
    while (caller->job == NULL && !caller->hang_up && !caller->closing) {
        char *from = caller->input + caller->searched;
        char *end = caller->input_used > caller->searched
                        ? memchr(from, '\n', caller->input_used - caller->searched)
                        : NULL;
        if (end == NULL) {
            caller->searched = caller->input_used;
            break;
        }
        size_t len = (size_t)(end - caller->input);
        char *line = malloc(len + 1);
        if (line == NULL) {
            caller->hang_up = true;
            break;
        }
        memcpy(line, caller->input, len);
        caller->input_used -= len + 1;
        memmove(caller->input, end + 1, caller->input_used);
        caller->searched = 0;
        caller->input_since = 0;
        handle_line(caller, line, len);
        free(line);
    }
    caller->handling = false;
    if (caller->closing)
        return;
    if (caller->input_used > PROTOCOL_REQUEST_MAX && caller->job == NULL && !caller->hang_up) {
        refuse(caller, PROTOCOL_USAGE, "the request is too long");
        caller->hang_up = true;
    }
    if (caller->input_used == 0) {
        free(caller->input);
        caller->input = NULL;
        caller->input_size = 0;
    } else if (caller->input_since == 0) {
        caller->input_since = uv_now(&caller->admin->loop);
    }
    set_reading(caller, caller->job == NULL && !caller->hang_up);
    close_if_over(caller);
}

void caller_job_done(struct caller *caller) {
    caller->job = NULL;
    caller->moved = uv_now(&caller->admin->loop);
    handle_lines(caller);
}

static bool timed_out(const struct caller *caller, uint64_t now) {
    const struct admin_limits *limits = &caller->admin->limits;
    if (caller->unsent > 0)
        return now - caller->moved >= limits->stalled_ms;
    if (caller->job != NULL)
        return false;
    if (caller->input_since != 0)
        return now - caller->input_since >= limits->request_ms;
    return now - caller->moved >= limits->idle_ms;
}

static void sessions_tick(uv_timer_t *timer) {
    struct admin *admin = timer->data;
    uint64_t now = uv_now(&admin->loop);
    for (struct caller *caller = admin->callers, *next; caller != NULL; caller = next) {
        next = caller->next;
        if (timed_out(caller, now))
            caller_close(caller);
        else if (caller->job != NULL)
            job_tick(caller->job, now);
    }
}

void caller_accept(struct admin *admin, uv_stream_t *listener) {
    struct caller *caller = calloc(1, sizeof *caller);
    admin->connection_held = caller == NULL;
    if (caller == NULL)
        return;
    caller->admin = admin;
    caller->pipe.data = caller;
    uv_pipe_init(&admin->loop, &caller->pipe, 0);
    caller->next = admin->callers;
    caller->link = &admin->callers;
    if (caller->next != NULL)
        caller->next->link = &caller->next;
    admin->callers = caller;
    if (admin->callers_count++ == 0)
        uv_timer_start(&admin->tick, sessions_tick, TICK_MS, TICK_MS);
    caller->moved = uv_now(&admin->loop);
    if (uv_accept(listener, (uv_stream_t *)&caller->pipe) != 0) {
        caller_close(caller);
        return;
    }
    if (admin->callers_count > admin->limits.callers) {
        refuse(caller, PROTOCOL_FAILED, "too many connections of ctl at once");
        caller->hang_up = true;
        return;
    }
    set_reading(caller, true);
}

void callers_close(struct admin *admin) {
    while (admin->callers != NULL)
        caller_close(admin->callers);
}
