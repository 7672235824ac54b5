/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/seeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct {
    uint64_t time;
    struct counters counters;
} total;

void seeds_add(uint64_t time, const struct counters *counters) {
    total.time += time;
    for (unsigned i = 0; i < COUNTERS; i++)
        total.counters.value[i] += counters->value[i];
}

void seeds_print_counters(const struct counters *counters) {
    for (unsigned i = 0; i < COUNTERS; i++)
        if (counters->value[i])
            printf("  %s %lu\n", counter_descriptions[i].name, (unsigned long)counters->value[i]);
}

void seeds_pass(seed_run *run, uint64_t count) {
    for (uint64_t seed = 1; seed <= count; seed++) {
        const char *what = run(seed, false);
        if (what) {
            run(seed, true);
            fail_msg("seed %lu: %s", (unsigned long)seed, what);
        }
    }
}

int seeds_main(char **argv, seed_run *run, const char *worlds) {
    uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
    unsigned failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *what = run(seed, count == 1);
        failed += what != NULL;
        if (what && count > 1)
            run(seed, true);
    }
    if (count > 1) {
        printf("%lu %s, %u failed, %.1f virtual hours\n", (unsigned long)count, worlds, failed,
               (double)total.time / (double)HOUR);
        seeds_print_counters(&total.counters);
    }
    return failed != 0;
}
