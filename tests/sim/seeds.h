/* SPDX-License-Identifier: Apache-2.0 */
/* Worlds by their seeds: a fixed range of them as a test, and others from the command line. */
#ifndef LINEMQ_TESTS_SIM_SEEDS_H
#define LINEMQ_TESTS_SIM_SEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/counters.h"

static const uint64_t HOUR = UINT64_C(3600) * 1000000;

/* One world: NULL, or what went wrong. Prints what became of it if it is to `tell`. */
typedef const char *seed_run(uint64_t seed, bool tell);

/* A cmocka test: the worlds 1 .. count are good. One that is not is told. */
void seeds_pass(seed_run *run, uint64_t count);

/* `PROGRAM FIRST COUNT`: tells a world by itself, of more those that are not good, and their sums.
 * Returns the exit code. */
int seeds_main(char **argv, seed_run *run, const char *worlds);

/* What a world adds to the sums: its microseconds and its counters. */
void seeds_add(uint64_t time, const struct counters *counters);

/* Those that are not zero. */
void seeds_print_counters(const struct counters *counters);

#endif
