/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines on stderr, as text or as JSON, each written by one write(2).
 *
 *     2026-01-31T12:00:00.123456Z warning sessions: client "dev\x0a7" was refused
 *     {"time":"2026-01-31T12:00:00.123456Z","level":"warning","part":"sessions","text":"..."}
 *
 * Whatever a line contains, it stays one line of printable characters: control characters are
 * escaped. Values that came from a client go through log_quoted, which marks where they end.
 *
 * Thread: any control thread, at any time. Workers never: they count.
 */
#ifndef LINEMQ_CONTROL_LOG_LOG_H
#define LINEMQ_CONTROL_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/config.h"

enum { LOG_LINE_MAX = 2048 }; /* bytes of a line; a longer text is cut and ends in "..." */

/* Before other threads start. Until then: text, level info. */
void log_open(enum config_log_format format, enum config_log_level level);

/* Where lines go, standard error at first: a duplicate of it, so that they do not go where a
 * library's are led in its place. Before other threads start. */
void log_to(int fd);

/* Least severe level that is written; any thread may change it. */
void log_set_level(enum config_log_level level);
enum config_log_level log_level(void);
static inline bool log_enabled(enum config_log_level level) {
    return level <= log_level();
}

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum config_log_level level);
/* False: no such name. */
bool log_level_by_name(const char *name, enum config_log_level *level);

/* One line. `part` is the folder that speaks: "sessions", "auth". The text is a sentence without a
 * full stop. */
void log_write(enum config_log_level level, const char *part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Bytes of unknown origin in quotes, escaped, cut at the room there is:
 * log_info("auth", "user %s", log_quoted(name, len).text). */
struct log_quoted {
    char text[160];
};
struct log_quoted log_quoted(const void *bytes, size_t len);

/* An address as it is kept in mail (IPv6, or IPv4 mapped), with its port. */
struct log_address {
    char text[56];
};
struct log_address log_address(const uint8_t address[16], uint16_t port);

/*
 * For events that a peer can cause at will: at most `most` lines in `interval` microseconds, the
 * rest is only counted. One struct an event, zero at the start, used by one thread.
 */
struct log_limit {
    uint64_t since;
    uint32_t passed, left_out;
};
/* May a line be written? *left_out is the number of lines left out since the last one. */
bool log_pass(struct log_limit *limit, uint64_t now, uint64_t interval, unsigned most,
              unsigned *left_out);

/* --- for tests: the line as it would be written, with the given wall clock (microseconds). ------
 */
size_t log_format(char line[LOG_LINE_MAX], enum config_log_format format, uint64_t wall_clock,
                  enum config_log_level level, const char *part, const char *text);

#endif
