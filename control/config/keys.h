/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of configuration keys. Reading, checking, printing and the reference page all
 * follow it: a key exists because it has a line in keys.c.
 *
 * The file has two levels: sections, and keys in them. A section is a mapping (one struct) or a
 * list of mappings (an array of structs).
 *
 * Private to control/config.
 */
#ifndef LINEMQ_CONTROL_CONFIG_KEYS_H
#define LINEMQ_CONTROL_CONFIG_KEYS_H

#include <stddef.h>

#include "control/config/config.h"

enum value_type {
    VALUE_NUMBER,
    VALUE_BOOL,
    VALUE_WORD, /* one of `words`, stored as its place in the list */
    VALUE_TEXT,
    VALUE_PATH, /* absolute file name */
    VALUE_CPUS,
    VALUE_IPV4, /* address/prefix */
    VALUE_IPV6,
    VALUE_IPV4_HOST, /* address alone */
    VALUE_IPV6_HOST,
    VALUE_MAC,
    VALUE_TEXTS, /* a list of texts */
};

struct key {
    const char *name;
    const char *preset; /* the default as it stands in YAML, "null" for none; NULL: the key must be
                         * given */
    const char *const *words; /* VALUE_WORD: ends with NULL */
    const char *unit;         /* or NULL */
    const char *text;         /* one sentence */
    uint64_t min, max;        /* VALUE_NUMBER; longest text in bytes otherwise (max) */
    size_t offset;            /* in struct config, or in the item of a list section */
    size_t count_offset;      /* VALUE_TEXTS: where the number of them is */
    size_t width;             /* bytes of the number */
    enum value_type type;
};

struct section {
    const char *name;
    const char *text;
    const struct key *keys;
    unsigned keys_count;
    /* list sections only */
    const char *preset; /* the default list, in YAML; NULL: not a list */
    size_t items_offset, count_offset, item_size;
    unsigned items_max;
};

extern const struct section config_sections[];
extern const unsigned config_sections_count;

enum { CONFIG_KEYS_MAX = 48 }; /* of one section */

#endif
