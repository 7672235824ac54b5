/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, by the command table. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/ctl/ctl.h"

struct parser {
    struct invocation *invocation;
    const char *const *words;
    unsigned count, next;
    bool help;
    char *error;
    size_t error_size;
};

/* Those of every command, with their letters. */
static const char *const common_names[] = {"json", "help", "version", "socket", "watch"};
static const char common_letters[] = "jhVsw";

enum { COMMON = sizeof common_names / sizeof *common_names };

/* Which of them a long option means: by its whole name, or by what it begins with if it is the only
 * one, of the command's too. COMMON: none. */
static unsigned common_long(const struct command *command, const char *name, size_t len) {
    unsigned found = COMMON, matches = 0;
    for (unsigned i = 0; i < COMMON; i++) {
        if (strncmp(common_names[i], name, len) != 0)
            continue;
        if (common_names[i][len] == 0)
            return i;
        found = i;
        matches++;
    }
    for (const struct argument *option = command != NULL ? command->arguments : NULL;
         option != NULL && option->name != NULL; option++)
        if ((option->flags & (ARGUMENT_POSITIONAL | ARGUMENT_WIRE)) == 0)
            matches += strncmp(option->name, name, len) == 0;
    return len > 0 && matches == 1 ? found : COMMON;
}

/* *value: what is attached to it, or NULL. */
static unsigned common_of(const struct command *command, const char *word, const char **value) {
    *value = NULL;
    if (strncmp(word, "--", 2) == 0) {
        size_t len = strcspn(word + 2, "=");
        if (word[2 + len] == '=')
            *value = word + 3 + len;
        return common_long(command, word + 2, len);
    }
    const char *letter = word[1] != 0 ? strchr(common_letters, word[1]) : NULL;
    if (letter == NULL)
        return COMMON;
    if (word[2] != 0)
        *value = word + 2;
    return (unsigned)(letter - common_letters);
}

static const char *take_value(struct parser *parser, const char *option, const char *attached) {
    if (attached != NULL)
        return attached;
    if (parser->next < parser->count)
        return parser->words[parser->next++];
    snprintf(parser->error, parser->error_size, "%s needs a value", option);
    return NULL;
}

static bool no_value(struct parser *parser, const char *option, const char *value) {
    if (value == NULL)
        return true;
    snprintf(parser->error, parser->error_size, "%s takes no value", option);
    return false;
}

static bool parse_watch(struct parser *parser, const char *text) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != 0 || !(seconds >= 0.1 && seconds <= 86400)) {
        snprintf(parser->error, parser->error_size,
                 "--watch must be a number of seconds from 0.1 to 86400, not '%s'", text);
        return false;
    }
    parser->invocation->watch = seconds;
    return true;
}

/* Options that every command has. 1 taken, 0 not one of them, -1 wrong. */
static int common_option(struct parser *parser, const char *word) {
    struct invocation *invocation = parser->invocation;
    const char *value, *text;
    switch (common_of(invocation->command, word, &value)) {
    case 0:
        invocation->json = true;
        return no_value(parser, "--json", value) ? 1 : -1;
    case 1:
        parser->help = true;
        return no_value(parser, "--help", value) ? 1 : -1;
    case 2:
        invocation->what = INVOKE_VERSION;
        return no_value(parser, "--version", value) ? 1 : -1;
    case 3:
        invocation->socket = take_value(parser, "--socket", value);
        return invocation->socket != NULL ? 1 : -1;
    case 4:
        text = take_value(parser, "--watch", value);
        return text != NULL && parse_watch(parser, text) ? 1 : -1;
    default:
        return 0;
    }
}

static bool set_argument(struct parser *parser, const struct argument *argument, const char *text) {
    struct invocation *invocation = parser->invocation;
    if (strcmp(argument->name, "file") == 0 && (argument->flags & ARGUMENT_CTL) != 0) {
        invocation->file = text;
        return true;
    }
    if (strcmp(argument->name, "stdin") == 0) {
        invocation->from_stdin = true;
        return true;
    }
    char path[PATH_MAX];
    if (argument->type == ARGUMENT_FILE && text[0] != '/') {
        /* The broker works elsewhere. */
        char here[PATH_MAX / 2];
        if (getcwd(here, sizeof here) == NULL || text[0] == 0 ||
            snprintf(path, sizeof path, "%s/%s", here, text) >= (int)sizeof path) {
            snprintf(parser->error, parser->error_size, "'%.64s' can't be made a path from / on",
                     text);
            return false;
        }
        text = path;
    }
    json_t *value = argument_value(argument, text, parser->error, parser->error_size);
    return value != NULL && json_object_set_new(invocation->arguments, argument->name, value) == 0;
}

static bool parse_option(struct parser *parser, const char *word) {
    const struct command *command = parser->invocation->command;
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    const struct argument *argument =
        strncmp(word, "--", 2) == 0 ? command_option(command, name, len) : NULL;
    /* What is no whole name of ours and could be a common option as well is neither. */
    for (unsigned i = 0; i < COMMON && argument != NULL && argument->name[len] != 0; i++)
        if (strncmp(common_names[i], name, len) == 0) {
            snprintf(parser->error, parser->error_size, "'%.*s' could be --%s, --%s", (int)len + 2,
                     word, argument->name, common_names[i]);
            return false;
        }
    if (argument == NULL) {
        char full[64];
        command_name(command, full, sizeof full);
        snprintf(parser->error, parser->error_size, "%s has no option '%s'; see `ctl help %s`",
                 full, word, full);
        return false;
    }
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    char option[64];
    snprintf(option, sizeof option, "--%s", argument->name);
    if (argument->type == ARGUMENT_FLAG)
        return no_value(parser, option, value) && set_argument(parser, argument, "");
    value = take_value(parser, option, value);
    return value != NULL && set_argument(parser, argument, value);
}

