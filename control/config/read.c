/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's document tree is walked by hand along the table. libcyaml would fill in the struct from
 * a schema too, but it stops at the first mistake and reports it through a log function, as prose
 * of its own that does not say what would be right.
 */
#include <stdlib.h>
#include <string.h>

#include "control/config/walk.h"

enum { SECTIONS_MAX = 8, ITEMS_MAX = 16, FILE_MAX = 1 << 20 };

struct places {
    size_t section[SECTIONS_MAX];
    size_t item[SECTIONS_MAX][ITEMS_MAX];
    size_t key[SECTIONS_MAX][ITEMS_MAX][CONFIG_KEYS_MAX];
    bool wrong[SECTIONS_MAX][ITEMS_MAX][CONFIG_KEYS_MAX];
};

void places_free(struct places *places) {
    free(places);
}

/* The place of a section in the table, and of a key in it (CONFIG_KEYS_MAX: none). */
static unsigned find(const char *section, const char *key, unsigned *k) {
    unsigned s = 0;
    while (strcmp(config_sections[s].name, section) != 0)
        s++;
    for (*k = 0; key != NULL && *k < config_sections[s].keys_count; ++*k)
        if (strcmp(config_sections[s].keys[*k].name, key) == 0)
            return s;
    *k = CONFIG_KEYS_MAX;
    return s;
}

void place_note(struct places *places, const struct section *section, unsigned item,
                const struct key *key, size_t line, bool good) {
    size_t s = (size_t)(section - config_sections), k = (size_t)(key - section->keys);
    places->key[s][item][k] = line;
    places->wrong[s][item][k] = !good;
    /* An override also stands for an entry of which the file says nothing. */
    if (line >= LINE_OVERRIDES && places->section[s] == 0 && places->item[s][item] == 0)
        places->item[s][item] = line;
}

size_t place_line(const struct places *places, const char *section, unsigned item,
                  const char *key) {
    unsigned k, s = find(section, key, &k);
    if (k < CONFIG_KEYS_MAX && places->key[s][item][k] > 0)
        return places->key[s][item][k];
    return places->item[s][item] > 0 ? places->item[s][item] : places->section[s];
}

size_t place_given(const struct places *places, const char *section, unsigned item,
                   const char *key) {
    unsigned k, s = find(section, key, &k);
    return k < CONFIG_KEYS_MAX ? places->key[s][item][k] : 0;
}

bool place_wrong(const struct places *places, const char *section, unsigned item, const char *key) {
    unsigned k, s = find(section, key, &k);
    return k < CONFIG_KEYS_MAX && places->wrong[s][item][k];
}

static void set_presets(struct walk *walk, const struct section *section, void *object) {
    char wrong[VALUE_ERROR_MAX];
    for (unsigned k = 0; k < section->keys_count; k++) {
        const struct key *key = &section->keys[k];
        if (key->preset == NULL || key->type == VALUE_TEXTS)
            continue;
        if (!value_set(walk->reading->loaded, key, key->preset, strlen(key->preset),
                       strcmp(key->preset, "null") == 0, object, wrong, sizeof wrong))
            wrong_value(walk, 0, section->name, key, wrong); /* memory, or a wrong table */
    }
}

/* The keys of one mapping. */
static void read_mapping(struct walk *walk, const struct section *section, unsigned item,
                         const yaml_node_t *node, const char *path, void *object) {
    size_t seen[CONFIG_KEYS_MAX] = {0};
    struct mistakes *mistakes = walk->reading->mistakes;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(walk->document, pair->key);
        if (name->type != YAML_SCALAR_NODE) {
            mistakes_add(mistakes, line_of(walk, name), "%s: a key %s; give a name", path,
                         kind_of(name));
            continue;
        }
        unsigned k = 0;
        while (k < section->keys_count && strcmp(section->keys[k].name, text_of(name)) != 0)
            k++;
        if (k == section->keys_count) {
            unknown_name(walk, line_of(walk, name), path, text_of(name), section);
        } else if (seen[k] != 0) {
            mistakes_add(mistakes, line_of(walk, name),
                         "%s.%s: is given again, first on line %zu; give it once", path,
                         text_of(name), seen[k]);
        } else {
            seen[k] = line_of(walk, name);
            bool good = read_key(walk, &section->keys[k],
                                 yaml_document_get_node(walk->document, pair->value), path, object);
            if (walk->noted)
                place_note(walk->reading->places, section, item, &section->keys[k], seen[k], good);
        }
    }
    for (unsigned k = 0; k < section->keys_count; k++)
        if (section->keys[k].preset == NULL && seen[k] == 0)
            wrong_value(walk, line_of(walk, node), path, &section->keys[k], "is missing");
}

