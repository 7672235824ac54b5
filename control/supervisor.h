/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor starts the parts of the process in order, each only when what it needs is there,
 * and stops them in reverse. If one can't start, those before it are stopped again: nothing runs
 * half.
 *
 * Thread: the main thread.
 */
#ifndef LINEMQ_CONTROL_SUPERVISOR_H
#define LINEMQ_CONTROL_SUPERVISOR_H

#include "control/config/config.h"

struct supervisor;

/* NULL with a sentence in `error`, an empty one if SIGTERM or SIGINT, which the caller has blocked,
 * came before everything ran. `config` stays the caller's and must outlive the supervisor. */
struct supervisor *supervisor_start(const struct config *config, char *error, unsigned error_size);

/* Says goodbye to clients and ends everything within two seconds. */
void supervisor_stop(struct supervisor *supervisor);

/* Once a second. */
void supervisor_second(struct supervisor *supervisor);

/* Reads again what may change while running (password files). */
void supervisor_reload(struct supervisor *supervisor);

#endif
