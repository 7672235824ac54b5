/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment, started from the configuration: nobody writes EAL arguments (but
 * workers.eal may add some).
 *
 * Lcores: the calling thread becomes the main lcore and stays an ordinary thread; worker i runs on
 * the i-th of the others (RTE_LCORE_FOREACH_WORKER), on its CPU of workers.cpus, in turn if these
 * are fewer, or on any that the process may use.
 *
 * Memory: hugepages if the configuration wants them and enough are free, else ordinary memory.
 *
 * Interfaces and PCI devices: one that another broker drives already is not touched (lock.h).
 *
 * Thread: main.
 */
#ifndef LINEMQ_DRIVERS_EAL_H
#define LINEMQ_DRIVERS_EAL_H

#include <stdbool.h>

#include "control/config/config.h"

/* What can be said of the configuration on this machine before anything is set up: whether there is
 * as much memory as it asks for. 0, or negative with a sentence in `error`. */
int eal_check(const struct config *config, char *error, unsigned error_size);

/* Once in a process's life. 0, or negative with a sentence in `error`; then eal_log says more. The
 * devices of config->ports exist afterwards; port_open opens them. Pins the calling thread. */
int eal_start(const struct config *config, char *error, unsigned error_size);

/* After all ports are closed and all lcores are idle. Also ends a start that failed. */
void eal_stop(void);

/* Removes EAL's files alone, before the process exits in the midst of its start. Any thread. */
void eal_leave(void);

/* Whether hugepages are used, and how much of them, in MiB, was free before the start. */
bool eal_hugepages(void);
unsigned eal_hugepages_mib(void);

/* Before eal_start: where each line that EAL, the drivers and their libraries log goes as it comes,
 * on any thread, one after the other. Else it goes to standard error when log.level is debug. */
void eal_log_to(void (*line)(const char *line));

/* The last few kilobytes of them. */
const char *eal_log(void);

/* The last line of it, for an error message: what the driver complained of. */
const char *eal_log_last(char *line, unsigned size);

#endif
