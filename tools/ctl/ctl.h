/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `ctl`: a command line is parsed, asked of the broker, and printed as it arrives. */
#ifndef LINEMQ_TOOLS_CTL_CTL_H
#define LINEMQ_TOOLS_CTL_CTL_H

#include "control/admin/commands.h"
#include "control/admin/protocol.h"

/* A command line that was understood. */
struct invocation {
    enum { INVOKE_COMMAND, INVOKE_HELP, INVOKE_VERSION, INVOKE_PROMPT } what;
    const struct command *command; /* of the command; of help: NULL for a noun or the overview */
    const char *noun;              /* of help */
    json_t *arguments;             /* owned */
    const char *socket;
    double watch; /* seconds, 0: once */
    bool json;
    const char *file; /* publish --file */
    bool from_stdin;  /* publish --stdin */
};

/* False with a sentence in `error`: wrong usage. Strings of `words` must outlive the invocation. */
bool invocation_parse(struct invocation *invocation, const char *const *words, unsigned count,
                      char *error, size_t error_size);
void invocation_free(struct invocation *invocation);

/* Runs it, once or until interrupted; results to standard output, errors to standard error. Returns
 * the exit code. */
int invocation_run(struct invocation *invocation);

/* Parses and runs one command line (without the program's name). `prompt`: without a command, and
 * on a terminal, it opens the prompt. */
int ctl_line(const char *const *words, unsigned count, bool prompt);

/* The prompt; its commands go to `socket` unless they say otherwise. */
int ctl_interactive(const char *socket);

/* Reads the payload of `publish` into the arguments. False with a sentence in `error`. */
bool payload_read(struct invocation *invocation, char *error, size_t error_size);

/* `config check`. Returns the exit code. */
int config_check_run(const struct invocation *invocation);

/* Prints rows as they come. */
struct printer {
    const struct command *command;
    bool json;
    uint64_t rows;
    unsigned widths[32]; /* of the columns so far */
    json_t *held;        /* rows to be printed together, so that they line up */
    double held_since;
};
void printer_begin(struct printer *printer, const struct command *command, bool json);
void printer_rows(struct printer *printer, const json_t *rows);
/* `complete`: the answer has ended well, so that no rows means there are none. */
void printer_end(struct printer *printer, bool complete);

/* One value as people read it, into `text`. */
void format_value(const struct column *column, const json_t *value, char *text, size_t size);
/* Copies `from`, escaping what a terminal could take for a command and what could mislead the eye:
 * control characters, directional overrides, line separators, and the backslash. `lines`: newlines
 * stay, backslashes too. Returns a string of the heap. */
char *format_safe(const char *from, bool lines);
/* Cuts a text to `width` columns, at least 3; it ends in "..." then. */
void format_cut(char *text, unsigned width);
/* Columns that a text takes on a terminal (one a code point). */
unsigned format_width(const char *text);

/* Sends a request and hands each line of the answer to `rows`. Returns the exit code; a sentence in
 * `error` if it is not 0. */
int request_run(const char *socket, const char *command, const json_t *arguments,
                void (*rows)(void *argument, const json_t *rows), void *argument, char *note,
                size_t note_size, char *error, size_t error_size);

#endif
