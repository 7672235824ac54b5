/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How deep a document is nested. libyaml looks at all open brackets for each token, so that the
 * time for many of them grows by the square: it is stopped where the configuration can't be any
 * more.
 */
#include <yaml.h>

#include "control/config/read.h"

enum { DEPTH_MAX = 16 };

/* 1 and -1 for what opens and closes. */
static int step(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return 1;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return -1;
    default:
        return 0;
    }
}

size_t depth_line(const char *text, size_t len) {
    yaml_parser_t parser;
    yaml_event_t event;
    size_t line = 0;
    int depth = 0;
    bool end = false;
    if (yaml_parser_initialize(&parser) == 0)
        return 0;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (!end && line == 0 && yaml_parser_parse(&parser, &event) != 0) {
        depth += step(&event);
        if (depth > DEPTH_MAX)
            line = event.start_mark.line + 1;
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return line;
}