static bool parse_arguments(struct parser *parser) {
    struct invocation *invocation = parser->invocation;
    unsigned positional = 0;
    bool options_end = false;
    while (parser->next < parser->count) {
        const char *word = parser->words[parser->next++];
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
            continue;
        }
        if (!options_end && word[0] == '-' && word[1] != 0) {
            int common = common_option(parser, word);
            if (common < 0 || (common == 0 && !parse_option(parser, word)))
                return false;
            continue;
        }
        const struct argument *argument = command_positional(invocation->command, positional++);
        if (argument == NULL) {
            snprintf(parser->error, parser->error_size, "unexpected argument '%s'", word);
            return false;
        }
        if (!set_argument(parser, argument, word))
            return false;
    }
    return true;
}

/* help [NOUN [VERB]] */
static bool parse_help(struct parser *parser) {
    struct invocation *invocation = parser->invocation;
    invocation->what = INVOKE_HELP;
    const char *words[2];
    unsigned count = 0, used;
    while (parser->next < parser->count) {
        const char *word = parser->words[parser->next++];
        int common = word[0] == '-' && word[1] != 0 ? common_option(parser, word) : 0;
        if (common < 0)
            return false;
        if (common == 0 && (word[0] == '-' || count == 2)) {
            snprintf(parser->error, parser->error_size, "unexpected argument '%s'", word);
            return false;
        }
        if (common == 0)
            words[count++] = word;
    }
    if (count == 0)
        return true;
    parser->error[0] = 0;
    invocation->command =
        command_find(words, count, &used, &invocation->noun, parser->error, parser->error_size);
    if (invocation->command != NULL && used < count) {
        snprintf(parser->error, parser->error_size, "unexpected argument '%s'", words[used]);
        return false;
    }
    return invocation->command != NULL || invocation->noun != NULL;
}

/* What is the same whatever stands between. */
static bool options_fit(struct parser *parser) {
    const struct invocation *invocation = parser->invocation;
    const struct command *command = invocation->command;
    if (invocation->what == INVOKE_HELP && (invocation->json || invocation->watch > 0)) {
        snprintf(parser->error, parser->error_size, "help is text, once: no --json, no --watch");
        return false;
    }
    /* `log level` without a level only shows it. */
    if (invocation->what == INVOKE_COMMAND && invocation->watch > 0 &&
        (command->flags & COMMAND_CHANGE) != 0 && json_object_size(invocation->arguments) > 0) {
        char full[64];
        command_name(command, full, sizeof full);
        snprintf(parser->error, parser->error_size,
                 "--watch is for commands that show something, not for %s", full);
        return false;
    }
    return true;
}

static bool parse(struct parser *parser) {
    struct invocation *invocation = parser->invocation;
    while (parser->next < parser->count && parser->words[parser->next][0] == '-') {
        const char *word = parser->words[parser->next++];
        int common = common_option(parser, word);
        if (common == 0)
            snprintf(parser->error, parser->error_size, "unknown option '%s'", word);
        if (common <= 0)
            return false;
    }
    if (invocation->what == INVOKE_VERSION)
        return true;
    bool none = parser->next >= parser->count;
    if (none && parser->help) {
        invocation->what = INVOKE_HELP;
        return true;
    }
    if (none && !invocation->json && invocation->watch == 0) {
        invocation->what = INVOKE_PROMPT;
        return true;
    }
    if (!none && (parser->help || strcmp(parser->words[parser->next], "help") == 0)) {
        if (strcmp(parser->words[parser->next], "help") == 0)
            parser->next++;
        return parse_help(parser);
    }
    unsigned used;
    invocation->command = command_find(parser->words + parser->next, parser->count - parser->next,
                                       &used, &invocation->noun, parser->error, parser->error_size);
    parser->next += used;
    if (invocation->command == NULL && invocation->noun != NULL) {
        /* `ctl client --help`, or a noun that still needs a verb */
        while (parser->next < parser->count)
            if (common_option(parser, parser->words[parser->next++]) < 0)
                return false;
        invocation->what = INVOKE_HELP;
        if (parser->help)
            return true;
        return command_find(&invocation->noun, 1, &used, NULL, parser->error, parser->error_size) !=
               NULL;
    }
    if (invocation->command == NULL)
        return false;
    if (!parse_arguments(parser))
        return false;
    if (parser->help || invocation->what == INVOKE_VERSION) {
        if (parser->help)
            invocation->what = INVOKE_HELP;
        return true;
    }
    return command_check(invocation->command, invocation->arguments, parser->error,
                         parser->error_size);
}

bool invocation_parse(struct invocation *invocation, const char *const *words, unsigned count,
                      char *error, size_t error_size) {
    const char *environment = getenv(PROTOCOL_SOCKET_ENVIRONMENT);
    *invocation = (struct invocation){
        .arguments = json_object(),
        .socket = environment != NULL && environment[0] != 0 ? environment : PROTOCOL_SOCKET,
    };
    struct parser parser = {.invocation = invocation,
                            .words = words,
                            .count = count,
                            .error = error,
                            .error_size = error_size};
    error[0] = 0;
    return parse(&parser) && options_fit(&parser);
}

void invocation_free(struct invocation *invocation) {
    json_decref(invocation->arguments);
    invocation->arguments = NULL;
}
