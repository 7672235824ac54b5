/* SPDX-License-Identifier: Apache-2.0 */
/* The EAL argument vector that a configuration means. Main thread, set-up only. */
#ifndef LINEMQ_DRIVERS_EAL_ARGUMENTS_H
#define LINEMQ_DRIVERS_EAL_ARGUMENTS_H

#include <sched.h>
#include <stdbool.h>

#include "control/config/config.h"

enum { EAL_ARGUMENTS_MAX = 64 };

struct eal_arguments {
    char *v[EAL_ARGUMENTS_MAX + 1]; /* ends with NULL */
    int count;
    bool hugepages;
};

/* What the machine offers. */
struct eal_machine {
    cpu_set_t cpus;         /* that the process may use */
    unsigned hugepages_mib; /* free */
    unsigned memory_mib;    /* available to this process beside hugepages */
    unsigned long process;  /* for names that no other process uses */
};

void eal_machine_look(struct eal_machine *machine);

/* Whether the memory that is filled at start is there. 0, or -1 with a sentence in `error`. */
int eal_memory_check(const struct config *config, const struct eal_machine *machine, char *error,
                     unsigned error_size);

/* 0, or -1 with a sentence in `error`. The vector is to be freed in either case. */
int eal_arguments_make(const struct config *config, const struct eal_machine *machine,
                       struct eal_arguments *arguments, char *error, unsigned error_size);
void eal_arguments_free(struct eal_arguments *arguments);

/* "2,3" or "2-5,8" into `cpus`, in that order; how many, or -1. */
int eal_cpus_parse(const char *text, unsigned *cpus, unsigned max);

#endif
