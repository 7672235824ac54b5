/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/commands.h"

#include <stdarg.h>
#include <string.h>

#include "control/admin/columns.h"
#include "control/admin/protocol.h"

#define END                                                                                        \
    { .name = NULL }

#define LIMIT                                                                                      \
    {                                                                                              \
        .name = "limit", .metavar = "N", .type = ARGUMENT_NUMBER, .min = 1, .max = UINT32_MAX,     \
        .text = "Stop after N rows."                                                               \
    }

#define POSITIONAL(key, meta, sentence)                                                            \
    {                                                                                              \
        .name = key, .metavar = meta, .text = sentence, .type = ARGUMENT_TEXT,                     \
        .flags = ARGUMENT_POSITIONAL | ARGUMENT_REQUIRED                                           \
    }

static const struct argument no_arguments[] = {END};

static const struct argument client_list_arguments[] = {
    {.name = "prefix", .metavar = "P", .text = "Only client identifiers that begin with P."},
    {.name = "connected", .type = ARGUMENT_FLAG, .text = "Only clients that are connected."},
    LIMIT,
    END};

static const struct argument client_arguments[] = {POSITIONAL("client", "ID", "Client identifier."),
                                                   END};

static const struct argument client_trace_arguments[] = {
    POSITIONAL("client", "ID", "Client identifier."), LIMIT, END};

static const struct argument sub_list_arguments[] = {
    {.name = "client", .metavar = "ID", .text = "Only the subscriptions of this client."},
    LIMIT,
    END};

static const struct argument topic_match_arguments[] = {
    POSITIONAL("topic", "TOPIC", "Topic name, without wildcards."), LIMIT, END};

static const struct argument publish_arguments[] = {
    POSITIONAL("topic", "TOPIC", "Topic name, without wildcards."),
    {.name = "message", .metavar = "TEXT", .text = "The payload; '' is empty."},
    {.name = "file",
     .metavar = "F",
     .text = "Take the payload from file F.",
     .flags = ARGUMENT_CTL},
    {.name = "stdin",
     .type = ARGUMENT_FLAG,
     .text = "Take the payload from standard input.",
     .flags = ARGUMENT_CTL},
    {.name = "qos",
     .metavar = "QOS",
     .type = ARGUMENT_NUMBER,
     .max = 2,
     .text = "0 (as without it), 1 or 2."},
    {.name = "retain",
     .type = ARGUMENT_FLAG,
     .text = "Keep it as the topic's retained message; an empty one deletes that."},
    {.name = "base64",
     .metavar = "DATA",
     .text = "The payload, base64, in place of `message`.",
     .flags = ARGUMENT_WIRE},
    END};

static const struct argument drops_arguments[] = {
    {.name = "all", .type = ARGUMENT_FLAG, .text = "Also counters that are zero."}, LIMIT, END};

static const struct argument counters_arguments[] = {
    {.name = "prefix", .metavar = "P", .text = "Only names that begin with P, as in `tcp.`."},
    LIMIT,
    END};

static const struct argument config_check_arguments[] = {
    POSITIONAL("file", "FILE", "The configuration to check."), END};

static const struct argument capture_start_arguments[] = {
    {.name = "file",
     .metavar = "FILE",
     .type = ARGUMENT_FILE,
     .text = "Where to write; it must not exist, and is yours (mode 0600).",
     .flags = ARGUMENT_POSITIONAL | ARGUMENT_REQUIRED},
    {.name = "client", .metavar = "ID", .text = "Only this client's connections."},
    {.name = "address",
     .metavar = "A[/N]",
     .text = "Only frames from or to this IPv4 or IPv6 address, or network."},
    {.name = "port",
     .metavar = "N",
     .type = ARGUMENT_NUMBER,
     .min = 1,
     .max = UINT16_MAX,
     .text = "Only TCP from or to this port."},
    {.name = "worker",
     .metavar = "N",
     .type = ARGUMENT_NUMBER,
     .max = 31,
     .text = "Only what this worker receives, is handed over by others, and sends."},
    {.name = "payload",
     .type = ARGUMENT_FLAG,
     .text = "Also what is behind the headers: messages and PASSWORDS, in the clear."},
    {.name = "snap",
     .metavar = "BYTES",
     .type = ARGUMENT_NUMBER,
     .min = 64,
     .max = 16384,
     .text = "The most of a frame that is kept; 2048 without it."},
    {.name = "packets",
     .metavar = "N",
     .type = ARGUMENT_NUMBER,
     .min = 1,
     .max = UINT32_MAX,
     .text = "Stop after so many; 1000000 without it."},
    {.name = "bytes",
     .metavar = "N",
     .type = ARGUMENT_NUMBER,
     .min = 4096,
     .max = UINT64_C(1) << 40,
     .text = "Stop before the file is larger; 104857600 (100 MiB) without it."},
    {.name = "seconds",
     .metavar = "N",
     .type = ARGUMENT_NUMBER,
     .min = 1,
     .max = 2592000,
     .text = "Stop after so long; 600 without it."},
    {.name = "follow",
     .type = ARGUMENT_FLAG,
     .text = "Stay, print a line a second, and stop it with Ctrl-C."},
    END};

