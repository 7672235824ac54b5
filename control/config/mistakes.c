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
    const char *const *overrides;
    struct mistake *list;
    size_t count, room;
    bool lost; /* no memory to note one */
};

struct mistakes *mistakes_new(const char *file, const char *const *overrides) {
    struct mistakes *mistakes = calloc(1, sizeof *mistakes);
    if (mistakes != NULL) {
        mistakes->file = file;
        mistakes->overrides = overrides;
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
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Text of the file and of overrides is quoted in mistakes: one mistake stays one line. */
static void print_line(const char *text, FILE *out) {
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void print_place(const struct mistakes *mistakes, size_t line, FILE *out) {
    if (line >= LINE_OVERRIDES) {
        fputs("--set ", out);
        print_line(mistakes->overrides[line - LINE_OVERRIDES], out);
        fputs(": ", out);
    } else if (line > 0) {
        fprintf(out, "%s:%zu: ", mistakes->file, line);
    } else {
        fprintf(out, "%s: ", mistakes->file);
    }
}

char *mistakes_place(const struct mistakes *mistakes, size_t line) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    print_place(mistakes, line, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

size_t mistakes_report(struct mistakes *mistakes, FILE *out) {
    size_t count = mistakes->count;
    if (count > 0)
        qsort(mistakes->list, count, sizeof *mistakes->list, by_line);
    for (size_t i = 0; i < count; i++) {
        const struct mistake *mistake = &mistakes->list[i];
        print_place(mistakes, mistake->line, out);
        print_line(mistake->text, out);
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
