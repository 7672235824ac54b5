/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/packet/script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/counters.h"
#include "dataplane/tcp/options.h"
#include "dataplane/tcp/tcp.h"

enum { STATEMENTS_MAX = 2000, MILLION = 1000000 };

struct parser {
    struct script *script;
    int line;
    const char *at; /* what is left of the line */
    bool failed;
};

static void fail(struct parser *parser, const char *format, ...) {
    if (parser->failed)
        return;
    parser->failed = true;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", parser->script->path, parser->line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* --- words and numbers ----------------------------------------------------------------------- */

static void skip_space(struct parser *parser) {
    while (*parser->at == ' ' || *parser->at == '\t')
        parser->at++;
}

/* The next character is this one: takes it. */
static bool take(struct parser *parser, char character) {
    skip_space(parser);
    if (*parser->at != character)
        return false;
    parser->at++;
    return true;
}

static void need(struct parser *parser, char character) {
    if (!take(parser, character))
        fail(parser, "'%c' is missing before '%s'", character, parser->at);
}

static size_t word_length(const char *at) {
    size_t len = 0;
    while (isalnum((unsigned char)at[len]) || (len && strchr("._-", at[len]) && at[len]))
        len++;
    return len;
}

/* The next word is this one: takes it. */
static bool take_word(struct parser *parser, const char *word) {
    skip_space(parser);
    size_t len = strlen(word);
    if (word_length(parser->at) != len || strncmp(parser->at, word, len) != 0)
        return false;
    parser->at += len;
    return true;
}

/* The index of the next word in a list. */
static unsigned one_of(struct parser *parser, const char *what, const char *const *list) {
    for (unsigned i = 0; list[i]; i++)
        if (take_word(parser, list[i]))
            return i;
    fail(parser, "'%.*s' is no %s", (int)word_length(parser->at), parser->at, what);
    return 0;
}

static int64_t number(struct parser *parser) {
    skip_space(parser);
    char *end;
    int64_t value = strtoll(parser->at, &end, 10);
    if (end == parser->at || isalnum((unsigned char)*end))
        fail(parser, "a number is missing before '%s'", parser->at);
    else if (value < INT32_MIN || value > UINT32_MAX)
        fail(parser, "%lld does not fit into 32 bits", (long long)value);
    parser->at = end;
    return value;
}

static int64_t number_up_to(struct parser *parser, int64_t max) {
    int64_t value = number(parser);
    if (value < 0 || value > max)
        fail(parser, "%lld is not within 0 and %lld", (long long)value, (long long)max);
    return value;
}

/* Seconds, to microseconds. */
static int64_t seconds(struct parser *parser) {
    skip_space(parser);
    const char *at = parser->at;
    int64_t value = 0, unit = MILLION;
    while (isdigit((unsigned char)*at))
        value = value * 10 + (*at++ - '0') * MILLION;
    if (*at == '.')
        for (at++; isdigit((unsigned char)*at) && unit > 1; at++)
            value += (*at - '0') * (unit /= 10);
    if (at == parser->at || isalnum((unsigned char)*at))
        fail(parser, "'%s' does not begin with seconds", parser->at);
    parser->at = at;
    return value;
}

/* A time stamp: a number, or the tick of a time. */
static uint32_t timestamp(struct parser *parser) {
    if (take(parser, '@'))
        return (uint32_t)(seconds(parser) >> 10);
    return (uint32_t)number(parser);
}

/* --- segments -------------------------------------------------------------------------------- */

static void parse_raw(struct parser *parser, struct option *option) {
    option->kind = OPTION_RAW;
    for (skip_space(parser); isxdigit((unsigned char)*parser->at); skip_space(parser)) {
        char *end;
        unsigned long byte = strtoul(parser->at, &end, 16);
        if (end - parser->at != 2 || option->raw_len == OPTIONS_MAX)
            break;
        option->raw[option->raw_len++] = (uint8_t)byte;
        parser->at = end;
    }
    if (option->raw_len == 0)
        fail(parser, "raw takes bytes of two digits, not '%s'", parser->at);
}

static void parse_option(struct parser *parser, struct option *option) {
    *option = (struct option){0};
    if (take_word(parser, "nop")) {
        option->kind = TCP_OPTION_NOP;
    } else if (take_word(parser, "eol")) {
        option->kind = TCP_OPTION_END;
    } else if (take_word(parser, "sackOK")) {
        option->kind = TCP_OPTION_SACK_PERMITTED;
    } else if (take_word(parser, "mss") || take_word(parser, "wscale")) {
        bool mss = parser->at[-1] == 's';
        option->kind = mss ? TCP_OPTION_MSS : TCP_OPTION_WSCALE;
        option->has_first = true;
        option->first = (uint32_t)number_up_to(parser, mss ? UINT16_MAX : UINT8_MAX);
    } else if (take_word(parser, "TS")) {
        option->kind = TCP_OPTION_TIMESTAMP;
        if ((option->has_first = take_word(parser, "val")))
            option->first = timestamp(parser);
        if ((option->has_second = take_word(parser, "ecr")))
            option->second = timestamp(parser);
    } else if (take_word(parser, "sack")) {
        option->kind = TCP_OPTION_SACK;
        do {
            option->left[option->blocks] = (uint32_t)number(parser);
            need(parser, ':');
            option->right[option->blocks++] = (uint32_t)number(parser);
            skip_space(parser);
        } while (isdigit((unsigned char)*parser->at) && option->blocks < OPTION_BLOCKS_MAX);
    } else if (take_word(parser, "raw")) {
        parse_raw(parser, option);
    } else {
        fail(parser, "no option begins like '%s'", parser->at);
    }
}

static void parse_options(struct parser *parser, struct segment *segment) {
    segment->has_options = true;
    if (take(parser, '>'))
        return;
    do {
        if (segment->options_count == OPTIONS_MAX) {
            fail(parser, "more options than a header has room for");
            return;
        }
        parse_option(parser, &segment->options[segment->options_count++]);
    } while (!parser->failed && take(parser, ','));
    need(parser, '>');
}

/* SEQ:END(LEN) */
static void parse_numbers(struct parser *parser, struct segment *segment) {
    segment->seq = (uint32_t)number(parser);
    need(parser, ':');
    uint32_t end = (uint32_t)number(parser);
    need(parser, '(');
    segment->len = (uint32_t)number(parser);
    need(parser, ')');
    if (end - segment->seq != segment->len)
        fail(parser, "%u to %u are not %u", segment->seq, end, segment->len);
}

/* Returns the length of the pieces that it is to be split into, 0: none. */
static uint32_t parse_segment(struct parser *parser, struct segment *segment, bool injected) {
    *segment = (struct segment){.offset = -1};
    uint32_t pieces = 0;
    skip_space(parser);
    size_t len = strcspn(parser->at, " \t");
    int flags = segment_flags(parser->at, len);
    if (len == 0 || flags < 0)
        fail(parser, "'%.*s' are no flags", (int)len, parser->at);
    segment->flags = (uint8_t)flags;
    parser->at += len;
    parse_numbers(parser, segment);
    bool acks = take_word(parser, "ack");
    if (acks)
        segment->ack = (uint32_t)number(parser);
    if (acks != !!(flags & TCP_ACK))
        fail(parser, "flag '.' and 'ack' belong together");
    while (!parser->failed) {
        skip_space(parser);
        if (!*parser->at)
            return pieces;
        if (take(parser, '<')) {
            parse_options(parser, segment);
        } else if (take_word(parser, "win")) {
            segment->has_wnd = true;
            segment->wnd = (uint16_t)number_up_to(parser, UINT16_MAX);
        } else if (take_word(parser, "by")) {
            pieces = (uint32_t)number_up_to(parser, UINT16_MAX);
        } else if (take_word(parser, "urg")) {
            segment->urgent = (uint16_t)number_up_to(parser, UINT16_MAX);
        } else if (injected && take_word(parser, "doff")) {
            segment->offset = (int)number_up_to(parser, 15);
        } else if (injected && take_word(parser, "garbled")) {
            segment->garbled = true;
        } else {
            fail(parser, "'%s' does not belong to a segment", parser->at);
        }
    }
    return 0;
}

/* An ICMP error. */
static void parse_icmp(struct parser *parser, struct statement *statement) {
    static const char *const kinds[] = {"too_big", "unreachable", NULL};
    statement->kind = STATEMENT_ICMP;
    statement->word = one_of(parser, "ICMP error", kinds);
    if (take_word(parser, "mtu"))
        statement->number = number_up_to(parser, UINT16_MAX);
    if (!take_word(parser, "quotes"))
        fail(parser, "quotes is missing before '%s'", parser->at);
    parse_numbers(parser, &statement->segment);
    skip_space(parser);
    if (*parser->at)
        fail(parser, "'%s' is too much", parser->at);
}

/* --- verbs ----------------------------------------------------------------------------------- */

enum arguments {
    NONE,
    NUMBER,
    SECONDS,
    ON_OFF,
    AMOUNT, /* a number, all or none */
    KEY,    /* and a number */
};

static const struct verb {
    const char *name;
    enum statement_kind kind;
    enum arguments arguments;
} verbs[] = {
    {"send", VERB_SEND, NUMBER},     {"close", VERB_CLOSE, NONE},
    {"abort", VERB_ABORT, NONE},     {"keepalive", VERB_KEEPALIVE, ON_OFF},
    {"take", VERB_TAKE, AMOUNT},     {"reply", VERB_REPLY, NUMBER},
    {"refuse", VERB_REFUSE, ON_OFF}, {"set", VERB_SET, KEY},
    {"peer", VERB_PEER, NUMBER},     {"worker", VERB_WORKER, NUMBER},
    {"isn", VERB_ISN, NUMBER},       {"stop", VERB_STOP, NONE},
    {"frames", VERB_FRAMES, AMOUNT}, {"suspend", VERB_SUSPEND, SECONDS},
    {"nothing", VERB_NOTHING, NONE}, {"frames_used", VERB_FRAMES_USED, NUMBER},
};

static void parse_arguments(struct parser *parser, struct statement *statement,
                            enum arguments arguments) {
    static const char *const on_off[] = {"off", "on", NULL};
    switch (arguments) {
    case NONE:
        return;
    case AMOUNT:
        if (take_word(parser, "all")) {
            statement->number = NUMBER_ALL;
            return;
        }
        if (take_word(parser, "none"))
            return;
        /* fall through */
    case NUMBER:
        statement->number = number(parser);
        return;
    case SECONDS:
        statement->number = seconds(parser);
        return;
    case ON_OFF:
        statement->number = one_of(parser, "on or off", on_off);
        return;
    case KEY:
        statement->word = one_of(parser, "setting", script_keys);
        statement->number = number(parser);
        return;
    }
}

static void parse_range(struct parser *parser, struct statement *statement) {
    statement->number = statement->to = number(parser);
    if (strncmp(parser->at, "..", 2) == 0) {
        parser->at += 2;
        statement->to = number(parser);
    }
}

static unsigned parse_counter(struct parser *parser) {
    for (unsigned i = 0; i < COUNTERS; i++)
        if (take_word(parser, counter_descriptions[i].name))
            return i;
    fail(parser, "'%.*s' is no counter", (int)word_length(parser->at), parser->at);
    return 0;
}

static bool in_list(struct parser *parser, const char *const *list, unsigned *word) {
    for (*word = 0; list[*word]; ++*word)
        if (take_word(parser, list[*word]))
            return true;
    return false;
}

static void parse_judgement(struct parser *parser, struct statement *statement) {
    if (take_word(parser, "state")) {
        statement->kind = VERB_EXPECT_STATE;
        statement->word = one_of(parser, "state", script_states);
    } else if (take_word(parser, "closed")) {
        statement->kind = VERB_EXPECT_CLOSED;
        statement->word = one_of(parser, "way to close", script_closes);
    } else if (take_word(parser, "counter")) {
        statement->kind = VERB_EXPECT_COUNTER;
        statement->word = parse_counter(parser);
        parse_range(parser, statement);
    } else if (in_list(parser, script_values, &statement->word)) {
        statement->kind = VERB_EXPECT_VALUE;
        parse_range(parser, statement);
    } else {
        statement->kind = VERB_EXPECT_FIELD;
        statement->word = one_of(parser, "thing to expect", script_fields);
        parse_range(parser, statement);
    }
}

static void parse_verb(struct parser *parser, struct statement *statement) {
    if (take_word(parser, "expect")) {
        parse_judgement(parser, statement);
    } else if (take_word(parser, "pool")) {
        static const char *const pools[] = {"empty", "full", "fail", NULL};
        statement->kind = VERB_POOL_EMPTY + one_of(parser, "state of a pool", pools);
        if (statement->kind == VERB_POOL_FAIL)
            statement->number = number_up_to(parser, MILLION);
    } else {
        const struct verb *verb = verbs;
        const struct verb *end = verbs + sizeof verbs / sizeof *verbs;
        while (verb < end && !take_word(parser, verb->name))
            verb++;
        if (verb == end) {
            fail(parser, "no statement begins like '%s'", parser->at);
            return;
        }
        statement->kind = verb->kind;
        parse_arguments(parser, statement, verb->arguments);
    }
    skip_space(parser);
    if (*parser->at)
        fail(parser, "'%s' is too much", parser->at);
}

/* --- lines ----------------------------------------------------------------------------------- */

static struct when parse_when(struct parser *parser) {
    if (take(parser, '&'))
        return (struct when){.kind = WHEN_TURN};
    if (take(parser, '*'))
        return (struct when){.kind = WHEN_ANY};
    struct when when = {.kind = WHEN_AFTER};
    bool after = take(parser, '+');
    if (after || isdigit((unsigned char)*parser->at)) {
        when.kind = after ? WHEN_AFTER : WHEN_AT;
        when.from = when.to = seconds(parser);
        if (take(parser, '~')) {
            take(parser, '+');
            when.to = seconds(parser);
        }
    }
    return when;
}

static struct statement *add(struct parser *parser, const struct statement *statement) {
    if (parser->script->count == STATEMENTS_MAX) {
        fail(parser, "too long a script");
        return NULL;
    }
    struct statement *added = &parser->script->statements[parser->script->count++];
    *added = *statement;
    return added;
}

/* A long segment as several; what says that something ends goes on the last. */
static void add_pieces(struct parser *parser, struct statement *statement, uint32_t piece) {
    struct segment whole = statement->segment;
    uint32_t at = 0;
    while (!parser->failed && whole.len - at > piece) {
        statement->segment.seq = whole.seq + at;
        statement->segment.len = piece;
        statement->segment.flags = whole.flags & (uint8_t) ~(TCP_PSH | TCP_FIN);
        add(parser, statement);
        statement->when = (struct when){.kind = WHEN_AFTER};
        at += piece;
    }
    statement->segment = whole;
    statement->segment.seq += at;
    statement->segment.len -= at;
    add(parser, statement);
}

static void parse_line(struct parser *parser, char *line) {
    char *comment = strchr(line, '#');
    if (comment)
        *comment = 0;
    size_t len = strlen(line);
    while (len && isspace((unsigned char)line[len - 1]))
        line[--len] = 0;
    parser->at = line;
    skip_space(parser);
    if (!*parser->at)
        return;
    struct statement statement = {.line = parser->line, .text = parser->at};
    statement.when = parse_when(parser);
    bool injected = take(parser, '<');
    if (injected && take_word(parser, "icmp")) {
        parse_icmp(parser, &statement);
        add(parser, &statement);
    } else if (injected || take(parser, '>')) {
        statement.kind = injected ? STATEMENT_INJECT : STATEMENT_EXPECT;
        uint32_t piece = parse_segment(parser, &statement.segment, injected);
        if (!injected && statement.when.kind == WHEN_TURN)
            fail(parser, "the stack sends at the end of a turn");
        if (piece)
            add_pieces(parser, &statement, piece);
        else
            add(parser, &statement);
    } else {
        parse_verb(parser, &statement);
        add(parser, &statement);
    }
    bool ranged = statement.when.from != statement.when.to || statement.when.kind == WHEN_ANY;
    if (ranged && statement.kind != STATEMENT_EXPECT)
        fail(parser, "only for an expected segment the time may be open");
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    static char buffer[1 << 18];
    size_t len = fread(buffer, 1, sizeof buffer - 1, file);
    fclose(file);
    buffer[len] = 0;
    return strdup(buffer);
}

bool script_read(struct script *script, const char *path) {
    *script = (struct script){.path = path, .memory = read_file(path)};
    if (!script->memory) {
        perror(path);
        return false;
    }
    script->statements = calloc(STATEMENTS_MAX, sizeof *script->statements);
    struct parser parser = {.script = script};
    char *line = script->memory;
    while (line && script->statements && !parser.failed) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        parser.line++;
        parse_line(&parser, line);
        line = next;
    }
    if (!parser.failed && script->count == 0)
        fail(&parser, "there is nothing in it");
    return !parser.failed;
}

void script_free(struct script *script) {
    free(script->statements);
    free(script->memory);
}
