/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command table, compiled into the broker and into `ctl`: nouns, verbs, arguments, and the keys
 * of the rows that come back. Parsing, checking, help, completion and printing all work from it.
 * Pure; any thread.
 */
#ifndef LINEMQ_CONTROL_ADMIN_COMMANDS_H
#define LINEMQ_CONTROL_ADMIN_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum argument_type {
    ARGUMENT_TEXT,
    ARGUMENT_NUMBER, /* integer, min to max */
    ARGUMENT_FLAG,   /* option without value; JSON true */
    ARGUMENT_CHOICE, /* one of `choices` */
    ARGUMENT_FILE,   /* name of a file; in requests from the root on */
};

enum argument_flags {
    ARGUMENT_POSITIONAL = 1, /* by its place; else --name VALUE */
    ARGUMENT_REQUIRED = 2,
    ARGUMENT_CTL = 4,  /* only on the command line: ctl turns it into others */
    ARGUMENT_WIRE = 8, /* only in requests */
};

struct argument {
    const char *name;    /* option and JSON key */
    const char *metavar; /* what help calls its value; NULL: a flag */
    const char *text;    /* a sentence */
    enum argument_type type;
    unsigned flags;
    uint64_t min, max;
    const char *const *choices; /* NULL-terminated */
};

/* How ctl prints a value; in JSON it is as the comment says. */
enum column_format {
    COLUMN_TEXT,         /* string; what a terminal could take for a command is escaped */
    COLUMN_NUMBER,       /* integer; printed 12,345 */
    COLUMN_PORT,         /* integer; printed 12345 */
    COLUMN_BYTES,        /* integer, bytes; printed 1.5 MiB */
    COLUMN_PERCENT,      /* real, 0 to 100 */
    COLUMN_RATE,         /* real, per second */
    COLUMN_SECONDS,      /* number; printed 3h 5m */
    COLUMN_MICROSECONDS, /* integer; printed 12.3 ms */
    COLUMN_OFFSET,       /* integer, microseconds; printed 1.234567 s */
    COLUMN_FLAG,         /* boolean; printed yes, no */
    COLUMN_LIST,         /* array of strings; printed a,b,c */
    COLUMN_TABLE,        /* array of objects, described by `columns` */
    COLUMN_BLOCK,        /* string of lines, printed as they are (escaped) */
    COLUMN_SECTION,      /* object, whose members follow under its heading */
};

/* One key of a row; in an object's description keys may be paths: "clients.connected". */
struct column {
    const char *key;
    const char *heading; /* NULL: in JSON only */
    enum column_format format;
    const char *text; /* a sentence */
    const struct column *columns;
};

enum command_output {
    OUTPUT_LIST,   /* rows of a table */
    OUTPUT_OBJECT, /* one row, printed as labels and values */
};

enum command_flags {
    COMMAND_LOCAL = 1,  /* ctl does it without a broker */
    COMMAND_CHANGE = 2, /* changes something: the broker logs it */
};

struct command {
    const char *noun;
    const char *verb; /* NULL: the noun is the command */
    const char *summary;
    const char *text; /* more for `ctl help NOUN VERB`, or NULL */
    const char *example;
    const struct argument *arguments; /* ends with name NULL */
    const struct column *columns;     /* ends with key NULL */
    enum command_output output;
    unsigned flags;
};

/* Ends with noun NULL. Commands of one noun stand together. */
extern const struct command commands[];

/* "client list"; the only spelling that requests use. */
void command_name(const struct command *command, char *name, size_t size);
const struct command *command_by_name(const char *name);

/*
 * Finds the command that `count` words begin with; nouns and verbs may be shortened as long as they
 * stay unique. *used: words that named it. NULL with a sentence in `error` that says what there is.
 * With `noun_only` not NULL, a noun without its verb is not a mistake: NULL is returned, and
 * *noun_only is the noun.
 */
const struct command *command_find(const char *const *words, unsigned count, unsigned *used,
                                   const char **noun_only, char *error, size_t error_size);

/* The option of this name, or the only one that begins so; NULL: none or several. */
const struct argument *command_option(const struct command *command, const char *name, size_t len);

/* The n-th positional argument, or NULL. */
const struct argument *command_positional(const struct command *command, unsigned n);

/* One argument from its text to JSON; NULL with a sentence in `error`. */
json_t *argument_value(const struct argument *argument, const char *text, char *error,
                       size_t error_size);

/* Are these the arguments of a request for `command`: known, of the right type, in range, complete?
 * False with a sentence in `error`. */
bool command_check(const struct command *command, json_t *arguments, char *error,
                   size_t error_size);

/* What completes the last of `words` (which may be empty): calls `candidate` for each. */
void command_complete(const char *const *words, unsigned count,
                      void (*candidate)(void *argument, const char *text), void *argument);

/* Help: the overview, one noun, one command. */
void help_overview(FILE *out);
void help_noun(const char *noun, FILE *out);
void help_command(const struct command *command, FILE *out);

#endif
