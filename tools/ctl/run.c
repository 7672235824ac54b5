/* SPDX-License-Identifier: Apache-2.0 */
/* Running a command line: help, a local command, or a question to the broker, perhaps again and
 * again. */
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/ctl/ctl.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) {
    interrupted = 1;
}

static int fail(int code, const char *error) {
    fflush(stdout);
    fprintf(stderr, "ctl: %s\n", error);
    return code;
}

static void print_rows(void *printer, const json_t *rows) {
    printer_rows(printer, rows);
}

static int ask(struct invocation *invocation) {
    char name[64], note[256], error[1024];
    struct printer printer;
    command_name(invocation->command, name, sizeof name);
    printer_begin(&printer, invocation->command, invocation->json);
    int code = request_run(invocation->socket, name, invocation->arguments, print_rows, &printer,
                           note, sizeof note, error, sizeof error);
    printer_end(&printer, code == PROTOCOL_OK);
    fflush(stdout);
    if (note[0] != 0)
        fprintf(stderr, "ctl: %s\n", note);
    return code == PROTOCOL_OK ? code : fail(code, error);
}

static void take_version(void *version, const json_t *rows) {
    json_t *row = version;
    json_t *broker = json_object_get(json_array_get(rows, 0), "broker");
    json_object_set(row, "broker", broker);
}

static int ask_version(struct invocation *invocation) {
    char note[256], error[1024];
    json_t *row = json_pack("{s:s, s:n}", "ctl", LINEMQ_VERSION, "broker");
    int code = request_run(invocation->socket, "version", NULL, take_version, row, note,
                           sizeof note, error, sizeof error);
    json_t *rows = json_pack("[o]", row);
    struct printer printer;
    printer_begin(&printer, invocation->command, invocation->json);
    printer_rows(&printer, rows);
    printer_end(&printer, true);
    json_decref(rows);
    return code == PROTOCOL_OK ? code : fail(code, error);
}

static int run_once(struct invocation *invocation) {
    if ((invocation->command->flags & COMMAND_LOCAL) != 0)
        return config_check_run(invocation);
    if (strcmp(invocation->command->noun, "version") == 0)
        return ask_version(invocation);
    return ask(invocation);
}

static int watch(struct invocation *invocation) {
    bool terminal = isatty(STDOUT_FILENO) && !invocation->json;
    struct sigaction before, action = {.sa_handler = on_interrupt};
    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    int code;
    for (bool first = true;; first = false) {
        if (terminal)
            fputs("\033[H\033[2J", stdout);
        else if (!first && !invocation->json)
            putchar('\n');
        code = run_once(invocation);
        if (code != PROTOCOL_OK || interrupted)
            break;
        struct timespec pause = {.tv_sec = (time_t)invocation->watch,
                                 .tv_nsec = (long)(fmod(invocation->watch, 1) * 1e9)};
        if (nanosleep(&pause, NULL) != 0 || interrupted || ferror(stdout))
            break;
    }
    sigaction(SIGINT, &before, NULL);
    return interrupted ? PROTOCOL_OK : code;
}

int invocation_run(struct invocation *invocation) {
    char error[1024] = "";
    switch (invocation->what) {
    case INVOKE_VERSION:
        puts("ctl " LINEMQ_VERSION);
        return PROTOCOL_OK;
    case INVOKE_HELP:
        if (invocation->command != NULL)
            help_command(invocation->command, stdout);
        else if (invocation->noun != NULL)
            help_noun(invocation->noun, stdout);
        else
            help_overview(stdout);
        return PROTOCOL_OK;
    case INVOKE_PROMPT:
        return ctl_interactive(invocation->socket);
    case INVOKE_COMMAND:
        break;
    }
    if (strcmp(invocation->command->noun, "publish") == 0 &&
        !payload_read(invocation, error, sizeof error))
        return fail(invocation->file != NULL ? PROTOCOL_FAILED : PROTOCOL_USAGE, error);
    return invocation->watch > 0 ? watch(invocation) : run_once(invocation);
}

int ctl_line(const char *const *words, unsigned count, bool prompt) {
    struct invocation invocation;
    char error[1024];
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    int code;
    if (!invocation_parse(&invocation, words, count, error, sizeof error)) {
        code = fail(PROTOCOL_USAGE, error);
    } else if (invocation.what != INVOKE_PROMPT || (prompt && terminal)) {
        code = invocation_run(&invocation);
    } else if (count == 0) {
        help_overview(stderr);
        code = PROTOCOL_USAGE;
    } else {
        code = fail(PROTOCOL_USAGE, "no command given");
    }
    invocation_free(&invocation);
    return code;
}
