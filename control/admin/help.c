/* SPDX-License-Identifier: Apache-2.0 */
/* Help text, from the command table. */
#include <string.h>

#include "control/admin/commands.h"
#include "control/admin/protocol.h"

enum { HELP_COLUMN = 24, WIDTH = 100 };

static void line(FILE *out, const char *what, const char *text) {
    if (strlen(what) >= HELP_COLUMN)
        fprintf(out, "  %s\n  %-*s%s\n", what, HELP_COLUMN, "", text);
    else
        fprintf(out, "  %-*s%s\n", HELP_COLUMN, what, text);
}

/* "client list [--prefix P] [--connected]"; `full` with the options. */
static void synopsis(const struct command *command, bool full, char *text, size_t size) {
    command_name(command, text, size);
    for (const struct argument *argument = command->arguments; argument->name != NULL; argument++) {
        size_t used = strlen(text);
        bool required = (argument->flags & ARGUMENT_REQUIRED) != 0;
        if ((argument->flags & ARGUMENT_POSITIONAL) != 0)
            snprintf(text + used, size - used, required ? " %s" : " [%s]", argument->metavar);
        else if (full && (argument->flags & ARGUMENT_WIRE) == 0)
            snprintf(text + used, size - used, argument->metavar == NULL ? " [--%s]" : " [--%s %s]",
                     argument->name, argument->metavar);
    }
}

static void common_options(bool shows, FILE *out) {
    line(out, "--json, -j", "Print JSON, with keys that stay.");
    if (shows)
        line(out, "--watch N, -w N", "Show it again every N seconds, until interrupted.");
    line(out, "--socket PATH, -s PATH",
         "The broker's socket; else $" PROTOCOL_SOCKET_ENVIRONMENT ", else");
    line(out, "", PROTOCOL_SOCKET ".");
    line(out, "--help, -h", "Help; after a command, help on it.");
}

void help_overview(FILE *out) {
    fputs("ctl looks after a running LineMQ broker.\n"
          "\n"
          "usage: ctl NOUN [VERB] [ARGUMENTS] [OPTIONS]\n"
          "       ctl                      on a terminal: a prompt, with TAB completion\n"
          "       ctl help NOUN [VERB]     more about one of these:\n"
          "\n",
          out);
    for (const struct command *command = commands; command->noun != NULL; command++) {
        char text[256];
        synopsis(command, false, text, sizeof text);
        line(out, text, command->summary);
    }
    fputs("\noptions of every command:\n", out);
    common_options(true, out);
    fputs("\n"
          "Nouns, verbs and options may be shortened while they stay clear: `ctl cl l`.\n"
          "A first look:   ctl status; ctl client list; ctl drops\n"
          "Exit code:      0 done, 1 failed, 2 wrong usage, 3 broker not reachable, 4 not found\n",
          out);
}

void help_noun(const char *noun, FILE *out) {
    const struct command *only = NULL;
    unsigned count = 0;
    for (const struct command *command = commands; command->noun != NULL; command++) {
        if (strcmp(command->noun, noun) != 0)
            continue;
        only = command;
        count++;
    }
    if (count == 1) {
        help_command(only, out);
        return;
    }
    fprintf(out, "usage: ctl %s VERB ...\n\n", noun);
    for (const struct command *command = commands; command->noun != NULL; command++) {
        if (strcmp(command->noun, noun) != 0)
            continue;
        char text[256];
        synopsis(command, false, text, sizeof text);
        line(out, text, command->summary);
    }
    fprintf(out, "\n`ctl help %s VERB` says more about one of them.\n", noun);
}

static void help_columns(const struct column *columns, const char *under, FILE *out) {
    for (const struct column *column = columns; column->key != NULL; column++) {
        char key[64];
        snprintf(key, sizeof key, "%s%s", under, column->key);
        line(out, key, column->text);
        if (column->format == COLUMN_TABLE) {
            snprintf(key, sizeof key, "%s%s[].", under, column->key);
            help_columns(column->columns, key, out);
        }
    }
}

/* Broken between options where it is too long. */
static void usage(const char *text, FILE *out) {
    static const char before[] = "usage: ctl ";
    int column = fprintf(out, "%s", before);
    while (*text != 0) {
        const char *next = strstr(text + 1, " [");
        int len = next != NULL ? (int)(next - text) : (int)strlen(text);
        if (column + len > WIDTH)
            column = fprintf(out, "\n%*s", (int)sizeof before - 2, "") - 1;
        column += fprintf(out, "%.*s", len, text);
        text += len;
    }
    fputc('\n', out);
}

void help_command(const struct command *command, FILE *out) {
    char text[512];
    synopsis(command, true, text, sizeof text);
    usage(text, out);
    fprintf(out, "\n%s.\n", command->summary);
    if (command->text != NULL)
        fprintf(out, "%s\n", command->text);
    if (command->arguments->name != NULL) {
        fputs("\narguments:\n", out);
        for (const struct argument *argument = command->arguments; argument->name != NULL;
             argument++) {
            if ((argument->flags & ARGUMENT_WIRE) != 0)
                continue;
            if ((argument->flags & ARGUMENT_POSITIONAL) != 0)
                snprintf(text, sizeof text, "%s", argument->metavar);
            else
                snprintf(text, sizeof text, argument->metavar == NULL ? "--%s" : "--%s %s",
                         argument->name, argument->metavar);
            line(out, text, argument->text);
        }
    }
    fputs("\noptions:\n", out);
    bool acts = (command->flags & COMMAND_CHANGE) != 0 &&
                (command->arguments->flags & ARGUMENT_REQUIRED) != 0;
    common_options(!acts, out);
    fputs("\nkeys of its JSON:\n", out);
    help_columns(command->columns, "", out);
    fprintf(out, "\nexample:\n  %s\n", command->example);
}
