/* SPDX-License-Identifier: Apache-2.0 */
/* EAL, started once in a process, and its packet buffers. */
#ifndef LINEMQ_TESTS_ETHER_EAL_H
#define LINEMQ_TESTS_ETHER_EAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_mbuf.h>

extern struct rte_mempool *mempool;

/* cmocka group set-up and tear-down. */
int eal_open(void **state);
int eal_close(void **state);

/* cmocka test tear-down: every buffer has come back. */
int buffers_are_back(void **state);

#endif
