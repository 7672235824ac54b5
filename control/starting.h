/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM and SIGINT while the parts of the process start. The start asks starting_go_on between
 * its steps; some of them, such as filling packet memory inside of DPDK, may take a minute. A
 * thread waits for the signals, gives the start a moment to notice, and else ends the process.
 *
 * Thread: begin and end by the main thread; the signals are blocked in all.
 */
#ifndef LINEMQ_CONTROL_STARTING_H
#define LINEMQ_CONTROL_STARTING_H

#include <stdbool.h>

/* `leave` removes what would stay behind the process; it is called on another thread while the main
 * thread is stuck somewhere, right before _exit(0). False: no thread. */
bool starting_begin(void (*leave)(void *argument), void *argument);

/* False once a signal has come. Any thread. */
bool starting_go_on(void);

/* The start is over. False: a signal has come. After a begin that failed, too. */
bool starting_end(void);

#endif