static const struct argument capture_arguments[] = {
    {.name = "capture",
     .metavar = "NUMBER",
     .type = ARGUMENT_NUMBER,
     .min = 1,
     .max = UINT32_MAX,
     .text = "Which one; without it the one that began last, of those that run if any does.",
     .flags = ARGUMENT_POSITIONAL},
    END};

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static const struct argument log_level_arguments[] = {
    {.name = "level",
     .metavar = "LEVEL",
     .type = ARGUMENT_CHOICE,
     .choices = log_levels,
     .text = "Log this and what is more important: error, warning, info or debug.",
     .flags = ARGUMENT_POSITIONAL},
    END};

static const struct argument limit_only[] = {LIMIT, END};

const struct command commands[] = {
    {"status", NULL, "The broker on one screen",
     "Clients, sessions, traffic, drops, load and memory of the whole broker.",
     "ctl status --watch 2", no_arguments, columns_status, OUTPUT_OBJECT, 0},

    {"client", "list", "List clients, connected or with a persistent session",
     "Rows come in no particular order, in pages; a list of millions is no trouble. What SUBS,\n"
     "INFLIGHT, QUEUED and DROPPED say of a persistent session is with its shard, which is asked;\n"
     "of a clean one it is with the worker, and `client show` asks that.",
     "ctl client list --prefix sensor/ --connected", client_list_arguments, columns_client_list,
     OUTPUT_LIST, 0},
    {"client", "show", "Show one client: session, traffic, TCP connection",
     "Exit code 4 if the broker does not know the client.", "ctl client show sensor/17",
     client_arguments, columns_client_show, OUTPUT_OBJECT, 0},
    {"client", "kick", "Close a client's connection",
     "The client may connect again at once; a persistent session is kept.\n"
     "Exit code 4 if there is no such client or it is not connected.",
     "ctl client kick sensor/17", client_arguments, columns_client_kick, OUTPUT_OBJECT,
     COMMAND_CHANGE},

    {"client", "trace", "Show the last events of a client's troubled connections",
     "A connection is traced from its first trouble on: something was dropped, sent again or out\n"
     "of order, a window closed, a RST came or went. Of each the last events are kept\n"
     "(tcp.trace_records), also when it has ended, until its place is needed (tcp.traces).\n"
     "Exit code 4 if there is no trace: the client had no trouble, or it is long ago.",
     "ctl client trace sensor/17", client_trace_arguments, columns_client_trace, OUTPUT_LIST, 0},

    {"sub", "list", "List subscriptions", "Of all clients, or of one.",
     "ctl sub list --client sensor/17", sub_list_arguments, columns_sub_list, OUTPUT_LIST, 0},

    {"topic", "match", "Show which clients would get a message",
     "Asks every thread for the subscriptions that match a topic name.",
     "ctl topic match plant/7/temperature", topic_match_arguments, columns_topic_match, OUTPUT_LIST,
     0},

    {"publish", NULL, "Publish a message",
     "The payload is given by one of --message, --file and --stdin.",
     "ctl publish plant/7/set --message 21.5 --qos 1", publish_arguments, columns_publish,
     OUTPUT_OBJECT, COMMAND_CHANGE},

    {"capture", "start", "Write frames to a file that Wireshark, tshark and tcpdump open",
     "Both directions, as the workers receive and send them, until a limit is reached or\n"
     "`ctl capture stop`; with --follow also until this ctl ends. All options must fit a frame.\n"
     "Without --payload it is cut where its headers end: TCP can be studied, and there is no\n"
     "message and no password in the file. MQTT without TLS sends passwords in the clear: with\n"
     "--payload those of everybody who connects meanwhile are in the file. Look after it.\n"
     "A client named with --client is followed when it connects again, on any worker: from its\n"
     "CONNECT on, for nobody knows before that whose handshake it is. It may also come later.\n"
     "Workers never wait for the file: frames that found no room are MISSED.",
     "ctl capture start /tmp/sensor17.pcapng --client sensor/17 --seconds 60",
     capture_start_arguments, columns_capture, OUTPUT_LIST, COMMAND_CHANGE},
    {"capture", "stop", "Stop a capture", "Returns when its file is complete.", "ctl capture stop",
     capture_arguments, columns_capture, OUTPUT_LIST, COMMAND_CHANGE},
    {"capture", "status", "Show one capture", "Exit code 4 if there is none.",
     "ctl capture status --watch 1", capture_arguments, columns_capture, OUTPUT_OBJECT, 0},
    {"capture", "list", "List captures", "Those that run, and the last ones that have ended.",
     "ctl capture list", limit_only, columns_capture, OUTPUT_LIST, 0},

    {"worker", "list", "Show the load of each worker",
     "A worker that polls uses a whole CPU whatever it does: BUSY is the share of its time that\n"
     "was work. Shares and rates are those of the last second or two.",
     "ctl worker list --watch 1", limit_only, columns_worker_list, OUTPUT_LIST, 0},

    {"port", "list", "Show the network ports",
     "Configuration, link, what the device does itself, and its statistics.", "ctl port list",
     limit_only, columns_port_list, OUTPUT_LIST, 0},

    {"memory", "show", "Show where the memory is",
     "Process, heap, and each thread's arena by component.", "ctl memory show", no_arguments,
     columns_memory_show, OUTPUT_OBJECT, 0},

    {"drops", NULL, "Show what was thrown away or refused, and why",
     "Every reason has its own counter; those that are zero are left out.", "ctl drops --watch 1",
     drops_arguments, columns_drops, OUTPUT_LIST, 0},
    {"counters", NULL, "Show all counters", NULL, "ctl counters --prefix tcp.", counters_arguments,
     columns_counters, OUTPUT_LIST, 0},

    {"config", "check", "Check a configuration file",
     "Names each mistake with file, line and what would be right. Needs no broker.\n"
     "Exit code 1 if there is a mistake.",
     "ctl config check /etc/linemq/linemqd.yaml", config_check_arguments, columns_config_check,
     OUTPUT_OBJECT, COMMAND_LOCAL},
    {"config", "show", "Print the configuration in force", "With all defaults, as YAML.",
     "ctl config show", no_arguments, columns_config_show, OUTPUT_OBJECT, 0},

    {"log", "level", "Show or set how much the broker logs",
     "The setting lasts until the broker ends.", "ctl log level debug", log_level_arguments,
     columns_log_level, OUTPUT_OBJECT, COMMAND_CHANGE},

    {"version", NULL, "Show the versions of ctl and of the broker",
     "Exit code 3 if no broker is reachable.", "ctl version", no_arguments, columns_version,
     OUTPUT_OBJECT, 0},

    {.noun = NULL}};

