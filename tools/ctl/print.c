/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as text in columns, or as one JSON document: an array of a list's rows, the object else. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/ctl/ctl.h"

/* TEXT_WIDTH: one long text must not widen all rows. */
enum { COLUMNS_MAX = 32, TEXT_WIDTH = 48, HELD_ROWS = 500, HELD_SECONDS = 1 };

/* The value at a path like "clients.connected". */
static const json_t *value_at(const json_t *row, const char *path) {
    while (row != NULL) {
        const char *dot = strchr(path, '.');
        if (dot == NULL)
            return json_object_get(row, path);
        char key[32];
        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        row = json_object_get(row, key);
        path = dot + 1;
    }
    return NULL;
}

/* The whole value; a string of the heap. */
static char *cell(const struct column *column, const json_t *value) {
    if (column->format == COLUMN_TEXT && json_is_string(value))
        return format_safe(json_string_value(value), false);
    char text[512];
    if (column->format == COLUMN_LIST && json_is_array(value)) {
        size_t used = 0, index;
        const json_t *item;
        text[0] = 0;
        json_array_foreach(value, index, item) {
            const char *word = json_string_value(item);
            if (word != NULL && used + strlen(word) + 2 < sizeof text)
                used += (size_t)sprintf(text + used, "%s%s", index > 0 ? "," : "", word);
        }
        return format_safe(text[0] != 0 ? text : "-", false);
    }
    format_value(column, value, text, sizeof text);
    return format_safe(text, false);
}

static bool aligned_right(const struct column *column) {
    switch (column->format) {
    case COLUMN_TEXT:
    case COLUMN_LIST:
    case COLUMN_FLAG:
    case COLUMN_BLOCK:
    case COLUMN_SECTION:
        return false;
    default:
        return true;
    }
}

static void print_cells(const struct column *columns, char *const *cells, const unsigned *widths) {
    unsigned owed = 0; /* blanks that are printed only if something follows */
    for (unsigned i = 0; columns[i].key != NULL; i++) {
        if (columns[i].heading == NULL)
            continue;
        unsigned width = format_width(cells[i]);
        unsigned fill = width < widths[i] ? widths[i] - width : 0;
        if (aligned_right(&columns[i])) {
            owed += fill;
            fill = 0;
        }
        printf("%*s%s", (int)owed, "", cells[i]);
        owed = fill + 2;
    }
    putchar('\n');
}

/* A cell of a table. The last one may be a sentence: nothing stands behind it. */
static char *table_cell(const struct column *column, const json_t *row) {
    char *text = cell(column, value_at(row, column->key));
    const struct column *next = column + 1;
    while (next->key != NULL && next->heading == NULL)
        next++;
    if (!aligned_right(column) && next->key != NULL)
        format_cut(text, TEXT_WIDTH);
    return text;
}

/* Prints rows, under a heading if `heading`; `widths` only grow. */
static void print_table(const struct column *columns, const json_t *rows, unsigned *widths,
                        bool heading) {
    size_t count = json_array_size(rows);
    char *(*cells)[COLUMNS_MAX] = calloc(count + 1, sizeof *cells);
    if (cells == NULL)
        abort();
    for (unsigned i = 0; columns[i].key != NULL; i++) {
        if (columns[i].heading == NULL)
            continue;
        if (widths[i] < format_width(columns[i].heading))
            widths[i] = format_width(columns[i].heading);
        for (size_t row = 0; row < count; row++) {
            cells[row][i] = table_cell(&columns[i], json_array_get(rows, row));
            if (widths[i] < format_width(cells[row][i]))
                widths[i] = format_width(cells[row][i]);
        }
    }
    if (heading) {
        for (unsigned i = 0; columns[i].key != NULL; i++)
            cells[count][i] = columns[i].heading != NULL ? strdup(columns[i].heading) : NULL;
        print_cells(columns, cells[count], widths);
    }
    for (size_t row = 0; row < count; row++)
        print_cells(columns, cells[row], widths);
    for (size_t row = 0; row <= count; row++)
        for (unsigned i = 0; i < COLUMNS_MAX; i++)
            free(cells[row][i]);
    free(cells);
}

static void print_object(const struct column *columns, const json_t *object) {
    unsigned width = 0;
    for (const struct column *column = columns; column->key != NULL; column++)
        if (column->heading != NULL && column->format != COLUMN_TABLE &&
            column->format != COLUMN_SECTION && value_at(object, column->key) != NULL &&
            format_width(column->heading) > width)
            width = format_width(column->heading);
    for (const struct column *column = columns; column->key != NULL; column++) {
        const json_t *value = value_at(object, column->key);
        if (column->heading == NULL || value == NULL)
            continue;
        if (column->format == COLUMN_SECTION) {
            printf("\n%s\n", column->heading);
        } else if (column->format == COLUMN_TABLE && json_array_size(value) == 0) {
            printf("\n%s: none\n", column->heading);
        } else if (column->format == COLUMN_TABLE) {
            unsigned widths[COLUMNS_MAX] = {0};
            printf("\n%s\n", column->heading);
            print_table(column->columns, value, widths, true);
        } else if (column->format == COLUMN_BLOCK) {
            char *text = format_safe(json_is_string(value) ? json_string_value(value) : "", true);
            fputs(text, stdout);
            free(text);
        } else {
            char *text = cell(column, value);
            printf("%-*s  %s\n", (int)width, column->heading, text);
            free(text);
        }
    }
}

void printer_begin(struct printer *printer, const struct command *command, bool json) {
    *printer = (struct printer){.command = command, .json = json, .held = json_array()};
}

/* JSON_ENSURE_ASCII: what a client calls itself can't steer a terminal this way either. */
static void print_json(const json_t *value) {
    char *text = json_dumps(value, JSON_ENSURE_ASCII);
    fputs(text != NULL ? text : "null", stdout);
    free(text);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_held(struct printer *printer) {
    size_t count = json_array_size(printer->held);
    if (count == 0)
        return;
    print_table(printer->command->columns, printer->held, printer->widths, printer->rows == 0);
    printer->rows += count;
    json_array_clear(printer->held);
    fflush(stdout); /* more may take its time */
}

static void hold(struct printer *printer, const json_t *rows) {
    size_t index;
    json_t *row;
    if (json_array_size(printer->held) == 0)
        printer->held_since = seconds();
    json_array_foreach(rows, index, row) {
        json_array_append(printer->held, row);
    }
    if (json_array_size(printer->held) >= HELD_ROWS ||
        seconds() - printer->held_since >= HELD_SECONDS)
        print_held(printer);
}

void printer_rows(struct printer *printer, const json_t *rows) {
    if (printer->command->output == OUTPUT_LIST && !printer->json) {
        hold(printer, rows);
        return;
    }
    size_t index;
    const json_t *row;
    json_array_foreach(rows, index, row) {
        if (!printer->json) {
            print_object(printer->command->columns, row);
        } else if (printer->command->output == OUTPUT_LIST) {
            fputs(printer->rows == 0 ? "[" : ",\n ", stdout);
            print_json(row);
        } else {
            print_json(row);
            putchar('\n');
        }
        printer->rows++;
    }
    fflush(stdout);
}

void printer_end(struct printer *printer, bool complete) {
    print_held(printer);
    json_decref(printer->held);
    if (printer->command->output != OUTPUT_LIST || (!complete && printer->rows == 0))
        return;
    if (printer->json)
        puts(printer->rows == 0 ? "[]" : "]");
    else if (printer->rows == 0)
        puts("(none)");
}
