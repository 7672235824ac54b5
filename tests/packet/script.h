/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet scripts: what a peer sends, what the application does, and what must come out of the stack
 * and when. One file a behaviour. A line is `[TIME] STATEMENT`, # begins a comment.
 *
 * Time is virtual, in seconds.
 *     +0.2          after the line before (after the segment, where that was an expected one)
 *     1.5           since the script began
 *     0.9~1.1       from .. to, with or without +; for expected segments
 *     *             whenever it comes, within an hour; for expected segments
 *     &             in the same turn as the line before: the stack has sent nothing in between
 *     (none)        as +0
 * Expected segments may be `tolerance_ms` early or late, as timers have ticks.
 *
 * Segments, `<` from the peer and `>` from the stack:
 *     < P. 1:101(100) ack 1 win 512 <nop,nop,TS val 7 ecr @0.1>
 *     > . 1:2001(2000) ack 101 by 1000
 *   Flags are S F R P U E W, `.` for ACK, `-` for none. Numbers count from the initial ones, so the
 *   first byte is 1; those of acknowledgements and SACK blocks count from the other side's. `win`
 *   is as in the header, unscaled; where it is left out, the peer sends what it sent last, and of
 *   the stack it is not looked at. `by` splits the range into segments, PSH, FIN and FIN's ACK on
 *   the last. `urg N`, `doff N` (words) and `garbled` (other bytes than the stream's) are for what
 *   the peer sends.
 *   Options: mss N, wscale N, sackOK, sack L:R L:R.., TS [val N] [ecr N], nop, eol, raw XX XX.. .
 *   TS without values: of the peer what an honest one would send (a clock of milliseconds that
 *   begins at 1000, the latest time stamp seen), of the stack anything. Time stamps of the stack
 *   count ticks of 1.024 ms since the script began; @SECONDS is the tick at that time. Without a
 *   list a segment has the usual options: time stamps when both SYNs had them, else none. <> has
 *   none.
 *     < icmp too_big mtu 1200 quotes 1:1361(1360)
 *     < icmp unreachable quotes 1:1361(1360)
 *   An error about a segment of the stack, as it would be quoted from the network.
 *   Everything that the stack sends must be expected, in order, and every payload byte must be the
 *   stream's.
 *
 * The application; it takes what it gets unless told otherwise:
 *     send N   close   abort   keepalive on|off
 *     take N|all|none      takes so many bytes more, in all; asks for what was left
 *     reply N              sends N bytes whenever it receives some
 *     refuse on|off        says no to connections
 * The surroundings:
 *     set KEY N            before the first segment: `script_keys` in run.c
 *     peer N   worker N    which peer and which of two workers (with the same secrets) the lines
 *                          that follow are about; both begin as 1
 *     isn N                a new life of the peer's: its initial number for what follows
 *     stop                 no new connections
 *     frames N|all|none    so many can be sent
 *     frames_used N        so many percent of the link's buffers are in use
 *     pool empty|full      there is no memory; there is again
 *     pool fail N          the N-th allocation from here on fails, once
 *     suspend SECONDS      the clock moves on and nothing runs, as in a virtual machine that stops
 *     nothing              nothing was sent up to here
 * Judgement, of the current peer's connection:
 *     expect state NAME              CLOSED: none; TIME-WAIT may be a record
 *     expect FIELD N | A..B          of struct tcp_report: cwnd, ssthresh, srtt (us), in_flight ...
 *     expect counter NAME N | A..B   of the worker
 *     expect received | acknowledged | connections | extensions | opened | finished | pressure
 *            N | A..B
 *     expect closed orderly|reset|timeout|aborted|resources    why the last one ended
 * At the end all connections are reset and all memory must be back.
 */
#ifndef LINEMQ_TESTS_PACKET_SCRIPT_H
#define LINEMQ_TESTS_PACKET_SCRIPT_H

#include "tests/packet/segment.h"

enum when_kind { WHEN_AFTER, WHEN_AT, WHEN_ANY, WHEN_TURN };

struct when {
    enum when_kind kind;
    int64_t from, to; /* microseconds */
};

enum statement_kind {
    STATEMENT_INJECT,
    STATEMENT_EXPECT,
    STATEMENT_ICMP, /* quotes `segment`; `word` is the kind, `number` the MTU */
    /* Verbs: the arguments are in `number` and `to`, or `word`. */
    VERB_SEND,
    VERB_CLOSE,
    VERB_ABORT,
    VERB_KEEPALIVE,
    VERB_TAKE,
    VERB_REPLY,
    VERB_REFUSE,
    VERB_SET,
    VERB_PEER,
    VERB_WORKER,
    VERB_ISN,
    VERB_STOP,
    VERB_FRAMES,
    VERB_FRAMES_USED,
    VERB_POOL_EMPTY,
    VERB_POOL_FULL,
    VERB_POOL_FAIL,
    VERB_SUSPEND,
    VERB_NOTHING,
    VERB_EXPECT_STATE,
    VERB_EXPECT_FIELD,
    VERB_EXPECT_COUNTER,
    VERB_EXPECT_VALUE,
    VERB_EXPECT_CLOSED,
};

#define NUMBER_ALL INT64_MAX

struct statement {
    enum statement_kind kind;
    int line;
    struct when when;
    struct segment segment;
    unsigned word;      /* index into what the verb names: a key, a field, ... */
    int64_t number, to; /* on, all and their kin are numbers, too */
    const char *text;   /* the line */
};

struct script {
    const char *path;
    char *memory; /* the file */
    struct statement *statements;
    unsigned count;
};

/* Reads a file; prints what is wrong and returns false. */
bool script_read(struct script *script, const char *path);
void script_free(struct script *script);

/* Lists of words that scripts know, ended by NULL; the runner has them. */
extern const char *const script_keys[],
    *const script_fields[], *const script_values[], *const script_states[], *const script_closes[];

#endif
