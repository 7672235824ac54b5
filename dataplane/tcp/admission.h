/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come in how fast: SYNs, new connections and RSTs in a second, for each prefix that
 * segments come from (a customer's network, or the addresses behind one NAT) and for the worker.
 *
 * A limit is a bucket that holds one second's worth and fills evenly, kept as the time when it
 * would be full again. Buckets of prefixes lie in a table of fixed size, sets of four found by a
 * keyed hash. A bucket that is full says nothing, so its place is free; when all four places of a
 * set are in use, the one nearest to being full goes, which can only be to the advantage of its
 * prefix.
 *
 * What one prefix uses up is never another's loss, and so tells a stranger nothing. The limits of
 * the worker are shared; they concern only segments that belong to no connection.
 *
 * Thread: the worker. Pure but for admission_init and admission_fini, which use the heap.
 */
#ifndef LINEMQ_TCP_ADMISSION_H
#define LINEMQ_TCP_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum admission_kind { ADMISSION_SYN, ADMISSION_CONNECT, ADMISSION_RESET, ADMISSION_KINDS };

/* 0: no limit. */
struct admission_limits {
    uint32_t prefix[ADMISSION_KINDS]; /* a second, each prefix */
    uint32_t worker[ADMISSION_KINDS]; /* a second, all of them */
    uint8_t bits4, bits6;             /* length of a prefix */
};

enum { ADMISSION_SETS = 4096, ADMISSION_WAYS = 4 };

struct admission_bucket {
    uint64_t prefix;                /* keyed hash; 0 = free */
    uint64_t full[ADMISSION_KINDS]; /* when it is, nanoseconds */
};

struct admission {
    struct admission_bucket (*sets)[ADMISSION_WAYS]; /* [ADMISSION_SETS]; NULL: no limits */
    uint64_t prefix_step[ADMISSION_KINDS];           /* nanoseconds that one takes; 0 = no limit */
    uint64_t worker_step[ADMISSION_KINDS];
    uint64_t worker_full[ADMISSION_KINDS];
    uint8_t bits4, bits6;
    uint8_t key[16];
};

/* False: no memory. */
bool admission_init(struct admission *admission, const struct admission_limits *limits,
                    const uint8_t key[16]);
void admission_fini(struct admission *admission);

enum admission_verdict { ADMISSION_GRANTED, ADMISSION_PREFIX, ADMISSION_WORKER };

/* One of `kind` from `address` (IPv4 mapped) at `now` (microseconds): granted, or which limit is
 * against it. */
enum admission_verdict admission_ask(struct admission *admission, enum admission_kind kind,
                                     const uint8_t address[16], uint64_t now);

#endif
