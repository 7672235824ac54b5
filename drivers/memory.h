/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory the machine has for us. Main thread: system calls. */
#ifndef LINEMQ_DRIVERS_MEMORY_H
#define LINEMQ_DRIVERS_MEMORY_H

/* MiB that this process can have beside hugepages: what the kernel could give without swapping, or
 * the limit of a control group (version 2) if that is less. */
unsigned memory_available_mib(void);

#endif
