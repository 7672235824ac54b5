/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a packet script against the stack in virtual time; the language is in script.h. */
#ifndef LINEMQ_TESTS_PACKET_RUN_H
#define LINEMQ_TESTS_PACKET_RUN_H

#include "tests/packet/script.h"

/* False: what was expected and what came instead has been printed, with all that went before.
 * `tell` prints that in any case. */
bool script_run(const struct script *script, bool tell);

#endif
