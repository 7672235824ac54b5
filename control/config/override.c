/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overrides of single values. A value is read as it would stand in the file: as a YAML document of
 * its own, so that quotes, null and lists mean the same in both places.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config/walk.h"

/* The two forms of an override, taken apart. */
struct override {
    char section[SHOWN_MAX + 1], index[SHOWN_MAX + 1], key[SHOWN_MAX + 1]; /* index: may be "" */
    const char *value;
};

/* The value that is overridden. */
struct target {
    const struct section *section;
    const struct key *key;
    unsigned item;
    void *object;              /* that the key's offsets are of */
    char path[PATH_MAX_BYTES]; /* of that */
};

/* Takes all up to one of `ends`. A name that is cut off is in no table. */
static const char *take(const char *text, const char *ends, char name[SHOWN_MAX + 1]) {
    size_t len = strcspn(text, ends);
    snprintf(name, SHOWN_MAX + 1, "%.*s", (int)(len < SHOWN_MAX ? len : SHOWN_MAX), text);
    return len > 0 ? text + len : "";
}

static bool split(const char *text, struct override *override) {
    text = take(text, ".[=", override->section);
    override->index[0] = '\0';
    if (*text == '[') {
        text = take(text + 1, "].=", override->index);
        if (*text != ']' || override->index[strspn(override->index, "0123456789")] != '\0')
            return false;
        text++;
    }
    if (*text != '.')
        return false;
    text = take(text + 1, "=", override->key);
    override->value = text + 1;
    return *text == '=';
}

/* The item of a list section that is meant. */
static bool find_item(struct walk *walk, const struct override *override, struct target *target) {
    struct mistakes *mistakes = walk->reading->mistakes;
    uint8_t *config = (uint8_t *)&walk->reading->loaded->config;
    const struct section *section = target->section;
    uint8_t *items = *(uint8_t **)(void *)(config + section->items_offset);
    unsigned count = *(unsigned *)(void *)(config + section->count_offset);
    if (override->index[0] == '\0') {
        mistakes_add(mistakes, walk->line, "%s: is a list; name the entry, such as %s[0].%s",
                     section->name, section->name, override->key);
        return false;
    }
    if (items == NULL)
        return false; /* the mistake in the list has been reported */
    unsigned long item = strtoul(override->index, NULL, 10); /* too long: ULONG_MAX */
    if (item >= count) {
        mistakes_add(mistakes, walk->line,
                     "%s[%s]: there is no such entry; the last is %s[%u], more come into the file",
                     section->name, override->index, section->name, count - 1);
        return false;
    }
    target->item = (unsigned)item;
    target->object = items + item * section->item_size;
    snprintf(target->path, sizeof target->path, "%s[%u]", section->name, target->item);
    return true;
}

static bool find_target(struct walk *walk, const struct override *override, struct target *target) {
    unsigned s = 0, k = 0;
    while (s < config_sections_count && strcmp(config_sections[s].name, override->section) != 0)
        s++;
    if (s == config_sections_count) {
        unknown_name(walk, walk->line, "", override->section, NULL);
        return false;
    }
    const struct section *section = &config_sections[s];
    *target = (struct target){.section = section, .object = &walk->reading->loaded->config};
    snprintf(target->path, sizeof target->path, "%s", section->name);
    if (section->preset == NULL && override->index[0] != '\0') {
        mistakes_add(walk->reading->mistakes, walk->line, "%s: is not a list; give %s.%s",
                     section->name, section->name, override->key);
        return false;
    }
    if (section->preset != NULL && !find_item(walk, override, target))
        return false;
    while (k < section->keys_count && strcmp(section->keys[k].name, override->key) != 0)
        k++;
    if (k == section->keys_count) {
        unknown_name(walk, walk->line, target->path, override->key, section);
        return false;
    }
    target->key = &section->keys[k];
    return true;
}

/* What is given replaces the list; a single text stands for a list of one. */
static bool set_texts(struct walk *walk, const struct target *target, const yaml_node_t *node) {
    unsigned *count = (unsigned *)(void *)((uint8_t *)target->object + target->key->count_offset);
    char wrong[VALUE_ERROR_MAX];
    *count = 0;
    if (node->type != YAML_SCALAR_NODE || is_null(node))
        return read_key(walk, target->key, node, target->path, target->object);
    if (!value_add(walk->reading->loaded, target->key, text_of(node), node->data.scalar.length, 1,
                   target->object, wrong, sizeof wrong)) {
        wrong_value(walk, walk->line, target->path, target->key, wrong);
        return false;
    }
    return true;
}

static bool set_value(struct walk *walk, const struct target *target, const yaml_node_t *node) {
    if (target->key->type == VALUE_TEXTS)
        return set_texts(walk, target, node);
    return read_key(walk, target->key, node, target->path, target->object);
}

/* Nothing stands behind the first document of `parser`. */
static bool at_end(yaml_parser_t *parser) {
    yaml_document_t rest;
    if (yaml_parser_load(parser, &rest) == 0)
        return false;
    bool end = yaml_document_get_root_node(&rest) == NULL;
    yaml_document_delete(&rest);
    return end;
}

static bool read_value(struct walk *walk, const struct target *target, const char *value) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser) == 0) {
        wrong_value(walk, walk->line, target->path, target->key, "no memory");
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)value, strlen(value));
    bool deep = depth_line(value, strlen(value)) > 0;
    bool good = !deep && yaml_parser_load(&parser, &document) != 0;
    if (deep) {
        wrong_value(walk, walk->line, target->path, target->key, "is a list of lists of lists");
    } else if (good) {
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        walk->document = &document;
        if (root == NULL) {
            wrong_value(walk, walk->line, target->path, target->key, "has no value");
            good = false;
        } else if (!at_end(&parser)) {
            wrong_value(walk, walk->line, target->path, target->key, "is more than one value");
            good = false;
        } else {
            good = set_value(walk, target, root);
        }
        walk->document = NULL;
        yaml_document_delete(&document);
    } else {
        char wrong[VALUE_ERROR_MAX];
        snprintf(wrong, sizeof wrong, "is not YAML: %s",
                 parser.problem != NULL ? parser.problem : "no memory");
        wrong_value(walk, walk->line, target->path, target->key, wrong);
    }
    yaml_parser_delete(&parser);
    return good;
}

void read_override(struct reading *reading, const char *text, size_t line) {
    struct walk walk = {.reading = reading, .line = line};
    struct override override;
    struct target target;
    if (!split(text, &override)) {
        mistakes_add(reading->mistakes, line,
                     "is not an override; give SECTION.KEY=VALUE, such as log.level=debug, or "
                     "SECTION[INDEX].KEY=VALUE, such as ports[0].mtu=1400");
    } else if (find_target(&walk, &override, &target)) {
        bool good = read_value(&walk, &target, override.value);
        place_note(reading->places, target.section, target.item, target.key, line, good);
    }
}
