/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a file and reading an override have in common: one value of a YAML document, and
 * names that are not in the table.
 *
 * Private to control/config.
 */
#ifndef LINEMQ_CONTROL_CONFIG_WALK_H
#define LINEMQ_CONTROL_CONFIG_WALK_H

#include <string.h>

#include <yaml.h>

#include "control/config/read.h"

enum { PATH_MAX_BYTES = 128, SHOWN_MAX = 64 };

/* A walk over one document. */
struct walk {
    struct reading *reading;
    yaml_document_t *document;
    size_t line; /* an override's, for all of it; 0: each node has its own */
    bool noted;  /* lines are noted (not those of a preset) */
};

static inline size_t line_of(const struct walk *walk, const yaml_node_t *node) {
    return walk->line > 0 ? walk->line : node->start_mark.line + 1;
}

static inline const char *text_of(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static inline const char *kind_of(const yaml_node_t *node) {
    return node->type == YAML_SEQUENCE_NODE ? "is a list" : "is a mapping";
}

/* YAML's null: nothing, `~` or `null`, not in quotes. */
static inline bool is_null(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 || strcmp(text_of(node), "~") == 0 ||
            strcmp(text_of(node), "null") == 0);
}

/* Reports that `path` has no key `name`, or that there is no section of this name (`section` NULL),
 * with the nearest name there is. */
void unknown_name(struct walk *walk, size_t line, const char *path, const char *name,
                  const struct section *section);

/* Reports what is wrong with the value of a key, and what would be right. */
void wrong_value(struct walk *walk, size_t line, const char *path, const struct key *key,
                 const char *wrong);

/* Reads the value of one key into `object`. False: a mistake was reported. */
bool read_key(struct walk *walk, const struct key *key, const yaml_node_t *node, const char *path,
              void *object);

#endif
