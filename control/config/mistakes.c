/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/read.h"

enum { MISTAKE_MAX = 1024 };

struct mistake {
    size_t line;
    size_t order;
    char *text;
};

struct mistakes {
    const char *file;
    struct mistake *list;
    size_t count, room;
    bool lost; /* no memory to note one */
};

struct mistakes *mistakes_new(const char *file) {
    struct mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (mistakes != NULL) {
        mistakes->file = file;
    }
    return mistakes;
}

void mistakes_add(struct mistakes *mistakes, size_t line, const char *format, ...) {
    if (mistakes->count == mistakes->room) {
        size_t room = mistakes->room * 2 + 8;
        struct mistake *list = realloc(mistakes->list, room * sizeof *list);
        if (list == NULL) {
            mistakes->lost = true;
            return;
        }
        mistakes->list = list;
        mistakes->room = room;
    }
    char line_text[MISTAKE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line_text, sizeof line_text, format, arguments);
    va_end(arguments);
    char *text = strdup(line_text);
    if (text == NULL) {
        mistakes->lost = true;
        return;
    }
    mistakes->list[mistakes->count] =
        (struct mistake){.line = line, .order = mistakes->count, .text = text};
    mistakes->count++;
}

static int by_line(const void *left, const void *right) {
    const struct mistake *a = left, *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

size_t mistakes_report(struct mistakes *mistakes, FILE *out) {
    size_t count = mistakes->count;
    if (count > 0) {
        qsort(mistakes->list, count, sizeof *mistakes->list, by_line);
    }
    for (size_t i = 0; i < count; i++) {
        const struct mistake *mistake = &mistakes->list[i];
        fprintf(out, "%s:", mistakes->file);
        if (mistake->line > 0) {
            fprintf(out, "%zu:", mistake->line);
        }
        fputc(' ', out);
        /* Text of the file is quoted in it: one mistake stays one line. */
        for (const char *c = mistake->text; *c != '\0'; c++) {
            fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, out);
        }
        fputc('\n', out);
        free(mistake->text);
    }
    if (mistakes->lost) {
        fprintf(out, "%s: there is no memory to check it; free some and try again\n",
                mistakes->file);
        count++;
    }
    free(mistakes->list);
    free(mistakes);
    return count;
}
