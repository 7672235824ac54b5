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

/* After rte_eal_cleanup. */
void eal_log_close(void);

#endif
