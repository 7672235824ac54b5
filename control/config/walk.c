/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config/walk.h"

/* Levenshtein's distance of two names, the longer of them up to SHOWN_MAX. */
static unsigned distance(const char *a, const char *b) {
    unsigned row[SHOWN_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > SHOWN_MAX || b_len > SHOWN_MAX)
        return SHOWN_MAX;
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    return row[b_len];
}

/* The `i`th name that could stand here, or NULL at the end. */
static const char *name_at(const struct section *section, unsigned i) {
    if (section == NULL)
        return i < config_sections_count ? config_sections[i].name : NULL;
    return i < section->keys_count ? section->keys[i].name : NULL;
}

void unknown_name(struct walk *walk, size_t line, const char *path, const char *name,
                  const struct section *section) {
    const char *nearest = NULL, *other;
    unsigned best = SHOWN_MAX;
    for (unsigned i = 0; (other = name_at(section, i)) != NULL; i++) {
        unsigned d = distance(name, other);
        if (d < best) {
            best = d;
            nearest = other;
        }
    }
    char shown[SHOWN_MAX + 1];
    snprintf(shown, sizeof shown, "%s", name);
    const char *dot = path[0] != '\0' ? "." : "";
    if (nearest != NULL && best <= 2 + strlen(nearest) / 4) {
        mistakes_add(walk->reading->mistakes, line,
                     "%s%s%s: there is no such key; did you mean `%s`?", path, dot, shown, nearest);
        return;
    }
    char list[VALUE_ERROR_MAX] = "";
    size_t used = 0;
    for (unsigned i = 0; (other = name_at(section, i)) != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", other);
    mistakes_add(walk->reading->mistakes, line, "%s%s%s: there is no such key; there are: %s", path,
                 dot, shown, list);
}

void wrong_value(struct walk *walk, size_t line, const char *path, const struct key *key,
                 const char *wrong) {
    char expected[VALUE_ERROR_MAX];
    value_expected(key, expected, sizeof expected);
    mistakes_add(walk->reading->mistakes, line, "%s.%s: %s; give %s", path, key->name, wrong,
                 expected);
}

static void read_texts(struct walk *walk, const struct key *key, const yaml_node_t *node,
                       const char *path, void *object) {
    char wrong[VALUE_ERROR_MAX];
    unsigned room = (unsigned)(node->data.sequence.items.top - node->data.sequence.items.start);
    for (unsigned i = 0; i < room; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(walk->document, node->data.sequence.items.start[i]);
        if (item->type != YAML_SCALAR_NODE) {
            mistakes_add(walk->reading->mistakes, line_of(walk, item), "%s.%s[%u]: %s; give a text",
                         path, key->name, i, kind_of(item));
        } else if (!value_add(walk->reading->loaded, key, text_of(item), item->data.scalar.length,
                              room, object, wrong, sizeof wrong)) {
            mistakes_add(walk->reading->mistakes, line_of(walk, item), "%s.%s[%u]: %s; give a text",
                         path, key->name, i, wrong);
        }
    }
}

bool read_key(struct walk *walk, const struct key *key, const yaml_node_t *node, const char *path,
              void *object) {
    char wrong[VALUE_ERROR_MAX];
    if (key->type == VALUE_TEXTS && node->type == YAML_SEQUENCE_NODE) {
        read_texts(walk, key, node, path, object);
        return true;
    }
    if (node->type != YAML_SCALAR_NODE) {
        wrong_value(walk, line_of(walk, node), path, key, kind_of(node));
        return false;
    }
    if (!value_set(walk->reading->loaded, key, text_of(node), node->data.scalar.length,
                   is_null(node), object, wrong, sizeof wrong)) {
        wrong_value(walk, line_of(walk, node), path, key, wrong);
        return false;
    }
    return true;
}