static void read_list(struct walk *walk, const struct section *section, const yaml_node_t *node) {
    struct config *config = &walk->reading->loaded->config;
    struct mistakes *mistakes = walk->reading->mistakes;
    unsigned s = (unsigned)(section - config_sections);
    size_t count = node->type == YAML_SEQUENCE_NODE
                       ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start)
                       : 0;
    if (node->type != YAML_SEQUENCE_NODE && !is_null(node)) {
        mistakes_add(mistakes, line_of(walk, node), "%s: is not a list; begin each entry with `- `",
                     section->name);
        return;
    }
    if (count == 0 || count > section->items_max) {
        mistakes_add(mistakes, line_of(walk, node), "%s: has %zu entries; give 1 to %u",
                     section->name, count, section->items_max);
        return;
    }
    uint8_t *items = loaded_alloc(walk->reading->loaded, count * section->item_size);
    if (items == NULL) {
        mistakes_add(mistakes, line_of(walk, node), "%s: no memory; free some", section->name);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(walk->document, node->data.sequence.items.start[i]);
        char path[PATH_MAX_BYTES];
        snprintf(path, sizeof path, "%s[%u]", section->name, i);
        if (walk->noted)
            walk->reading->places->item[s][i] = line_of(walk, item);
        if (item->type != YAML_MAPPING_NODE) {
            mistakes_add(mistakes, line_of(walk, item), "%s: is not a mapping; give `%s: VALUE`",
                         path, section->keys[0].name);
            continue;
        }
        set_presets(walk, section, items + i * section->item_size);
        read_mapping(walk, section, i, item, path, items + i * section->item_size);
    }
    *(void **)(void *)((uint8_t *)config + section->items_offset) = items;
    *(unsigned *)(void *)((uint8_t *)config + section->count_offset) = (unsigned)count;
}

static void read_section(struct walk *walk, const struct section *section,
                         const yaml_node_t *node) {
    if (section->preset != NULL) {
        read_list(walk, section, node);
    } else if (node->type == YAML_MAPPING_NODE) {
        read_mapping(walk, section, 0, node, section->name, &walk->reading->loaded->config);
    } else if (!is_null(node)) { /* a section whose keys are all comments is null */
        mistakes_add(walk->reading->mistakes, line_of(walk, node),
                     "%s: is not a mapping; give its keys indented below it", section->name);
    }
}

/* The list that a section has when the file does not name it. */
static void read_preset(struct reading *reading, const struct section *section) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser) == 0) {
        mistakes_add(reading->mistakes, 0, "%s: no memory; free some", section->name);
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)section->preset,
                                 strlen(section->preset));
    if (yaml_parser_load(&parser, &document) != 0) {
        struct walk walk = {.reading = reading, .document = &document, .noted = false};
        read_list(&walk, section, yaml_document_get_root_node(&document));
        yaml_document_delete(&document);
    } else {
        mistakes_add(reading->mistakes, 0, "%s: no memory; free some", section->name);
    }
    yaml_parser_delete(&parser);
}

static void read_root(struct walk *walk, bool given[SECTIONS_MAX]) {
    const yaml_node_t *root = yaml_document_get_root_node(walk->document);
    struct mistakes *mistakes = walk->reading->mistakes;
    if (root == NULL || is_null(root))
        return; /* an empty file: all defaults */
    if (root->type != YAML_MAPPING_NODE) {
        mistakes_add(mistakes, line_of(walk, root),
                     "file: is not a mapping; give sections such as `mqtt:` with keys below them");
        return;
    }
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(walk->document, pair->key);
        if (name->type != YAML_SCALAR_NODE) {
            mistakes_add(mistakes, line_of(walk, name),
                         "file: a key %s; give the name of a section", kind_of(name));
            continue;
        }
        unsigned s = 0;
        while (s < config_sections_count && strcmp(config_sections[s].name, text_of(name)) != 0)
            s++;
        if (s == config_sections_count) {
            unknown_name(walk, line_of(walk, name), "", text_of(name), NULL);
        } else if (given[s]) {
            mistakes_add(mistakes, line_of(walk, name),
                         "%s: is given again, first on line %zu; give it once", text_of(name),
                         walk->reading->places->section[s]);
        } else {
            given[s] = true;
            walk->reading->places->section[s] = line_of(walk, name);
            read_section(walk, &config_sections[s],
                         yaml_document_get_node(walk->document, pair->value));
        }
    }
}

