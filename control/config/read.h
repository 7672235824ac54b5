/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a YAML document into a struct config along the table of keys, gathering every mistake with
 * its line.
 *
 * Private to control/config.
 */
#ifndef LINEMQ_CONTROL_CONFIG_READ_H
#define LINEMQ_CONTROL_CONFIG_READ_H

#include "control/config/value.h"

struct mistakes;

/* A line says where a mistake stands: 0 nowhere, from 1 on in the file, from here on in the
 * overrides, in their order. */
#define LINE_OVERRIDES ((size_t)1 << 32)

struct mistakes *mistakes_new(const char *file, const char *const *overrides);
/* Adds `file:line: key.path: what is wrong; what would be right`. */
void mistakes_add(struct mistakes *mistakes, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "FILE:LINE: ", a string of the heap; NULL: no memory. */
char *mistakes_place(const struct mistakes *mistakes, size_t line);
/* Prints them in the order of the lines and frees them. Returns how many there were. */
size_t mistakes_report(struct mistakes *mistakes, FILE *out);

/* Where a value stood: section and key by their place in the table, item of a list. */
struct places;
/* The line of a key, or of the next larger thing that was given; 0: nothing of it. */
size_t place_line(const struct places *places, const char *section, unsigned item, const char *key);

/* The line of the key itself; 0: it was not given. */
size_t place_given(const struct places *places, const char *section, unsigned item,
                   const char *key);

/* Has a mistake in the value of the key been reported? */
bool place_wrong(const struct places *places, const char *section, unsigned item, const char *key);

/* Notes where a value stands, and whether it is good. */
void place_note(struct places *places, const struct section *section, unsigned item,
                const struct key *key, size_t line, bool good);

/* The line on which a text is nested deeper than any configuration; 0: it is not, as far as it can
 * be read. */
size_t depth_line(const char *text, size_t len);

struct reading {
    struct loaded *loaded;
    struct mistakes *mistakes;
    struct places *places;
};

/* Reads all of `input`, or all defaults when it is NULL. False: there is nothing to check further;
 * why has been reported. */
bool read_config(struct reading *reading, FILE *input);

/* Replaces one value (override.c). */
void read_override(struct reading *reading, const char *text, size_t line);

void places_free(struct places *places);

/* What one key cannot know alone: values that must fit each other (check.c). */
void check_config(const struct reading *reading);

#endif
