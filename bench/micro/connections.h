/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections as a worker holds them, 256 bytes each, with their flow table. One size at a
 * time is kept, because the largest takes gigabytes and seconds to build. */
#ifndef LINEMQ_BENCH_MICRO_CONNECTIONS_H
#define LINEMQ_BENCH_MICRO_CONNECTIONS_H

#include "bench/micro/bench.h"
#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/flow.h"

enum { CONNECTION_SHIFT = 8 }; /* TCP's 128 bytes and the application's 128 */

struct connections {
    struct region region;
    struct flow flow;
    uint32_t count;
};

/* NULL: no memory. */
struct connections *connections_get(uint32_t count);
void connections_drop(void);

static inline uint32_t connection_ref(uint32_t index) {
    return (index + 1) << (CONNECTION_SHIFT - ARENA_UNIT_SHIFT);
}

/* Stands in for tcp_tuple_hash, which is measured on its own. */
static inline uint64_t connection_hash(uint32_t index) {
    uint64_t x = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

#endif
