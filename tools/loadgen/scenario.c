/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/loadgen/scenario.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "tools/loadgen/scenario_keys.h"

/* Where a value stands, and how many mistakes there were. */
struct reading {
    struct scenario *scenario;
    const char *place; /* file, or "--set" */
    size_t line;       /* 0: none */
    FILE *errors;
    unsigned mistakes;
};

static void mistake(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void mistake(struct reading *reading, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reading->mistakes++;
    if (reading->line > 0)
        fprintf(reading->errors, "%s:%zu: %s\n", reading->place, reading->line, text);
    else
        fprintf(reading->errors, "%s: %s\n", reading->place, text);
}

static const struct scenario_key *key_find(const char *section, size_t section_len,
                                           const char *name, size_t name_len) {
    for (unsigned i = 0; i < scenario_keys_count; i++) {
        const struct scenario_key *key = &scenario_keys[i];
        if (strlen(key->section) == section_len && strlen(key->name) == name_len &&
            memcmp(key->section, section, section_len) == 0 &&
            memcmp(key->name, name, name_len) == 0)
            return key;
    }
    return NULL;
}

static void number_set(struct reading *reading, const struct scenario_key *key, void *place,
                       const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(value >= key->min && value <= key->max) ||
        (key->type == TYPE_NUMBER && value != (double)(uint64_t)value)) {
        mistake(reading, "%s.%s: `%s` is no %s from %.0f to %.0f", key->section, key->name, text,
                key->type == TYPE_NUMBER ? "whole number" : "number", key->min, key->max);
        return;
    }
    if (key->type == TYPE_NUMBER)
        *(uint64_t *)place = (uint64_t)value;
    else
        *(double *)place = value;
}

/* `text` NULL: YAML's null. */
static void value_set(struct reading *reading, const struct scenario_key *key, const char *text) {
    void *place = (uint8_t *)reading->scenario + key->offset;
    if (key->type == TYPE_TEXT) {
        char *copy = text == NULL ? NULL : strdup(text);
        free(*(char **)place);
        *(char **)place = copy;
    } else if (text == NULL) {
        mistake(reading, "%s.%s: needs a value", key->section, key->name);
    } else if (key->type == TYPE_FLAG) {
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            mistake(reading, "%s.%s: `%s` is neither true nor false", key->section, key->name,
                    text);
        *(bool *)place = strcmp(text, "true") == 0;
    } else {
        number_set(reading, key, place, text);
    }
}

static const char *scalar(const yaml_node_t *node) {
    const char *text = (const char *)node->data.scalar.value;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return plain && (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0) ? NULL
                                                                                           : text;
}

/* One mapping; of the whole file with section "". */
static void mapping_read(struct reading *reading, yaml_document_t *document,
                         const yaml_node_t *node, const char *section) {
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(document, pair->value);
        reading->line = name->start_mark.line + 1;
        if (name->type != YAML_SCALAR_NODE) {
            mistake(reading, "a key that is no name");
            continue;
        }
        const char *text = (const char *)name->data.scalar.value;
        const struct scenario_key *key = key_find(section, strlen(section), text, strlen(text));
        if (value->type == YAML_MAPPING_NODE && *section == '\0' && key == NULL)
            mapping_read(reading, document, value, text);
        else if (key == NULL || value->type != YAML_SCALAR_NODE)
            mistake(reading, "%s%s%s: there is no such key; --help lists them", section,
                    *section == '\0' ? "" : ".", text);
        else
            value_set(reading, key, scalar(value));
    }
}

static void file_read(struct reading *reading, const char *path) {
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        mistake(reading, "cannot be opened");
        return;
    }
    if (yaml_parser_initialize(&parser) == 0) {
        fclose(file);
        mistake(reading, "no memory");
        return;
    }
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &document) == 0) {
        reading->line = parser.problem_mark.line + 1;
        mistake(reading, "is not YAML: %s", parser.problem);
    } else {
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        if (root != NULL && root->type == YAML_MAPPING_NODE)
            mapping_read(reading, &document, root, "");
        else if (root != NULL)
            mistake(reading, "is no mapping");
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    fclose(file);
    reading->line = 0;
}

