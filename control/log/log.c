/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log/log.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum config_log_format line_format = LOG_FORMAT_TEXT;
static int line_fd = STDERR_FILENO;
static enum config_log_level least = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

enum { LEVELS = sizeof level_names / sizeof level_names[0] };

void log_open(enum config_log_format format, enum config_log_level level) {
    line_format = format;
    log_set_level(level);
}

void log_to(int fd) {
    line_fd = fd;
}

void log_set_level(enum config_log_level level) {
    __atomic_store_n(&least, level, __ATOMIC_RELAXED);
}

enum config_log_level log_level(void) {
    return __atomic_load_n(&least, __ATOMIC_RELAXED);
}

const char *log_level_name(enum config_log_level level) {
    return level_names[level];
}

bool log_level_by_name(const char *name, enum config_log_level *level) {
    for (unsigned i = 0; i < LEVELS; i++) {
        if (strcmp(level_names[i], name) == 0) {
            *level = (enum config_log_level)i;
            return true;
        }
    }
    return false;
}

/* Appends to a line and leaves room for "...", the end of a JSON object and the line feed. */
struct line {
    char *bytes;
    size_t len;
    bool cut;
};

enum { LINE_END = 8 };

static void put(struct line *line, const char *bytes, size_t len) {
    if (line->cut || line->len + len > LOG_LINE_MAX - LINE_END) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text) {
    put(line, text, strlen(text));
}

/* Bytes of one well-formed UTF-8 character beyond ASCII, or 0. C1 control characters, which
 * terminals obey too, count as none. */
static size_t utf8_char(const char *text) {
    const uint8_t *b = (const uint8_t *)text;
    size_t len = b[0] >= 0xf0 && b[0] <= 0xf4   ? 4
                 : b[0] >= 0xe0 && b[0] <= 0xef ? 3
                 : b[0] >= 0xc2 && b[0] <= 0xdf ? 2
                                                : 0;
    for (size_t i = 1; i < len; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    bool bad =
        (len == 2 && b[0] == 0xc2 && b[1] < 0xa0) || (len == 3 && b[0] == 0xe0 && b[1] < 0xa0) ||
        (len == 3 && b[0] == 0xed && b[1] > 0x9f) || (len == 4 && b[0] == 0xf0 && b[1] < 0x90) ||
        (len == 4 && b[0] == 0xf4 && b[1] > 0x8f);
    return bad ? 0 : len;
}

/* Text that may hold anything: what is not printable becomes \xNN, or \u00NN in JSON, where a byte
 * that is not UTF-8 has no other form either. */
static void put_escaped(struct line *line, const char *text, bool json) {
    while (*text != '\0') {
        unsigned char c = (unsigned char)*text;
        size_t len = utf8_char(text);
        char escaped[8];
        if (len > 0 || (c >= 0x20 && c < 0x7f && !(json && (c == '"' || c == '\\')))) {
            len = len > 0 ? len : 1;
            put(line, text, len);
        } else {
            int escape = snprintf(escaped, sizeof escaped,
                                  json && (c == '"' || c == '\\') ? "\\%c"
                                  : json                          ? "\\u%04x"
                                                                  : "\\x%02x",
                                  c);
            put(line, escaped, (size_t)escape);
            len = 1;
        }
        text += len;
    }
}

size_t log_format(char bytes[LOG_LINE_MAX], enum config_log_format format, uint64_t wall_clock,
                  enum config_log_level level, const char *part, const char *text) {
    struct line line = {.bytes = bytes};
    time_t seconds = (time_t)(wall_clock / 1000000);
    struct tm utc;
    char time[64];
    gmtime_r(&seconds, &utc);
    size_t len = strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(time + len, sizeof time - len, ".%06uZ", (unsigned)(wall_clock % 1000000));
    bool json = format == LOG_FORMAT_JSON;
    put_text(&line, json ? "{\"time\":\"" : "");
    put_text(&line, time);
    put_text(&line, json ? "\",\"level\":\"" : " ");
    put_text(&line, level_names[level]);
    put_text(&line, json ? "\",\"part\":\"" : " ");
    put_text(&line, part);
    put_text(&line, json ? "\",\"text\":\"" : ": ");
    put_escaped(&line, text, json);
    bool cut = line.cut;
    len = line.len;
    memcpy(bytes + len, "...\"}\n", 6);
    if (!cut)
        memcpy(bytes + len, "\"}\n", 3);
    len += cut ? 3 : 0;
    if (json)
        len += 2;
    bytes[len++] = '\n';
    return len;
}

void log_write(enum config_log_level level, const char *part, const char *format, ...) {
    if (!log_enabled(level))
        return;
    char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t len =
        log_format(line, line_format, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
                   level, part, text);
    /* There is nobody to tell when stderr is full or closed. */
    ssize_t written = write(line_fd, line, len);
    (void)written;
}

struct log_quoted log_quoted(const void *bytes, size_t len) {
    struct log_quoted quoted;
    const uint8_t *from = bytes;
    size_t to = 0;
    enum { END = 6, ESCAPE = 4 }; /* "..." and a quote; \xNN */
    quoted.text[to++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (to + ESCAPE + END > sizeof quoted.text) {
            to += (size_t)snprintf(quoted.text + to, sizeof quoted.text - to, "...");
            break;
        }
        if (from[i] == '"' || from[i] == '\\') {
            quoted.text[to++] = '\\';
            quoted.text[to++] = (char)from[i];
        } else if (from[i] < 0x20 || from[i] == 0x7f) {
            to += (size_t)snprintf(quoted.text + to, sizeof quoted.text - to, "\\x%02x", from[i]);
        } else {
            quoted.text[to++] = (char)from[i];
        }
    }
    quoted.text[to++] = '"';
    quoted.text[to] = '\0';
    return quoted;
}

struct log_address log_address(const uint8_t address[16], uint16_t port) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */
    struct log_address out;
    char host[INET6_ADDRSTRLEN];
    bool ipv4 = memcmp(address, mapped, sizeof mapped) == 0;
    inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? address + 12 : address, host, sizeof host);
    snprintf(out.text, sizeof out.text, ipv4 ? "%s:%u" : "[%s]:%u", host, port);
    return out;
}

bool log_pass(struct log_limit *limit, uint64_t now, uint64_t interval, unsigned most,
              unsigned *left_out) {
    if (limit->passed == 0 || now - limit->since >= interval) {
        limit->since = now;
        limit->passed = 0;
    }
    if (limit->passed >= most) {
        limit->left_out++;
        return false;
    }
    limit->passed++;
    *left_out = limit->left_out;
    limit->left_out = 0;
    return true;
}