void command_name(const struct command *command, char *name, size_t size) {
    if (command->verb == NULL)
        snprintf(name, size, "%s", command->noun);
    else
        snprintf(name, size, "%s %s", command->noun, command->verb);
}

const struct command *command_by_name(const char *name) {
    for (const struct command *command = commands; command->noun != NULL; command++) {
        char full[64];
        command_name(command, full, sizeof full);
        if (strcmp(full, name) == 0)
            return command;
    }
    return NULL;
}

/* Appends to a text that may be cut, but never overrun. */
static void __attribute__((format(printf, 3, 4)))
append(char *text, size_t size, const char *format, ...) {
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    if (used < size)
        vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

static bool begins(const char *text, const char *word, size_t len) {
    return strncmp(text, word, len) == 0;
}

static bool same_noun(const struct command *a, const struct command *b) {
    return b->noun != NULL && strcmp(a->noun, b->noun) == 0;
}

/* The first command whose noun is `word` or the only noun that begins so. */
static const struct command *find_noun(const char *word, char *error, size_t error_size) {
    const struct command *found = NULL;
    bool several = false;
    for (const struct command *command = commands; command->noun != NULL; command++) {
        if (command > commands && same_noun(command, command - 1))
            continue;
        if (strcmp(command->noun, word) == 0)
            return command;
        if (word[0] != 0 && begins(command->noun, word, strlen(word))) {
            several = found != NULL;
            found = found != NULL ? found : command;
        }
        if (several)
            break;
    }
    if (found != NULL && !several)
        return found;
    snprintf(error, error_size, several ? "'%s' could be" : "there is no command '%s'; there are",
             word);
    const char *comma = " ";
    for (const struct command *command = commands; command->noun != NULL; command++) {
        if (command > commands && same_noun(command, command - 1))
            continue;
        if (several && !begins(command->noun, word, strlen(word)))
            continue;
        append(error, error_size, "%s%s", comma, command->noun);
        comma = ", ";
    }
    return NULL;
}

static void list_verbs(const struct command *first, const char *word, char *error,
                       size_t error_size) {
    const char *comma = " ";
    for (const struct command *command = first; same_noun(first, command); command++) {
        if (!begins(command->verb, word, strlen(word)))
            continue;
        append(error, error_size, "%s%s", comma, command->verb);
        comma = ", ";
    }
}

static const struct command *find_verb(const struct command *first, const char *word, char *error,
                                       size_t error_size) {
    const struct command *found = NULL;
    unsigned matches = 0;
    for (const struct command *command = first; same_noun(first, command); command++) {
        if (strcmp(command->verb, word) == 0)
            return command;
        if (word[0] != 0 && begins(command->verb, word, strlen(word))) {
            found = command;
            matches++;
        }
    }
    if (matches == 1)
        return found;
    if (matches > 1) {
        snprintf(error, error_size, "'%s %s' could be", first->noun, word);
        list_verbs(first, word, error, error_size);
    } else {
        snprintf(error, error_size, "%s has no verb '%s'; it has", first->noun, word);
        list_verbs(first, "", error, error_size);
    }
    return NULL;
}

const struct command *command_find(const char *const *words, unsigned count, unsigned *used,
                                   const char **noun_only, char *error, size_t error_size) {
    *used = 0;
    if (noun_only != NULL)
        *noun_only = NULL;
    if (count == 0) {
        snprintf(error, error_size, "no command given");
        return NULL;
    }
    const struct command *first = find_noun(words[0], error, error_size);
    if (first == NULL)
        return NULL;
    *used = 1;
    if (first->verb == NULL)
        return first;
    if (count == 1 || words[1][0] == '-') {
        if (noun_only != NULL) {
            *noun_only = first->noun;
        } else {
            snprintf(error, error_size, "%s needs a verb:", first->noun);
            list_verbs(first, "", error, error_size);
        }
        return NULL;
    }
    *used = 2;
    return find_verb(first, words[1], error, error_size);
}

void command_complete(const char *const *words, unsigned count,
                      void (*candidate)(void *argument, const char *text), void *argument) {
    const char *last = words[count - 1];
    size_t len = strlen(last);
    char error[256];
    if (count == 1) {
        for (const struct command *command = commands; command->noun != NULL; command++)
            if ((command == commands || !same_noun(command, command - 1)) &&
                begins(command->noun, last, len))
                candidate(argument, command->noun);
        if (begins("help", last, len))
            candidate(argument, "help");
        return;
    }
    if (strcmp(words[0], "help") == 0) {
        if (count < 4)
            command_complete(words + 1, count - 1, candidate, argument);
        return;
    }
    const struct command *first = find_noun(words[0], error, sizeof error);
    if (first == NULL)
        return;
    if (first->verb != NULL && count == 2) {
        for (const struct command *command = first; same_noun(first, command); command++)
            if (begins(command->verb, last, len))
                candidate(argument, command->verb);
        return;
    }
    unsigned used = 1;
    const struct command *command =
        command_find(words, count - 1, &used, NULL, error, sizeof error);
    if (command == NULL)
        return;
    if (last[0] == '-') {
        for (const struct argument *option = command->arguments; option->name != NULL; option++) {
            char text[64];
            snprintf(text, sizeof text, "--%s", option->name);
            if ((option->flags & (ARGUMENT_POSITIONAL | ARGUMENT_WIRE)) == 0 &&
                begins(text, last, len))
                candidate(argument, text);
        }
        static const char *const common[] = {"--json", "--watch", "--help"};
        for (unsigned i = 0; i < 3; i++)
            if (begins(common[i], last, len))
                candidate(argument, common[i]);
        return;
    }
    const struct argument *positional = command_positional(command, count - 1 - used);
    if (positional == NULL || positional->choices == NULL)
        return;
    for (unsigned i = 0; positional->choices[i] != NULL; i++)
        if (begins(positional->choices[i], last, len))
            candidate(argument, positional->choices[i]);
}