static void override_read(struct reading *reading, const char *override) {
    const char *equals = strchr(override, '='), *dot = strchr(override, '.');
    bool sectioned = dot != NULL && equals != NULL && dot < equals;
    const char *name = sectioned ? dot + 1 : override;
    const struct scenario_key *key =
        equals == NULL ? NULL
                       : key_find(override, sectioned ? (size_t)(dot - override) : 0, name,
                                  (size_t)(equals - name));
    if (key == NULL)
        mistake(reading, "`%s` is not SECTION.KEY=VALUE with a key of --help", override);
    else
        value_set(reading, key, strcmp(equals + 1, "null") == 0 ? NULL : equals + 1);
}

/* What one key cannot know alone. */
static void scenario_check(struct reading *reading) {
    const struct scenario *scenario = reading->scenario;
    uint64_t group = scenario->fleet.publishers + scenario->fleet.subscribers;
    if (group == 0 || group * scenario->fleet.groups > 50000000)
        mistake(reading,
                "fleet: groups * (publishers + subscribers) is %" PRIu64
                "; give 1 to 50000000 devices",
                group * scenario->fleet.groups);
    if (scenario->fleet.publishers * scenario->fleet.topics * scenario->fleet.groups >= 1u << 31)
        mistake(reading, "fleet: more than 2^31 topics");
    if (scenario->network.first_port + scenario->network.ports_per_address > 65536)
        mistake(reading, "network: ports beyond 65535");
    if (scenario->publish.commands_percent > 0 &&
        (scenario->publish.rate <= 0 || scenario->fleet.subscribers == 0 ||
         scenario->fleet.publishers == 0 || scenario->publish.commands_percent >= 100))
        mistake(reading, "publish.commands_percent: commands need a rate, publishers, subscribers, "
                         "and less than 100 percent");
    if (scenario->fleet.publishers > 0 && scenario->fleet.subscribers == 0)
        mistake(reading, "fleet: publishers without subscribers cannot be checked");
    if (scenario->fleet.client_id == NULL || scenario->publish.topic == NULL ||
        scenario->publish.command_topic == NULL || scenario->port.kind == NULL ||
        scenario->port.device == NULL || scenario->network.broker == NULL ||
        scenario->network.address == NULL || scenario->name == NULL)
        mistake(reading, "port, network, fleet.client_id, publish.topic, publish.command_topic: "
                         "null is no value for them");
    if ((scenario->fleet.username != NULL && strlen(scenario->fleet.username) > 200) ||
        (scenario->fleet.password != NULL && strlen(scenario->fleet.password) > 200))
        mistake(reading, "fleet: user name and password have at most 200 bytes");
}

struct scenario *scenario_load(const char *path, const char *const *overrides, unsigned count,
                               FILE *errors) {
    struct scenario *scenario = calloc(1, sizeof *scenario);
    struct reading reading = {.scenario = scenario, .errors = errors, .place = "preset"};
    if (scenario == NULL)
        return NULL;
    for (unsigned i = 0; i < scenario_keys_count; i++)
        value_set(&reading, &scenario_keys[i], scenario_keys[i].preset);
    if (path != NULL) {
        reading.place = path;
        file_read(&reading, path);
    }
    reading.place = "--set";
    for (unsigned i = 0; i < count; i++)
        override_read(&reading, overrides[i]);
    reading.place = path != NULL ? path : "scenario";
    if (reading.mistakes == 0)
        scenario_check(&reading);
    if (reading.mistakes == 0)
        return scenario;
    scenario_free(scenario);
    return NULL;
}

void scenario_free(struct scenario *scenario) {
    for (unsigned i = 0; i < scenario_keys_count; i++)
        if (scenario_keys[i].type == TYPE_TEXT)
            free(*(char **)(void *)((uint8_t *)scenario + scenario_keys[i].offset));
    free(scenario);
}

void scenario_reference(FILE *out) {
    const char *section = "";
    for (unsigned i = 0; i < scenario_keys_count; i++) {
        const struct scenario_key *key = &scenario_keys[i];
        if (strcmp(section, key->section) != 0)
            fprintf(out, "%s:\n", key->section);
        section = key->section;
        fprintf(out, "%s%s: %s  # %s", *section == '\0' ? "" : "  ", key->name,
                key->preset == NULL ? "null" : key->preset, key->text);
        if (key->type == TYPE_NUMBER || key->type == TYPE_REAL)
            fprintf(out, " (%.0f to %.0f)", key->min, key->max);
        fputc('\n', out);
    }
}
