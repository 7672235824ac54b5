/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the broker: one request, an answer of any length, a line at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/ctl/ctl.h"

/* The broker answers within its own deadlines, which are shorter; a line of its answers is a page
 * of rows. */
enum { ANSWER_SECONDS = 15, LINE_MAX_BYTES = 64 << 20 };

struct reader {
    int fd;
    char *buffer;
    size_t used, size, searched;
};

static int broker_connect(const char *path, char *error, size_t error_size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        snprintf(error, error_size, "socket path '%s' is too long", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = ANSWER_SECONDS};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
    }
    const char *hint = "";
    if (errno == ENOENT || errno == ECONNREFUSED)
        hint = "; is linemqd running? --socket PATH or $" PROTOCOL_SOCKET_ENVIRONMENT
               " names another socket";
    else if (errno == EACCES)
        hint = "; become root, or join the group control.socket_group of the configuration";
    snprintf(error, error_size, "no broker at %s: %s%s", path, strerror(errno), hint);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_request(int fd, const char *command, const json_t *arguments) {
    json_t *request = json_pack("{s:i, s:s}", "version", PROTOCOL_VERSION, "command", command);
    if (arguments != NULL)
        json_object_set_new(request, "arguments", json_deep_copy(arguments));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (text == NULL)
        return false;
    /* The line's end takes the place of the string's: one write. */
    size_t len = strlen(text);
    text[len] = '\n';
    bool written = write_all(fd, text, len + 1);
    free(text);
    return written;
}

/* The next line without its end, or NULL: the answer ended, or nothing came for too long (errno).
 * Valid until the next call. */
static char *read_line(struct reader *reader, size_t *consumed) {
    memmove(reader->buffer, reader->buffer + *consumed, reader->used - *consumed);
    reader->used -= *consumed;
    reader->searched = 0;
    *consumed = 0;
    for (;;) {
        char *end =
            memchr(reader->buffer + reader->searched, '\n', reader->used - reader->searched);
        if (end != NULL) {
            *end = 0;
            *consumed = (size_t)(end - reader->buffer) + 1;
            return reader->buffer;
        }
        reader->searched = reader->used;
        if (reader->used == reader->size) {
            char *larger =
                reader->size < LINE_MAX_BYTES ? realloc(reader->buffer, reader->size * 2) : NULL;
            errno = EMSGSIZE;
            if (larger == NULL)
                return NULL;
            reader->buffer = larger;
            reader->size *= 2;
        }
        errno = 0;
        ssize_t n = read(reader->fd, reader->buffer + reader->used, reader->size - reader->used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        reader->used += (size_t)n;
    }
}

static void read_failed(const char *path, char *error, size_t error_size) {
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        snprintf(error, error_size, "the broker at %s did not answer within %d seconds", path,
                 ANSWER_SECONDS);
    else if (errno == 0)
        snprintf(error, error_size, "the broker at %s hung up before the answer was complete",
                 path);
    else
        snprintf(error, error_size, "the answer of the broker at %s could not be read: %s", path,
                 strerror(errno));
}

/* The last line. */
static int finish(const json_t *answer, char *note, size_t note_size, char *error,
                  size_t error_size) {
    const char *text = json_string_value(json_object_get(answer, "note"));
    if (text != NULL)
        snprintf(note, note_size, "%s", text);
    text = json_string_value(json_object_get(answer, "error"));
    snprintf(error, error_size, "%s", text != NULL ? text : "the broker said no more");
    return (int)json_integer_value(json_object_get(answer, "exit"));
}

static int read_answer(struct reader *reader, const char *path,
                       void (*rows)(void *argument, const json_t *rows), void *argument, char *note,
                       size_t note_size, char *error, size_t error_size) {
    size_t consumed = 0;
    for (char *line; (line = read_line(reader, &consumed)) != NULL;) {
        json_t *answer = json_loads(line, 0, NULL);
        const json_t *page = json_object_get(answer, "rows");
        bool last = json_is_integer(json_object_get(answer, "exit"));
        if (!last && !json_is_array(page)) {
            json_decref(answer);
            snprintf(error, error_size, "what answers at %s does not speak LineMQ's protocol",
                     path);
            return PROTOCOL_UNREACHABLE;
        }
        if (page != NULL)
            rows(argument, page);
        int code = last ? finish(answer, note, note_size, error, error_size) : 0;
        json_decref(answer);
        if (last)
            return code;
    }
    read_failed(path, error, error_size);
    return PROTOCOL_UNREACHABLE;
}

int request_run(const char *socket, const char *command, const json_t *arguments,
                void (*rows)(void *argument, const json_t *rows), void *argument, char *note,
                size_t note_size, char *error, size_t error_size) {
    note[0] = 0;
    int fd = broker_connect(socket, error, error_size);
    if (fd < 0)
        return PROTOCOL_UNREACHABLE;
    int code = PROTOCOL_UNREACHABLE;
    struct reader reader = {.fd = fd, .size = 64 << 10};
    reader.buffer = malloc(reader.size);
    /* A broker that refuses may hang up while we still write: what it said is worth reading. */
    if (reader.buffer != NULL &&
        (write_request(fd, command, arguments) || errno == EPIPE || errno == ECONNRESET))
        code = read_answer(&reader, socket, rows, argument, note, note_size, error, error_size);
    else
        snprintf(error, error_size, "the request could not be sent to %s: %s", socket,
                 strerror(errno));
    free(reader.buffer);
    close(fd);
    return code;
}
