/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks on the kernel's interfaces and on PCI devices, so that two brokers never drive the same
 * one: an abstract Unix socket named after it, which belongs to a network namespace as the
 * interface does and vanishes with the process. (A PCI device belongs to none; between namespaces
 * vfio keeps order.) Main thread, set-up only.
 */
#ifndef LINEMQ_DRIVERS_LOCK_H
#define LINEMQ_DRIVERS_LOCK_H

#include "control/config/config.h"

/* Before EAL starts: a driver may change an interface while it is made. Locks the ports that are
 * interfaces or PCI devices. 0, or -1 with a sentence in `error`, and then none is locked. */
int locks_take(const struct config *config, char *error, unsigned error_size);

/* After all ports are closed. */
void locks_release(void);

#endif
