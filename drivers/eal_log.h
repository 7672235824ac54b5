/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What EAL, the drivers and the libraries below them (libbpf, libxdp) log: line by line to
 * eal_log_to (eal.h), and the end of it kept. Private to drivers/. Open and close: main thread; the
 * lines come on any.
 */
#ifndef LINEMQ_DRIVERS_EAL_LOG_H
#define LINEMQ_DRIVERS_EAL_LOG_H

#include <stdbool.h>

/* Before rte_eal_init. `echo`: to standard error, if nobody has called eal_log_to. */
void eal_log_open(bool echo);

/* Makes libbpf and libxdp, which af_xdp's driver is about to load, log here too. */
void eal_log_xdp(void);

/* Around rte_eal_init: what it and the drivers print past the log. Standard output, which gets
 * DPDK's usage, is dropped; lines on standard error are logged at the end, and the first is left in
 * `line` (an empty one: there were none). What a crash in between prints is lost. */
struct eal_aside {
    int file, out, error;
};
void eal_aside_begin(struct eal_aside *aside);
void eal_aside_end(struct eal_aside *aside, char *line, unsigned size);

/* After rte_eal_cleanup. */
void eal_log_close(void);

#endif
