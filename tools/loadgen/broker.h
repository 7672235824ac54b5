/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker says of itself over its ctl socket, and the kernel of its threads. Main thread.
 */
#ifndef LINEMQ_LOADGEN_BROKER_H
#define LINEMQ_LOADGEN_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

enum { BROKER_WORKERS_MAX = 32 };

struct broker_sample {
    unsigned workers;
    struct {
        uint64_t busy_cycles, idle_cycles, sleep_cycles, packets, longest_turn_us;
    } worker[BROKER_WORKERS_MAX];
    double cycles_per_us;
    uint64_t worker_cpu_us, other_cpu_us; /* of the process's threads; 0: it runs elsewhere */
    json_t *counters;                     /* by name */
    json_t *drops;                        /* those that are drops */
};

/* False with a sentence in `error`. */
bool broker_sample(const char *socket, struct broker_sample *sample, char *error,
                   unsigned error_size);
void broker_sample_free(struct broker_sample *sample);

/* What has grown between two samples: cycles by worker, counters, CPU time. */
json_t *broker_growth(const struct broker_sample *before, const struct broker_sample *after);

/* Cycles that all workers spent on work. By their own account, which counts as work what other
 * processes did on their CPUs in the midst of a turn; and, if the broker runs here, the kernel's
 * account of their CPU time, by the share of it that was work, which leaves that out. */
uint64_t broker_busy_cycles(const struct broker_sample *before, const struct broker_sample *after);
double broker_cpu_cycles(const struct broker_sample *before, const struct broker_sample *after);

/* `ctl memory show`, or NULL. */
json_t *broker_memory(const char *socket);

#endif