static void syntax_error(struct reading *reading, const yaml_parser_t *parser) {
    if (parser->error == YAML_MEMORY_ERROR) {
        mistakes_add(reading->mistakes, 0, "file: no memory to read it; free some");
    } else if (parser->error == YAML_READER_ERROR) {
        mistakes_add(reading->mistakes, parser->mark.line + 1,
                     "syntax: %s at byte %zu; the file must be UTF-8 text", parser->problem,
                     parser->problem_offset);
    } else {
        mistakes_add(
            reading->mistakes, parser->problem_mark.line + 1,
            "syntax: %s (%s, line %zu); check indentation (blanks, no tabs), colons and "
            "quotes",
            parser->problem, parser->context != NULL ? parser->context : "at that place",
            (parser->context != NULL ? parser->context_mark.line : parser->problem_mark.line) + 1);
    }
}

/* All of it, in memory of the heap; it may be a pipe. NULL: why has been reported. */
static char *read_text(struct reading *reading, FILE *input, size_t *len) {
    char *text = malloc(FILE_MAX + 1);
    *len = text != NULL ? fread(text, 1, FILE_MAX + 1, input) : 0;
    if (text == NULL)
        mistakes_add(reading->mistakes, 0, "file: no memory to read it; free some");
    else if (ferror(input))
        mistakes_add(reading->mistakes, 0, "file: cannot be read; give a readable YAML file");
    else if (*len > FILE_MAX)
        mistakes_add(reading->mistakes, 0, "file: is longer than %d bytes; give a configuration",
                     FILE_MAX);
    else
        return text;
    free(text);
    return NULL;
}

/* False: it is not YAML, or no memory. */
static bool read_document(struct reading *reading, const char *text, size_t len,
                          bool given[SECTIONS_MAX]) {
    yaml_parser_t parser;
    yaml_document_t document;
    size_t deep = depth_line(text, len);
    if (deep > 0) {
        mistakes_add(reading->mistakes, deep,
                     "syntax: too many lists or mappings inside of each other; give sections such "
                     "as `mqtt:` with keys below them");
        return false;
    }
    if (yaml_parser_initialize(&parser) == 0) {
        mistakes_add(reading->mistakes, 0, "file: no memory to read it; free some");
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &document) == 0) {
        syntax_error(reading, &parser);
        yaml_parser_delete(&parser);
        return false;
    }
    struct walk walk = {.reading = reading, .document = &document, .noted = true};
    read_root(&walk, given);
    yaml_document_delete(&document);
    if (yaml_parser_load(&parser, &document) == 0) {
        syntax_error(reading, &parser);
    } else {
        const yaml_node_t *second = yaml_document_get_root_node(&document);
        if (second != NULL) {
            mistakes_add(reading->mistakes, line_of(&walk, second),
                         "file: a second YAML document begins; remove the `---` before it");
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return true;
}

static bool read_file(struct reading *reading, FILE *input, bool given[SECTIONS_MAX]) {
    size_t len;
    char *text = read_text(reading, input, &len);
    bool good = text != NULL && read_document(reading, text, len, given);
    free(text);
    return good;
}

bool read_config(struct reading *reading, FILE *input) {
    bool given[SECTIONS_MAX] = {false};
    struct walk defaults = {.reading = reading};
    reading->places = calloc(1, sizeof *reading->places);
    if (reading->places == NULL) {
        mistakes_add(reading->mistakes, 0, "file: no memory to read it; free some");
        return false;
    }
    for (unsigned s = 0; s < config_sections_count; s++)
        if (config_sections[s].preset == NULL)
            set_presets(&defaults, &config_sections[s], &reading->loaded->config);
    if (input != NULL && !read_file(reading, input, given))
        return false;
    for (unsigned s = 0; s < config_sections_count; s++)
        if (config_sections[s].preset != NULL && !given[s])
            read_preset(reading, &config_sections[s]);
    return true;
}
