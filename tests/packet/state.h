/* SPDX-License-Identifier: Apache-2.0 */
/* A run from the inside: what the files that run a script share. */
#ifndef LINEMQ_TESTS_PACKET_STATE_H
#define LINEMQ_TESTS_PACKET_STATE_H

#include "dataplane/tcp/cookie.h"
#include "tests/packet/script.h"
#include "tests/unit/tcp/harness.h"

enum { PEERS = 8, WORKERS = 2, BURST = 64, TRACE_MAX = 1 << 19, HOUR = 3600 };

/* A slot of the cookies begins here, and a tick of every clock. */
#define EPOCH (UINT64_C(32) * COOKIE_SLOT_US)

/* A segment that the stack sent and no line has looked at. */
struct seen {
    struct segment segment;
    uint64_t at;
    unsigned peer;
    bool is_stream;
};

struct remote {
    struct peer peer;
    bool asks_timestamps; /* its SYN had them */
    uint32_t latest;      /* the latest time stamp of the stack */
    bool has_stack_isn;
};

struct run {
    const struct script *script;
    const struct statement *statement; /* the current one */
    bool failed;
    struct world worlds[WORKERS];
    bool open[WORKERS];
    struct world *world; /* the current one */
    struct remote remotes[PEERS];
    struct remote *remote;
    uint64_t now, last; /* last: when the line before happened */
    uint32_t ipv6, port, tolerance_ms, peer_isn, stack_isn;
    struct tcp_segment burst[BURST];
    unsigned burst_count;
    struct seen seen[WORLD_SENT_MAX];
    unsigned seen_first, seen_end;
    char trace[TRACE_MAX];
    size_t trace_len;
};

/* A member of a struct that scripts can name. */
struct word {
    size_t offset, size;
};

/* --- run.c ----------------------------------------------------------------------------------- */

void run_trace(struct run *run, uint64_t at, const char *format, ...);
/* Prints it with the trace; only the first failure of a run. */
void run_fail(struct run *run, const char *format, ...);
/* Seconds since the script began. */
double run_time(uint64_t at);

/* Of the current peer: its connection or what is left of it, or NULL. */
struct tcp_endpoint *run_endpoint(const struct run *run);
struct tcp_conn *run_connection(const struct run *run);
/* That, or the run fails. */
struct tcp_conn *run_needs_connection(struct run *run);

/* Lets time pass until `end`, or until something is sent. */
void run_pass(struct run *run, uint64_t end);

/* --- wire.c: segments to and from the stack -------------------------------------------------- */

/* The current peer's, with the others of this turn. */
void wire_inject(struct run *run, const struct segment *segment);
/* An ICMP error about a segment of the current peer's connection. */
void wire_icmp(struct run *run, const struct statement *statement);
/* The segments of this turn go in. */
void wire_input(struct run *run);
/* What a worker has sent. */
void wire_take_sent(struct run *run, struct world *world);
void wire_expect(struct run *run, const struct segment *wanted, uint64_t from, uint64_t to);

/* --- judge.c: all that begins with `expect` -------------------------------------------------- */

void judge(struct run *run, const struct statement *statement);

#endif
