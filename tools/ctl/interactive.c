/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt: libedit with history, and TAB completion from the command table. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <histedit.h>

#include "tools/ctl/ctl.h"

enum { HISTORY_LINES = 500, WORDS_MAX = 64 };

static char *prompt(EditLine *editor) {
    static char text[] = "linemq> ";
    return text;
}

struct candidates {
    const char *word;
    char common[64]; /* what all have in common */
    unsigned count;
    bool print;
};

static void candidate(void *argument, const char *text) {
    struct candidates *candidates = argument;
    if (candidates->print)
        printf("  %s", text);
    if (candidates->count++ == 0) {
        snprintf(candidates->common, sizeof candidates->common, "%s", text);
        return;
    }
    size_t same = 0;
    while (candidates->common[same] != 0 && candidates->common[same] == text[same])
        same++;
    candidates->common[same] = 0;
}

static unsigned char complete(EditLine *editor, int key) {
    const LineInfo *line = el_line(editor);
    char text[1024];
    snprintf(text, sizeof text, "%.*s", (int)(line->cursor - line->buffer), line->buffer);
    const char *words[WORDS_MAX];
    unsigned count = 0;
    char *rest = text, *word;
    while (count < WORDS_MAX - 1 && (word = strsep(&rest, " ")) != NULL)
        if (*word != 0 || rest == NULL)
            words[count++] = word;
    if (count == 0)
        return CC_ERROR;
    struct candidates candidates = {.word = words[count - 1]};
    command_complete(words, count, candidate, &candidates);
    if (candidates.count == 0)
        return CC_ERROR;
    size_t typed = strlen(candidates.word);
    if (strlen(candidates.common) > typed)
        el_insertstr(editor, candidates.common + typed);
    if (candidates.count == 1) {
        el_insertstr(editor, " ");
        return CC_REFRESH;
    }
    if (strlen(candidates.common) > typed)
        return CC_REFRESH;
    candidates.print = true;
    candidates.count = 0;
    putchar('\n');
    command_complete(words, count, candidate, &candidates);
    putchar('\n');
    fflush(stdout);
    return CC_REDISPLAY;
}

/* False: the user wants out. */
static bool run_line(Tokenizer *tokenizer, const char *line, int *code) {
    int count;
    const char **words;
    tok_reset(tokenizer);
    if (tok_str(tokenizer, line, &count, &words) != 0) {
        fputs("ctl: a quotation mark is not closed\n", stderr);
        *code = PROTOCOL_USAGE;
        return true;
    }
    if (count == 0)
        return true;
    if (count == 1 && (strcmp(words[0], "exit") == 0 || strcmp(words[0], "quit") == 0))
        return false;
    if (strcmp(words[0], "?") == 0)
        words[0] = "help";
    *code = ctl_line(words, (unsigned)count, false);
    return true;
}

int ctl_interactive(const char *socket) {
    HistEvent event;
    EditLine *editor = el_init("ctl", stdin, stdout, stderr);
    History *past = history_init();
    Tokenizer *tokenizer = tok_init(NULL);
    if (editor == NULL || past == NULL || tokenizer == NULL) {
        fputs("ctl: the terminal can't be used for a prompt\n", stderr);
        return PROTOCOL_FAILED;
    }
    setenv(PROTOCOL_SOCKET_ENVIRONMENT, socket, 1);
    history(past, &event, H_SETSIZE, HISTORY_LINES);
    history(past, &event, H_SETUNIQUE, 1);
    el_set(editor, EL_PROMPT, prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 1);
    el_set(editor, EL_HIST, history, past);
    el_set(editor, EL_ADDFN, "complete", "Complete a command", complete);
    el_set(editor, EL_BIND, "^I", "complete", NULL);
    el_source(editor, NULL);
    puts("Administration of LineMQ. `help` lists the commands, TAB completes, `exit` or Ctrl-D "
         "leaves.");
    int code = PROTOCOL_OK, length;
    for (const char *line; (line = el_gets(editor, &length)) != NULL && length > 0;) {
        if (strspn(line, " \t\n") != strlen(line))
            history(past, &event, H_ENTER, line);
        if (!run_line(tokenizer, line, &code))
            break;
    }
    tok_end(tokenizer);
    history_end(past);
    el_end(editor);
    return code;
}
