/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google Benchmark for C: a benchmark is a C function that prepares what it needs, then does the
 * measured work in a loop
 *
 *     while (bench_running(run, n))
 *         ... n operations ...
 *
 * and ends. The library calls it several times with a growing number of operations; what is costly
 * to prepare is kept between the calls. Results are per operation.
 */
#ifndef LINEMQ_BENCH_MICRO_SHIM_H
#define LINEMQ_BENCH_MICRO_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_run;

typedef void (*bench_function)(struct bench_run *run, int64_t argument);

/* Named `name`, or `name/argument` if the argument is not negative. */
void bench_add(const char *name, bench_function function, int64_t argument);
/* The same for work in which other threads take part: measured in wall time. */
void bench_add_threaded(const char *name, bench_function function, int64_t argument);

/* True while `operations` more are to be done. */
bool bench_running(struct bench_run *run, int64_t operations);

/* Takes the time between off and on out of the measurement. Costs some hundred nanoseconds. */
void bench_clock(struct bench_run *run, bool on);

/* A figure printed beside the time, such as bytes for each entry. */
void bench_figure(struct bench_run *run, const char *name, double value);

/* The benchmark cannot be run: why. */
void bench_failed(struct bench_run *run, const char *why);

/* Parses the options of Google Benchmark, runs what was added. The exit status. */
int bench_main(int argc, char **argv);

/* Keeps the compiler from leaving out the computation of a value, and from assuming anything about
 * memory. */
static inline void bench_use(uint64_t value) {
    __asm__ volatile("" : : "r"(value) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif
