/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 of a tuple (constant length) and of topics (any length). */
#include "dataplane/base/siphash.h"

#include "bench/micro/bench.h"

enum { TUPLE = 36, BATCH = 16 };

static const uint8_t key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void tuple(struct bench_run *run, int64_t argument) {
    uint8_t data[TUPLE] = {0};
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            data[0]++;
            bench_use(siphash(key, data, TUPLE));
        }
    }
}

static void bytes(struct bench_run *run, int64_t len) {
    uint8_t data[256] = {0};
    while (bench_running(run, BATCH)) {
        for (unsigned i = 0; i < BATCH; i++) {
            data[0]++;
            bench_use(siphash(key, data, (size_t)len));
        }
    }
}

void bench_siphash(void) {
    bench_add("siphash_tuple", tuple, -1);
    bench_add("siphash", bytes, 20);
    bench_add("siphash", bytes, 200);
}
