/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments: finding them, reading them from text, checking those of a request. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/admin/commands.h"

const struct argument *command_option(const struct command *command, const char *name, size_t len) {
    const struct argument *found = NULL;
    unsigned matches = 0;
    for (const struct argument *option = command->arguments; option->name != NULL; option++) {
        if ((option->flags & (ARGUMENT_POSITIONAL | ARGUMENT_WIRE)) != 0)
            continue;
        if (strncmp(option->name, name, len) != 0)
            continue;
        if (option->name[len] == 0)
            return option;
        found = option;
        matches++;
    }
    return len > 0 && matches == 1 ? found : NULL;
}

const struct argument *command_positional(const struct command *command, unsigned n) {
    for (const struct argument *argument = command->arguments; argument->name != NULL; argument++)
        if ((argument->flags & ARGUMENT_POSITIONAL) != 0 && n-- == 0)
            return argument;
    return NULL;
}

static const char *dashes(const struct argument *argument) {
    return (argument->flags & ARGUMENT_POSITIONAL) != 0 ? "" : "--";
}

static bool in_range(const struct argument *argument, bool integer, uint64_t value, char *error,
                     size_t error_size) {
    if (integer && value >= argument->min && value <= argument->max)
        return true;
    snprintf(error, error_size, "%s%s must be a whole number from %" PRIu64 " to %" PRIu64,
             dashes(argument), argument->name, argument->min, argument->max);
    return false;
}

static bool is_choice(const struct argument *argument, const char *text, char *error,
                      size_t error_size) {
    for (unsigned i = 0; argument->choices[i] != NULL; i++)
        if (strcmp(argument->choices[i], text) == 0)
            return true;
    snprintf(error, error_size, "%s%s must be one of", dashes(argument), argument->name);
    for (unsigned i = 0; argument->choices[i] != NULL; i++) {
        size_t used = strlen(error);
        snprintf(error + used, error_size - used, "%s %s", i == 0 ? "" : ",", argument->choices[i]);
    }
    return false;
}

json_t *argument_value(const struct argument *argument, const char *text, char *error,
                       size_t error_size) {
    switch (argument->type) {
    case ARGUMENT_FLAG:
        return json_true();
    case ARGUMENT_NUMBER: {
        char *end;
        errno = 0;
        uint64_t value = strtoull(text, &end, 10);
        bool integer = text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
        return in_range(argument, integer, value, error, error_size)
                   ? json_integer((json_int_t)value)
                   : NULL;
    }
    case ARGUMENT_CHOICE:
        if (!is_choice(argument, text, error, error_size))
            return NULL;
        break;
    case ARGUMENT_TEXT:
    case ARGUMENT_FILE:
        break;
    }
    json_t *value = json_string(text);
    if (value == NULL)
        snprintf(error, error_size, "%s%s must be text in UTF-8", dashes(argument), argument->name);
    return value;
}

static bool check_value(const struct argument *argument, const json_t *value, char *error,
                        size_t error_size) {
    switch (argument->type) {
    case ARGUMENT_FLAG:
        if (json_is_boolean(value))
            return true;
        snprintf(error, error_size, "argument '%s' must be true or false", argument->name);
        return false;
    case ARGUMENT_NUMBER:
        return in_range(argument, json_is_integer(value) && json_integer_value(value) >= 0,
                        (uint64_t)json_integer_value(value), error, error_size);
    case ARGUMENT_CHOICE:
        return is_choice(argument, json_is_string(value) ? json_string_value(value) : "", error,
                         error_size);
    case ARGUMENT_FILE:
        if (json_is_string(value) && json_string_value(value)[0] == '/')
            return true;
        snprintf(error, error_size, "argument '%s' must be the name of a file from / on",
                 argument->name);
        return false;
    case ARGUMENT_TEXT:
        if (json_is_string(value))
            return true;
        break;
    }
    snprintf(error, error_size, "argument '%s' must be a string", argument->name);
    return false;
}

bool command_check(const struct command *command, json_t *arguments, char *error,
                   size_t error_size) {
    if (arguments != NULL && !json_is_object(arguments)) {
        snprintf(error, error_size, "'arguments' must be an object");
        return false;
    }
    const char *key;
    json_t *value;
    json_object_foreach(arguments, key, value) {
        const struct argument *argument = command->arguments;
        while (argument->name != NULL &&
               (strcmp(argument->name, key) != 0 || (argument->flags & ARGUMENT_CTL) != 0))
            argument++;
        if (argument->name == NULL) {
            snprintf(error, error_size, "there is no argument '%.64s'", key);
            return false;
        }
        if (!check_value(argument, value, error, error_size))
            return false;
    }
    for (const struct argument *argument = command->arguments; argument->name != NULL; argument++) {
        if ((argument->flags & ARGUMENT_REQUIRED) == 0)
            continue;
        if (json_object_get(arguments, argument->name) == NULL) {
            snprintf(error, error_size, "%s is missing: %s", argument->metavar, argument->text);
            return false;
        }
    }
    return true;
}
